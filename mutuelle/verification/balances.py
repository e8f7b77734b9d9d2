"""Compares what the books say a wallet holds with what its operator says (I15).

An answer of now is compared with the books of a moment before, so money that moved in between differs until
the operator's list is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mutuelle.money import Money
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import ledger
from mutuelle.payments.ledger import Posting

NOT_COMPARED = "not compared"


@dataclass(frozen=True)
class WalletBalance:
    """A wallet with its balance by the books, and the operator's answer; None when it gave none, and why."""

    account: OperatorAccount
    booked: Money
    answer: Money | None = None
    reason: str = "the operator offers no balance"

    @property
    def difference(self) -> str | None:
        """Returns how the books differ from the answer. None when they agree, or were not compared."""
        if self.answer is None or self.answer == self.booked:
            return None
        if self.answer.currency != self.booked.currency:
            return f"the operator tells {self.answer.currency}, the account is in {self.booked.currency}"
        return (
            f"the books say {self.booked}, the operator says {self.answer}, "
            f"difference {self.answer - self.booked}"
        )

    def as_json(self) -> dict[str, Any]:
        """Returns the figures in whole units."""
        values: dict[str, Any] = {
            "account": self.account.code,
            "operator": self.account.operator,
            "currency": self.booked.currency,
            "booked": self.booked.units,
        }
        if self.answer is None:
            return values | {"result": f"{NOT_COMPARED}: {self.reason}"}
        return values | {"answer": self.answer.units, "result": self.difference or "equal"}


def booked(session: Session) -> list[WalletBalance]:
    """Returns the book balance of every wallet that the transaction may see: minus its `outside` address."""
    accounts = session.scalars(select(OperatorAccount).order_by(OperatorAccount.code)).all()
    return [WalletBalance(account, _book_balance(session, account)) for account in accounts]


def _book_balance(session: Session, account: OperatorAccount) -> Money:
    address = ledger.outside_of(account.id)
    of_account = (Posting.tenant_id == account.tenant_id, Posting.currency == account.currency)
    total = select(func.coalesce(func.sum(Posting.amount), 0)).where(*of_account)
    came = session.scalar(total.where(Posting.source == address)) or 0
    left = session.scalar(total.where(Posting.target == address)) or 0
    return Money(int(came - left), account.currency)


def broken(wallets: Sequence[WalletBalance]) -> list[str]:
    """Returns a message for each wallet whose balance differs."""
    return [
        f"I15 account {wallet.account.code}: {wallet.difference}" for wallet in wallets if wallet.difference
    ]
