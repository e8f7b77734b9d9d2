"""Forget: what was typed is blanked after a day, outsiders' raw words after NOTICE_DAYS. What came of them
stays."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from menus import session_rows
from mutuelle import clock, db, inbox
from workers import batch
from workers.services import WorkerServices

SESSION = timedelta(
    days=1
)  # a replay needs it for a quarter of an hour, a person who looks into a complaint for a day
ROUNDS = 20  # batches of each kind in one run; the next one goes on


def run(hub: WorkerServices) -> int:
    """Blank what is old enough; how many rows. Counted in whole hours; the rings in between have nothing to
    do."""
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    if hub.forgot == hour:
        return 0
    notices = _until_none(inbox.forget, hour - timedelta(days=hub.settings.notice_days))
    sessions = _until_none(session_rows.forget, hour - SESSION)
    if max(notices, sessions) < ROUNDS * batch.LIMIT:
        hub.forgot = hour
    return notices + sessions


def _until_none(forget: Callable[[Session, datetime, int], int], before: datetime) -> int:
    gone = 0
    for _ in range(ROUNDS):
        with db.transaction(db.Role.WORKER) as session:
            some = forget(session, before, batch.LIMIT)
        gone += some
        if some < batch.LIMIT:
            break
    return gone
