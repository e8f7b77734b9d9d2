"""Rounds: how far the reminders, or the bills, of a mutuelle have come today, so that a run goes on where one was cut off."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from mutuelle import clock, reminders

NOBODY = UUID(int=0)  # every household's id comes after it
Runs = Literal["reminder_runs", "billing_runs"]
MIDNIGHT = time(0)


@dataclass(frozen=True)
class Place:
    """A mutuelle whose work of today is not all done: its reminders, in which case it is day there, or its bills."""

    tenant_id: UUID
    zone: str
    today: date
    runs: Runs = "reminder_runs"


_DUE = """
SELECT id, zone, (:now AT TIME ZONE zone)::date AS today FROM tenants
WHERE kind = 'mutuelle' AND (:now AT TIME ZONE zone)::time >= :opens
AND ((:now AT TIME ZONE zone)::time < :closes OR :closes = time '00:00')
AND NOT EXISTS (SELECT FROM {runs} r
    WHERE r.tenant_id = tenants.id AND r.day = (:now AT TIME ZONE zone)::date AND r.ended_at IS NOT NULL)
ORDER BY code
"""
_BEGIN = "INSERT INTO {runs} (tenant_id, day) VALUES (:tenant, :day) ON CONFLICT DO NOTHING"
_TAKE = "SELECT reached FROM {runs} WHERE tenant_id = :tenant AND day = :day AND ended_at IS NULL FOR UPDATE SKIP LOCKED"
_REACH = "UPDATE {runs} SET reached = :reached, ended_at = :ended WHERE tenant_id = :tenant AND day = :day"

# Coarser than the rule, never finer: the rule itself is `reminders.due`.
_UNPAID = text("""
SELECT b.household_id FROM bills b
WHERE b.tenant_id = :tenant AND b.household_id > :after AND b.kind = 'dues' AND b.issued < :today
AND (b.period_until IS NULL OR b.period_until >= :today)
AND (SELECT coalesce(sum(l.amount), 0) FROM bill_lines l
        WHERE l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.payer = 'member')
    > (SELECT coalesce(sum(a.amount), 0) FROM allocations a
        JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id AND l.bill_id = b.id
        WHERE a.household_tenant_id = b.tenant_id AND a.household_id = b.household_id AND a.kind = 'bill')
GROUP BY b.household_id ORDER BY b.household_id LIMIT :limit
""")


def due(session: Session) -> list[Place]:
    """Where reminders are to be queued now. Asked before a tenant is chosen."""
    return _due(session, "reminder_runs", reminders.OPENS, reminders.CLOSES)


def unbilled(session: Session) -> list[Place]:
    """Where the bills of today are to be written, at any hour. Asked before a tenant is chosen."""
    return _due(session, "billing_runs", MIDNIGHT, MIDNIGHT)


def _due(session: Session, runs: Runs, opens: time, closes: time) -> list[Place]:
    asked = {"now": clock.now(), "opens": opens, "closes": closes}
    return [Place(row.id, row.zone, row.today, runs) for row in session.execute(_of(_DUE, runs), asked)]


def _of(query: str, runs: Runs) -> TextClause:
    return text(query.format(runs=runs))


def take(session: Session, place: Place) -> UUID | None:
    """The last household looked at today; None when all were, or another worker is at it. Held until the transaction ends."""
    mine = {"tenant": place.tenant_id, "day": place.today}
    session.execute(_of(_BEGIN, place.runs), mine)
    row = session.execute(_of(_TAKE, place.runs), mine).first()
    return None if row is None else row.reached or NOBODY


def unpaid(session: Session, place: Place, after: UUID, limit: int) -> list[UUID]:
    """The next households that owe a part of their dues, in the order of their ids."""
    asked = {"tenant": place.tenant_id, "after": after, "today": place.today, "limit": limit}
    return list(session.scalars(_UNPAID, asked))


def reach(session: Session, place: Place, reached: UUID, over: bool) -> None:
    """All up to `reached` were looked at; `over` when nobody comes after."""
    ended: datetime | None = clock.now() if over else None
    values = {"tenant": place.tenant_id, "day": place.today, "reached": reached, "ended": ended}
    session.execute(_of(_REACH, place.runs), values)
