"""Waiting until somebody waits: so that two acts meet where a test wants them to."""

from concurrent.futures import Future
from time import monotonic, sleep
from typing import Any

from tests.support.templates import Database

WAIT_S = 30


def waits(database: Database, other: Future[Any], how_many: int = 1) -> None:
    """Until the other act, or so many acts, stand before a lock."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    began = monotonic()
    with database.superuser() as looking:
        looking.autocommit = True  # a transaction would see the same activity again and again
        while sum(waiting for (waiting,) in looking.execute(asked)) < how_many:
            assert not other.done(), other.exception()
            assert monotonic() < began + WAIT_S
            sleep(0.01)
