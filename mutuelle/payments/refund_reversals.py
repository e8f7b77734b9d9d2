"""What a reversal does to the refunds of its receipt: the decided money is not paid out a second time.

The household has given approved money up already, so a reversal takes from approved refunds before anything
else. A payout that was noted stays: its money has left, unless the reversal is that payout.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock
from mutuelle.audit import FlagKind, Subject
from mutuelle.money import Money
from mutuelle.payments import ledger, refunds
from mutuelle.payments.ledger import Move
from mutuelle.payments.operators import Movement
from mutuelle.payments.receipts import Receipt
from mutuelle.payments.refunds import Refund, RefundStatus

LESS_GIVEN_BACK = "the operator gave less back than the refund that was noted as paid"
OPERATOR = "operator"  # who acts in the trail when a line of the operator changes a refund


@dataclass
class RefundShare:
    """The units of a reversal that refunds give, and the postings of those not paid out yet."""

    units: int = 0
    moves: list[Move] = field(default_factory=list)


def take_back(session: Session, receipt: Receipt, movement: Movement) -> RefundShare:
    """Takes a reversal's units from the refunds of its receipt, which the caller has locked.

    The payout that was noted under the reversal's transaction is the same money: it is seen now, and nothing
    is posted again. An approved refund shrinks by what the operator gave back, or ends, with a case.
    """
    share, rows = RefundShare(), lock_all(session, receipt)
    for row in _noted_under(rows, receipt, movement):
        units = min(row.due, movement.amount.units)
        row.taken_back, row.seen_at = row.taken_back + units, clock.now()
        share.units += units
        if row.due:
            open_case(session, receipt, LESS_GIVEN_BACK)
    for row in rows:
        units = min(row.due, movement.amount.units - share.units)
        if row.status == RefundStatus.APPROVED and units:
            row.taken_back += units
            share.units += units
            amount = Money(units, receipt.currency)
            outside = ledger.outside_of(receipt.account_id)
            share.moves.append(Move(ledger.refunds_of(receipt.account_id), outside, amount))
            _record_change(session, row, units)
            open_case(session, receipt, "the operator took the payment back although a refund was approved")
    if share.units < movement.amount.units and any(row.unseen or row.outflow_id for row in rows):
        open_case(session, receipt, "the operator took the payment back although a refund was paid out")
    session.flush()
    return share


def end_unpayable(session: Session, receipt: Receipt) -> None:
    """Ends refunds that wait for a decision and ask for more than a reversal has left."""
    left = refunds.refundable_units(session, receipt)
    for row in lock_all(session, receipt):
        if row.status == RefundStatus.ASKED and row.amount > left:
            _record_change(session, row, row.amount)
            open_case(session, receipt, "the operator took the payment back although a refund was asked")
    session.flush()


def lock_all(session: Session, receipt: Receipt) -> Sequence[Refund]:
    """Locks the refunds of a receipt. Returns them, oldest first."""
    of_receipt = (Refund.tenant_id == receipt.tenant_id, Refund.receipt_id == receipt.id)
    query = select(Refund).where(*of_receipt).order_by(Refund.asked_at, Refund.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).all()


def _noted_under(rows: Sequence[Refund], receipt: Receipt, movement: Movement) -> list[Refund]:
    """Returns the payout that is this reversal, if one was noted.

    A note of before a receipt's own transaction was refused may hold that one.
    """
    names = (movement.transaction, receipt.transaction)
    return [row for row in rows if row.unseen and row.outflow_id is None and row.transaction in names][:1]


def _record_change(session: Session, row: Refund, units: int) -> None:
    """Writes to the trail that a refund shrank by `units`, or ended when nothing of it is left to pay."""
    is_over = row.status == RefundStatus.ASKED or not row.due
    if is_over:
        row.status, row.ended_at = RefundStatus.ENDED, clock.now()
    facts = {"refund": str(row.id), "amount": units, "left": 0 if is_over else row.due}
    action, subject = (
        "refund-ended" if is_over else "refund-shrunk",
        audit.about(Subject.RECEIPT, row.receipt_id),
    )
    audit.record(session, row.tenant_id, OPERATOR, action, subject, **facts)


def open_case(session: Session, receipt: Receipt, reason: str) -> None:
    """Opens a case about the refunds of a receipt for staff."""
    subject = audit.about(Subject.RECEIPT, receipt.id)
    audit.open_case(session, receipt.tenant_id, FlagKind.REFUND, subject, reason)
