"""What `collect`, `poll` and `callbacks` share: lease tasks, ask operators, settle their answers.

No operator is called while a transaction is open.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from gateway.doorbell import QueueName
from mutuelle import audit, clock, crypto, db, inbox, outbox, pipeline
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import UnreadableProof
from mutuelle.households import household_sms, households
from mutuelle.inbox import Notice, NoticeState
from mutuelle.messaging import messages
from mutuelle.messaging.messages import MessageKind
from mutuelle.money import Money
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.outbox import Task, TaskKind
from mutuelle.payments import payments, settlement
from mutuelle.payments.operators import OperatorConnection, PaymentStatus, Status
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import ReceiptDoor
from workers import lanes
from workers.lanes import RowSource
from workers.services import WorkerServices

POLL_FIRST_S = 5
# After the operator's own give-up age; the next query comes at most 5 minutes later (I4: 15).
GRACE = timedelta(minutes=10)
WATCH = timedelta(days=3)  # how long late money may still come after that
RARE_S = 3600.0  # between two queries about a request that we gave up
UNREAD_PROOF = PaymentStatus(Status.UNKNOWN, unread_proof=True)
STUCK = 10  # tries of a task on which our own code fails, before a case for staff is opened
log = logging.getLogger("workers.payment_requests")


@dataclass(frozen=True)
class OperatorRequest:
    """A payment request with its account, read before the operator is asked."""

    account: OperatorAccount
    payment: Payment
    operator: OperatorConnection

    @property
    def payer(self) -> str:
        return crypto.open_phone(self.payment.payer_cipher)

    @property
    def amount(self) -> Money:
        return Money(self.payment.amount, self.payment.currency)


# Asks an operator about the payment of a task. Returns its answer.
Ask = Callable[[WorkerServices, Task, OperatorRequest], PaymentStatus]


def source(services: WorkerServices, kind: TaskKind, lane: str, ask: Ask) -> RowSource:
    """The due tasks of `kind` in a lane. Each is settled by what `ask` returns about it."""

    def lease(limit: int) -> list[Task]:
        with db.transaction(db.Role.WORKER) as session:
            return outbox.lease(session, kind, lane, limit=limit, lease_s=services.settings.lease_s)

    def work(task: Task) -> None:
        request = look_up(services, task.tenant_id, task.subject_id)
        conclude(request, ask(services, task, request), ReceiptDoor.POLL, task)

    return RowSource(lane, kind, lease, work, put_back)


def run(services: WorkerServices, kind: TaskKind, ask: Ask) -> int:
    """Works on the due tasks of one `kind`. Returns their number."""

    def look() -> list[RowSource]:
        with db.transaction(db.Role.WORKER) as session:
            due = outbox.due_lanes(session, [kind])
        return [source(services, kind, lane, ask) for _, lane in due]

    return lanes.run(look, lambda: services.doorbell.ring(QueueName.MESSAGES))


def look_up(services: WorkerServices, tenant_id: UUID, payment_id: UUID) -> OperatorRequest:
    """Reads a payment and its account, in a transaction of its own."""
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        return for_payment(services, session, payments.get(session, tenant_id, payment_id))


def for_payment(services: WorkerServices, session: Session, payment: Payment) -> OperatorRequest:
    """The request of a payment that was read already."""
    account = session.get_one(OperatorAccount, (payment.tenant_id, payment.account_id))
    return OperatorRequest(account, payment, services.operator(account))


def query(operator: OperatorConnection, ref: UUID, operator_ref: str | None = None) -> PaymentStatus | None:
    """Queries the status of `ref`. None when the operator does not know it. May raise Unavailable.

    `unknown` with `unread_proof` when the answer proves money but cannot be read whole.
    """
    try:
        return operator.fetch_status(ref, operator_ref)
    except UnreadableProof as error:
        log.error("an answer proves money and cannot be read: %s", error)
        return UNREAD_PROOF


def conclude(
    request: OperatorRequest, status: PaymentStatus, door: ReceiptDoor, cause: Task | Notice
) -> None:
    """Settles the operator's answer and, in the same transaction, ends or postpones the task or notice."""
    tenant_id = request.payment.tenant_id
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        payment = payments.get(session, tenant_id, request.payment.id, lock=True)
        status = dated(session, request.account, payment.ref, status, earliest=payment.created_at)
        first_link = status.link is not None and payment.link is None
        settlement.settle(session, request.account, payment, status, door)
        if first_link and payment.live:
            _send_link(session, payment)
        if isinstance(cause, Task):
            _end_or_postpone(session, cause, payment, status)
        else:
            inbox.end(session, cause, NoticeState.DONE, status.status.value)
            if payment.unread_proof_at:
                _resume_asking(session, request)


def _resume_asking(session: Session, request: OperatorRequest) -> None:
    """Makes the last task about a payment due again. Puts a new one when the old ones were taken out."""
    tenant_id, payment_id = request.payment.tenant_id, request.payment.id
    if not outbox.resume(session, tenant_id, [TaskKind.COLLECT, TaskKind.POLL], payment_id, POLL_FIRST_S):
        lane = request.account.operator
        outbox.put(session, tenant_id, TaskKind.POLL, payment_id, lane=lane, in_s=POLL_FIRST_S)


def dated(
    session: Session, account: OperatorAccount, ref: UUID, status: PaymentStatus, *, earliest: datetime | None
) -> PaymentStatus:
    """Dates money by the callback that reported it, where the answer that proves it has no time.

    Nobody signs such a callback: the moment is never before `earliest`, nor after our query.
    """
    movement = status.movement
    if movement is None or movement.dated:
        return status
    success_at = inbox.first_success(session, account.tenant_id, account.id, ref)
    if success_at is None:
        return status
    at = min(max(success_at, earliest or success_at), movement.at)
    return replace(status, movement=replace(movement, at=at))


def _end_or_postpone(session: Session, task: Task, payment: Payment, answer: PaymentStatus) -> None:
    """Ends the task, or sets the time of the next query.

    Queries become rare once we have given up, and stop when no late money can come any more; never while the
    operator proves money that we cannot read.
    """
    _give_up_if_late(session, payment)
    outcome = answer.status.value
    expired = Status(payment.status) is Status.EXPIRED
    over = clock.now() > payment.expires_at + WATCH or not (payment.live or expired)
    # A final answer may leave the payment live, when its money did not settle it.
    final = answer.status not in (Status.PENDING, Status.UNKNOWN) and not payment.live
    if payment.unread_proof_at:
        outbox.postpone(session, task, outbox.backoff_s(task.attempts, most_s=RARE_S), outcome)
    elif final or over:
        outbox.end(session, task, outcome)
    elif task.kind == TaskKind.COLLECT and answer.status is Status.PENDING:
        outbox.end(session, task, outcome)
        outbox.put(session, task.tenant_id, TaskKind.POLL, payment.id, lane=task.lane, in_s=POLL_FIRST_S)
    else:
        wait_s = outbox.backoff_s(task.attempts) if payment.live else RARE_S
        outbox.postpone(session, task, wait_s, outcome)


def _give_up_if_late(session: Session, payment: Payment) -> None:
    """Expires a payment past the operator's give-up age, opens a case and tells the household.

    Not while the operator proves money for it that we cannot read.
    """
    if not payment.live or payment.unread_proof_at or clock.now() <= payment.expires_at + GRACE:
        return
    payments.transition(payment, Status.EXPIRED)
    reason = "the operator gives no final answer"
    audit.open_case(
        session, payment.tenant_id, FlagKind.NO_ANSWER, audit.about(Subject.PAYMENT, payment.ref), reason
    )
    household_key = (payment.household_tenant_id, payment.household_id)
    try:
        with session.begin_nested():
            household_sms.queue_with_state(
                session, household_key, MessageKind.EXPIRED, {"amount": payment.amount}
            )
            pipeline.send(session.connection())  # now, so that a refused statement is rolled back alone
    except Exception as error:  # of any kind: a failed SMS is no reason to keep the payment open
        log.exception("the household got no SMS: %s", type(error).__name__)


def _send_link(session: Session, payment: Payment) -> None:
    """Queues the link by which the payer approves, for the phone that asked, in its household's language."""
    household = households.get(session, payment.household_tenant_id, payment.household_id)
    messages.queue(
        session,
        payment.household_tenant_id,
        phone=crypto.open_phone(payment.payer_cipher),
        household_id=household.id,
        language=household.language,
        kind=MessageKind.LINK,
        facts={"amount": payment.amount, "link": payment.link},
    )


def put_back(task: Task, reason: str) -> None:
    """Postpones a task on which our own code failed; after `STUCK` tries opens a case."""
    with db.transaction(db.Role.WORKER, task.tenant_id) as session:
        key = (task.tenant_id, task.subject_id)
        payment = session.get(Payment, key, with_for_update={"key_share": True}, populate_existing=True)
        outbox.postpone(session, task, outbox.backoff_s(task.attempts), reason)
        if task.attempts >= STUCK:
            audit.open_case(session, task.tenant_id, FlagKind.STUCK, f"{task.kind}:{task.subject_id}", reason)
        if payment is not None:
            _give_up_if_late(session, payment)
