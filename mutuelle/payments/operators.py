"""What an operator can tell us, as plain values: the words between the adapters and the domain."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID

from mutuelle.money import Money

Approval = Literal["push", "link", "otp", "dial"]


class Status(StrEnum):
    """Where a payment stands. `unknown`: we asked and do not know what happened there."""

    REQUESTED = "requested"
    UNKNOWN = "unknown"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    EXPIRED = "expired"
    REVERSED = "reversed"


@dataclass(frozen=True)
class Movement:
    """Money the operator proves it moved on our account. `amount` is gross and positive in both directions.

    `transaction` identifies the receipt; a reversal names the transaction it takes back in `reverses`.
    `reference` is the reference the operator ties to it, ours when we asked, None where the wire has none.
    `payer` is E.164 or None (masked).
    """

    transaction: str
    amount: Money
    at: datetime
    payer: str | None = None
    reference: str | None = None
    reverses: str | None = None
    fee: int = 0


@dataclass(frozen=True)
class PaymentStatus:
    """The operator's answer about one of our references. `movement` is there exactly when the status is
    `confirmed`.

    `operator_ref` is the operator's name for our request, `link` what the payer opens, `reason` the
    operator's raw code, `expires` when it gives up by itself.
    """

    status: Status
    movement: Movement | None = None
    operator_ref: str | None = None
    link: str | None = None
    reason: str | None = None
    expires: datetime | None = None


@dataclass(frozen=True)
class CallbackHint:
    """What a callback seems to say. It proves nothing: it only wakes a status query.

    `authentic` is None where the operator signs nothing. `our_ref` names our request; `unsolicited` says that
    money came without one, so that only the transaction list can prove it. `key` identifies the event for
    duplicates.
    """

    key: str
    authentic: bool | None
    our_ref: str | None = None
    unsolicited: bool = False


@dataclass(frozen=True)
class MovementPage:
    """One page of an account's transaction list; `cursor` continues after it.

    `unreadable` names the lines that could not be understood: a person must look at them, the others are
    taken in.
    """

    movements: tuple[Movement, ...]
    cursor: str | None
    more: bool
    unreadable: tuple[str, ...] = ()


class TakesPayments(Protocol):
    """One merchant account at one operator. Every method may raise Unavailable; none touches our database.

    `approval` is how the payer agrees, `give_up_s` how long the operator itself waits for it, `lists` whether
    there is a transaction list to pull, `signs` whether its callbacks prove their origin, and `proofs` the
    credentials of which one must be known to judge that.
    """

    approval: Approval
    give_up_s: int
    lists: bool
    signs: bool
    proofs: tuple[str, ...]

    def request_payment(self, ref: UUID, payer: str, amount: Money, callback_url: str) -> PaymentStatus:
        """Ask the payer for `amount` under `ref`. The same `ref` never asks twice. May raise Declined."""

    def fetch_status(self, ref: UUID, operator_ref: str | None) -> PaymentStatus | None:
        """The truth about `ref`; None when the operator never heard of it."""

    def list_movements(self, day: date, cursor: str | None) -> MovementPage:
        """The account's movements of `day` after `cursor`, oldest first."""

    @staticmethod
    def read_callback(
        body: bytes, headers: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> CallbackHint:
        """Understand a callback and judge its origin. Malformed when it cannot be read."""
