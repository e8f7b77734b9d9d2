"""Reads operators' callbacks: queries the operator about the reference in each, and settles the answer."""

from gateway.doorbell import QueueName
from mutuelle import audit, db, inbox, outbox
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import Unavailable
from mutuelle.inbox import Door, Notice, NoticeState
from mutuelle.payments import payments
from mutuelle.payments.operators import Status
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import ReceiptDoor
from workers import batch, payment_requests, pull
from workers.payment_requests import OperatorRequest
from workers.services import WorkerServices

TRIES = 8  # about ten minutes: a notice ends within fifteen (I4)


def run(services: WorkerServices) -> int:
    """Reads the callbacks that are due. Returns how many were leased. May run twice, late or out of order."""
    with db.transaction(db.Role.WORKER) as session:
        due = inbox.lease(session, doors=[Door.MOMO], limit=batch.LIMIT, lease_s=services.settings.lease_s)
    batch.for_each(
        due,
        lambda notice: notice.provider,
        lambda notice: _read(services, notice),
        _put_back,
        lease_s=services.settings.lease_s,
        ring=lambda: services.doorbell.ring(QueueName.MESSAGES),
    )
    return len(due)


def _read(services: WorkerServices, notice: Notice) -> None:
    if notice.unsolicited:
        if _pull_list(services, notice):
            _end(notice, NoticeState.DONE, "the transaction list was pulled")
        else:
            _put_back(notice, "the transaction list was not read to its end yet")
        return
    if (request := _named_request(services, notice)) is None:
        _end(notice, NoticeState.DONE, "names no request of this account")
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


def _named_request(services: WorkerServices, notice: Notice) -> OperatorRequest | None:
    """The request that the notice names, if it was made at the account to which the notice came."""
    if notice.named_ref is None:
        return None
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        payment = payments.by_ref(session, notice.named_ref)
        if payment is None or payment.account_id != notice.account_id:
            return None
        return payment_requests.for_payment(services, session, payment)


def _pull_list(services: WorkerServices, notice: Notice) -> bool:
    """Whether the list that proves the money has been read since. False if the operator is unavailable."""
    try:
        return pull.read_account(services, notice.tenant_id, notice.account_id, since=notice.received_at)
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
        inbox.end(session, notice, state, outcome)
        if state is NoticeState.PERSON:
            audit.open_case(
                session,
                notice.tenant_id,
                FlagKind.UNREADABLE,
                audit.about(Subject.NOTICE, notice.id),
                outcome,
            )


def _postpone(notice: Notice, reason: str) -> None:
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.postpone(session, notice, outbox.backoff_s(notice.attempts), reason)


def _put_back(notice: Notice, reason: str) -> None:
    """Retries a notice on which our own code failed; after `TRIES` tries opens a case for staff instead."""
    if notice.attempts >= TRIES:
        _end(notice, NoticeState.PERSON, reason)
    else:
        _postpone(notice, reason)
