"""Values that adapters of operators return to the domain, and the protocol that an adapter implements."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID

from mutuelle.money import Money

Approval = Literal["push", "link", "otp", "dial"]


class Status(StrEnum):
    """The state of a payment. `unknown`: the operator may have received our request."""

    REQUESTED = "requested"
    UNKNOWN = "unknown"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    EXPIRED = "expired"
    REVERSED = "reversed"


class OutflowDirection(StrEnum):
    """The direction of money that is neither a receipt nor the reversal of one."""

    OUT = "out"  # it left the wallet: a payout, a sweep to the bank
    BACK = "back"  # such money came back


@dataclass(frozen=True)
class Movement:
    """Money that the operator proves it moved on our account. `amount` is gross, positive in both directions.

    `transaction` identifies the receipt; a reversal names the transaction that it takes back in `reverses`.
    `reference` is the reference that the operator states: ours when the money answers our request, None if
    there is none. `payer` is E.164 or None (masked). `fee` is what the operator keeps of a receipt, gives
    back with a reversal, or charges for an outflow; None where it does not say. `dated` is False when the
    operator states no time: `at` is then the moment of our query, the latest one possible. `flow` is None for
    receipts and reversals; for other money `kind` is the operator's word for it.
    """

    transaction: str
    amount: Money
    at: datetime
    payer: str | None = None
    reference: str | None = None
    reverses: str | None = None
    fee: int | None = None
    dated: bool = True
    flow: OutflowDirection | None = None
    kind: str | None = None


@dataclass(frozen=True)
class PaymentStatus:
    """The operator's answer about one of our references. It has a `movement` when it is `confirmed` only.

    `operator_ref` is the operator's name for our request, `link` what the payer opens, `reason` the
    operator's raw code, `expires` when the operator stops waiting for the payer. `unread_proof`: the status
    is `unknown` because the operator proves money in an answer that we cannot read whole.
    """

    status: Status
    movement: Movement | None = None
    operator_ref: str | None = None
    link: str | None = None
    reason: str | None = None
    expires: datetime | None = None
    unread_proof: bool = False


@dataclass(frozen=True)
class CallbackHint:
    """What a callback seems to report. It proves nothing: it only triggers a status query.

    `authentic` is None where the operator does not sign. `our_ref` names our request; `unsolicited` means
    money without one, so that only the transaction list can prove it. `success_at` is when the money moved if
    the callback reports success and the operator's answers have no time.
    """

    authentic: bool | None
    our_ref: str | None = None
    unsolicited: bool = False
    success_at: datetime | None = None


@dataclass(frozen=True)
class MovementPage:
    """One page of an account's transaction list; `cursor` continues after it.

    `unreadable` names the lines that could not be parsed: a manager must look at them; the others are booked.
    """

    movements: tuple[Movement, ...]
    cursor: str | None
    more: bool
    unreadable: tuple[str, ...] = ()


class OperatorConnection(Protocol):
    """One merchant account at one operator. Every method may raise Unavailable; none touches our database.

    `approval` is how the payer agrees, `give_up_s` how long the operator waits for that, `lists` whether
    there is a transaction list to pull, `signs` whether its callbacks prove their origin, `proofs` the
    credentials of which one is needed to verify that.
    """

    approval: Approval
    give_up_s: int
    lists: bool
    signs: bool
    proofs: tuple[str, ...]

    def request_payment(self, ref: UUID, payer: str, amount: Money, callback_url: str) -> PaymentStatus:
        """Asks the payer for `amount` under `ref`. The same `ref` never asks twice. May raise Declined."""

    def fetch_status(self, ref: UUID, operator_ref: str | None) -> PaymentStatus | None:
        """Returns the status of `ref`, or None when the operator does not know it.

        Raises UnreadableProof when the answer proves money but cannot be read whole.
        """

    def list_movements(self, day: date, cursor: str | None) -> MovementPage:
        """Returns the account's movements of `day` after `cursor`, oldest first."""

    def fetch_balance(self) -> Money | None:
        """Returns what the account holds now, or None when the operator does not tell it."""


class TakesPayments(OperatorConnection, Protocol):
    """An operator's adapter: a connection that also reads the operator's callbacks."""

    @staticmethod
    def read_callback(
        body: bytes, headers: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> CallbackHint:
        """Parses a callback and verifies its origin. Malformed when it cannot be parsed."""
