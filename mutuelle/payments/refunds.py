"""Refunds: one manager asks, another one approves, and the money is paid out by hand at the operator.

At the approval the receipt's units move to `refunded` and leave the books, rights are computed anew and the
household is told. We record that it was asked, approved and paid, and under which transaction of the
operator; we pay nothing ourselves.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock
from mutuelle.db import Row
from mutuelle.errors import Refused
from mutuelle.organisation import tenants
from mutuelle.organisation.logins import Manager
from mutuelle.payments import allocation, ledger, receipts
from mutuelle.payments.receipts import Receipt, ReceiptPart

REASONS = ("not-ours", "twice", "too-much", "asked", "other")


class Refund(Row):
    """A wish to pay (part of) a receipt back. `seen` is how many allocations the receipt had when it was
    asked."""

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
    """The refund of this receipt that waits for a decision; there is at most one."""
    mine = (Refund.tenant_id == receipt.tenant_id, Refund.receipt_id == receipt.id, Refund.status == "asked")
    return session.scalar(select(Refund).where(*mine))


def of_receipt(session: Session, receipt: Receipt) -> list[Refund]:
    """Every refund of this receipt, oldest first."""
    mine = (Refund.tenant_id == receipt.tenant_id, Refund.receipt_id == receipt.id)
    return list(session.scalars(select(Refund).where(*mine).order_by(Refund.asked_at)))


def of_tenant(session: Session, tenant_id: UUID, limit: int = 60) -> list[tuple[Refund, Receipt]]:
    """Those to decide, then those to pay, then those that ended, newest first."""
    joined = (Receipt.tenant_id == Refund.tenant_id) & (Receipt.id == Refund.receipt_id)
    query = select(Refund, Receipt).join(Receipt, joined).where(Refund.tenant_id == tenant_id)
    order = {"asked": 0, "approved": 1, "paid": 2, "refused": 2}
    rows = session.execute(query.order_by(Refund.asked_at.desc()).limit(limit)).all()
    return sorted(((row.Refund, row.Receipt) for row in rows), key=lambda pair: order[pair[0].status])


def refundable_units(session: Session, receipt: Receipt) -> int:
    """How many units of it are still with us."""
    parts = receipts.parts_of(session, receipt)
    return sum(part.amount for part in parts if part.kind in ("suspense", "credit", "bill"))


def ask(
    session: Session, person: Manager, receipt: Receipt, *, amount: int, reason: str, seen: int
) -> Refund:
    """Ask for `amount` units to be paid back. Nothing moves before somebody else approves.

    Refused: "refund.asked" when one waits already, "match.changed" when the receipt is no longer as the page
    showed it, "refund.amount" when that much is not there.
    """
    now = receipts.lock(session, receipt)
    if open_of(session, receipt) is not None:
        raise Refused("refund.asked")
    if now != seen:
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
        seen=seen,
        status="asked",
        asked_by=person.id,
        asked_at=clock.now(),
    )
    session.add(row)
    session.flush()
    _note(session, person, "refund-asked", row)
    return row


def approve(session: Session, person: Manager, row: Refund) -> None:
    """The second person agrees: the money leaves the books and the household is told.

    Refused: "refund.four-eyes" for who asked, "refund.decided" when it was decided before, "match.changed"
    when the receipt's money moved since it was asked.
    """
    row = _lock(session, row)
    receipt = session.get_one(Receipt, (row.tenant_id, row.receipt_id))
    now = allocation.lock(session, receipt)
    if row.status != "asked":
        raise Refused("refund.decided")
    if row.asked_by == person.id:
        raise Refused("refund.four-eyes")
    if now != row.seen:
        raise Refused("match.changed")
    taken = allocation.withdraw(
        receipt, receipts.parts_of(session, receipt), row.amount, ledger.outside_of(receipt.account_id)
    )
    day = clock.today(tenants.get(session, row.tenant_id).zone)
    receipts.place(
        session, receipt, [*taken.parts, ReceiptPart("refunded", taken.units)], on=day, reason="refunded"
    )
    ledger.post(session, row.tenant_id, f"refund:{row.id}", clock.now(), taken.moves)
    row.status, row.decided_by, row.decided_at = "approved", person.id, clock.now()
    session.flush()
    allocation.follow_up(session, taken, day, "refunded", receipt.transaction)
    if not any(part.kind == "suspense" for part in receipts.parts_of(session, receipt)):
        audit.close_case(session, row.tenant_id, "suspense", f"receipt:{receipt.id}")
    _note(session, person, "refund-approved", row)


def refuse(session: Session, person: Manager, row: Refund) -> None:
    """Whoever asked takes it back, or somebody else says no; nothing moves. Refused("refund.decided") when it
    was decided."""
    row = _lock(session, row)
    if row.status != "asked":
        raise Refused("refund.decided")
    row.status, row.decided_by, row.decided_at = "refused", person.id, clock.now()
    _note(session, person, "refund-refused", row)


def mark_paid(session: Session, person: Manager, row: Refund, transaction: str) -> None:
    """Somebody paid it out at the operator, under this transaction of the operator.

    Refused: "refund.not-approved", "refund.transaction" when no transaction is told.
    """
    row = _lock(session, row)
    if row.status != "approved":
        raise Refused("refund.not-approved")
    if not 3 <= len(transaction) <= 80 or not transaction.isprintable() or transaction.startswith("+"):
        raise Refused("refund.transaction")
    row.status, row.transaction, row.paid_by, row.paid_at = "paid", transaction, person.id, clock.now()
    _note(session, person, "refund-paid", row)


def _lock(session: Session, row: Refund) -> Refund:
    where = (Refund.tenant_id == row.tenant_id, Refund.id == row.id)
    return session.scalars(
        select(Refund).where(*where).with_for_update().execution_options(populate_existing=True)
    ).one()


def _note(session: Session, person: Manager, what: str, row: Refund) -> None:
    facts = {"refund": str(row.id), "amount": row.amount, "reason": row.reason}
    audit.record(session, row.tenant_id, person.actor, what, f"receipt:{row.receipt_id}", **facts)
