"""Once a day in each mutuelle, in its sending hours, queues an SMS for each household with a due reminder.

A run goes in pages. Each page is a transaction that also stores how far the run has come, so that a run that
is cut off resumes; the unique key of a message prevents a second one. The facts are computed again when the
message leaves, so that a household that has paid meanwhile gets none.
"""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from gateway.doorbell import QueueName
from mutuelle import audit, clock, db, set_aside
from mutuelle.audit import FlagKind, Subject
from mutuelle.cover import cover_books
from mutuelle.households import households
from mutuelle.messaging import messages, reminder_runs, reminders, sending_hours
from mutuelle.messaging.messages import Message, MessageKind
from mutuelle.messaging.sending_hours import Hours
from mutuelle.organisation import tenants
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.payments import payments, promises
from mutuelle.set_aside import Work
from workers.services import WorkerServices

PAGE = 200  # households in one transaction
PAGES = 20  # of all mutuelles in one run; the rest waits for the next ring
log = logging.getLogger("workers.remind")
_LAST = text("SELECT max(due_at) FROM outbox WHERE kind = 'remind' AND state = 'waiting'")


class Outcome(StrEnum):
    """What became of one household's reminder; `late`: its moment would come after the sending hours."""

    QUEUED = "queued"
    LATE = "late"
    NONE = "none"


@dataclass
class SendingPace:
    """Gives each message its moment of sending, `per_s` messages a second."""

    free: datetime
    per_s: int

    def next(self) -> datetime:
        """The next free moment, which is then used."""
        moment = self.free
        self.free += timedelta(seconds=1 / self.per_s)
        return moment


def run(services: WorkerServices) -> int:
    """Queues the reminders that are due. Returns the number of pages. May run often, or be cut off."""
    with db.transaction(db.Role.WORKER) as session:
        mutuelle_days = reminder_runs.due(session)
        last = session.scalar(_LAST) if mutuelle_days else None
    pace = SendingPace(clock.now(), services.settings.sms_per_s)
    if last is not None and last >= pace.free:
        pace = SendingPace(last + timedelta(seconds=1 / pace.per_s), pace.per_s)
    pages = 0
    for mutuelle_day in mutuelle_days:
        with set_aside.mutuelle(mutuelle_day.tenant_id, Work.REMINDERS):
            _conclude_promises(mutuelle_day)
            while pages < PAGES and _queue_page(mutuelle_day, pace):
                pages += 1
    if pages:
        services.doorbell.ring(QueueName.MESSAGES)
    return pages


def _conclude_promises(mutuelle_day: MutuelleDay) -> None:
    """Concludes the promises whose day is over, before the first reminder of the day."""
    with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
        if reminder_runs.take(session, mutuelle_day) == reminder_runs.BEFORE_FIRST:
            promises.conclude(session, mutuelle_day.tenant_id, mutuelle_day.today)


def _queue_page(mutuelle_day: MutuelleDay, pace: SendingPace) -> bool:
    """Queues the reminders of the next households. False when none are left or the hours are over.

    When the page fails, queues them one by one, and sets those aside on which that fails, too.
    """
    hours = sending_hours.hours(clock.now(), mutuelle_day.zone)
    if hours is None or hours.day != mutuelle_day.today:
        return False
    free = pace.free
    try:
        return _queue_next(mutuelle_day, hours, pace, PAGE)
    except Exception as error:  # of any kind: found household by household
        set_aside.raise_if_elsewhere(error)
        log.warning("a page of reminders failed: %s", type(error).__name__)
        pace.free = free
    return all(_queue_one(mutuelle_day, hours, pace) for _ in range(PAGE))


def _queue_next(mutuelle_day: MutuelleDay, hours: Hours, pace: SendingPace, size: int) -> bool:
    with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
        after = reminder_runs.take(session, mutuelle_day)
        if after is None:
            return False
        household_ids = reminder_runs.unpaid_households(session, mutuelle_day, after, size)
        stop_code = _stop_code(session, mutuelle_day.tenant_id)
        outcomes = [
            _queue(session, mutuelle_day, hours, household_id, pace, stop_code)
            for household_id in household_ids
        ]
        # Moments only grow: once one is after the sending hours, all later ones are.
        full = Outcome.LATE in outcomes
        if full:
            reason = "reminders of today do not all fit into the hours they may be sent in: raise SMS_PER_S"
            audit.open_case(
                session,
                mutuelle_day.tenant_id,
                FlagKind.REMINDERS,
                audit.about(Subject.DAY, mutuelle_day.today),
                reason,
            )
        over = full or len(household_ids) < size
        last = household_ids[-1] if household_ids else after
        set_aside.close_recovered(
            session,
            mutuelle_day.tenant_id,
            Work.REMINDERS,
            lambda household_id: after < household_id and (over or household_id <= last),
        )
        reminder_runs.save_progress(session, mutuelle_day, last, over=over)
    return not over


def _queue_one(mutuelle_day: MutuelleDay, hours: Hours, pace: SendingPace) -> bool:
    """Queues the reminder of the next household, or sets it aside. False when none is left."""
    free = pace.free
    try:
        return _queue_next(mutuelle_day, hours, pace, 1)
    except Exception as error:  # of any kind: the other households get their reminders
        pace.free = free
        with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
            after = reminder_runs.take(session, mutuelle_day)
            if after is None:
                return False
            household_ids = reminder_runs.unpaid_households(session, mutuelle_day, after, 1)
            if not household_ids:  # something else fails
                raise
            set_aside.household(session, mutuelle_day.tenant_id, household_ids[0], Work.REMINDERS, error)
            reminder_runs.save_progress(session, mutuelle_day, household_ids[0], over=False)
        return True


def _queue(
    session: Session,
    mutuelle_day: MutuelleDay,
    hours: Hours,
    household_id: UUID,
    pace: SendingPace,
    stop_code: str,
) -> Outcome:
    """Queues the household's reminder, if it is due one and has a phone."""
    facts = facts_on(session, mutuelle_day.tenant_id, household_id, hours.day)
    phone = households.phone_of(session, mutuelle_day.tenant_id, household_id) if facts else None
    if facts is None or phone is None:
        return Outcome.NONE
    if pace.free >= hours.closes:
        return Outcome.LATE
    messages.queue(
        session,
        mutuelle_day.tenant_id,
        phone=phone,
        household_id=household_id,
        language=households.get(session, mutuelle_day.tenant_id, household_id).language,
        kind=MessageKind.REMINDER,
        facts=facts | {"stop": stop_code},
        key=f"{MessageKind.REMINDER}:{household_id}:{hours.day}",
        at=pace.next(),
    )
    return Outcome.QUEUED


def facts_on(session: Session, tenant_id: UUID, household_id: UUID, today: date) -> dict[str, Any] | None:
    """The facts of the household's reminder of `today`: what it owes, and what the least payment opens.

    None when no reminder is due.
    """
    books = cover_books.load(session, tenant_id, household_id)
    dues = books.bills
    promise = promises.open_of(session, tenant_id, household_id)
    due = reminders.due(books.version_of, dues, books.paid, cover_books.timeline_of(books), today, promise)
    # A member who is paying at this moment would pay twice when reminded.
    if not due or payments.live_of(session, tenant_id, household_id) is not None:
        return None
    position = cover_books.position_of(books, today)
    ahead = position.next_opening
    return {
        "about": due[0].about,
        "date": due[0].date.isoformat(),
        "days": due[0].days,
        "left": position.owed,
        "to_open": ahead.left_to_open,
        "opens": ahead.opens_from.isoformat() if ahead.opens_from else None,
        "until": ahead.opens_until.isoformat() if ahead.opens_until else None,
    }


def facts_now(session: Session, message: Message) -> dict[str, Any] | None:
    """The facts of a queued reminder if it leaves now. None at night, on another day, or if no longer due."""
    if message.household_id is None:
        return None
    hours = sending_hours.hours(clock.now(), tenants.get(session, message.tenant_id).zone)
    if hours is None or message.key != f"{MessageKind.REMINDER}:{message.household_id}:{hours.day}":
        return None
    facts = facts_on(session, message.tenant_id, message.household_id, hours.day)
    return facts and facts | {"stop": message.facts["stop"]}


def _stop_code(session: Session, tenant_id: UUID) -> str:
    """The shortest USSD code of the mutuelle, or "". Reminders end by it where an SMS cannot be answered."""
    return min(tenants.service_codes(session, tenant_id), key=lambda code: (len(code), code), default="")
