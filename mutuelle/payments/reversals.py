"""Applies reversals: the operator took a payment back, so its money leaves bills, credit or suspense."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, references
from mutuelle.audit import FlagKind, Subject
from mutuelle.messaging.messages import MessageKind
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import allocation, ledger, payments, receipts
from mutuelle.payments.operators import Movement, Status
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import PartKind, Reason, Receipt, ReceiptPart


def apply(session: Session, account: OperatorAccount, movement: Movement) -> bool:
    """Reverses a receipt: contra postings, rights, SMS. Returns False if the reversal was recorded before.

    LookupError when its receipt is not recorded yet; the line is then read again at the next pull.
    """
    receipt = session.scalar(
        select(Receipt).where(Receipt.account_id == account.id, Receipt.transaction == movement.reverses)
    )
    if receipt is None:
        raise LookupError("a reversal came before its receipt")
    if receipt.currency != movement.amount.currency:
        raise LookupError("a reversal in another currency than its receipt")
    if (payment := _request_of(session, receipt)) is not None:
        session.refresh(payment, with_for_update={"key_share": True})
    allocation.lock(session, receipt)
    session.refresh(receipt)
    if not receipts.record_reversal(session, receipt, movement):
        return False
    parts = receipts.parts_of(session, receipt)
    outside, order = ledger.outside_of(account.id), allocation.WITHDRAWAL_ORDER
    withdrawal = allocation.withdraw(receipt, parts, movement.amount.units, outside, order)
    subject = audit.about(Subject.RECEIPT, receipt.id)
    if withdrawal.units < movement.amount.units:
        reason = "more was taken back than was received"
        audit.open_case(session, account.tenant_id, FlagKind.CONFLICT, subject, reason)
    day = tenants.today(session, account.tenant_id)
    reversed_part = ReceiptPart(PartKind.REVERSED, withdrawal.units)
    receipts.place(session, receipt, [*withdrawal.parts, reversed_part], on=day, reason=Reason.REVERSED)
    reference = f"reversal:{movement.transaction}:{receipt.id}"
    ledger.post(session, account.tenant_id, reference, movement.at, withdrawal.moves)
    allocation.update_and_notify_households(
        session, withdrawal, day, MessageKind.REVERSED, receipt.transaction
    )
    if not any(part.kind == PartKind.SUSPENSE for part in receipts.parts_of(session, receipt)):
        audit.close_case(session, account.tenant_id, FlagKind.SUSPENSE, subject)
    _reverse_payment(session, receipt)
    return True


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
