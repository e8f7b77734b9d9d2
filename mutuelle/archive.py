"""Takes rows that ended long ago out of the working tables, but for evidence, and records each batch.

Notices, SMS, tasks and USSD sessions are deleted. Entries of the audit trail move to `audit_archive`, which
keeps them for ever; `whole_audit` shows both. What is evidence, and stays, is written in SQL once, in
`mutuelle/migrations/versions/evidence.sql`.

A repeat of an outside message still changes nothing after its row is gone:

* notices of operators: one only makes us ask the operator again, and a payment, receipt or reversal is booked
  once, under keys of tables that are never cleared;
* notices of SMS: those that came in stay, so that a repeated STOP does not undo a later START; a delivery
  report about an SMS that is gone ends without effect;
* keys of SMS: a reminder's holds for a day, that of a proof's end for a month (`pending_proofs.SOON`), the
  others name a row that is written once; MESSAGE_DAYS is at least three months;
* tasks: `outbox.put` is called once per payment and message, when that is written;
* sessions: a turn is looked for among those of `session_rows.SAME_SESSION`, a quarter of an hour. The key of
  what a Confirm did stands in its own row, such as `payments.effect_key`, and stays.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, seals
from mutuelle.db import Row

LOCK = 7263014  # the advisory lock of a batch: one process at a time takes rows out


class ArchivedTable(StrEnum):
    """The tables from which rows are taken out, as stored."""

    NOTICES = "notices"
    MESSAGES = "messages"
    TASKS = "outbox"
    SESSIONS = "ussd_sessions"
    TRAIL = "audit"


# The least values of the settings that say how many days a row stays after its end.
LEAST_DAYS: Mapping[ArchivedTable, int] = {
    ArchivedTable.NOTICES: 30,
    ArchivedTable.MESSAGES: 90,
    ArchivedTable.TASKS: 30,
    ArchivedTable.SESSIONS: 62,
    ArchivedTable.TRAIL: 366,
}


class ArchiveRun(Row):
    """One batch: `row_count` rows of `archived` that had ended before `ended_before` were taken out.

    `is_last` says that it found no more of them. A run covers every row that ended before its moment: such a
    row may be gone. The seal keeps a superuser from covering a row that the job never took out.
    """

    __tablename__ = "archive_runs"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    archived: Mapped[str]
    ended_before: Mapped[datetime]
    row_count: Mapped[int]
    is_last: Mapped[bool]
    ran_at: Mapped[datetime]
    seal: Mapped[bytes]


_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_TAKE_OUT: Mapping[ArchivedTable, str] = {
    ArchivedTable.NOTICES: "remove_notices",
    ArchivedTable.MESSAGES: "remove_messages",
    ArchivedTable.TASKS: "remove_tasks",
    ArchivedTable.SESSIONS: "remove_sessions",
    ArchivedTable.TRAIL: "archive_trail",
}


def is_done(session: Session, table: ArchivedTable, before: datetime) -> bool:
    """Whether a run has taken out all rows of `table` that had ended before a moment."""
    runs = (ArchiveRun.archived == table, ArchiveRun.ended_before >= before, ArchiveRun.is_last)
    return bool(session.scalar(select(exists().where(*runs))))


def take_out(session: Session, table: ArchivedTable, before: datetime, limit: int) -> int | None:
    """Takes up to `limit` rows of all mutuelles out of `table` that had ended before a moment.

    The oldest go first. Records the batch in the caller's transaction. Returns the number of rows; None while
    another process takes rows out. Needs no tenant in the transaction.
    """
    if not session.scalar(_TRY_LOCK, {"lock": LOCK}):
        return None
    query = text(f"SELECT {_TAKE_OUT[table]}(:before, :limit)")
    count = int(session.scalar(query, {"before": before, "limit": limit}) or 0)
    row = ArchiveRun(
        id=clock.new_id(),
        archived=table,
        ended_before=before,
        row_count=count,
        is_last=count < limit,
        ran_at=clock.now(),
    )
    row.seal = seals.seal("archive_runs", vars(row))
    session.add(row)
    session.flush()
    return count


def reach(session: Session, table: ArchivedTable) -> datetime | None:
    """Returns the moment before which ended rows of `table` may be gone; None while none was taken out."""
    return session.scalar(select(func.max(ArchiveRun.ended_before)).where(ArchiveRun.archived == table))


def runs(session: Session, *, limit: int) -> list[ArchiveRun]:
    """Returns the newest batches, the newest first."""
    return list(
        session.scalars(select(ArchiveRun).order_by(ArchiveRun.ran_at.desc(), ArchiveRun.id).limit(limit))
    )
