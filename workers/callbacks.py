"""Reads operators' callbacks: queries the operator about the reference in each, and settles the answer.

A reference that our books do not know is queried as well: after a restore they may have lost the request, and
an operator without a transaction list calls back once.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from gateway.doorbell import QueueName
from mutuelle import audit, clock, db, inbox, outbox
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import Unavailable
from mutuelle.inbox import Door, Notice, NoticeState
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import payments, settlement
from mutuelle.payments.operators import PaymentStatus, Status
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import ReceiptDoor
from workers import lanes, payment_requests, transaction_lists
from workers.lanes import RowSource
from workers.services import WorkerServices

NO_REQUEST = "names no request of this account"
TRIES = 8  # about ten minutes: a notice ends within fifteen (I4)


def run(services: WorkerServices) -> int:
    """Reads the callbacks that are due. Returns how many were leased. May run twice, late or out of order."""
    return lanes.run(lambda: sources(services), lambda: services.doorbell.ring(QueueName.MESSAGES))


def sources(services: WorkerServices) -> list[RowSource]:
    """The callbacks that are due, by operator."""
    with db.transaction(db.Role.WORKER) as session:
        operators = inbox.due_providers(session, Door.MOMO)
    return [_source(services, operator) for operator in operators]


def _source(services: WorkerServices, operator: str) -> RowSource:
    def lease(limit: int) -> list[Notice]:
        with db.transaction(db.Role.WORKER) as session:
            return inbox.lease(
                session,
                doors=[Door.MOMO],
                provider=operator,
                limit=limit,
                lease_s=services.settings.lease_s,
            )

    return RowSource(operator, "callback", lease, lambda notice: _read(services, notice), _put_back)


def _read(services: WorkerServices, notice: Notice) -> None:
    if notice.unsolicited:
        if _pull_list(services, notice):
            _end(notice, NoticeState.DONE, "the transaction list was pulled")
        else:
            _put_back(notice, "the transaction list was not read to its end yet")
        return
    if notice.named_ref is None:
        _end(notice, NoticeState.DONE, NO_REQUEST)
        return
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        payment = payments.by_ref(session, notice.named_ref)
        request = payment_requests.for_payment(services, session, payment) if payment else None
    if request is None:
        _ask_about_unknown(services, notice, notice.named_ref)
        return
    if request.account.id != notice.account_id:
        _end(notice, NoticeState.DONE, NO_REQUEST)
        return
    try:
        status = payment_requests.query(request.operator, request.payment.ref, request.payment.operator_ref)
    except Unavailable:
        _retry_or_leave(notice, request.payment)
        return
    if status is None or (status.status is Status.UNKNOWN and not status.unread_proof):
        _end(notice, NoticeState.DONE, "the operator knows nothing of it")
        return
    payment_requests.conclude(request, status, ReceiptDoor.CALLBACK, notice)


def _ask_about_unknown(services: WorkerServices, notice: Notice, ref: UUID) -> None:
    """Queries the operator about a reference that our books do not know. Records money that it proves.

    While the answer is not final, queries again: rarely after some minutes, with a case for staff.
    """
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        account = session.get_one(OperatorAccount, (notice.tenant_id, notice.account_id))
    try:
        status = payment_requests.query(services.operator(account), ref)
    except Unavailable:
        status = PaymentStatus(Status.UNKNOWN)
    if status is None or status.status in (Status.FAILED, Status.EXPIRED):
        _end(notice, NoticeState.DONE, NO_REQUEST)
    elif status.movement is not None:
        with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
            status = payment_requests.dated(session, account, ref, status, earliest=None)
            settlement.credit_unknown(session, account, ref, status, ReceiptDoor.CALLBACK)
            _close(session, notice, NoticeState.DONE, "money for a reference that our books do not know")
    else:
        _ask_again(notice, status)


def _ask_again(notice: Notice, status: PaymentStatus) -> None:
    """Queries later about an unknown reference. Leaves it to staff when no late money can come any more."""
    reason = "the operator gives no final answer about a reference that our books do not know"
    if status.unread_proof:
        reason = settlement.UNREAD_PROOF
    elif notice.attempts < TRIES:
        _postpone(notice, reason)
        return
    elif clock.now() > notice.received_at + payment_requests.WATCH:
        _end(notice, NoticeState.PERSON, reason)
        return
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        _open_case(session, notice, reason)
        wait_s = outbox.backoff_s(notice.attempts, most_s=payment_requests.RARE_S)
        inbox.postpone(session, notice, wait_s, reason)


def _pull_list(services: WorkerServices, notice: Notice) -> bool:
    """Whether the list that proves the money has been read since. False if the operator is unavailable."""
    try:
        return transaction_lists.read_account(
            services, notice.tenant_id, notice.account_id, since=notice.received_at
        )
    except Unavailable:
        return False


def _retry_or_leave(notice: Notice, payment: Payment) -> None:
    """Retries for some minutes. Then leaves a live request to the poll, and opens a case for an ended one."""
    if notice.attempts < TRIES:
        _postpone(notice, "operator does not answer")
    elif payment.live:
        _end(notice, NoticeState.DONE, "left to the poll")
    else:
        _end(notice, NoticeState.PERSON, "the operator does not answer about a request that had ended")


def _end(notice: Notice, state: NoticeState, outcome: str) -> None:
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        _close(session, notice, state, outcome)


def _close(session: Session, notice: Notice, state: NoticeState, outcome: str) -> None:
    """Ends a notice. Opens a case when a person must look at it, and closes that of one which is done."""
    inbox.end(session, notice, state, outcome)
    if state is NoticeState.PERSON:
        _open_case(session, notice, outcome)
    else:
        subject = audit.about(Subject.NOTICE, notice.id)
        audit.close_case(session, notice.tenant_id, FlagKind.UNREADABLE, subject)


def _open_case(session: Session, notice: Notice, reason: str) -> None:
    subject = audit.about(Subject.NOTICE, notice.id)
    audit.open_case(session, notice.tenant_id, FlagKind.UNREADABLE, subject, reason)


def _postpone(notice: Notice, reason: str) -> None:
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.postpone(session, notice, outbox.backoff_s(notice.attempts), reason)


def _put_back(notice: Notice, reason: str) -> None:
    """Retries a notice on which our own code failed; after `TRIES` tries opens a case for staff instead."""
    if notice.attempts >= TRIES:
        _end(notice, NoticeState.PERSON, reason)
    else:
        _postpone(notice, reason)
