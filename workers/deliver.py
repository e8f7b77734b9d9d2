"""Deliver: send each message once. It is marked `sending` before it leaves, so that a crash never sends it
twice."""

from dataclasses import dataclass
from uuid import UUID

from gateway.http_client import NotSent
from gateway.sms.message import MaybeSent
from menus import sms_words
from mutuelle import audit, clock, crypto, db, outbox
from mutuelle.errors import Declined, Malformed
from mutuelle.messaging import gsm7, messages
from mutuelle.messaging.messages import Message
from mutuelle.organisation import tenants
from mutuelle.outbox import Task
from workers import batch, operator_requests, remind
from workers.services import WorkerServices

TRIES = 12  # of a message that surely did not leave: about half an hour
BURST_S = 5  # of reminders in one claim, so that no receipt waits longer behind them


@dataclass(frozen=True)
class PreparedMessage:
    """One message with its words, marked as leaving."""

    message_id: UUID
    phone: str
    text: str


def run(hub: WorkerServices) -> int:
    """Send what is due; how many were taken. What may have left is never sent again by itself."""
    with db.transaction(db.Role.WORKER) as session:
        due = outbox.lease(session, "deliver", limit=batch.LIMIT, lease_s=hub.settings.lease_s)
    batch.each(
        due,
        lambda task: "sms",
        lambda task: _one(hub, task),
        operator_requests.put_back,
        lease_s=hub.settings.lease_s,
    )
    return len(due)


def reminders(hub: WorkerServices) -> int:
    """Send the reminders that are due, at most `SMS_PER_S` a second and by one worker at a time; how many
    were taken."""
    per_s, lease_s = hub.settings.sms_per_s, hub.settings.lease_s
    limit = min(batch.LIMIT, max(1, per_s * min(BURST_S, lease_s // 4)))
    with db.transaction(db.Role.WORKER) as session:
        due = outbox.lease_exclusively(session, "remind", limit=limit, lease_s=lease_s)
    began = clock.ticks()

    def in_its_turn(row: tuple[int, Task]) -> None:
        clock.pause(began + row[0] / per_s - clock.ticks())
        _one(hub, row[1])

    batch.each(
        enumerate(due),
        lambda row: "sms",
        in_its_turn,
        lambda row, why: operator_requests.put_back(row[1], why),
        lease_s=lease_s,
    )
    return len(due)


def _one(hub: WorkerServices, task: Task) -> None:
    ready = _prepare(task)
    if ready is None:
        return
    try:
        (sent,) = hub.sms().send([ready.phone], ready.text)
    except NotSent:
        _conclude(task, "queued", "not sent")
    except MaybeSent:
        _conclude(task, "ambiguous", "may have been sent")
    except (Declined, Malformed) as refused:
        _conclude(task, "failed", type(refused).__name__)
    else:
        _conclude(task, "accepted" if sent.accepted else "failed", sent.reason or "", sent.message_id)


def _prepare(task: Task) -> PreparedMessage | None:
    """Write the words and that they are leaving; None when they must not, or when an earlier try may have
    sent them already."""
    with db.transaction(db.Role.WORKER, task.tenant_id) as session:
        message = session.get_one(Message, (task.tenant_id, task.subject_id), with_for_update=True)
        if (
            message.status == "sending"
        ):  # a worker died, or froze beyond its lease, between here and the answer
            message.status, message.ended_at = "ambiguous", clock.now()
            audit.open_case(
                session, task.tenant_id, "sms", f"message:{message.id}", "ambiguous: may have been sent"
            )
        elif message.status == "queued" and messages.is_refused(
            session, message
        ):  # STOP was said since it was queued
            message.status, message.ended_at = "stopped", clock.now()
        elif message.status == "queued" and message.kind == remind.KIND:
            facts = remind.facts_now(session, message)
            if facts is None:  # paid meanwhile, or we come too late
                message.status, message.ended_at = "stopped", clock.now()
            else:
                message.facts = facts
        if message.status != "queued":
            outbox.end(session, task, "done", message.status)
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
        message.status, message.sent_at = "sending", clock.now()
        return PreparedMessage(message.id, crypto.open_phone(message.phone_cipher), text)


def _conclude(task: Task, status: str, said: str, provider_id: str | None = None) -> None:
    """What became of it, in one transaction with the end of the task or its next time."""
    with db.transaction(db.Role.WORKER, task.tenant_id) as session:
        message = session.get_one(Message, (task.tenant_id, task.subject_id), with_for_update=True)
        if (
            message.status == "ambiguous" and provider_id
        ):  # we froze beyond our lease, but we are the one who sent it
            message.status, message.provider_status, message.provider_id, message.ended_at = (
                status,
                said,
                provider_id,
                None,
            )
        if message.status != "sending":
            return  # another worker has said what became of it
        if status == "queued" and task.attempts >= TRIES:
            status = "failed"
        message.status, message.provider_status, message.provider_id = status, said, provider_id
        if status == "queued":
            outbox.postpone(session, task, batch.backoff_s(task.attempts), said)
            return
        if status != "accepted":
            message.ended_at = clock.now()
        outbox.end(session, task, "done", said or status)
        if status in ("failed", "ambiguous"):
            audit.open_case(session, task.tenant_id, "sms", f"message:{message.id}", f"{status}: {said}")
