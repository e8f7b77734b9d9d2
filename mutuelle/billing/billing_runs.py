"""Progress of a mutuelle's daily billing run, in parts that several workers share, so that a run resumes.

A part is a range of household ids. One worker at a time works on a part.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import clock
from mutuelle.organisation import mutuelle_day
from mutuelle.organisation.mutuelle_day import MutuelleDay

PARTS = 4
_WIDTH = 2**128 // PARTS


@dataclass(frozen=True)
class RunPart:
    """The households of one part of a run whose ids come after `after`, up to and including `last`."""

    number: int
    after: UUID
    last: UUID


_ENDED = text("""
SELECT r.tenant_id FROM billing_runs r
JOIN unnest(CAST(:ids AS uuid[]), CAST(:days AS date[])) AS m (id, day)
    ON m.id = r.tenant_id AND m.day = r.day
WHERE r.ended_at IS NOT NULL GROUP BY 1 HAVING count(*) >= :parts
""")
_BEGIN = text("""
INSERT INTO billing_runs (tenant_id, day, part)
SELECT :tenant, :day, n FROM generate_series(0, :parts - 1) n
WHERE NOT EXISTS (SELECT FROM billing_runs r WHERE r.tenant_id = :tenant AND r.day = :day)
ON CONFLICT DO NOTHING
""")
_TAKE = text("""
SELECT part, reached FROM billing_runs WHERE tenant_id = :tenant AND day = :day AND ended_at IS NULL
ORDER BY part LIMIT 1 FOR UPDATE SKIP LOCKED
""")
_LAST_OF_PAGE = text("""
SELECT id FROM households WHERE tenant_id = :tenant AND id > :after AND id <= :last
ORDER BY id OFFSET :size LIMIT 1
""")
_SAVE = text("""
UPDATE billing_runs SET reached = :reached, ended_at = :ended
WHERE tenant_id = :tenant AND day = :day AND part = :part
""")


def due(session: Session) -> list[MutuelleDay]:
    """Returns the mutuelles whose bills of today are not all written. Needs no tenant in the transaction."""
    days = mutuelle_day.all_of_now(session)
    values = {"ids": [day.tenant_id for day in days], "days": [day.today for day in days], "parts": PARTS}
    ended = set(session.scalars(_ENDED, values))
    return [day for day in days if day.tenant_id not in ended]


def take(session: Session, run_day: MutuelleDay) -> RunPart | None:
    """Locks an unfinished part until the transaction ends. Returns what is left of it.

    None when every part is finished or locked by another worker.
    """
    session.execute(_BEGIN, run_day.parameters | {"parts": PARTS})
    row = session.execute(_TAKE, run_day.parameters).first()
    if row is None:
        return None
    first = row.part * _WIDTH
    return RunPart(row.part, row.reached or UUID(int=max(0, first - 1)), UUID(int=first + _WIDTH - 1))


def next_page(session: Session, run_day: MutuelleDay, part: RunPart, size: int) -> RunPart:
    """Returns the next `size` households of the part, or all that is left of it if they are fewer."""
    values = {"tenant": run_day.tenant_id, "after": part.after, "last": part.last, "size": size - 1}
    row = session.execute(_LAST_OF_PAGE, values).first()
    return replace(part, last=row.id) if row else part


def save_progress(session: Session, run_day: MutuelleDay, part: RunPart, page: RunPart) -> None:
    """Records that `page` of `part` is done; the part ends with its last household."""
    ended = clock.now() if page.last == part.last else None
    session.execute(_SAVE, {**run_day.parameters, "part": part.number, "reached": page.last, "ended": ended})
