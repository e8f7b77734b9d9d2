"""Billing: how far the bills of a mutuelle have come today, so that a run goes on where another one was cut
off.

A mutuelle has several parts, by its households' ids, so that as many workers can write at once; each part is
one worker's.
"""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import clock

PARTS = 4
_WIDTH = 2**128 // PARTS


@dataclass(frozen=True)
class Place:
    """A mutuelle whose bills of today are not all written."""

    tenant_id: UUID
    today: date


@dataclass(frozen=True)
class RunPart:
    """The households behind `after`, up to `last`, of one part of a mutuelle."""

    number: int
    after: UUID
    last: UUID


_DUE = text("""
SELECT id, (:now AT TIME ZONE zone)::date AS today FROM tenants WHERE kind = 'mutuelle'
AND (SELECT count(*) FROM billing_runs r WHERE r.tenant_id = tenants.id AND r.day = (:now AT TIME ZONE
zone)::date
    AND r.ended_at IS NOT NULL) < :parts
ORDER BY code
""")
_BEGIN = text("""
INSERT INTO billing_runs (tenant_id, day, part) SELECT :tenant, :day, n FROM generate_series(0, :parts - 1) n
WHERE NOT EXISTS (SELECT FROM billing_runs r WHERE r.tenant_id = :tenant AND r.day = :day) ON CONFLICT DO
NOTHING
""")
_TAKE = text("""
SELECT part, reached FROM billing_runs WHERE tenant_id = :tenant AND day = :day AND ended_at IS NULL
ORDER BY part LIMIT 1 FOR UPDATE SKIP LOCKED
""")
_STRETCH = text("""
SELECT id FROM households WHERE tenant_id = :tenant AND id > :after AND id <= :last ORDER BY id OFFSET :size
LIMIT 1
""")
_REACH = text("""
UPDATE billing_runs SET reached = :reached, ended_at = :ended WHERE tenant_id = :tenant AND day = :day AND
part = :part
""")


def due(session: Session) -> list[Place]:
    """Where bills of today are to be written, at any hour. Asked before a tenant is chosen."""
    return [Place(row.id, row.today) for row in session.execute(_DUE, {"now": clock.now(), "parts": PARTS})]


def take(session: Session, place: Place) -> RunPart | None:
    """A part that is not done, and how far it has come; None when all are, or other workers are at them. Held
    until the transaction ends."""
    mine = {"tenant": place.tenant_id, "day": place.today}
    session.execute(_BEGIN, mine | {"parts": PARTS})
    row = session.execute(_TAKE, mine).first()
    if row is None:
        return None
    first = row.part * _WIDTH
    return RunPart(row.part, row.reached or UUID(int=max(0, first - 1)), UUID(int=first + _WIDTH - 1))


def stretch(session: Session, place: Place, part: RunPart, size: int) -> RunPart:
    """The next `size` households of the part; all that is left of it when they are fewer."""
    values = {"tenant": place.tenant_id, "after": part.after, "last": part.last, "size": size - 1}
    found = session.execute(_STRETCH, values).first()
    return replace(part, last=found.id) if found else part


def reach(session: Session, place: Place, part: RunPart, stretch: RunPart) -> None:
    """All of this stretch of the part were looked at; it may have been the last."""
    ended = clock.now() if stretch.last == part.last else None
    values = {
        "tenant": place.tenant_id,
        "day": place.today,
        "part": part.number,
        "reached": stretch.last,
        "ended": ended,
    }
    session.execute(_REACH, values)
