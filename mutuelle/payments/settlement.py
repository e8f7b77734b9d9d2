"""Settles requests with proven money, and books other money where `attribution` says that it belongs.

Receipt, allocation, posting, rights and SMS are one transaction, the caller's.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, references, set_aside
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import UnreadableBooks
from mutuelle.households import household_sms
from mutuelle.households.locks import HouseholdKey
from mutuelle.messaging.messages import MessageKind
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import allocation, attribution, ledger, outflows, payments, receipts, reversals
from mutuelle.payments.attribution import HouseholdMatch, NoMatch, RequestMatch
from mutuelle.payments.ledger import Move
from mutuelle.payments.operators import Movement, PaymentStatus, Status
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import PartKind, Reason, Receipt, ReceiptDoor, ReceiptPart
from mutuelle.set_aside import Work

UNREAD_PROOF = "the operator proves the money, but its answer cannot be read whole"


def settle(
    session: Session, account: OperatorAccount, payment: Payment, answer: PaymentStatus, door: ReceiptDoor
) -> None:
    """Records the operator's answer to our request, which the caller has locked. A repeat changes nothing."""
    payments.record_answer(payment, answer)
    if answer.status is Status.CONFIRMED and answer.movement is not None:
        credit(session, account, answer.movement, door, payment)
        return
    subject = audit.about(Subject.PAYMENT, payment.ref)
    if answer.unread_proof and Status(payment.status) not in (Status.CONFIRMED, Status.REVERSED):
        payment.unread_proof_at = payment.unread_proof_at or clock.now()
        audit.open_case(session, payment.tenant_id, FlagKind.UNREADABLE, subject, UNREAD_PROOF)
    try:
        if payment.unread_proof_at and answer.status in (Status.FAILED, Status.EXPIRED):
            raise ValueError(f"the operator proved money, and now the payment is {answer.status}")
        changed = payments.transition(payment, answer.status)
    except ValueError as contradiction:
        audit.open_case(session, payment.tenant_id, FlagKind.CONTRADICTION, subject, str(contradiction))
        return
    if changed and answer.status in (Status.FAILED, Status.EXPIRED):
        facts = {"amount": payment.amount}
        household_sms.queue_with_state(session, payment.household, MessageKind(answer.status.value), facts)


def credit_unknown(
    session: Session, account: OperatorAccount, ref: UUID, answer: PaymentStatus, door: ReceiptDoor
) -> None:
    """Records money that the operator proves for `ref`, which the books do not know. May be repeated."""
    # There is no request to lock; two answers, with and without a transaction, must not make two receipts.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(ref), 0))))
    if answer.movement is not None:
        credit(session, account, answer.movement, door)


def recorded_lines(
    session: Session, account: OperatorAccount, movements: Sequence[Movement]
) -> set[Movement]:
    """Returns the lines of a list that bring nothing new.

    These are recorded as they say, and the request that they answer is settled.
    """
    transactions = [movement.transaction for movement in movements]
    of_account = (Receipt.account_id == account.id, Receipt.transaction.in_(transactions))
    rows = {receipt.transaction: receipt for receipt in session.scalars(select(Receipt).where(*of_account))}
    refs = [ref for movement in movements if (ref := references.read_exact(movement.reference))]
    unsettled = payments.unsettled_refs(session, refs)
    gone = _recorded_departures(session, account, movements)
    return gone | {
        movement
        for movement in movements
        if _is_receipt(movement) and _is_recorded(rows.get(movement.transaction), movement, unsettled)
    }


def _is_receipt(movement: Movement) -> bool:
    return movement.reverses is None and movement.flow is None


def _recorded_departures(
    session: Session, account: OperatorAccount, movements: Sequence[Movement]
) -> set[Movement]:
    """Returns the reversals and outflows of a list that are booked as they say."""
    recorded = set()
    for movement in movements:
        if movement.flow is not None:
            outflow = outflows.find(session, account.id, movement.transaction, movement.flow)
            if outflow is not None and not outflows.contradicts(outflow, movement):
                recorded.add(movement)
        elif movement.reverses is not None and reversals.is_booked(session, account, movement):
            recorded.add(movement)
    return recorded


def _is_recorded(receipt: Receipt | None, movement: Movement, unsettled: set[str]) -> bool:
    if receipt is None or movement.reference in unsettled:
        return False
    return movement.fee in (None, receipt.fee) and not receipts.differences(receipt, movement)


def credit(
    session: Session,
    account: OperatorAccount,
    movement: Movement,
    door: ReceiptDoor,
    payment: Payment | None = None,
) -> Receipt:
    """Records proven money, whatever else is wrong, and attributes it. A repeat changes nothing."""
    receipt, is_new = receipts.record(session, account, movement, door)
    if payment is not None and not is_new:
        # Another request may claim this receipt at the same moment, or a manager may attribute it.
        allocation.lock(session, receipt, payment.household)
        session.refresh(receipt)
    is_foreign = {receipt.currency, movement.amount.currency} != {account.currency}
    if payment is not None and (objection := _objection(session, payment, receipt, is_new, is_foreign)):
        kind, reason = objection
        audit.open_case(session, payment.tenant_id, kind, audit.about(Subject.PAYMENT, payment.ref), reason)
        payment = None
    if payment is not None:
        _confirm(session, payment, receipt, is_new)
    if is_new:
        _attribute_new(session, account, receipt, movement, payment, is_foreign)
        return receipt
    _record_fee(session, receipt, movement)
    if differences := receipts.differences(receipt, movement):
        reason = f"the operator now tells another {', '.join(differences)} for the same transaction"
        audit.open_case(
            session, account.tenant_id, FlagKind.CONFLICT, audit.about(Subject.RECEIPT, receipt.id), reason
        )
    if payment is not None:
        _take_from_suspense(session, account, receipt, payment)
    return receipt


def _attribute_new(
    session: Session,
    account: OperatorAccount,
    receipt: Receipt,
    movement: Movement,
    payment: Payment | None,
    is_foreign: bool,
) -> None:
    """Books a new receipt on the household that it belongs to, or in suspense."""
    day = tenants.day_of(session, account.tenant_id, movement.at)
    match attribution.owner(session, account, movement, payment, is_foreign):
        case RequestMatch(household):
            refusal = _allocate_new(session, receipt, movement, household, day, Reason.REQUEST_ANSWERED)
        case HouseholdMatch(household, reason):
            refusal = _allocate_new(session, receipt, movement, household, day, reason)
        case NoMatch(reason):
            refusal = reason
    if refusal is None:
        return
    _post_receipt(session, receipt, movement, ledger.suspense_of(account.id))
    part = ReceiptPart(PartKind.SUSPENSE, movement.amount.units)
    receipts.place(session, receipt, [part], on=day, reason=refusal)
    kind = FlagKind.CURRENCY if is_foreign else FlagKind.SUSPENSE
    audit.open_case(session, account.tenant_id, kind, audit.about(Subject.RECEIPT, receipt.id), refusal)


def _allocate_new(
    session: Session, receipt: Receipt, movement: Movement, household: HouseholdKey, day: date, reason: Reason
) -> Reason | None:
    """Books a new receipt on a household. Returns why not, if its books cannot be read."""
    try:
        allocation.allocate(session, receipt, household, movement.amount, day, reason)
    except UnreadableBooks as error:
        set_aside.household(session, *household, Work.MONEY, error)
        return Reason.BOOKS_UNREADABLE
    _post_receipt(session, receipt, movement, ledger.household_of(household[1]))
    return None


def _objection(
    session: Session, payment: Payment, receipt: Receipt, is_new: bool, is_foreign: bool
) -> tuple[FlagKind, str] | None:
    """Returns why `receipt` cannot settle this request, as (kind of case, reason), or None if it can."""
    if is_foreign:
        return FlagKind.CURRENCY, "the operator answers it with money in another currency than the account's"
    if is_new or receipt.reference == str(payment.ref):
        return None
    ref = references.read_exact(receipt.reference)
    if ref and payments.by_ref(session, ref):
        reason = f"the operator answers it with {receipt.transaction}, which settled another request"
        return FlagKind.CONTRADICTION, reason
    return None


def _confirm(session: Session, payment: Payment, receipt: Receipt, is_new: bool) -> None:
    """Confirms the request that `receipt` answers. A contradiction opens a case, the money is booked."""
    subject = audit.about(Subject.PAYMENT, payment.ref)
    # A transaction list may lack our reference. From now on this money answers no other request.
    receipts.refer(receipt, str(payment.ref))
    if payment.unread_proof_at:
        payment.unread_proof_at = None
        audit.close_case(session, payment.tenant_id, FlagKind.UNREADABLE, subject)
    match Status(payment.status):
        case Status.EXPIRED:
            reason = "the money came after we had given the request up"
            audit.open_case(session, payment.tenant_id, FlagKind.LATE, subject, reason)
        case Status.CONFIRMED if is_new:
            reason = "the payer paid this request more than once"
            audit.open_case(session, payment.tenant_id, FlagKind.DOUBLE, subject, reason)
    try:
        payments.transition(payment, Status.CONFIRMED)
    except ValueError as contradiction:
        audit.open_case(session, payment.tenant_id, FlagKind.CONTRADICTION, subject, str(contradiction))
    if receipt.amount != payment.amount or receipt.currency != payment.currency:
        reason = (
            f"{payment.amount} {payment.currency} were asked for, {receipt.amount} {receipt.currency} came"
        )
        audit.open_case(session, payment.tenant_id, FlagKind.AMOUNT, subject, reason)


def _record_fee(session: Session, receipt: Receipt, movement: Movement) -> None:
    """Books the operator's fee once it is known: only the transaction list has it, often later.

    A fee that the operator corrects is booked as corrected, with a case for staff.
    """
    if movement.fee in (None, receipt.fee) or movement.amount != Money(receipt.amount, receipt.currency):
        return
    # Another transaction may read the same list at this moment.
    session.refresh(receipt, with_for_update={"key_share": True})
    booked, fee = receipt.fee, movement.fee or 0
    change = Money(abs(fee - booked), receipt.currency)
    moves = [Move(ledger.fees_of(receipt.account_id), ledger.outside_of(receipt.account_id), change)]
    moves = moves if fee > booked else ledger.reverse(moves)
    ledger.post(session, receipt.tenant_id, f"fee:{receipt.id}:{clock.new_id()}", movement.at, moves)
    receipt.fee = fee
    if booked and fee != booked:
        subject = audit.about(Subject.RECEIPT, receipt.id)
        audit.record(
            session, receipt.tenant_id, "operator", "fee-corrected", subject, amount=fee, before=booked
        )
        reason = "the operator now tells another fee for the same transaction"
        audit.open_case(session, receipt.tenant_id, FlagKind.FEE, subject, reason)


def _post_receipt(session: Session, receipt: Receipt, movement: Movement, target: str) -> None:
    """Posts the money from outside to `target`, and the operator's fee."""
    moves = [
        Move(ledger.outside_of(receipt.account_id), target, movement.amount),
        _fee_move(receipt, movement),
    ]
    ledger.post(session, receipt.tenant_id, f"receipt:{receipt.id}", movement.at, moves)


def _fee_move(receipt: Receipt, movement: Movement) -> Move:
    fee = Money(movement.fee or 0, movement.amount.currency)
    return Move(ledger.fees_of(receipt.account_id), ledger.outside_of(receipt.account_id), fee)


def _take_from_suspense(
    session: Session, account: OperatorAccount, receipt: Receipt, payment: Payment
) -> None:
    """Allocates money in suspense to the household of the request that it answers.

    Opens a case if part of the receipt is allocated to another household.
    """
    household, subject = payment.household, audit.about(Subject.RECEIPT, receipt.id)
    parts = receipts.parts_of(session, receipt)
    waiting = sum(part.amount for part in parts if part.kind == PartKind.SUSPENSE)
    if any(part.household not in (None, household) for part in parts):
        reason = "the operator ties it to a request of another household than it was put on"
        audit.open_case(session, account.tenant_id, FlagKind.ATTRIBUTION, subject, reason)
    if not waiting:
        return
    amount = Money(waiting, receipt.currency)
    day = tenants.day_of(session, household[0], receipt.moved_at)
    act = f":{clock.new_id()}"  # a manager may have attributed it and undone that before
    try:
        allocation.allocate(session, receipt, household, amount, day, Reason.REQUEST_ANSWERED, act)
    except UnreadableBooks as error:  # it stays in suspense
        set_aside.household(session, *household, Work.MONEY, error)
        return
    minus = ReceiptPart(PartKind.SUSPENSE, -waiting)
    receipts.place(session, receipt, [minus], on=day, reason=Reason.REQUEST_ANSWERED)
    moves = [Move(ledger.suspense_of(account.id), ledger.household_of(household[1]), amount)]
    ledger.post(session, receipt.tenant_id, f"attribution:{receipt.id}{act}", clock.now(), moves)
    audit.close_case(session, account.tenant_id, FlagKind.SUSPENSE, subject)
