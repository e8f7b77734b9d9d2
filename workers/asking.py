"""Claim, ask, settle: what `collect`, `poll` and `reconcile` share. No socket is used while a transaction is open."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import audit, clock, db, messages, outbox, payments, reconcile, secrets
from mutuelle.households import get as household
from mutuelle.money import Money
from mutuelle.operator import Standing, Status, TakesPayments
from mutuelle.outbox import Task
from mutuelle.payments import Payment
from mutuelle.tenants import OperatorAccount
from workers import batch
from workers.hub import Hub

POLL_FIRST_S = 5
GRACE = timedelta(minutes=15)  # after the operator's own give-up age, a person is told (I4)
WATCH = timedelta(days=3)  # how long money may still come late after that


@dataclass(frozen=True)
class Asked:
    """One payment with its account, read before anything is asked."""

    account: OperatorAccount
    payment: Payment
    operator: TakesPayments

    @property
    def payer(self) -> str:
        return secrets.open_phone(self.payment.payer_cipher)

    @property
    def amount(self) -> Money:
        return Money(self.payment.amount, self.payment.currency)


def look_up(hub: Hub, tenant_id: UUID, payment_id: UUID) -> Asked:
    """Read what must be known to ask about a payment."""
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        payment = payments.get(session, tenant_id, payment_id)
        account = session.get_one(OperatorAccount, (tenant_id, payment.account_id))
    return Asked(account, payment, hub.operator(account))


def conclude(hub: Hub, asked: Asked, told: Standing, door: str, task: Task | None) -> None:
    """Settle what the operator told us, in one transaction with the end of `task` or its next time; then ring."""
    tenant_id = asked.payment.tenant_id
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        payment = payments.get(session, tenant_id, asked.payment.id, lock=True)
        first_link = told.link is not None and payment.link is None
        reconcile.settle(session, asked.account, payment, told, door)
        if first_link and payment.live:
            _send_link(session, payment)
        if task is not None:
            _next(session, task, payment, told)
    hub.doorbell.ring("messages")


def _next(session: Session, task: Task, payment: Payment, told: Standing) -> None:
    if told.status is Status.UNKNOWN:
        outbox.postpone(session, task, batch.backoff_s(task.attempts), "unknown")
        _give_up_if_late(session, payment)
    elif task.kind == "collect":
        outbox.end(session, task, "done", told.status.value)
        if told.status is Status.PENDING:
            outbox.put(session, task.tenant_id, "poll", payment.id, in_s=POLL_FIRST_S)
    elif told.status is Status.PENDING and clock.now() < payment.expires_at + WATCH:
        outbox.postpone(session, task, batch.backoff_s(task.attempts), "pending")
        _give_up_if_late(session, payment)
    else:
        outbox.end(session, task, "done", told.status.value)


def _give_up_if_late(session: Session, payment: Payment) -> None:
    """Past the operator's give-up age nobody waits for it any more: a person is told, and we go on asking for a while."""
    if payment.live and clock.now() > payment.expires_at + GRACE:
        payments.become(payment, Status.EXPIRED)
        audit.flag(session, payment.tenant_id, "no-answer", f"payment:{payment.ref}", "the operator gives no final answer")


def _send_link(session: Session, payment: Payment) -> None:
    """The payer approves by opening a link: it goes to the phone that asked, by SMS, in its household's language."""
    home = household(session, payment.household_tenant_id, payment.household_id)
    messages.queue(
        session,
        payment.household_tenant_id,
        phone=secrets.open_phone(payment.payer_cipher),
        household_id=home.id,
        language=home.language,
        kind="link",
        facts={"amount": payment.amount, "link": payment.link},
    )


def put_back(task: Task, reason: str) -> None:
    """A task that failed in our own code: again later, and after many tries a person looks."""
    with db.transaction(db.Role.WORKER, task.tenant_id) as session:
        outbox.postpone(session, task, batch.backoff_s(task.attempts), reason)
        if task.attempts >= 10:
            audit.flag(session, task.tenant_id, "stuck", f"{task.kind}:{task.subject_id}", reason)
