"""Stores how far each account's transaction list was read.

The list proves unsolicited payments and reversals. A reading contains only what had happened before it began,
so the moment of its beginning is stored. An operator's day is a day in UTC.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock
from mutuelle.db import Row

CATCH_UP = timedelta(days=31)  # lists up to this old are read again until every line was booked


class ListProgress(Row):
    """One day's list of one account. The next reading begins at `overlap_cursor`, one page before the end.

    `pulled_at` is when the last reading began, `read_at` when the last one began that reached the end,
    `whole_at` the last of those that could book every line.
    """

    __tablename__ = "pulls"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    cursor: Mapped[str | None]
    overlap_cursor: Mapped[str | None]
    pulled_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    whole_at: Mapped[datetime | None]


@dataclass(frozen=True)
class ListTurn:
    """The turn of one worker to read a list: from `cursor` on, begun at `began`."""

    began: datetime
    cursor: str | None


# Today's and yesterday's lists, and each since the account's first that was not read whole after its day.
_DUE = text("""
SELECT o.id, d.day FROM operator_accounts o
CROSS JOIN LATERAL (SELECT min(day) AS day FROM pulls p
    WHERE p.tenant_id = o.tenant_id AND p.account_id = o.id) first
CROSS JOIN LATERAL (SELECT CAST(:today AS date) - ago AS day FROM generate_series(0, :far) ago) d
LEFT JOIN pulls p ON p.tenant_id = o.tenant_id AND p.account_id = o.id AND p.day = d.day
WHERE d.day >= least(first.day, CAST(:today AS date) - 1)
    AND (p.pulled_at IS NULL OR p.pulled_at <= :recent)
    AND (d.day >= CAST(:today AS date) - 1 OR p.whole_at IS NULL
        OR p.whole_at < (d.day + 1)::timestamp AT TIME ZONE 'UTC')
ORDER BY d.day < CAST(:today AS date) - 1, abs(CAST(:today AS date) - 1 - d.day)
""")


def due(session: Session, *, every_s: float) -> dict[UUID, list[date]]:
    """Returns the days of lists that were not begun within `every_s` seconds, by account.

    Yesterday's comes first, then today's, then older ones.
    """
    moment = clock.now()
    values = {"today": moment.date(), "far": CATCH_UP.days, "recent": moment - timedelta(seconds=every_s)}
    days = defaultdict(list)
    for row in session.execute(_DUE, values):
        days[row.id].append(row.day)
    return days


def begin(
    session: Session, tenant_id: UUID, account_id: UUID, day: date, *, older_than_s: float
) -> ListTurn | None:
    """Takes the turn to read that day's list. None if a reading began within `older_than_s` seconds."""
    moment = clock.now()
    row = {"tenant_id": tenant_id, "account_id": account_id, "day": day, "pulled_at": moment}
    is_due = ListProgress.pulled_at <= moment - timedelta(seconds=older_than_s)
    keys = ["tenant_id", "account_id", "day"]
    turn = (
        insert(ListProgress)
        .values(row)
        .on_conflict_do_update(index_elements=keys, set_={"pulled_at": moment}, where=is_due)
    )
    progress = session.execute(turn.returning(ListProgress.overlap_cursor)).first()
    return ListTurn(moment, progress.overlap_cursor) if progress else None


def advance(
    session: Session, tenant_id: UUID, account_id: UUID, day: date, *, began: str | None, cursor: str | None
) -> None:
    """Records that the page after the cursor `began` was read; the next page begins after `cursor`."""
    row = _lock(session, tenant_id, account_id, day)
    row.cursor, row.overlap_cursor = cursor, began


def record_end(
    session: Session, tenant_id: UUID, account_id: UUID, day: date, *, began: datetime, whole: bool
) -> None:
    """Records that a reading that began at `began` reached the end of the list.

    `whole` says that every line was booked.
    """
    row = _lock(session, tenant_id, account_id, day)
    row.read_at = max(began, row.read_at or began)
    if whole:
        row.whole_at = max(began, row.whole_at or began)


def is_read(session: Session, tenant_id: UUID, account_id: UUID, day: date, *, since: datetime) -> bool:
    """Whether a reading that began after `since` reached the end of that day's list."""
    row = session.get(ListProgress, (tenant_id, account_id, day))
    return row is not None and row.read_at is not None and row.read_at > since


def read_until(session: Session, tenant_id: UUID, account_id: UUID) -> datetime | None:
    """Returns up to when the movements of the account are read, or None if none were.

    That is the start of the last reading, but no later than the end of the day that it read.
    """
    day_end = func.timezone("UTC", ListProgress.day + text("interval '1 day'"))
    of_account = (
        ListProgress.tenant_id == tenant_id,
        ListProgress.account_id == account_id,
        ListProgress.read_at.is_not(None),
    )
    until: datetime | None = session.scalar(
        select(func.max(func.least(ListProgress.read_at, day_end))).where(*of_account)
    )
    return until


def _lock(session: Session, tenant_id: UUID, account_id: UUID, day: date) -> ListProgress:
    key = (
        ListProgress.tenant_id == tenant_id,
        ListProgress.account_id == account_id,
        ListProgress.day == day,
    )
    query = select(ListProgress).where(*key).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()
