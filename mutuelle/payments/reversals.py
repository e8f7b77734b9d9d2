"""Applies reversals: a payment that the operator took back leaves refunds, bills, credit or suspense.

`allocation.withdraw` takes the money off bills, and the cover it bought ends with the day of the reversal
(`cover_periods.left_after_reversals`). Every line is booked once and whole. What it takes beyond what is
left of the receipt is booked as money that left without explanation, with a case for staff, so that the
wallet's book balance stays the operator's.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, references, seals
from mutuelle.audit import FlagKind, Subject
from mutuelle.messaging.messages import MessageKind
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import (
    allocation,
    ledger,
    list_cursor,
    outflows,
    payments,
    receipts,
    refund_reversals,
)
from mutuelle.payments.ledger import Move
from mutuelle.payments.operators import Movement, OutflowDirection, Status
from mutuelle.payments.outflows import Outflow
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import PartKind, Reason, Receipt, ReceiptPart, Reversal

# How long a reversal waits for its receipt: a day less than its list is read again.
WAITS_FOR_RECEIPT = list_cursor.CATCH_UP - timedelta(days=1)
WITHOUT_RECEIPT = "reversal"


def apply(session: Session, account: OperatorAccount, movement: Movement) -> bool:
    """Reverses a receipt: contra postings, rights, SMS. Returns False if this line was booked before.

    LookupError when its receipt is not recorded yet; the line is then read again at the next pull. Before
    lists of its day are read no more, it is booked as money that left without explanation.
    """
    receipt = session.scalar(
        select(Receipt).where(Receipt.account_id == account.id, Receipt.transaction == movement.reverses)
    )
    if receipt is None and clock.now() - movement.at > WAITS_FOR_RECEIPT:
        return _book_without_receipt(session, account, movement)
    if receipt is None:
        raise LookupError("a reversal came before its receipt")
    if receipt.currency != movement.amount.currency:
        raise LookupError("a reversal in another currency than its receipt")
    if (payment := _request_of(session, receipt)) is not None:
        session.refresh(payment, with_for_update={"key_share": True})
    allocation.lock(session, receipt)
    session.refresh(receipt)
    if _find_without_receipt(session, account, movement) is not None:
        reason = "the payment came after its reversal was booked as money that left"
        subject = audit.about(Subject.RECEIPT, receipt.id)
        audit.open_case(session, account.tenant_id, FlagKind.CONFLICT, subject, reason)
        return False
    if (reversal := find(session, account.id, movement)) is not None:
        _compare(session, reversal, receipt, movement)
        return False
    _book(session, receipt, movement)
    _reverse_payment(session, receipt)
    return True


def is_booked(session: Session, account: OperatorAccount, movement: Movement) -> bool:
    """Whether this line is booked as it says."""
    if (reversal := find(session, account.id, movement)) is not None:
        return not contradicts(reversal, movement)
    return _find_without_receipt(session, account, movement) is not None


def find(session: Session, account_id: UUID, movement: Movement) -> Reversal | None:
    """Returns the reversal that this line reported before, or None if the line is new.

    Under the receipt's own transaction several partial reversals may stand: amount and moment tell them
    apart.
    """
    same = [Reversal.account_id == account_id, Reversal.transaction == movement.transaction]
    if movement.transaction == movement.reverses:
        same += [Reversal.amount == movement.amount.units, Reversal.moved_at == movement.at]
    return session.scalar(select(Reversal).where(*same).limit(1))


def contradicts(reversal: Reversal, movement: Movement) -> bool:
    """Whether the line now names another amount or fee than when it was booked."""
    return reversal.amount != movement.amount.units or movement.fee not in (None, reversal.fee)


def _compare(session: Session, reversal: Reversal, receipt: Receipt, movement: Movement) -> None:
    if contradicts(reversal, movement) or reversal.receipt_id != receipt.id:
        reason = "the operator now tells another amount, fee or payment for a reversal that is booked"
        subject = audit.about(Subject.RECEIPT, reversal.receipt_id)
        audit.open_case(session, reversal.tenant_id, FlagKind.CONFLICT, subject, reason)


def _find_without_receipt(session: Session, account: OperatorAccount, movement: Movement) -> Outflow | None:
    outflow = outflows.find(session, account.id, movement.transaction)
    return outflow if outflow is not None and outflow.kind == WITHOUT_RECEIPT else None


def _book_without_receipt(session: Session, account: OperatorAccount, movement: Movement) -> bool:
    """Books the reversal of a payment that we never recorded, such as one from before the wallet was ours."""
    left = movement.amount - Money(movement.fee or 0, movement.amount.currency)
    outflows.lock(session, account.tenant_id, movement.transaction)
    line = replace(movement, amount=left, fee=None, reverses=None, kind=WITHOUT_RECEIPT)
    outflow = outflows.record(session, account, line, OutflowDirection.OUT)
    if outflow is None:
        return False
    outflows.open_case(session, outflow, "the operator took back a payment that we never recorded")
    return True


def _book(session: Session, receipt: Receipt, movement: Movement) -> None:
    """Books the line on the refunds of its receipt first, then on what is still with us."""
    outside, units = ledger.outside_of(receipt.account_id), movement.amount.units
    from_refunds = refund_reversals.take_back(session, receipt, movement)
    parts = receipts.parts_of(session, receipt)
    withdrawal = allocation.withdraw(receipt, parts, units - from_refunds.units, outside)
    booked = from_refunds.units + withdrawal.units
    excess, subject = units - booked, audit.about(Subject.RECEIPT, receipt.id)
    row = _record(session, receipt, movement, excess)
    day = tenants.today(session, receipt.tenant_id)
    refunded = ReceiptPart(PartKind.REFUNDED, -from_refunds.units)
    moved = [refunded, *withdrawal.parts, ReceiptPart(PartKind.REVERSED, booked)]
    receipts.place(session, receipt, moved, on=day, reason=Reason.REVERSED)
    moves = [
        *from_refunds.moves,
        *withdrawal.moves,
        Move(ledger.outflow_of(receipt.account_id), outside, Money(excess, receipt.currency)),
        Move(outside, ledger.fees_of(receipt.account_id), Money(row.fee, receipt.currency)),
    ]
    ledger.post(session, receipt.tenant_id, f"reversal:{receipt.id}:{row.id}", movement.at, moves)
    if excess:
        reason = "more was taken back than was received"
        audit.open_case(session, receipt.tenant_id, FlagKind.CONFLICT, subject, reason)
    allocation.update_and_notify_households(
        session, withdrawal, day, MessageKind.REVERSED, receipt.transaction
    )
    refund_reversals.end_unpayable(session, receipt)
    if not any(part.kind == PartKind.SUSPENSE for part in receipts.parts_of(session, receipt)):
        audit.close_case(session, receipt.tenant_id, FlagKind.SUSPENSE, subject)


def _record(session: Session, receipt: Receipt, movement: Movement, excess: int) -> Reversal:
    row = Reversal(
        tenant_id=receipt.tenant_id,
        id=clock.new_id(),
        receipt_id=receipt.id,
        account_id=receipt.account_id,
        transaction=movement.transaction,
        amount=movement.amount.units,
        fee=movement.fee or 0,
        excess=excess,
        own_id=movement.transaction == receipt.transaction,
        moved_at=movement.at,
        recorded_at=clock.now(),
    )
    row.seal = seals.seal("reversals", vars(row))
    session.add(row)
    session.flush()
    return row


def _reverse_payment(session: Session, receipt: Receipt) -> None:
    """Marks the request as reversed once nothing is left of its receipts: it may have been paid twice."""
    if receipt.reference is None:
        return
    same = (Receipt.account_id == receipt.account_id, Receipt.reference == receipt.reference)
    answers = session.scalars(select(Receipt).where(*same, Receipt.currency == receipt.currency))
    if any(receipts.reversed_units(session, answer) < answer.amount for answer in answers):
        return
    payment = _request_of(session, receipt)
    if payment is not None and Status(payment.status) is Status.CONFIRMED:
        payments.transition(payment, Status.REVERSED)


def _request_of(session: Session, receipt: Receipt) -> Payment | None:
    """Returns the request of ours that the receipt answers."""
    ref = references.read(receipt.reference)
    return payments.by_ref(session, ref) if ref else None
