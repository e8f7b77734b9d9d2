"""Typed input is blanked after a day and raw messages after NOTICE_DAYS, in batches."""

import json
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mutuelle import clock, db
from tests.workers.world import WorkerWorld
from workers import batch, blank_old_input, queues, schedule

OPENING = json.dumps({"spoken": "3*1*1*2*1*808512", "scheme": "SN-CMU"})
SESSIONS = (
    "INSERT INTO ussd_sessions"
    " (gateway_id, id, foreign_id, phone_index, tenant_id, opening, heard, began_at)"
    " SELECT g.id, gen_random_uuid(), %s || n, 'x', g.tenant_id, %s, '{\"text\": \"3*1*1*2*1*808512\"}',"
    " %s::timestamptz - %s::interval"
    " FROM (SELECT * FROM gateway_accounts LIMIT 1) g, generate_series(1, %s) n"
)


def sessions(town: WorkerWorld, name: str, ago: str, count: int = 1) -> None:
    with town.database.superuser() as connection:
        connection.execute(SESSIONS, [name, OPENING, clock.now(), ago, count])


def rows_of(town: WorkerWorld, query: str) -> list[tuple[Any, ...]]:
    with town.database.superuser() as connection:
        return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]


def test_what_was_typed_is_blanked_after_a_day_and_what_a_replay_needs_stays(town: WorkerWorld) -> None:
    sessions(town, "old", "26 hours", 2 * batch.LIMIT + 5)
    sessions(town, "young", "23 hours")
    assert [blank_old_input.run(town.services) for _ in range(2)] == [2 * batch.LIMIT + 5, 0]
    readable = "SELECT foreign_id FROM ussd_sessions WHERE opening <> '{}' OR heard IS NOT NULL"
    assert rows_of(town, readable) == [("young1",)]
    assert rows_of(town, "SELECT count(*) FROM ussd_sessions") == [
        (2 * batch.LIMIT + 6,)
    ]  # that they were, and when, stays


def test_bodies_of_notices_are_blanked_after_notice_days_and_digest_and_outcome_stay(
    town: WorkerWorld,
) -> None:
    home = town.joins()
    town.asks(home)
    town.collect()
    town.answers(home)
    town.read_callbacks()
    (before,) = town.notices()
    assert b"checkout" in before.words
    assert blank_old_input.run(town.services) == 0
    with town.database.superuser() as connection:
        connection.execute("UPDATE notices SET received_at = received_at - make_interval(days => %s)",
                           [town.services.settings.notice_days + 1])  # fmt: skip
    assert blank_old_input.run(town.services) == 0  # once an hour is enough
    town.pass_time(3_600)
    assert [blank_old_input.run(town.services) for _ in range(2)] == [1, 0]
    (after,) = town.notices()
    assert (after.words, after.digest, after.outcome, after.state) == (
        b"",
        before.digest,
        before.outcome,
        "done",
    )


def test_notices_that_are_not_processed_yet_are_not_blanked(town: WorkerWorld) -> None:
    home = town.joins()
    town.asks(home)
    town.collect()
    town.answers(home)
    with town.database.superuser() as connection:
        connection.execute("UPDATE notices SET received_at = received_at - interval '5000 days'")
    assert blank_old_input.run(town.services) == 0
    with town.database.superuser() as connection:
        connection.execute("UPDATE notices SET received_at = received_at + interval '5000 days'")
    town.read_callbacks()


def test_the_worker_blanks_sessions_and_can_read_none(town: WorkerWorld) -> None:
    sessions(town, "old", "2 days")
    with pytest.raises(DBAPIError, match="permission denied"), db.transaction(db.Role.WORKER) as session:
        session.execute(text("SELECT opening FROM ussd_sessions"))
    with pytest.raises(DBAPIError, match="permission denied"), db.transaction(db.Role.APP) as session:
        session.execute(text("SELECT forget_sessions(now(), 10)"))


def test_the_scheduler_rings_for_it_once_an_hour_and_the_daily_worker_does_it(town: WorkerWorld) -> None:
    sessions(town, "old", "2 days")
    rung: list[str] = []

    class Hours:
        turns = 2 * schedule.FORGET_S // town.services.settings.sweep_s

        def is_set(self) -> bool:
            return self.turns <= 0

        def wait(self, _: float) -> None:
            self.turns -= 1

    with (
        mock.patch.object(schedule, "sweep"),
        mock.patch.object(town.services.doorbell, "ring", lambda *names: rung.extend(names)),
    ):
        schedule.run(town.services, Hours())  # type: ignore[arg-type]
    assert rung.count("daily") == 2
    with mock.patch.object(queues.services, "current", return_value=town.services):
        queues.daily()
    assert rows_of(town, "SELECT count(*) FROM ussd_sessions WHERE opening <> '{}'") == [(0,)]
