"""Remind: once a day, in the daylight of each mutuelle, queue one SMS for every household whose dues the
calendar names.

A run goes in pages, each in its own transaction with how far it came; whatever is cut off goes on there, and
the key of a message keeps it alone. What is said is worked out again when the message leaves: who paid
meanwhile is left in peace.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import audit, clock, db
from mutuelle.cover import cover_books
from mutuelle.households import households
from mutuelle.messaging import messages, reminder_runs, reminders, sending_hours
from mutuelle.messaging.messages import Message
from mutuelle.messaging.reminder_runs import Place
from mutuelle.messaging.sending_hours import Hours
from mutuelle.organisation import tenants
from mutuelle.payments import payments, promises
from workers.services import WorkerServices

KIND = "reminder"
PAGE = 200  # households in one transaction
PAGES = 20  # of all mutuelles in one run; the rest waits for the next ring
_LAST = text("SELECT max(due_at) FROM outbox WHERE kind = 'remind' AND state = 'waiting'")


@dataclass
class SendingPace:
    """Gives every message its moment, `per_s` of them a second."""

    free: datetime
    per_s: int

    def next(self) -> datetime:
        moment = self.free
        self.free += timedelta(seconds=1 / self.per_s)
        return moment


def run(hub: WorkerServices) -> int:
    """Queue what is due; how many pages were looked at. Safe to run any number of times, and to be cut off
    anywhere."""
    with db.transaction(db.Role.WORKER) as session:
        places = reminder_runs.due(session)
        last = session.scalar(_LAST) if places else None
    pace = SendingPace(clock.now(), hub.settings.sms_per_s)
    if last is not None and last >= pace.free:
        pace = SendingPace(last + timedelta(seconds=1 / pace.per_s), pace.per_s)
    pages = 0
    for place in places:
        while pages < PAGES and _page(place, pace):
            pages += 1
    if pages:
        hub.doorbell.ring("messages")
    return pages


def _page(place: Place, pace: SendingPace) -> bool:
    """Queue the reminders of the next households; False when there are none left, or night has come."""
    hours = sending_hours.hours(clock.now(), place.zone)
    if hours is None or hours.day != place.today:
        return False
    with db.transaction(db.Role.WORKER, place.tenant_id) as session:
        after = reminder_runs.take(session, place)
        if after is None:
            return False
        if after == reminder_runs.NOBODY:
            promises.conclude(session, place.tenant_id, place.today)
        homes = reminder_runs.unpaid(session, place, after, PAGE)
        stop = _stop_code(session, place.tenant_id)
        queued = [_queue(session, place, hours, home, pace, stop) for home in homes]
        # The ones before found no moment before night; those after them would not either.
        full = "late" in queued
        if full:
            reason = "reminders of today do not all fit into the hours they may be sent in: raise SMS_PER_S"
            audit.open_case(session, place.tenant_id, "reminders", f"day:{place.today}", reason)
        over = full or len(homes) < PAGE
        reminder_runs.reach(session, place, homes[-1] if homes else after, over)
    return not over


def _queue(session: Session, place: Place, hours: Hours, home: UUID, pace: SendingPace, stop: str) -> str:
    """Queue the household's reminder if it is due one and has a phone: `queued`, `late` when night comes
    first, else `none`."""
    facts = facts_on(session, place.tenant_id, home, hours.day)
    phone = households.phone_of(session, place.tenant_id, home) if facts else None
    if facts is None or phone is None:
        return "none"
    if pace.free >= hours.closes:
        return "late"
    messages.queue_once(
        session,
        place.tenant_id,
        phone=phone,
        household_id=home,
        language=households.get(session, place.tenant_id, home).language,
        kind=KIND,
        facts=facts | {"stop": stop},
        key=f"{KIND}:{home}:{hours.day}",
        at=pace.next(),
    )
    return "queued"


def facts_on(session: Session, tenant_id: UUID, household_id: UUID, today: date) -> dict[str, Any] | None:
    """What the household is to be told today; None when nothing. What is left, and what paying the least of
    it opens."""
    books = cover_books.load(session, tenant_id, household_id)
    dues = books.bills
    promised = promises.open_of(session, tenant_id, household_id)
    found = reminders.due(books.version_of, dues, books.paid, cover_books.timeline_of(books), today, promised)
    # Somebody is paying at this very moment: to be asked again would have them pay twice.
    if not found or payments.live_of(session, tenant_id, household_id) is not None:
        return None
    now = cover_books.position_of(books, today)
    return {
        "about": found[0].about,
        "date": found[0].date.isoformat(),
        "days": found[0].days,
        "left": now.owed,
        "to_open": now.ahead.left_to_open,
        "opens": now.ahead.opens_from.isoformat() if now.ahead.opens_from else None,
        "until": now.ahead.opens_until.isoformat() if now.ahead.opens_until else None,
    }


def facts_now(session: Session, message: Message) -> dict[str, Any] | None:
    """What a queued reminder says if it leaves now; None when it is night, another day, or no longer due."""
    if message.household_id is None:
        return None
    hours = sending_hours.hours(clock.now(), tenants.get(session, message.tenant_id).zone)
    if hours is None or message.key != f"{KIND}:{message.household_id}:{hours.day}":
        return None
    facts = facts_on(session, message.tenant_id, message.household_id, hours.day)
    return facts and facts | {"stop": message.facts["stop"]}


def _stop_code(session: Session, tenant_id: UUID) -> str:
    """The shortest code the mutuelle is dialled by: where an SMS cannot be answered, reminders end by it.
    Perhaps empty."""
    return min(tenants.service_codes(session, tenant_id), key=lambda code: (len(code), code), default="")
