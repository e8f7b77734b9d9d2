"""Progress of a mutuelle's daily reminder run, so that an interrupted run resumes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import clock
from mutuelle.messaging import sending_hours
from mutuelle.organisation import mutuelle_day
from mutuelle.organisation.mutuelle_day import MutuelleDay

BEFORE_FIRST = UUID(int=0)  # every household's id comes after it

_ENDED = text("""
SELECT r.tenant_id FROM reminder_runs r
JOIN unnest(CAST(:ids AS uuid[]), CAST(:days AS date[])) AS m (id, day)
    ON m.id = r.tenant_id AND m.day = r.day
WHERE r.ended_at IS NOT NULL
""")
_EXISTS = text("SELECT 1 FROM reminder_runs WHERE tenant_id = :tenant AND day = :day")
_BEGIN = text("INSERT INTO reminder_runs (tenant_id, day) VALUES (:tenant, :day) ON CONFLICT DO NOTHING")
_TAKE = text("""
SELECT reached FROM reminder_runs WHERE tenant_id = :tenant AND day = :day AND ended_at IS NULL
FOR UPDATE SKIP LOCKED
""")
_SAVE = text("""
UPDATE reminder_runs SET reached = :reached, ended_at = :ended WHERE tenant_id = :tenant AND day = :day
""")

# A prefilter: it may select households that `reminders.due` then drops, and never misses one.
_UNPAID = text("""
SELECT b.household_id FROM open_dues d
JOIN bills b ON b.tenant_id = d.tenant_id AND b.id = d.bill_id
WHERE d.tenant_id = :tenant AND d.household_id > :after AND d.units > 0 AND b.kind = 'dues'
AND b.issued < :today AND (b.period_until IS NULL OR b.period_until >= :today)
GROUP BY b.household_id ORDER BY b.household_id LIMIT :limit
""")


def due(session: Session) -> list[MutuelleDay]:
    """Returns the mutuelles where it is day and whose reminders of today are not all queued.

    Needs no tenant in the transaction.
    """
    now = clock.now()
    days = [day for day in mutuelle_day.all_of_now(session) if sending_hours.hours(now, day.zone)]
    values = {"ids": [day.tenant_id for day in days], "days": [day.today for day in days]}
    ended = set(session.scalars(_ENDED, values)) if days else set()
    return [day for day in days if day.tenant_id not in ended]


def has_begun(session: Session, run_day: MutuelleDay) -> bool:
    """Whether a run has begun to queue the reminders of this day."""
    return session.scalar(_EXISTS, run_day.parameters) is not None


def take(session: Session, run_day: MutuelleDay) -> UUID | None:
    """Locks the day's run until the transaction ends. Returns the last household that it has looked at.

    None when the run is finished or locked by another worker.
    """
    session.execute(_BEGIN, run_day.parameters)
    row = session.execute(_TAKE, run_day.parameters).first()
    return None if row is None else row.reached or BEFORE_FIRST


def unpaid_households(session: Session, run_day: MutuelleDay, after: UUID, limit: int) -> list[UUID]:
    """Returns the next households that owe a part of their dues, in the order of their ids."""
    values = {"tenant": run_day.tenant_id, "after": after, "today": run_day.today, "limit": limit}
    return list(session.scalars(_UNPAID, values))


def save_progress(session: Session, run_day: MutuelleDay, reached: UUID, *, over: bool) -> None:
    """Records that all households up to `reached` were looked at; `over` when no household comes after."""
    ended: datetime | None = clock.now() if over else None
    session.execute(_SAVE, {**run_day.parameters, "reached": reached, "ended": ended})
