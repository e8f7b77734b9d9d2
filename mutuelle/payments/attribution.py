"""Decides whose money a receipt is. The rule is pure (`attribute`).

Only the operator's answer to our own reference settles a request. Money for a reference of ours that the
books do not know (they were restored, and lost the request) waits in suspense with that reference. Other
money belongs to a household when the payer's phone is registered to exactly one, else it waits in suspense
with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mutuelle import references
from mutuelle.households import households
from mutuelle.households.locks import HouseholdKey
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import payments
from mutuelle.payments.operators import Movement
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Reason


@dataclass(frozen=True)
class RequestMatch:
    """The money answers our own request."""

    household: HouseholdKey


@dataclass(frozen=True)
class HouseholdMatch:
    """The money belongs to a household, without a request."""

    household: HouseholdKey
    reason: Reason


@dataclass(frozen=True)
class NoMatch:
    """The owner of the money is unknown: it waits in suspense."""

    reason: Reason


def attribute(
    requested: HouseholdKey | None, payer_visible: bool, registered: Sequence[HouseholdKey]
) -> RequestMatch | HouseholdMatch | NoMatch:
    """Decides whose money it is. Pure.

    `requested` is the household of the request that it answers, `registered` are those of the payer's phone.
    """
    if requested is not None:
        return RequestMatch(requested)
    if len(registered) == 1:
        return HouseholdMatch(registered[0], Reason.PHONE_OF_ONE_HOUSEHOLD)
    if not payer_visible:
        return NoMatch(Reason.PHONE_MASKED)
    return NoMatch(Reason.PHONE_OF_SEVERAL_HOUSEHOLDS if registered else Reason.PHONE_NOT_REGISTERED)


def owner(
    session: Session,
    account: OperatorAccount,
    movement: Movement,
    payment: Payment | None,
    is_foreign: bool,
) -> RequestMatch | HouseholdMatch | NoMatch:
    """Returns whose money `movement` is; `payment` is the request that the operator says it answers.

    `is_foreign` says that it came in another currency than the account's: then it is nobody's.
    """
    if is_foreign:
        return NoMatch(Reason.OTHER_CURRENCY)
    if payment is not None:
        return RequestMatch(payment.household)
    if is_unknown_reference(session, movement.reference):
        return NoMatch(Reason.REFERENCE_UNKNOWN)
    of_phone = households.by_phone(session, movement.payer) if movement.payer else []
    registered = [key for key in of_phone if key[0] == account.tenant_id]
    return attribute(None, movement.payer is not None, registered)


def is_unknown_reference(session: Session, reference: str | None) -> bool:
    """Whether `reference` is written as we write ours, but names no request in the books."""
    ref = references.read_exact(reference)
    return ref is not None and payments.by_ref(session, ref) is None
