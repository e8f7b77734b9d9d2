"""Queues SMS to a household: finds its phone and language, and adds its balance and rights where needed.

A household without a phone gets no SMS. Of several phones, the one that was registered last gets it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from mutuelle import clock, crypto, pipeline, set_aside
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.errors import UnreadableBooks
from mutuelle.households.locks import HouseholdKey
from mutuelle.messaging import messages, sending_hours
from mutuelle.messaging.messages import MessageKind
from mutuelle.set_aside import Work


@dataclass(frozen=True)
class SmsRecipient:
    """Where and how an SMS reaches a household. `number` is its member number, `phone` is E.164."""

    household: HouseholdKey
    number: str
    language: str
    zone: str
    phone: str | None


def queue(session: Session, household: HouseholdKey, kind: MessageKind, facts: dict[str, Any]) -> None:
    """Queues an SMS that does not tell the household's state."""
    _queue(session, _recipient(session, household), kind, facts)


def queue_with_state(
    session: Session, household: HouseholdKey, kind: MessageKind, facts: dict[str, Any]
) -> None:
    """Queues an SMS with the household's state of today: what it owes, its rights, its credit.

    Where its books or its phone cannot be read, opens a case instead: what happened stands without the SMS.
    """
    try:
        recipient, books = _recipient_and_books(session, household)
        facts = state(recipient, books) | facts
    except (UnreadableBooks, ValueError) as error:
        set_aside.household(session, *household, Work.SMS, error)
        return
    queue_to(session, recipient, kind, facts)


def queue_to(session: Session, recipient: SmsRecipient, kind: MessageKind, facts: dict[str, Any]) -> None:
    """Queues an SMS, for a caller that has read the recipient."""
    _queue(session, recipient, kind, facts)


def queue_once(
    session: Session,
    household: HouseholdKey,
    kind: MessageKind,
    facts: dict[str, Any],
    *,
    key: str,
    at: datetime | None = None,
) -> bool:
    """Queues an SMS once ever under its `key`. Returns False if it was queued before, or there is no phone.

    It is sent at `at`, or in the sending hours when that is None, and at the pace of reminders, because many
    households may get one at the same time.
    """
    return _queue(session, _recipient(session, household), kind, facts, key=key, at=at)


def queue_once_with_state(
    session: Session, household: HouseholdKey, kind: MessageKind, facts: dict[str, Any], *, key: str
) -> bool:
    """Like `queue_once`, with the household's state of today."""
    recipient, books = _recipient_and_books(session, household)
    return _queue(session, recipient, kind, state(recipient, books) | facts, key=key)


def state_now(session: Session, household: HouseholdKey) -> dict[str, Any]:
    """Returns the household's state of today as `queue_with_state` adds it to the facts of an SMS."""
    return state(*_recipient_and_books(session, household))


def recipient_query(household: HouseholdKey) -> pipeline.Statement:
    """Returns the statement whose one row `read_recipient` reads, to be sent together with others."""
    return _RECIPIENT, {"tenant": household[0], "household": household[1]}


def read_recipient(household: HouseholdKey, row: Any) -> SmsRecipient:
    """Returns the recipient in a row of `recipient_query`."""
    phone = None if row.cipher is None else crypto.open_phone(row.cipher)
    return SmsRecipient(household, row.number, row.language, row.zone, phone)


def _recipient(session: Session, household: HouseholdKey) -> SmsRecipient:
    (rows,) = pipeline.query(session, recipient_query(household))
    return read_recipient(household, pipeline.single_row(rows))


def _recipient_and_books(session: Session, household: HouseholdKey) -> tuple[SmsRecipient, HouseholdBooks]:
    books, rows = pipeline.query(session, cover_books.statement(*household), recipient_query(household))
    recipient = read_recipient(household, pipeline.single_row(rows))
    return recipient, cover_books.read(pipeline.single_row(books))


def _queue(
    session: Session,
    recipient: SmsRecipient,
    kind: MessageKind,
    facts: dict[str, Any],
    *,
    key: str | None = None,
    at: datetime | None = None,
) -> bool:
    """Queues the SMS, once ever if it has a `key`. Returns False if it was queued before, or has no phone."""
    if recipient.phone is None:
        return False
    if key is not None and at is None:
        at = sending_hours.daylight(clock.now(), recipient.zone)
    tenant_id, household_id = recipient.household
    return messages.queue(
        session,
        tenant_id,
        key=key,
        at=at,
        phone=recipient.phone,
        household_id=household_id,
        language=recipient.language,
        kind=kind,
        facts=facts,
    )


def state(recipient: SmsRecipient, books: HouseholdBooks) -> dict[str, Any]:
    """The household's state of today as facts of an SMS. Amounts are whole units. Raises UnreadableBooks."""
    position = cover_books.position_of(books, clock.today(recipient.zone))
    until = position.right.until
    return {
        "number": recipient.number,
        "left": position.owed,
        "state": position.right.state,
        "since": position.right.since.isoformat(),
        "until": until and until.isoformat(),
        "to_open": position.next_opening.left_to_open,
        "credit": position.credit,
    }


_RECIPIENT = """
SELECT h.number, h.language, t.zone,
    (SELECT cipher FROM phones p
        WHERE p.tenant_id = h.tenant_id AND p.household_id = h.id AND p.until IS NULL
        ORDER BY p.since DESC LIMIT 1) AS cipher
FROM households h
JOIN tenants t ON t.id = h.tenant_id
WHERE h.tenant_id = %(tenant)s AND h.id = %(household)s
"""
