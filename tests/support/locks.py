"""Waits until a transaction stands before a lock, so that two acts meet where a test wants them to."""

from concurrent.futures import Future
from time import monotonic, sleep
from typing import Any

from tests.support.templates import Database

WAIT_S = 30


def waits(database: Database, other: Future[Any], how_many: int = 1) -> None:
    """Returns when `how_many` transactions wait for a lock; fails if the other act ends first."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    began = monotonic()
    with database.superuser() as watcher:
        watcher.autocommit = True  # a transaction would see the same activity again and again
        while sum(waiting for (waiting,) in watcher.execute(query)) < how_many:
            assert not other.done(), other.exception()
            assert monotonic() < began + WAIT_S
            sleep(0.01)
