"""Compares the stored time lines of many households with those their books give, one page at a time.

A page is one statement, so bills, money and stored rows are of one moment. Households that differ are locked
and read again before anything is written, so that what was settled meanwhile is not undone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from mutuelle import inserts, pipeline, set_aside
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import RightsRow
from mutuelle.cover.household_rights import Interval
from mutuelle.errors import UnreadableBooks
from mutuelle.set_aside import Work

PAGE = 500  # households a statement


@dataclass(frozen=True)
class TimelineComparison:
    """One household's time line as its books give it, and whether the stored one differs.

    `trouble` says why the time line cannot be computed, if so.
    """

    id: UUID
    timeline: tuple[Interval, ...]
    differs: bool
    trouble: str | None = None


def next_households(session: Session, tenant_id: UUID, after: UUID, limit: int = PAGE) -> list[UUID]:
    """The ids of a mutuelle's next households after the id `after`, in order."""
    (rows,) = pipeline.query(session, (_HOMES, {"tenant": tenant_id, "after": after, "limit": limit}))
    return [row.id for row in rows]


def compare(session: Session, tenant_id: UUID, ids: Sequence[UUID]) -> Iterator[TimelineComparison]:
    """Compares each of these households, in no particular order."""
    (rows,) = pipeline.query(session, (_PAGE, {"tenant": tenant_id, "household_ids": list(ids)}))
    for row in rows:
        try:
            timeline = cover_books.timeline_of(cover_books.read(row))
        except UnreadableBooks as error:
            yield TimelineComparison(row.id, (), True, str(error))
            continue
        differs = [astuple(interval) for interval in timeline] != [
            _stored_row(values) for values in row.stored
        ]
        yield TimelineComparison(row.id, timeline, differs)


@dataclass(frozen=True)
class RewriteResult:
    """How many households got new rights, and those that were set aside, each with the reason."""

    rewritten: int = 0
    set_aside: tuple[str, ...] = ()


def rewrite(session: Session, tenant_id: UUID, ids: Sequence[UUID]) -> RewriteResult:
    """Stores the rights of these households as their books give them.

    A household whose rights cannot be computed, such as when the rules of a bill are gone, keeps the stored
    ones and gets a case.
    """
    wrong = [comparison.id for comparison in compare(session, tenant_id, ids) if comparison.differs]
    if wrong:
        pipeline.query(session, (_LOCK, {"tenant": tenant_id, "household_ids": wrong}))
    comparisons = [each for each in compare(session, tenant_id, wrong) if each.differs] if wrong else []
    for comparison in comparisons:
        if comparison.trouble:
            error = UnreadableBooks(comparison.trouble)
            set_aside.household(session, tenant_id, comparison.id, Work.RIGHTS, error)
    timelines = {each.id: each.timeline for each in comparisons if not each.trouble}
    if timelines:
        replace(session, tenant_id, timelines)
    set_aside.close_recovered(session, tenant_id, Work.RIGHTS, set(ids).__contains__)
    trouble = [f"household {each.id}: {each.trouble}" for each in comparisons if each.trouble]
    return RewriteResult(len(timelines), tuple(trouble))


def replace(session: Session, tenant_id: UUID, timelines: Mapping[UUID, Sequence[Interval]]) -> None:
    """Stores these time lines, by household id, instead of the stored ones."""
    old_rows = (RightsRow.tenant_id == tenant_id, RightsRow.household_id.in_(list(timelines)))
    session.connection().execute(delete(RightsRow).where(*old_rows))
    rows = [
        {"tenant_id": tenant_id, "household_id": household_id, **vars(part)}
        for household_id, parts in timelines.items()
        for part in parts
    ]
    inserts.many(session, RightsRow, rows)


def _stored_row(values: list[Any]) -> tuple[Any, ...]:
    state, since, until, reason, next_step = values
    return state, date.fromisoformat(since), until and date.fromisoformat(until), reason, next_step


_HOMES = (
    "SELECT id FROM households WHERE tenant_id = %(tenant)s AND id > %(after)s ORDER BY id LIMIT %(limit)s"
)
_LOCK = (
    "SELECT id FROM households WHERE tenant_id = %(tenant)s AND id = ANY(%(household_ids)s) ORDER BY id "
    "FOR NO KEY UPDATE"
)
_PAGE = f"""
SELECT home.id, {cover_books.BOOKS},
    (SELECT coalesce(json_agg(
        json_build_array(r.state, r.since, r.until, r.reason, r.next_step) ORDER BY r.since), '[]')
        FROM rights r WHERE r.tenant_id = home.tenant_id AND r.household_id = home.id) AS stored
FROM households home
WHERE home.tenant_id = %(tenant)s AND home.id = ANY(%(household_ids)s)
"""  # noqa: S608  # our own columns, every value is a parameter
