"""Messages: an SMS to send once. The domain says what (`kind`, `facts`); the words are chosen when it leaves.

A phone that said STOP gets no reminder and no news; the link of a payment its holder asks for and the proof
of what became of their money still come.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, crypto, inserts, outbox
from mutuelle.db import Row
from mutuelle.outbox import TaskKind

# These come after a STOP too.
ANSWERS = frozenset({"appeal", "appeal-accepted", "appeal-explained", "appeal-closed"})  # to whom appealed
ALWAYS = ANSWERS | {
    "link",
    "receipt",
    "failed",
    "expired",
    "reversed",
    "refunded",
    "corrected",
    "stopped",
    "started",
}


class MessageStatus(StrEnum):
    """Where a message stands. `accepted` by the aggregator is not `delivered`; `ambiguous` may have left."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    STOPPED = "stopped"


class Message(Row):
    """One SMS. `accepted` by the aggregator is not `delivered`; `ambiguous` may have left and is never sent
    again by itself."""

    __tablename__ = "messages"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID | None]
    phone_index: Mapped[bytes]
    phone_cipher: Mapped[bytes]
    language: Mapped[str]
    kind: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    text: Mapped[str | None]
    segments: Mapped[int | None]
    status: Mapped[str]
    provider_id: Mapped[str | None]
    provider_status: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    key: Mapped[str | None]  # of what is said once: a second message with it is not written


class Stop(Row):
    """A phone that wants no more messages of this mutuelle."""

    __tablename__ = "sms_stops"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    blind_index: Mapped[bytes] = mapped_column(primary_key=True)
    at: Mapped[datetime]


_ONCE = insert(Message).on_conflict_do_nothing(
    index_elements=["tenant_id", "key"], index_where=text("key IS NOT NULL")
)


def queue(
    session: Session,
    tenant_id: UUID,
    *,
    phone: str,
    household_id: UUID | None,
    language: str,
    kind: str,
    facts: dict[str, Any],
    key: str | None = None,
    at: datetime | None = None,
    stopped: bool | None = None,
) -> bool:
    """Queues one SMS in the caller's transaction. Returns False if a message with this `key` exists already.

    A message with a `key` is sent once ever, from `at` on, at the pace of reminders. A message that the phone's
    STOP excludes is stored as `stopped`; the caller passes `stopped` if it has just read whether the phone did.
    """
    index = crypto.blind_index(phone)
    stopped = kind not in ALWAYS and (is_stopped(session, tenant_id, index) if stopped is None else stopped)
    message_id = clock.new_id()
    row = {
        "tenant_id": tenant_id,
        "id": message_id,
        "household_id": household_id,
        "phone_index": index,
        "phone_cipher": crypto.seal_phone(phone),
        "language": language,
        "kind": kind,
        "facts": facts,
        "status": MessageStatus.STOPPED if stopped else MessageStatus.QUEUED,
        "created_at": clock.now(),
    }
    if key is None:
        inserts.add(session, Message, row)
    elif session.scalar(_ONCE.values(row | {"key": key}).returning(Message.id)) is None:
        return False
    if not stopped:
        outbox.put(
            session, tenant_id, TaskKind.DELIVER if key is None else TaskKind.REMIND, message_id, at=at
        )
    return True


def owner_of(session: Session, provider_id: str) -> tuple[UUID, UUID] | None:
    """(tenant, message) behind an aggregator's message id, before the tenant is known."""
    row = session.execute(text("SELECT tenant_id, id FROM message_owner(:p)"), {"p": provider_id}).first()
    return (row.tenant_id, row.id) if row else None


def record_report(
    session: Session, tenant_id: UUID, message_id: UUID, said: str, delivered: bool | None
) -> None:
    """Keep a delivery report in the aggregator's own words; `delivered` is None while it is not final. Old
    news is silent."""
    values: dict[str, object] = {"provider_status": said}
    if delivered is not None:
        values |= {
            "status": MessageStatus.DELIVERED if delivered else MessageStatus.FAILED,
            "ended_at": clock.now(),
        }
    mine = (
        Message.tenant_id == tenant_id,
        Message.id == message_id,
        Message.status.in_((MessageStatus.ACCEPTED, MessageStatus.AMBIGUOUS)),
    )
    session.execute(update(Message).where(*mine).values(values))


def is_stopped(session: Session, tenant_id: UUID, index: bytes) -> bool:
    return bool(
        session.scalar(select(exists().where(Stop.tenant_id == tenant_id, Stop.blind_index == index)))
    )


def is_refused(session: Session, message: Message) -> bool:
    """Whether its phone has said STOP since, and it is nothing that comes after a STOP too."""
    return message.kind not in ALWAYS and is_stopped(session, message.tenant_id, message.phone_index)


def stop(session: Session, tenant_id: UUID, index: bytes) -> None:
    """No more messages to this phone. Saying it twice is saying it once."""
    row = {"tenant_id": tenant_id, "blind_index": index, "at": clock.now()}
    session.execute(insert(Stop).values(row).on_conflict_do_nothing())


def start(session: Session, tenant_id: UUID, index: bytes) -> None:
    """Messages again."""
    session.execute(delete(Stop).where(Stop.tenant_id == tenant_id, Stop.blind_index == index))
