"""Claim, ask, settle: what `collect`, `poll` and `reconcile` share. No socket is used while a transaction is
open."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import audit, clock, crypto, db, inbox, outbox, pipeline
from mutuelle.households import household_sms
from mutuelle.households.households import get as household
from mutuelle.inbox import Notice
from mutuelle.messaging import messages
from mutuelle.money import Money
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.outbox import Task
from mutuelle.payments import payments, settlement
from mutuelle.payments.operators import PaymentStatus, Status, TakesPayments
from mutuelle.payments.payments import Payment
from workers import batch
from workers.services import WorkerServices

POLL_FIRST_S = 5
GRACE = timedelta(
    minutes=10
)  # after the operator's own give-up age; the next asking is at most 5 minutes later (I4: 15)
WATCH = timedelta(days=3)  # how long money may still come late after that
SELDOM_S = 3600.0  # between two questions about a request that we gave up
STUCK = 10  # tries after which a person is told that our own code fails on a task
log = logging.getLogger("workers.asking")


@dataclass(frozen=True)
class OperatorRequest:
    """One payment with its account, read before anything is asked."""

    account: OperatorAccount
    payment: Payment
    operator: TakesPayments

    @property
    def payer(self) -> str:
        return crypto.open_phone(self.payment.payer_cipher)

    @property
    def amount(self) -> Money:
        return Money(self.payment.amount, self.payment.currency)


def run(
    hub: WorkerServices, kind: str, ask: Callable[[WorkerServices, Task, OperatorRequest], PaymentStatus]
) -> int:
    """Claim what is due of `kind`, `ask` about each, settle the answers; how many were taken. One that fails
    holds no other."""
    with db.transaction(db.Role.WORKER) as session:
        due = outbox.lease(session, kind, limit=batch.LIMIT, lease_s=hub.settings.lease_s)
    looked = []
    for task in due:
        try:
            looked.append((task, look_up(hub, task.tenant_id, task.subject_id)))
        except Exception as error:  # a row that cannot even be read
            log.exception("row failed: %s", type(error).__name__)
            put_back(task, type(error).__name__)
    batch.each(
        looked,
        lambda row: row[1].account.operator,
        lambda row: conclude(row[1], ask(hub, *row), "poll", row[0]),
        lambda row, why: put_back(row[0], why),
        lease_s=hub.settings.lease_s,
        ring=lambda: hub.doorbell.ring("messages"),
    )
    return len(due)


def look_up(hub: WorkerServices, tenant_id: UUID, payment_id: UUID) -> OperatorRequest:
    """Read what must be known to ask about a payment."""
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        return about(hub, session, payments.get(session, tenant_id, payment_id))


def about(hub: WorkerServices, session: Session, payment: Payment) -> OperatorRequest:
    """The same for a payment that was read already."""
    account = session.get_one(OperatorAccount, (payment.tenant_id, payment.account_id))
    return OperatorRequest(account, payment, hub.operator(account))


def conclude(asked: OperatorRequest, told: PaymentStatus, door: str, woken_by: Task | Notice) -> None:
    """Settle what the operator told us, in one transaction with the end of what made us ask, or its next
    time."""
    tenant_id = asked.payment.tenant_id
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        payment = payments.get(session, tenant_id, asked.payment.id, lock=True)
        first_link = told.link is not None and payment.link is None
        settlement.settle(session, asked.account, payment, told, door)
        if first_link and payment.live:
            _send_link(session, payment)
        if isinstance(woken_by, Task):
            _next(session, woken_by, payment, told)
        else:
            inbox.end(session, woken_by, "done", told.status.value)


def _next(session: Session, task: Task, payment: Payment, told: PaymentStatus) -> None:
    """The task's end, or when to ask again: less often once we have given up, and no longer than money may
    come late."""
    _give_up_if_late(session, payment)
    here = Status(payment.status)
    over = clock.now() > payment.expires_at + WATCH or not (payment.live or here is Status.EXPIRED)
    final = (
        told.status not in (Status.PENDING, Status.UNKNOWN) and not payment.live
    )  # its money may not have settled it
    if final or over:
        outbox.end(session, task, "done", told.status.value)
    elif task.kind == "collect" and told.status is Status.PENDING:
        outbox.end(session, task, "done", told.status.value)
        outbox.put(session, task.tenant_id, "poll", payment.id, in_s=POLL_FIRST_S)
    else:
        outbox.postpone(
            session, task, batch.backoff_s(task.attempts) if payment.live else SELDOM_S, told.status.value
        )


def _give_up_if_late(session: Session, payment: Payment) -> None:
    """Past the operator's give-up age nobody waits for it any more: a person and the household are told; we
    go on asking."""
    if not payment.live or clock.now() <= payment.expires_at + GRACE:
        return
    payments.transition(payment, Status.EXPIRED)
    audit.open_case(
        session,
        payment.tenant_id,
        "no-answer",
        f"payment:{payment.ref}",
        "the operator gives no final answer",
    )
    home = (payment.household_tenant_id, payment.household_id)
    try:
        with session.begin_nested():
            household_sms.queue_with_state(session, home, Status.EXPIRED.value, {"amount": payment.amount})
            pipeline.send(session.connection())  # refused here, it is undone alone
    except Exception as error:  # that nothing can be told is no reason to keep it open
        log.exception("the household was not told: %s", type(error).__name__)


def _send_link(session: Session, payment: Payment) -> None:
    """The payer approves by opening a link: it goes to the phone that asked, by SMS, in its household's
    language."""
    home = household(session, payment.household_tenant_id, payment.household_id)
    messages.queue(
        session,
        payment.household_tenant_id,
        phone=crypto.open_phone(payment.payer_cipher),
        household_id=home.id,
        language=home.language,
        kind="link",
        facts={"amount": payment.amount, "link": payment.link},
    )


def put_back(task: Task, reason: str) -> None:
    """A task that failed in our own code: again later, and after many tries a person looks. Its payment still
    has an end."""
    with db.transaction(db.Role.WORKER, task.tenant_id) as session:
        payment = session.get(Payment, (task.tenant_id, task.subject_id), with_for_update={"key_share": True})
        outbox.postpone(session, task, batch.backoff_s(task.attempts), reason)
        if task.attempts >= STUCK:
            audit.open_case(session, task.tenant_id, "stuck", f"{task.kind}:{task.subject_id}", reason)
        if payment is not None:
            _give_up_if_late(session, payment)
