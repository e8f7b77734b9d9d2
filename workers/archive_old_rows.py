"""Takes rows that ended long ago out of the working tables once a day, but for evidence.

May be interrupted and run twice: each batch is a short transaction that records itself, and a day whose last
batch is recorded has nothing to do.
"""

import logging
from datetime import datetime, timedelta

from config.settings import Settings
from mutuelle import archive, clock, db
from mutuelle.archive import ArchivedTable
from workers.services import WorkerServices

LIMIT = 500  # rows in one batch, so that it holds its locks for less than a second
ROUNDS = 100  # batches of each table in one run; the next run goes on, an hour later at the latest
log = logging.getLogger("workers.archive_old_rows")


def days_kept(settings: Settings) -> dict[ArchivedTable, int]:
    """How many days a row stays in each table after its end."""
    return {
        ArchivedTable.MESSAGES: settings.message_days,
        ArchivedTable.TASKS: settings.task_days,
        ArchivedTable.NOTICES: settings.notice_row_days,
        ArchivedTable.SESSIONS: settings.session_days,
        ArchivedTable.TRAIL: settings.audit_days,
    }


def run(services: WorkerServices) -> int:
    """Takes out what is old enough today (UTC). Returns the number of rows.

    A table that fails does not keep the others; at the end raises the first failure.
    """
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    total, failures = 0, []
    for table, days in days_kept(services.settings).items():
        try:
            total += _take_out(services, table, today - timedelta(days=days))
        except Exception as error:  # of any kind: the other tables do not depend on this one
            log.exception("rows of %s cannot be taken out: %s", table, type(error).__name__)
            failures.append(error)
    if failures:
        raise failures[0]
    return total


def _take_out(services: WorkerServices, table: ArchivedTable, before: datetime) -> int:
    """Takes out rows of one table batch by batch, at most `ROUNDS` times. Returns their number."""
    with db.transaction(db.Role.WORKER) as session:
        if archive.is_done(session, table, before):
            return 0
    total = 0
    for _ in range(ROUNDS):
        with db.transaction(db.Role.WORKER) as session:
            count = archive.take_out(session, table, before, LIMIT)
        total += count or 0
        if count is None or count < LIMIT or services.stopping.is_set():
            break
    return total
