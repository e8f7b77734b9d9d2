"""Records refunds: one manager asks, another one approves, and one pays the money out at the operator.

At the approval the receipt's units move to `refunded` and leave the books, rights are recomputed and the
household gets an SMS. The gateway pays nothing itself: it records who asked, approved and paid, and the
operator's transaction.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock
from mutuelle.audit import FlagKind, Subject
from mutuelle.db import Row
from mutuelle.errors import Refused
from mutuelle.messaging.messages import MessageKind
from mutuelle.organisation import tenants
from mutuelle.organisation.logins import Manager
from mutuelle.payments import allocation, ledger, receipts
from mutuelle.payments.receipts import PartKind, Reason, Receipt, ReceiptPart

REASONS = ("not-ours", "twice", "too-much", "asked", "other")


class RefundStatus(StrEnum):
    """The life-cycle of a refund."""

    ASKED = "asked"
    APPROVED = "approved"
    PAID = "paid"
    REFUSED = "refused"


class Refund(Row):
    """A request to pay (part of) a receipt back. `seen` is the receipt's version when it was made."""

    __tablename__ = "refunds"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    receipt_id: Mapped[UUID]
    amount: Mapped[int]
    currency: Mapped[str]
    reason: Mapped[str]
    seen: Mapped[int]
    status: Mapped[str]
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    transaction: Mapped[str | None]
    paid_by: Mapped[UUID | None]
    paid_at: Mapped[datetime | None]


def open_of(session: Session, receipt: Receipt) -> Refund | None:
    """Returns the refund of this receipt that waits for a decision; there is at most one."""
    of_receipt = (Refund.tenant_id == receipt.tenant_id, Refund.receipt_id == receipt.id)
    return session.scalar(select(Refund).where(*of_receipt, Refund.status == RefundStatus.ASKED))


def of_receipt(session: Session, receipt: Receipt) -> list[Refund]:
    """Returns every refund of this receipt, oldest first."""
    of_receipt = (Refund.tenant_id == receipt.tenant_id, Refund.receipt_id == receipt.id)
    return list(session.scalars(select(Refund).where(*of_receipt).order_by(Refund.asked_at)))


def of_tenant(session: Session, tenant_id: UUID, limit: int = 60) -> list[tuple[Refund, Receipt]]:
    """Returns refunds with their receipts: awaiting approval, awaiting payout, closed; each newest first."""
    joined = (Receipt.tenant_id == Refund.tenant_id) & (Receipt.id == Refund.receipt_id)
    query = select(Refund, Receipt).join(Receipt, joined).where(Refund.tenant_id == tenant_id)
    order = {
        RefundStatus.ASKED: 0,
        RefundStatus.APPROVED: 1,
        RefundStatus.PAID: 2,
        RefundStatus.REFUSED: 2,
    }
    rows = session.execute(query.order_by(Refund.asked_at.desc()).limit(limit)).all()
    return sorted(
        ((row.Refund, row.Receipt) for row in rows), key=lambda pair: order[RefundStatus(pair[0].status)]
    )


def refundable_units(session: Session, receipt: Receipt) -> int:
    """Returns how many units of the receipt are still with us."""
    kinds = (PartKind.SUSPENSE, PartKind.CREDIT, PartKind.BILL)
    return sum(part.amount for part in receipts.parts_of(session, receipt) if part.kind in kinds)


def ask(
    session: Session, manager: Manager, receipt: Receipt, *, amount: int, reason: str, expected_version: int
) -> Refund:
    """Asks for `amount` units to be paid back. Nothing moves before another manager approves.

    Refused: "refund.asked" when one waits already, "match.changed" when the receipt is no longer as the page
    showed it, "refund.amount" when less is left or the reason is unknown.
    """
    version = receipts.lock(session, receipt)
    if open_of(session, receipt) is not None:
        raise Refused("refund.asked")
    if version != expected_version:
        raise Refused("match.changed")
    if reason not in REASONS or not 0 < amount <= refundable_units(session, receipt):
        raise Refused("refund.amount", most=refundable_units(session, receipt))
    row = Refund(
        tenant_id=receipt.tenant_id,
        id=clock.new_id(),
        receipt_id=receipt.id,
        amount=amount,
        currency=receipt.currency,
        reason=reason,
        seen=version,
        status=RefundStatus.ASKED,
        asked_by=manager.id,
        asked_at=clock.now(),
    )
    session.add(row)
    session.flush()
    _record(session, manager, "refund-asked", row)
    return row


def approve(session: Session, manager: Manager, row: Refund) -> None:
    """A second manager approves: the money leaves the books and the household gets an SMS.

    Refused: "refund.four-eyes" for the manager who asked, "refund.decided" when it was decided before,
    "match.changed" when the receipt's money moved since the request.
    """
    row = _lock(session, row)
    receipt = session.get_one(Receipt, (row.tenant_id, row.receipt_id))
    version = allocation.lock(session, receipt)
    if row.status != RefundStatus.ASKED:
        raise Refused("refund.decided")
    if row.asked_by == manager.id:
        raise Refused("refund.four-eyes")
    if version != row.seen:
        raise Refused("match.changed")
    parts = receipts.parts_of(session, receipt)
    withdrawal = allocation.withdraw(receipt, parts, row.amount, ledger.outside_of(receipt.account_id))
    day = tenants.today(session, row.tenant_id)
    part = ReceiptPart(PartKind.REFUNDED, withdrawal.units)
    receipts.place(session, receipt, [*withdrawal.parts, part], on=day, reason=Reason.REFUNDED)
    ledger.post(session, row.tenant_id, f"refund:{row.id}", clock.now(), withdrawal.moves)
    row.status, row.decided_by, row.decided_at = RefundStatus.APPROVED, manager.id, clock.now()
    session.flush()
    allocation.update_and_notify_households(
        session, withdrawal, day, MessageKind.REFUNDED, receipt.transaction
    )
    if not any(part.kind == PartKind.SUSPENSE for part in receipts.parts_of(session, receipt)):
        audit.close_case(session, row.tenant_id, FlagKind.SUSPENSE, audit.about(Subject.RECEIPT, receipt.id))
    _record(session, manager, "refund-approved", row)


def refuse(session: Session, manager: Manager, row: Refund) -> None:
    """Any manager closes the request, also the one who asked; nothing moves.

    Refused("refund.decided") when it was decided before.
    """
    row = _lock(session, row)
    if row.status != RefundStatus.ASKED:
        raise Refused("refund.decided")
    row.status, row.decided_by, row.decided_at = RefundStatus.REFUSED, manager.id, clock.now()
    _record(session, manager, "refund-refused", row)


def mark_paid(session: Session, manager: Manager, row: Refund, transaction: str) -> None:
    """Records that a manager paid it out at the operator, under this transaction of the operator.

    Refused: "refund.not-approved", "refund.transaction" when `transaction` cannot be one.
    """
    row = _lock(session, row)
    if row.status != RefundStatus.APPROVED:
        raise Refused("refund.not-approved")
    if not 3 <= len(transaction) <= 80 or not transaction.isprintable() or transaction.startswith("+"):
        raise Refused("refund.transaction")
    row.status, row.transaction = RefundStatus.PAID, transaction
    row.paid_by, row.paid_at = manager.id, clock.now()
    _record(session, manager, "refund-paid", row)


def _lock(session: Session, row: Refund) -> Refund:
    query = select(Refund).where(Refund.tenant_id == row.tenant_id, Refund.id == row.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _record(session: Session, manager: Manager, action: str, row: Refund) -> None:
    facts = {"refund": str(row.id), "amount": row.amount, "reason": row.reason}
    audit.record(
        session, row.tenant_id, manager.actor, action, audit.about(Subject.RECEIPT, row.receipt_id), **facts
    )
