"""Sends each queued SMS once: it is marked `sending` before it leaves, so that a crash never repeats it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from gateway.http_client import NotSent
from gateway.sms.message import MaybeSent
from menus import sms_words
from mutuelle import audit, clock, crypto, db, outbox
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import Declined, Malformed
from mutuelle.households import household_sms
from mutuelle.messaging import gsm7, messages
from mutuelle.messaging.messages import Message, MessageKind, MessageStatus
from mutuelle.organisation import tenants
from mutuelle.outbox import Task, TaskKind
from workers import batch, payment_requests, remind
from workers.services import WorkerServices

TRIES = 12  # of a message that certainly did not leave: about half an hour
BURST_S = 5  # of reminders in one lease, so that no receipt waits longer behind them


@dataclass(frozen=True)
class PreparedMessage:
    """A message with its text, already marked as `sending`."""

    message_id: UUID
    phone: str
    text: str


def run(services: WorkerServices) -> int:
    """Sends the due messages. Returns how many were leased. One that may have been sent is not sent again."""
    lease_s = services.settings.lease_s
    with db.transaction(db.Role.WORKER) as session:
        due = outbox.lease(session, TaskKind.DELIVER, outbox.SMS_LANE, limit=batch.LIMIT, lease_s=lease_s)
    batch.for_each(
        due,
        lambda task: _send(services, task),
        payment_requests.put_back,
        lease_s=lease_s,
    )
    return len(due)


def send_reminders(services: WorkerServices) -> int:
    """Sends due reminders, `SMS_PER_S` a second, in one worker at a time. Returns how many were leased."""
    per_s, lease_s = services.settings.sms_per_s, services.settings.lease_s
    limit = min(batch.LIMIT, max(1, per_s * min(BURST_S, lease_s // 4)))
    with db.transaction(db.Role.WORKER) as session:
        due = outbox.lease_exclusively(
            session, TaskKind.REMIND, outbox.SMS_LANE, limit=limit, lease_s=lease_s
        )
    started = clock.ticks()

    def send_at_pace(row: tuple[int, Task]) -> None:
        position, task = row
        clock.pause(started + position / per_s - clock.ticks())
        _send(services, task)

    batch.for_each(
        enumerate(due),
        send_at_pace,
        lambda row, reason: payment_requests.put_back(row[1], reason),
        lease_s=lease_s,
    )
    return len(due)


def _send(services: WorkerServices, task: Task) -> None:
    message = _prepare(task)
    if message is None:
        return
    try:
        (result,) = services.sms().send([message.phone], message.text)
    except NotSent:
        _conclude(task, MessageStatus.QUEUED, "not sent")
    except MaybeSent:
        _conclude(task, MessageStatus.AMBIGUOUS, "may have been sent")
    except (Declined, Malformed) as refused:
        _conclude(task, MessageStatus.FAILED, type(refused).__name__)
    else:
        status = MessageStatus.ACCEPTED if result.accepted else MessageStatus.FAILED
        _conclude(task, status, result.reason or "", result.message_id)


def _lock(session: Session, task: Task) -> Message:
    """The message of a task, read after it is locked."""
    key = (task.tenant_id, task.subject_id)
    return session.get_one(Message, key, with_for_update=True, populate_existing=True)


def _prepare(task: Task) -> PreparedMessage | None:
    """Composes the text and marks the message as `sending`. None if it must not be sent, or may have been."""
    with db.transaction(db.Role.WORKER, task.tenant_id) as session:
        message = _lock(session, task)
        if not _may_be_sent(session, message):
            outbox.end(session, task, message.status)
            return None
        tenant = tenants.get(session, task.tenant_id)
        text = sms_words.compose(
            message.kind,
            message.facts,
            language=message.language,
            currency=tenant.currency,
            mutuelle=tenant.name,
        )
        message.text, message.segments = text, gsm7.segments(text).count
        message.status, message.sent_at = MessageStatus.SENDING, clock.now()
        return PreparedMessage(message.id, crypto.open_phone(message.phone_cipher), text)


def _may_be_sent(session: Session, message: Message) -> bool:
    """Whether the message is still to be sent. Ends it if not. Updates the facts of one that waited."""
    if message.status == MessageStatus.SENDING:
        # A worker died, or froze beyond its lease, between marking the message and the answer.
        message.status, message.ended_at = MessageStatus.AMBIGUOUS, clock.now()
        reason = "ambiguous: may have been sent"
        audit.open_case(
            session, message.tenant_id, FlagKind.SMS, audit.about(Subject.MESSAGE, message.id), reason
        )
        return False
    if message.status != MessageStatus.QUEUED:
        return False
    stopped = messages.is_refused(session, message)  # the phone sent STOP after the message was queued
    if not stopped and message.kind == MessageKind.REMINDER:
        facts = remind.facts_now(session, message)
        if facts is None:  # the household has paid meanwhile, or the reminder is too late
            stopped = True
        else:
            message.facts = facts
    if not stopped and message.kind in messages.PRICE_CHANGES and message.household_id is not None:
        # It has waited for daylight, and the household may have paid meanwhile.
        state = household_sms.state_now(session, (message.tenant_id, message.household_id))
        message.facts = {**message.facts, **state}
    if stopped:
        message.status, message.ended_at = MessageStatus.STOPPED, clock.now()
    return not stopped


def _conclude(task: Task, status: MessageStatus, outcome: str, provider_id: str | None = None) -> None:
    """Records what became of the message, in one transaction with the end of the task or its next time."""
    with db.transaction(db.Role.WORKER, task.tenant_id) as session:
        message = _lock(session, task)
        if message.status == MessageStatus.AMBIGUOUS and provider_id:
            # This worker froze beyond its lease, but it is the one that sent the message.
            message.status, message.provider_status = status, outcome
            message.provider_id, message.ended_at = provider_id, None
        if message.status != MessageStatus.SENDING:
            return  # another worker has recorded the outcome
        if status is MessageStatus.QUEUED and task.attempts >= TRIES:
            status = MessageStatus.FAILED
        message.status, message.provider_status, message.provider_id = status, outcome, provider_id
        if status is MessageStatus.QUEUED:
            outbox.postpone(session, task, outbox.backoff_s(task.attempts), outcome)
            return
        if status is not MessageStatus.ACCEPTED:
            message.ended_at = clock.now()
        outbox.end(session, task, outcome or status.value)
        if status in (MessageStatus.FAILED, MessageStatus.AMBIGUOUS):
            reason = f"{status}: {outcome}"
            audit.open_case(
                session, task.tenant_id, FlagKind.SMS, audit.about(Subject.MESSAGE, message.id), reason
            )
