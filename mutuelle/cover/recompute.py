"""Recomputing: the time lines of many households beside what is stored of them, a page at a time, so that
memory stays flat.

A page is one question, so bills, money and stored rows are of one moment. Where they differ the households
are locked and read again before anything is written: what was settled meanwhile is not undone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from mutuelle import inserts, pipeline
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import RightsRow
from mutuelle.cover.rights import Interval
from mutuelle.errors import Conflict, Refused

PAGE = 500  # households asked about at once


@dataclass(frozen=True)
class TimelineComparison:
    """One household: the time line its books give, and whether the stored one is another; or why it cannot be
    computed."""

    id: UUID
    timeline: tuple[Interval, ...]
    differs: bool
    trouble: str | None = None


def next_households(session: Session, tenant_id: UUID, after: UUID, limit: int = PAGE) -> list[UUID]:
    """The next households of a mutuelle, in the order of their ids."""
    (rows,) = pipeline.query(session, (_HOMES, {"tenant": tenant_id, "after": after, "limit": limit}))
    return [row.id for row in rows]


def compare(session: Session, tenant_id: UUID, ids: Sequence[UUID]) -> Iterator[TimelineComparison]:
    """Each of these households, in no particular order."""
    (rows,) = pipeline.query(session, (_PAGE, {"tenant": tenant_id, "homes": list(ids)}))
    for row in rows:
        try:
            wanted = cover_books.timeline_of(cover_books.read(row))
        except (Refused, Conflict, KeyError) as error:
            yield TimelineComparison(row.id, (), True, f"{type(error).__name__} {error}")
            continue
        yield TimelineComparison(
            row.id,
            wanted,
            [astuple(interval) for interval in wanted] != [_stored(told) for told in row.stored],
        )


def rewrite(session: Session, tenant_id: UUID, ids: Sequence[UUID]) -> int:
    """Make the stored rights of these households what their books say; how many were not. KeyError or Refused
    where the rules of a bill are gone."""
    wrong = [one.id for one in compare(session, tenant_id, ids) if one.differs]
    if not wrong:
        return 0
    pipeline.query(session, (_LOCK, {"tenant": tenant_id, "homes": wrong}))
    found = {one.id: one for one in compare(session, tenant_id, wrong) if one.differs}
    for one in found.values():
        if one.trouble:
            raise Conflict(f"household {one.id}: {one.trouble}")
    replace(session, tenant_id, {one.id: one.timeline for one in found.values()})
    return len(found)


def replace(session: Session, tenant_id: UUID, timelines: Mapping[UUID, Sequence[Interval]]) -> None:
    """Store these time lines instead of what was stored."""
    mine = (RightsRow.tenant_id == tenant_id, RightsRow.household_id.in_(list(timelines)))
    session.connection().execute(delete(RightsRow).where(*mine))
    rows = [
        {"tenant_id": tenant_id, "household_id": home, **vars(part)}
        for home, parts in timelines.items()
        for part in parts
    ]
    inserts.many(session, RightsRow, rows)


def _stored(told: list[Any]) -> tuple[Any, ...]:
    state, since, until, reason, next_step = told
    return state, date.fromisoformat(since), until and date.fromisoformat(until), reason, next_step


_HOMES = (
    "SELECT id FROM households WHERE tenant_id = %(tenant)s AND id > %(after)s ORDER BY id LIMIT %(limit)s"
)
_LOCK = "SELECT id FROM households WHERE tenant_id = %(tenant)s AND id = ANY(%(homes)s) ORDER BY id FOR NO KEY UPDATE"
_PAGE = f"""
SELECT home.id, {cover_books.BOOKS},
    (SELECT coalesce(json_agg(json_build_array(r.state, r.since, r.until, r.reason, r.next_step) ORDER BY r.since), '[]')
        FROM rights r WHERE r.tenant_id = home.tenant_id AND r.household_id = home.id) AS stored
FROM households home WHERE home.tenant_id = %(tenant)s AND home.id = ANY(%(homes)s)
"""  # noqa: S608  # our own columns, every value is a parameter
