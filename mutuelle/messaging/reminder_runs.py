"""Rounds: how far the reminders of a mutuelle have come today, so that a run goes on where another one was
cut off."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import clock
from mutuelle.messaging import sending_hours

NOBODY = UUID(int=0)  # every household's id comes after it


@dataclass(frozen=True)
class Place:
    """A mutuelle in which it is day and whose reminders of today are not all queued."""

    tenant_id: UUID
    zone: str
    today: date


_DUE = text("""
SELECT id, zone, (:now AT TIME ZONE zone)::date AS today FROM tenants
WHERE kind = 'mutuelle' AND (:now AT TIME ZONE zone)::time >= :opens AND (:now AT TIME ZONE zone)::time <
:closes AND NOT EXISTS (SELECT FROM reminder_runs r
    WHERE r.tenant_id = tenants.id AND r.day = (:now AT TIME ZONE zone)::date AND r.ended_at IS NOT NULL)
ORDER BY code
""")
_BEGIN = text("INSERT INTO reminder_runs (tenant_id, day) VALUES (:tenant, :day) ON CONFLICT DO NOTHING")
_TAKE = text(
    "SELECT reached FROM reminder_runs WHERE tenant_id = :tenant AND day = :day AND ended_at IS NULL FOR UPDATE SKIP LOCKED"
)
_REACH = text(
    "UPDATE reminder_runs SET reached = :reached, ended_at = :ended WHERE tenant_id = :tenant AND day = :day"
)

# Coarser than the rule, never finer: the rule itself is `reminders.due`.
_UNPAID = text("""
SELECT b.household_id FROM bills b
WHERE b.tenant_id = :tenant AND b.household_id > :after AND b.kind = 'dues' AND b.issued < :today
AND (b.period_until IS NULL OR b.period_until >= :today)
AND (SELECT coalesce(sum(l.amount), 0) FROM bill_lines l
        WHERE l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.payer = 'member')
    > (SELECT coalesce(sum(a.amount), 0) FROM allocations a
        JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id AND l.bill_id =
        b.id WHERE a.household_tenant_id = b.tenant_id AND a.household_id = b.household_id AND a.kind =
        'bill')
GROUP BY b.household_id ORDER BY b.household_id LIMIT :limit
""")


def due(session: Session) -> list[Place]:
    """Where reminders are to be queued now. Asked before a tenant is chosen."""
    asked = {"now": clock.now(), "opens": sending_hours.OPENS, "closes": sending_hours.CLOSES}
    return [Place(row.id, row.zone, row.today) for row in session.execute(_DUE, asked)]


def begun(session: Session, place: Place) -> bool:
    """Whether reminders of today have begun to be queued there."""
    mine = {"tenant": place.tenant_id, "day": place.today}
    return (
        session.scalar(text("SELECT 1 FROM reminder_runs WHERE tenant_id = :tenant AND day = :day"), mine)
        is not None
    )


def take(session: Session, place: Place) -> UUID | None:
    """The last household looked at today; None when all were, or another worker is at it. Held until the
    transaction ends."""
    mine = {"tenant": place.tenant_id, "day": place.today}
    session.execute(_BEGIN, mine)
    row = session.execute(_TAKE, mine).first()
    return None if row is None else row.reached or NOBODY


def unpaid(session: Session, place: Place, after: UUID, limit: int) -> list[UUID]:
    """The next households that owe a part of their dues, in the order of their ids."""
    asked = {"tenant": place.tenant_id, "after": after, "today": place.today, "limit": limit}
    return list(session.scalars(_UNPAID, asked))


def reach(session: Session, place: Place, reached: UUID, over: bool) -> None:
    """All up to `reached` were looked at; `over` when nobody comes after."""
    ended: datetime | None = clock.now() if over else None
    session.execute(
        _REACH, {"tenant": place.tenant_id, "day": place.today, "reached": reached, "ended": ended}
    )
