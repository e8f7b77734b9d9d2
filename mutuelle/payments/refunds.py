"""Records refunds: one manager asks, another one approves, and one pays the money out at the operator.

At the approval the receipt's units move to `refunded`, rights are recomputed and the household gets an SMS.
The gateway pays nothing itself: it records who asked, approved and paid, and the operator's transaction. The
note of a payout takes the money out of the wallet's books. Until the operator's list shows a line of that
transaction and amount, the refund counts as paid but not seen.

Locks: the transaction of the operator, then the receipt, then the refund.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import case, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, seals
from mutuelle.audit import FlagKind, Subject
from mutuelle.db import Row
from mutuelle.errors import Refused
from mutuelle.messaging.messages import MessageKind
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.organisation.logins import Manager
from mutuelle.payments import allocation, ledger, outflows, receipts
from mutuelle.payments.ledger import Move
from mutuelle.payments.operators import OutflowDirection
from mutuelle.payments.outflows import Outflow
from mutuelle.payments.receipts import PartKind, Reason, Receipt, ReceiptPart, Reversal

REASONS = ("not-ours", "twice", "too-much", "asked", "other")


class RefundStatus(StrEnum):
    """The life-cycle of a refund."""

    ASKED = "asked"
    APPROVED = "approved"
    PAID = "paid"
    REFUSED = "refused"
    ENDED = "ended"  # the operator itself gave the money back, before it was paid out


class Refund(Row):
    """A request to pay (part of) a receipt back. `seen` is the receipt's version when it was made.

    `taken_back` units of it the operator gave back itself. `seen_at` is when a line of the operator proved
    the payout, `outflow_id` names that line if it is no reversal. `from_excess` units of the payout are
    booked as the excess of the reversal that it is, because the note named another transaction at first.
    """

    __tablename__ = "refunds"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    receipt_id: Mapped[UUID]
    amount: Mapped[int]
    taken_back: Mapped[int] = mapped_column(default=0)
    from_excess: Mapped[int] = mapped_column(default=0)
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
    ended_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    outflow_id: Mapped[UUID | None]
    seal: Mapped[bytes | None]

    @property
    def due(self) -> int:
        """The units to pay out, or paid out: without what the operator gave back itself."""
        return self.amount - self.taken_back

    @property
    def unseen(self) -> bool:
        """Whether it was noted as paid out, and no line of the operator proves that."""
        return self.status == RefundStatus.PAID and self.seen_at is None


def open_of(session: Session, receipt: Receipt) -> Refund | None:
    """Returns the refund of this receipt that waits for a decision; there is at most one."""
    of_receipt = (Refund.tenant_id == receipt.tenant_id, Refund.receipt_id == receipt.id)
    return session.scalar(select(Refund).where(*of_receipt, Refund.status == RefundStatus.ASKED))


def of_receipt(session: Session, receipt: Receipt) -> list[Refund]:
    """Returns every refund of this receipt, oldest first."""
    of_receipt = (Refund.tenant_id == receipt.tenant_id, Refund.receipt_id == receipt.id)
    return list(session.scalars(select(Refund).where(*of_receipt).order_by(Refund.asked_at)))


_OPEN_FIRST = case(
    (Refund.status == RefundStatus.ASKED, 0),
    (Refund.status == RefundStatus.APPROVED, 1),
    (Refund.status == RefundStatus.PAID, case((Refund.seen_at.is_(None), 2), else_=3)),
    else_=3,
)


def of_tenant(
    session: Session, tenant_id: UUID, *, skip: int = 0, limit: int = 60
) -> list[tuple[Refund, Receipt]]:
    """Returns refunds with their receipts, those that need a person first, each group newest first.

    The groups are: awaiting approval, awaiting payout, paid and not seen at the operator, closed.
    """
    joined = (Receipt.tenant_id == Refund.tenant_id) & (Receipt.id == Refund.receipt_id)
    query = select(Refund, Receipt).join(Receipt, joined).where(Refund.tenant_id == tenant_id)
    query = query.order_by(_OPEN_FIRST, Refund.asked_at.desc(), Refund.id)
    return [(row.Refund, row.Receipt) for row in session.execute(query.offset(skip).limit(limit))]


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
    row.seal = seals.seal("refunds", vars(row))
    session.add(row)
    session.flush()
    record_act(session, manager, "refund-asked", row)
    return row


def approve(session: Session, manager: Manager, row: Refund) -> None:
    """A second manager approves: the money leaves the household, which gets an SMS, and waits to be paid out.

    Refused: "refund.four-eyes" for the manager who asked, "refund.decided" when it was decided before,
    "match.changed" when the receipt's money moved since the request.
    """
    receipt = session.get_one(Receipt, (row.tenant_id, row.receipt_id))
    version = allocation.lock(session, receipt)
    row = lock(session, row)
    if row.status != RefundStatus.ASKED:
        raise Refused("refund.decided")
    if row.asked_by == manager.id:
        raise Refused("refund.four-eyes")
    if version != row.seen:
        raise Refused("match.changed")
    parts = receipts.parts_of(session, receipt)
    withdrawal = allocation.withdraw(receipt, parts, row.amount, ledger.refunds_of(receipt.account_id))
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
    record_act(session, manager, "refund-approved", row)


def refuse(session: Session, manager: Manager, row: Refund) -> None:
    """Any manager closes the request, also the one who asked; nothing moves.

    Refused("refund.decided") when it was decided before.
    """
    row = lock(session, row)
    if row.status != RefundStatus.ASKED:
        raise Refused("refund.decided")
    row.status, row.decided_by, row.decided_at = RefundStatus.REFUSED, manager.id, clock.now()
    record_act(session, manager, "refund-refused", row)


def mark_paid(session: Session, manager: Manager, row: Refund, transaction: str) -> None:
    """Records that a manager paid it out at the operator, under this transaction of the operator.

    Refused: "refund.not-approved", "refund.ended" when the operator itself gave the money back,
    "refund.transaction" when `transaction` cannot be one, "refund.received" when it brought money in, and
    "refund.used" when it is booked as something else already.
    """
    check_form(transaction)
    row, account_id = _lock_payout(session, row, transaction)
    if row.status == RefundStatus.ENDED:
        raise Refused("refund.ended")
    if row.status != RefundStatus.APPROVED:
        raise Refused("refund.not-approved")
    check_unused(session, row, account_id, transaction)
    row.status, row.transaction = RefundStatus.PAID, transaction
    row.paid_by, row.paid_at = manager.id, clock.now()
    session.flush()
    move = Move(ledger.refunds_of(account_id), ledger.outside_of(account_id), _money(row))
    ledger.post(session, row.tenant_id, f"refund-paid:{row.id}", clock.now(), [move])
    match_recorded(session, row, account_id)
    record_act(session, manager, "refund-paid", row)


def match(session: Session, row: Refund, outflow: Outflow) -> None:
    """Ties a noted payout to the operator's line. Where the amounts differ it stays not seen, with a case."""
    if outflow.currency != row.currency:
        outflows.open_case(session, outflow, "money left in another currency than the refund's")
        return
    row.outflow_id = outflow.id
    post_match(session, row, outflow)
    transaction = audit.about(Subject.TRANSACTION, outflow.transaction)
    audit.close_case(session, row.tenant_id, FlagKind.OUTFLOW, transaction)
    if outflow.amount == row.due:
        row.seen_at = clock.now()
    else:
        reason = "the operator paid out another amount than the refund's"
        subject = audit.about(Subject.RECEIPT, row.receipt_id)
        audit.open_case(session, row.tenant_id, FlagKind.REFUND, subject, reason)
    session.flush()


def post_match(session: Session, row: Refund, outflow: Outflow, *, undo: bool = False) -> None:
    """Takes the note's own posting back, because the line books the same money; or undoes that."""
    account_id = outflow.account_id
    moves = [Move(ledger.outside_of(account_id), ledger.outflow_of(account_id), _money(row))]
    moves = ledger.reverse(moves) if undo else moves
    ledger.post(session, row.tenant_id, f"refund-seen:{row.id}:{clock.new_id()}", clock.now(), moves)


def match_recorded(session: Session, row: Refund, account_id: UUID) -> None:
    """Matches the payout with its line if the list showed that before the note."""
    if (outflow := outflows.find(session, account_id, row.transaction or "")) is not None:
        match(session, row, outflow)


def check_form(transaction: str) -> None:
    """Refuses, with "refund.transaction", what cannot be a transaction of an operator."""
    if not 3 <= len(transaction) <= 80 or not transaction.isprintable() or transaction.startswith("+"):
        raise Refused("refund.transaction")


def check_unused(session: Session, row: Refund, account_id: UUID, transaction: str) -> None:
    """Refuses a transaction of this account that is booked as something else than this payout.

    Refused: "refund.received" when it brought money in, else "refund.used".
    """
    of_account = {"account_id": account_id, "transaction": transaction}
    of_tenant = {"tenant_id": row.tenant_id, "transaction": transaction}
    if session.scalar(select(Receipt.id).filter_by(**of_account)) is not None:
        raise Refused("refund.received")
    uses = (
        session.scalar(select(Reversal.id).filter_by(**of_account).limit(1)),
        session.scalar(select(Refund.id).filter_by(**of_tenant).limit(1)),
        outflows.find(session, account_id, transaction, OutflowDirection.BACK),
    )
    if any(use is not None for use in uses):
        raise Refused("refund.used")


def _lock_payout(session: Session, row: Refund, transaction: str) -> tuple[Refund, UUID]:
    """Locks the transaction, the receipt and the refund. Returns the refund as it is now, and its account."""
    receipt = session.get_one(Receipt, (row.tenant_id, row.receipt_id))
    outflows.lock(session, receipt.tenant_id, transaction)
    receipts.lock(session, receipt)
    return lock(session, row), receipt.account_id


def lock(session: Session, row: Refund) -> Refund:
    """Locks a refund, whose receipt the caller has locked. Returns it as it is now."""
    query = select(Refund).where(Refund.tenant_id == row.tenant_id, Refund.id == row.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _money(row: Refund) -> Money:
    return Money(row.due, row.currency)


def record_act(session: Session, manager: Manager, action: str, row: Refund) -> None:
    """Writes to the trail what a manager did to a refund."""
    facts = {"refund": str(row.id), "amount": row.due, "reason": row.reason}
    audit.record(
        session, row.tenant_id, manager.actor, action, audit.about(Subject.RECEIPT, row.receipt_id), **facts
    )
