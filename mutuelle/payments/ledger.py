"""Writes the ledger: a posting moves whole units from one address to another, so it cannot be out of balance.

The functions below make the addresses; never write one by hand:

* `outside:<account>`: the world beyond a wallet; the wallet's book balance is minus this balance
* `household:<id>`: what a household has paid and not yet used
* `suspense:<account>`: money that could not be attributed
* `fund:<mutuelle>`: contributions
* `fees:<account>`: what the operator keeps
* `refunds:<account>`: refunds that are approved and not yet paid out
* `outflow:<account>`: minus what left a wallet and neither a reversal nor a refund explains
* `receivable:<payer>:<mutuelle>`: minus what a payer owes on the claims sent to it; for each sponsor
  `receivable:sponsor:<sponsor>:<mutuelle>`
* `bank:<mutuelle>`: the world beyond the mutuelle's bank

Mistakes are reversed, never edited (as formance's `posting` and TigerBeetle's `correcting-transfers` do).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, inserts
from mutuelle.db import Row
from mutuelle.money import Money


class Entry(Row):
    """A set of postings written together under one `reference`."""

    __tablename__ = "entries"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str]
    at: Mapped[datetime]


class Posting(Row):
    """`amount` whole units from `source` to `target`."""

    __tablename__ = "postings"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID]
    source: Mapped[str]
    target: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]


@dataclass(frozen=True)
class Move:
    source: str
    target: str
    amount: Money


def outside_of(account_id: UUID) -> str:
    return f"outside:{account_id}"


def household_of(household_id: UUID) -> str:
    return f"household:{household_id}"


def suspense_of(account_id: UUID) -> str:
    return f"suspense:{account_id}"


def fund_of(tenant_id: UUID) -> str:
    return f"fund:{tenant_id}"


def fees_of(account_id: UUID) -> str:
    return f"fees:{account_id}"


def refunds_of(account_id: UUID) -> str:
    return f"refunds:{account_id}"


def outflow_of(account_id: UUID) -> str:
    return f"outflow:{account_id}"


def receivable_of(tenant_id: UUID, payer: str, sponsor_id: UUID | None = None) -> str:
    """Receivable account of a payer; for sponsors, one per sponsor."""
    return f"receivable:{payer}:{sponsor_id}:{tenant_id}" if sponsor_id else f"receivable:{payer}:{tenant_id}"


def bank_of(tenant_id: UUID) -> str:
    return f"bank:{tenant_id}"


def reverse(moves: Iterable[Move]) -> list[Move]:
    return [Move(move.target, move.source, move.amount) for move in reversed(list(moves))]


def post(session: Session, tenant_id: UUID, reference: str, at: datetime, moves: Iterable[Move]) -> None:
    """Writes one entry. IntegrityError, at the latest at the commit, when `reference` was posted before.

    The caller has checked that its receipt, reversal or refund is new; the UNIQUE key enforces it.
    """
    entry = {"tenant_id": tenant_id, "id": clock.new_id(), "reference": reference, "at": at}
    rows = (
        {
            "tenant_id": tenant_id,
            "id": clock.new_id(),
            "entry_id": entry["id"],
            "source": move.source,
            "target": move.target,
            "amount": move.amount.units,
            "currency": move.amount.currency,
        }
        for move in moves
        if move.amount.units
    )
    inserts.add(session, Entry, entry)
    inserts.add(session, Posting, *rows)


def moves_of(session: Session, tenant_id: UUID, reference: str) -> list[Move]:
    """Returns what was posted under `reference`, in no particular order."""
    query = select(Posting).join(
        Entry, (Entry.tenant_id == Posting.tenant_id) & (Entry.id == Posting.entry_id)
    )
    rows = session.scalars(query.where(Entry.tenant_id == tenant_id, Entry.reference == reference))
    return [Move(row.source, row.target, Money(row.amount, row.currency)) for row in rows]
