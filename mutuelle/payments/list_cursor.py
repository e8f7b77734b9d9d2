"""Stores how far each account's transaction list was read, and which lines of it are still open.

The list proves unsolicited payments and reversals. An operator's day is a day in UTC. It is read in two ways:

* the usual reading begins one page before the end of the last one and finds new lines;
* a full reading begins at the first line and finds lines that the operator inserted late as well. Today's
  and yesterday's lists are read so every `FULL_EVERY`.

A line that cannot be read or booked is open. While it is, its day is open too, however old, and is read in
full again after pauses that grow. A day closes with a full reading that took in every line and began when the
next day was over. A reading contains only what had happened before it began, so the moment of its beginning
is stored.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Text, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, outbox
from mutuelle.db import Row

CATCH_UP = timedelta(days=31)  # lists up to this old are read although no reading of them has begun yet
FULL_EVERY = timedelta(hours=1)  # between two full readings of today's and of yesterday's list
FIRST_PAUSE_S = 300.0  # until open lines are read again; doubled each time
LONGEST_PAUSE_S = 6 * 3600.0
NAMED_LINES = 20  # open lines of a day that are stored, and get a case of their own


class ListProgress(Row):
    """One day's list of one account. The usual reading begins at `overlap_cursor`, one page before the end.

    `pulled_at` is when the last reading began, `read_at` when the last one began that reached the end,
    `whole_at` the last full one that took in every line. `full_began` is when the full reading under way
    began, `full_clean` whether it has found no open line yet, `full_due_at` when the next one is due.
    `failures` counts full readings in a row that left lines open; `open_lines` names the lines found open
    since the last clean one.
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
    full_began: Mapped[datetime | None]
    full_clean: Mapped[bool]
    full_due_at: Mapped[datetime | None]
    failures: Mapped[int]
    open_lines: Mapped[list[str]] = mapped_column(ARRAY(Text))


@dataclass(frozen=True)
class ListTurn:
    """The turn of one worker to read a list from `cursor` on, begun at `began`.

    `full_began` identifies the full reading that it is a part of, None for a usual reading.
    """

    tenant_id: UUID
    account_id: UUID
    day: date
    began: datetime
    cursor: str | None
    full_began: datetime | None


# Today's and yesterday's lists, each since the account's first that is not closed, and older open ones.
_DUE = text("""
SELECT o.id, d.day FROM operator_accounts o
CROSS JOIN LATERAL (SELECT min(day) AS day FROM pulls p
    WHERE p.tenant_id = o.tenant_id AND p.account_id = o.id) first
CROSS JOIN LATERAL (
    SELECT CAST(:today AS date) - ago AS day FROM generate_series(0, :far) ago
    UNION ALL SELECT p.day FROM pulls p
        WHERE p.tenant_id = o.tenant_id AND p.account_id = o.id AND p.day < CAST(:today AS date) - :far
        AND p.whole_at IS NULL) d
LEFT JOIN pulls p ON p.tenant_id = o.tenant_id AND p.account_id = o.id AND p.day = d.day
WHERE d.day >= least(first.day, CAST(:today AS date) - 1)
    AND (p.pulled_at IS NULL OR p.pulled_at <= :recent)
    AND (d.day >= CAST(:today AS date) - 1
        OR ((p.whole_at IS NULL OR p.whole_at < (d.day + 2)::timestamp AT TIME ZONE 'UTC')
            AND (p.full_due_at IS NULL OR p.full_due_at <= :now)))
ORDER BY d.day < CAST(:today AS date) - 1, abs(CAST(:today AS date) - 1 - d.day)
""")


def due(session: Session, *, every_s: float) -> dict[UUID, list[date]]:
    """Returns the days of lists that were not begun within `every_s` seconds, by account.

    Yesterday's comes first, then today's, then older ones.
    """
    moment = clock.now()
    values = {"today": moment.date(), "far": CATCH_UP.days, "now": moment}
    days = defaultdict(list)
    for row in session.execute(_DUE, values | {"recent": moment - timedelta(seconds=every_s)}):
        days[row.id].append(row.day)
    return days


def begin(
    session: Session, tenant_id: UUID, account_id: UUID, day: date, *, older_than_s: float
) -> ListTurn | None:
    """Takes the turn to read that day's list. None if a reading began within `older_than_s` seconds."""
    moment = clock.now()
    progress = _take_turn(session, tenant_id, account_id, day, moment - timedelta(seconds=older_than_s))
    if progress is None:
        return None
    is_full_due = progress.full_due_at is None or progress.full_due_at <= moment or not _is_recent(day)
    if progress.full_began is None and is_full_due:
        _begin_full(progress, moment)
    return ListTurn(tenant_id, account_id, day, moment, progress.overlap_cursor, progress.full_began)


def begin_anew(session: Session, tenant_id: UUID, account_id: UUID, day: date) -> ListTurn:
    """Takes the turn to read that day's list from its first line, also when another worker is reading it."""
    moment = clock.now()
    progress = _take_turn(session, tenant_id, account_id, day, None)
    if progress is None:
        raise RuntimeError("a row without a condition is always written")
    _begin_full(progress, moment)
    return ListTurn(tenant_id, account_id, day, moment, None, moment)


def _take_turn(
    session: Session, tenant_id: UUID, account_id: UUID, day: date, before: datetime | None
) -> ListProgress | None:
    """Records that a reading begins. None, and nothing is recorded, if one has begun after `before`."""
    moment = clock.now()
    row = {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "day": day,
        "pulled_at": moment,
        "full_clean": True,
        "failures": 0,
        "open_lines": [],
    }
    condition = None if before is None else ListProgress.pulled_at <= before
    turn = (
        insert(ListProgress)
        .values(row)
        .on_conflict_do_update(
            index_elements=["tenant_id", "account_id", "day"], set_={"pulled_at": moment}, where=condition
        )
    )
    begun = session.scalar(turn.returning(ListProgress.pulled_at))
    return None if begun is None else _lock(session, tenant_id, account_id, day)


def _begin_full(progress: ListProgress, moment: datetime) -> None:
    progress.full_began, progress.full_clean = moment, True
    progress.cursor = progress.overlap_cursor = None


def advance(session: Session, turn: ListTurn, *, began: str | None, cursor: str | None) -> None:
    """Records that the page after the cursor `began` was read; the next page begins after `cursor`."""
    row = _lock(session, turn.tenant_id, turn.account_id, turn.day)
    if row.full_began == turn.full_began:  # else another worker has begun at the first line meanwhile
        row.cursor, row.overlap_cursor = cursor, began


def note_open_lines(session: Session, turn: ListTurn, names: Sequence[str]) -> list[str]:
    """Records lines that could not be read or booked, which keep the day open.

    Returns those of `names` that are stored; there is no place for more than `NAMED_LINES` of a day.
    """
    row = _lock(session, turn.tenant_id, turn.account_id, turn.day)
    unknown = [name for name in dict.fromkeys(names) if name not in row.open_lines]
    added = unknown[: NAMED_LINES - len(row.open_lines)]
    row.open_lines = [*row.open_lines, *added]
    row.full_clean, row.whole_at = False, None
    if turn.full_began is None and added:  # a usual reading: a full one is due after the first pause
        again = turn.began + timedelta(seconds=FIRST_PAUSE_S)
        row.full_due_at = min(row.full_due_at or again, again)
    return [name for name in names if name in row.open_lines]


def record_end(session: Session, turn: ListTurn) -> list[str] | None:
    """Records that a reading reached the end of the list.

    Returns the names of the lines that were open before, when the whole list was taken in by now, else None.
    """
    row = _lock(session, turn.tenant_id, turn.account_id, turn.day)
    row.read_at = max(turn.began, row.read_at or turn.began)
    if turn.full_began is None or row.full_began != turn.full_began:
        return None
    row.full_began = None
    if not row.full_clean:
        _postpone_full_reading(row)
        return None
    closed, row.open_lines = row.open_lines, []
    row.whole_at, row.failures = max(turn.full_began, row.whole_at or turn.full_began), 0
    row.full_due_at = turn.full_began + FULL_EVERY
    return closed


def record_failure(session: Session, turn: ListTurn) -> None:
    """Records that a page did not come or cannot be read. An old list is then read after a longer pause."""
    row = _lock(session, turn.tenant_id, turn.account_id, turn.day)
    if not _is_recent(turn.day):
        _postpone_full_reading(row)


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


def _is_recent(day: date) -> bool:
    """Whether the list of this day is read all the time: it is today's or yesterday's."""
    return day >= clock.now().date() - timedelta(days=1)


def _postpone_full_reading(row: ListProgress) -> None:
    """Makes the next full reading due after a pause that doubles with each failure in a row."""
    row.failures += 1
    longest_s = FULL_EVERY.total_seconds() if _is_recent(row.day) else LONGEST_PAUSE_S
    pause_s = outbox.backoff_s(row.failures, FIRST_PAUSE_S, longest_s)
    row.full_due_at = clock.now() + timedelta(seconds=pause_s)


def _lock(session: Session, tenant_id: UUID, account_id: UUID, day: date) -> ListProgress:
    key = (
        ListProgress.tenant_id == tenant_id,
        ListProgress.account_id == account_id,
        ListProgress.day == day,
    )
    query = select(ListProgress).where(*key).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()
