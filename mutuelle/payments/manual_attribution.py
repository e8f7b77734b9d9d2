"""A manager attributes a receipt in suspense to a household, or undoes that.

`expected_version` is the `receipts.version` that the page showed: of two acts at the same time, a double
click or an old page, the second is refused and changes nothing.
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock
from mutuelle.audit import FlagKind, Subject, TrailEntry
from mutuelle.errors import Missing, Refused
from mutuelle.households import households
from mutuelle.households.locks import HouseholdKey
from mutuelle.messaging.messages import MessageKind
from mutuelle.money import Money
from mutuelle.organisation import logins, tenants
from mutuelle.organisation.logins import Manager
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import allocation, ledger, receipts, refunds
from mutuelle.payments.ledger import Move
from mutuelle.payments.receipts import Allocation, PartKind, Reason, Receipt, ReceiptPart


def attribute(
    session: Session, manager: Manager, receipt: Receipt, household_id: UUID, *, expected_version: int
) -> None:
    """Allocates what this receipt has in suspense to a household, as of the day on which it was paid.

    Refused: "match.already" (with the manager's name) when the receipt changed meanwhile, "refund.asked"
    while a refund waits, "match.currency" when it is not the account's money. Missing: no such household in
    this mutuelle.
    """
    household = (receipt.tenant_id, household_id)
    if session.get(households.Household, household) is None:
        raise Missing("no such household here")
    act = _begin(session, receipt, expected_version, household)
    if receipt.currency != session.get_one(OperatorAccount, (receipt.tenant_id, receipt.account_id)).currency:
        raise Refused("match.currency")
    parts = receipts.parts_of(session, receipt)
    waiting = sum(part.amount for part in parts if part.kind == PartKind.SUSPENSE)
    if not waiting:
        raise Refused("match.already", by=last_manager(session, receipt))
    amount = Money(waiting, receipt.currency)
    day = tenants.day_of(session, receipt.tenant_id, receipt.moved_at)
    minus = ReceiptPart(PartKind.SUSPENSE, -waiting)
    receipts.place(session, receipt, [minus], on=day, reason=Reason.BY_HAND)
    moves = [Move(ledger.suspense_of(receipt.account_id), ledger.household_of(household_id), amount)]
    ledger.post(session, receipt.tenant_id, f"attribution:{receipt.id}{act}", clock.now(), moves)
    allocation.allocate(session, receipt, household, amount, day, Reason.BY_HAND, act)
    audit.close_case(session, receipt.tenant_id, FlagKind.SUSPENSE, audit.about(Subject.RECEIPT, receipt.id))
    _record(session, manager, "attributed", receipt, act, amount=waiting, household=str(household_id))


def undo(session: Session, manager: Manager, receipt: Receipt, *, expected_version: int) -> None:
    """Takes a receipt off its household: contra postings, back to suspense, rights recomputed, an SMS.

    Refused: "match.already", "refund.asked", and "match.ours" when the operator tied it to a request of ours.
    """
    act = _begin(session, receipt, expected_version)
    if not can_undo(session, receipt):
        raise Refused("match.ours")
    parts = receipts.parts_of(session, receipt)
    suspense = ledger.suspense_of(receipt.account_id)
    kinds = (PartKind.CREDIT, PartKind.BILL)
    withdrawal = allocation.withdraw(receipt, parts, receipt.amount, suspense, kinds)
    day = tenants.today(session, receipt.tenant_id)
    part = ReceiptPart(PartKind.SUSPENSE, withdrawal.units)
    receipts.place(session, receipt, [*withdrawal.parts, part], on=day, reason=Reason.UNDONE_BY_HAND)
    ledger.post(session, receipt.tenant_id, f"undo:{receipt.id}{act}", clock.now(), withdrawal.moves)
    allocation.update_and_notify_households(
        session, withdrawal, day, MessageKind.CORRECTED, receipt.transaction
    )
    subject = audit.about(Subject.RECEIPT, receipt.id)
    audit.open_case(session, receipt.tenant_id, FlagKind.SUSPENSE, subject, Reason.UNDONE_BY_HAND)
    _record(session, manager, "undone", receipt, act, amount=withdrawal.units)


def can_undo(session: Session, receipt: Receipt) -> bool:
    """Whether a manager or a rule chose its household, not the operator's answer to a request of ours."""
    parts = receipts.parts_of(session, receipt)
    of_receipt = (Allocation.tenant_id == receipt.tenant_id, Allocation.receipt_id == receipt.id)
    answer = session.scalar(
        select(Allocation.id).where(*of_receipt, Allocation.reason == Reason.REQUEST_ANSWERED).limit(1)
    )
    return answer is None and any(part.kind in (PartKind.CREDIT, PartKind.BILL) for part in parts)


def _begin(session: Session, receipt: Receipt, expected_version: int, *households: HouseholdKey) -> str:
    """Locks the receipt and its households. Returns the suffix of this act's ledger references.

    Refused when the receipt is no longer as the page showed it, or a refund waits.
    """
    if allocation.lock(session, receipt, *households) != expected_version:
        raise Refused("match.already", by=last_manager(session, receipt))
    if refunds.open_of(session, receipt) is not None:
        raise Refused("refund.asked")
    return f":{clock.new_id()}"


def last_manager(session: Session, receipt: Receipt) -> str | None:
    """Returns the name of the manager who acted on this receipt last, or None."""
    of_managers = (
        TrailEntry.tenant_id == receipt.tenant_id,
        TrailEntry.subject == audit.about(Subject.RECEIPT, receipt.id),
        TrailEntry.actor.like("manager:%"),
    )
    last = select(TrailEntry.actor).where(*of_managers).order_by(TrailEntry.at.desc()).limit(1)
    actor = session.scalar(last)
    return logins.names(session, receipt.tenant_id).get(UUID(actor.partition(":")[2])) if actor else None


def _record(
    session: Session, manager: Manager, action: str, receipt: Receipt, act: str, **facts: object
) -> None:
    subject = audit.about(Subject.RECEIPT, receipt.id)
    audit.record(session, receipt.tenant_id, manager.actor, action, subject, act=act[1:], **facts)
