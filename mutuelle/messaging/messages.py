"""Stores SMS to send once, their delivery reports, and which phones said STOP.

The domain chooses the kind and the facts of a message; `menus/sms_words.py` writes its text when it is sent.
A phone that sent STOP gets no reminders and no news. It still gets replies to its own requests, such as a
payment link, and receipts.
"""

from collections.abc import Collection
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


class MessageKind(StrEnum):
    """What a message is about, as stored. The catalogues of SMS word each kind under a key that begins so."""

    WELCOME = "welcome"
    LINK = "link"
    RECEIPT = "receipt"
    FAILED = "failed"
    EXPIRED = "expired"
    REVERSED = "reversed"
    REFUNDED = "refunded"
    CORRECTED = "corrected"
    SPONSORED = "sponsored"
    ADJUSTED_MORE = "adjusted-more"
    ADJUSTED_LESS = "adjusted-less"
    REMINDER = "reminder"
    PROOF = "proof"
    PROOF_ACCEPTED = "proof-accepted"
    PROOF_REFUSED = "proof-refused"
    APPEAL = "appeal"
    APPEAL_ACCEPTED = "appeal-accepted"
    APPEAL_EXPLAINED = "appeal-explained"
    APPEAL_CLOSED = "appeal-closed"
    STOPPED = "stopped"
    STARTED = "started"


class MessageStatus(StrEnum):
    """How far a message has come, as stored."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"  # by the aggregator, which is not `delivered`
    DELIVERED = "delivered"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"  # it may have been sent, and is never sent again automatically
    STOPPED = "stopped"  # not sent, because the phone said STOP or the message is no longer due


# What a phone sends to get no more reminders, and to undo that.
STOP_WORDS = frozenset({"STOP", "ARRET", "ARRÊT", "NON"})
START_WORDS = frozenset({"START", "OUI", "YES"})
# The answers to an appeal, for the phone that appealed.
ANSWERS = frozenset({MessageKind.APPEAL, MessageKind.APPEAL_ACCEPTED, MessageKind.APPEAL_EXPLAINED,
                     MessageKind.APPEAL_CLOSED})  # fmt: skip
# SMS about a change that a later change may make untrue before they leave.
PRICE_CHANGES = frozenset({MessageKind.ADJUSTED_MORE, MessageKind.ADJUSTED_LESS})
PROOF_ANSWERS = frozenset({MessageKind.PROOF_ACCEPTED, MessageKind.PROOF_REFUSED})
# Kinds that are sent after a STOP, too.
ALWAYS = ANSWERS | {MessageKind.LINK, MessageKind.RECEIPT, MessageKind.FAILED, MessageKind.EXPIRED,
                    MessageKind.REVERSED, MessageKind.REFUNDED, MessageKind.CORRECTED,
                    MessageKind.STOPPED, MessageKind.STARTED}  # fmt: skip


class Message(Row):
    """One SMS."""

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
    key: Mapped[str | None]  # a second message with the same key is not stored


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
    kind: MessageKind,
    facts: dict[str, Any],
    key: str | None = None,
    at: datetime | None = None,
    stopped: bool | None = None,
) -> bool:
    """Queues one SMS in the caller's transaction. Returns False if a message with this `key` exists already.

    A message with a `key` is sent once ever, from `at` on, at the pace of reminders. A message that a STOP of
    the phone excludes, whose kind is not in ALWAYS, is stored as `stopped`. The caller passes `stopped` if it
    has just read that.
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
        task = TaskKind.DELIVER if key is None else TaskKind.REMIND
        outbox.put(session, tenant_id, task, message_id, lane=outbox.SMS_LANE, at=at)
    return True


def withdraw(
    session: Session, tenant_id: UUID, household_id: UUID, kinds: Collection[MessageKind]
) -> list[Message]:
    """Stops the SMS of these kinds to a household of which no worker has begun to send one. Returns them.

    For a change that makes such an SMS untrue: what was noted by mistake and undone is never sent.
    """
    waiting = select(Message).where(
        Message.tenant_id == tenant_id,
        Message.household_id == household_id,
        Message.kind.in_(kinds),
        Message.status == MessageStatus.QUEUED,
    )
    locked = waiting.with_for_update().order_by(Message.id).execution_options(populate_existing=True)
    withdrawn = list(session.scalars(locked))
    for message in withdrawn:
        message.status, message.ended_at = MessageStatus.STOPPED, clock.now()
    session.flush()
    return withdrawn


def owner_of(session: Session, provider_id: str) -> tuple[UUID, UUID] | None:
    """Returns (tenant, message) of an aggregator's message id. Needs no tenant in the transaction."""
    row = session.execute(text("SELECT tenant_id, id FROM message_owner(:p)"), {"p": provider_id}).first()
    return (row.tenant_id, row.id) if row else None


def record_report(
    session: Session, tenant_id: UUID, message_id: UUID, provider_status: str, delivered: bool | None
) -> None:
    """Stores a delivery report in the aggregator's own words. `delivered` is None while it is not final.

    A report for a message that has reached its end is ignored.
    """
    values: dict[str, object] = {"provider_status": provider_status}
    if delivered is not None:
        status = MessageStatus.DELIVERED if delivered else MessageStatus.FAILED
        values |= {"status": status, "ended_at": clock.now()}
    condition = (
        Message.tenant_id == tenant_id,
        Message.id == message_id,
        Message.status.in_((MessageStatus.ACCEPTED, MessageStatus.AMBIGUOUS)),
    )
    session.execute(update(Message).where(*condition).values(values))


def is_stopped(session: Session, tenant_id: UUID, index: bytes) -> bool:
    """Whether the phone with this blind index wants no messages of this mutuelle."""
    return bool(
        session.scalar(select(exists().where(Stop.tenant_id == tenant_id, Stop.blind_index == index)))
    )


def is_refused(session: Session, message: Message) -> bool:
    """Whether the phone said STOP and the kind of the message is not sent after a STOP."""
    return message.kind not in ALWAYS and is_stopped(session, message.tenant_id, message.phone_index)


def stop(session: Session, tenant_id: UUID, index: bytes) -> None:
    """Stops messages to the phone with this blind index. Does nothing if they are stopped already."""
    row = {"tenant_id": tenant_id, "blind_index": index, "at": clock.now()}
    session.execute(insert(Stop).values(row).on_conflict_do_nothing())


def start(session: Session, tenant_id: UUID, index: bytes) -> None:
    """Allows messages to the phone with this blind index again."""
    session.execute(delete(Stop).where(Stop.tenant_id == tenant_id, Stop.blind_index == index))
