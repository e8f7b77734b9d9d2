"""By hand: a manager says whose money it is, or that it was not. Two at once, a double click and an old page
change nothing."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock
from mutuelle.audit import AuditEntry
from mutuelle.errors import Missing, Refused
from mutuelle.households import households
from mutuelle.households.locks import HouseholdKey
from mutuelle.money import Money
from mutuelle.organisation import logins, tenants
from mutuelle.organisation.logins import Manager
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import allocation, ledger, receipts, refunds
from mutuelle.payments.ledger import Move
from mutuelle.payments.receipts import Receipt, ReceiptPart

OURS = "answer to our request"


def attribute(session: Session, person: Manager, receipt: Receipt, home_id: UUID, *, seen: int) -> None:
    """What waits of this receipt is that household's, from the day it was paid. `seen` is the page's count of
    allocations.

    Refused: "match.already" (by whom) when somebody was faster, "refund.asked" while a refund waits,
    "match.currency" when it is not the account's money. Missing: no such household in this mutuelle.
    """
    home = (receipt.tenant_id, home_id)
    if session.get(households.Household, home) is None:
        raise Missing("no such household here")
    act = _begin(session, receipt, seen, home)
    if receipt.currency != session.get_one(OperatorAccount, (receipt.tenant_id, receipt.account_id)).currency:
        raise Refused("match.currency")
    waiting = sum(part.amount for part in receipts.parts_of(session, receipt) if part.kind == "suspense")
    if not waiting:
        raise Refused("match.already", by=last_manager(session, receipt))
    amount = Money(waiting, receipt.currency)
    day = clock.local_date(receipt.moved_at, tenants.get(session, receipt.tenant_id).zone)
    receipts.place(session, receipt, [ReceiptPart("suspense", -waiting)], on=day, reason="by hand")
    moves = [Move(ledger.suspense_of(receipt.account_id), ledger.household_of(home_id), amount)]
    ledger.post(session, receipt.tenant_id, f"attribution:{receipt.id}{act}", clock.now(), moves)
    allocation.allocate(session, receipt, home, amount, day, "by hand", act)
    audit.close_case(session, receipt.tenant_id, "suspense", f"receipt:{receipt.id}")
    _note(session, person, "attributed", receipt, act, amount=waiting, household=str(home_id))


def undo(session: Session, person: Manager, receipt: Receipt, *, seen: int) -> None:
    """It was not that household's: contra entries, back to suspense, rights anew, the household told.

    Refused: "match.already", "refund.asked", and "match.ours" when the operator tied it to a request of ours.
    """
    act = _begin(session, receipt, seen)
    if not can_undo(session, receipt):
        raise Refused("match.ours")
    parts = receipts.parts_of(session, receipt)
    suspense = ledger.suspense_of(receipt.account_id)
    taken = allocation.withdraw(receipt, parts, receipt.amount, suspense, ("credit", "bill"))
    day = clock.today(tenants.get(session, receipt.tenant_id).zone)
    receipts.place(
        session,
        receipt,
        [*taken.parts, ReceiptPart("suspense", taken.units)],
        on=day,
        reason="undone by hand",
    )
    ledger.post(session, receipt.tenant_id, f"undo:{receipt.id}{act}", clock.now(), taken.moves)
    allocation.follow_up(session, taken, day, "corrected", receipt.transaction)
    audit.open_case(session, receipt.tenant_id, "suspense", f"receipt:{receipt.id}", "undone by hand")
    _note(session, person, "undone", receipt, act, amount=taken.units)


def can_undo(session: Session, receipt: Receipt) -> bool:
    """Whether it is on a household that we chose, a person or a rule; not one whose request the operator says
    it answers."""
    on_homes = any(part.kind in ("credit", "bill") for part in receipts.parts_of(session, receipt))
    mine = (receipts.Allocation.tenant_id == receipt.tenant_id, receipts.Allocation.receipt_id == receipt.id)
    answered = session.scalar(
        select(receipts.Allocation.id).where(*mine, receipts.Allocation.reason == OURS).limit(1)
    )
    return on_homes and answered is None


def _begin(session: Session, receipt: Receipt, seen: int, *homes: HouseholdKey) -> str:
    """Lock whose money it is, the receipt too, and see that it is as the page showed it; the suffix of this
    act's ledger references."""
    if allocation.lock(session, receipt, *homes) != seen:
        raise Refused("match.already", by=last_manager(session, receipt))
    if refunds.open_of(session, receipt) is not None:
        raise Refused("refund.asked")
    return f":{clock.new_id()}"


def last_manager(session: Session, receipt: Receipt) -> str | None:
    """The name of the person who moved this receipt last; None when it was no person."""
    mine = (
        AuditEntry.tenant_id == receipt.tenant_id,
        AuditEntry.subject == f"receipt:{receipt.id}",
        AuditEntry.actor.like("manager:%"),
    )
    actor = session.scalar(select(AuditEntry.actor).where(*mine).order_by(AuditEntry.at.desc()).limit(1))
    return logins.names(session, receipt.tenant_id).get(UUID(actor.partition(":")[2])) if actor else None


def _note(session: Session, person: Manager, what: str, receipt: Receipt, act: str, **facts: object) -> None:
    audit.record(
        session, receipt.tenant_id, person.actor, what, f"receipt:{receipt.id}", act=act[1:], **facts
    )


def homes_of(parts: list[ReceiptPart]) -> set[HouseholdKey]:
    """The households that hold part of a receipt."""
    return {part.household for part in parts if part.household}
