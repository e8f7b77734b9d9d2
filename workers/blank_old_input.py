"""Blanks typed USSD input after a day and the raw bodies of notices after NOTICE_DAYS, but for evidence.

Outcomes stay; `archive_old_rows.py` takes out whole rows.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from menus import session_rows
from mutuelle import clock, db, inbox
from workers import batch
from workers.services import WorkerServices

# A replay needs a session for a quarter of an hour, staff who look into a complaint for a day.
SESSION = timedelta(days=1)
ROUNDS = 20  # batches of each kind in one run; the next run goes on


def run(services: WorkerServices) -> int:
    """Blanks what is old enough. Returns the number of rows.

    Ages are counted in whole hours, so that further runs in the same hour have nothing to do.
    """
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    if services.forgot == hour:
        return 0
    try:
        notices = _until_none(inbox.forget, hour - timedelta(days=services.settings.notice_days))
    finally:  # one kind that fails does not keep the other
        sessions = _until_none(session_rows.forget, hour - SESSION)
    if max(notices, sessions) < ROUNDS * batch.LIMIT:
        services.forgot = hour
    return notices + sessions


def _until_none(forget: Callable[[Session, datetime, int], int], before: datetime) -> int:
    """Calls `forget` batch by batch, at most `ROUNDS` times. Returns the number of rows."""
    total = 0
    for _ in range(ROUNDS):
        with db.transaction(db.Role.WORKER) as session:
            count = forget(session, before, batch.LIMIT)
        total += count
        if count < batch.LIMIT:
            break
    return total
