"""Two workers that lease at once get different rows, the oldest first, and neither waits for the other."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import clock, db, inbox, outbox
from mutuelle.billing import billing_runs
from mutuelle.inbox import Door, NoticeState, Origin
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.outbox import TaskKind
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database

LEASE_S = 60


@pytest.fixture
def world(emptied_database: Database) -> Iterator[World]:
    people.connect(emptied_database.url)
    yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


@contextmanager
def two_workers() -> Iterator[tuple[Session, Session]]:
    """Two transactions at one time; a statement of the second one fails if it waits for a lock."""
    with db.transaction(db.Role.WORKER) as first, db.transaction(db.Role.WORKER) as second:
        second.execute(text("SET LOCAL lock_timeout = '1s'"))
        yield first, second


def put_tasks(world: World, kind: TaskKind, lane: str, *seconds: int) -> dict[object, int]:
    """Queues a task for each of these moments from now on. Returns the moments by subject."""
    subjects = {clock.new_id(): in_s for in_s in seconds}
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        for subject, in_s in subjects.items():
            outbox.put(session, world.senegal.tenant_id, kind, subject, lane=lane, in_s=in_s)
    return subjects


def keep_notices(world: World, *seconds: int) -> None:
    """Keeps a callback of Wave for each of these moments from now on, whose body names the moment."""
    for in_s in seconds:
        clock.install(clock.Source(shift_s=in_s))
        origin = Origin(world.senegal.tenant_id, world.senegal.account.id, Door.MOMO, "wave")
        with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
            inbox.keep(session, origin, body=str(in_s).encode())
    clock.install(clock.Source())


def test_two_workers_lease_different_tasks_the_oldest_first(world: World) -> None:
    due = put_tasks(world, TaskKind.COLLECT, "wave", -10, -30, -20, -40, 5)
    put_tasks(world, TaskKind.COLLECT, "mtn", -90)
    put_tasks(world, TaskKind.POLL, "wave", -90)

    def leased(session: Session, limit: int) -> list[int]:
        tasks = outbox.lease(session, TaskKind.COLLECT, "wave", limit=limit, lease_s=LEASE_S)
        assert all(task.attempts == 1 for task in tasks)
        return [due[task.subject_id] for task in tasks]

    with two_workers() as (first, second):
        assert leased(first, 2) == [-40, -30]
        assert leased(second, 9) == [-20, -10]
        assert leased(first, 9) == leased(second, 9) == []


def test_a_task_is_leased_again_after_its_lease_unless_it_has_ended(world: World) -> None:
    due = put_tasks(world, TaskKind.DELIVER, "sms", -2, -1)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        ended, _ = outbox.lease(session, TaskKind.DELIVER, "sms", limit=2, lease_s=LEASE_S)
        outbox.end(session, ended, "done")
    for shift_s, left in ((LEASE_S - 5, []), (LEASE_S + 5, [-1])):
        clock.install(clock.Source(shift_s=shift_s))
        with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
            assert outbox.due_lanes(session, [TaskKind.DELIVER]) == [(TaskKind.DELIVER, "sms")] * len(left)
            tasks = outbox.lease(session, TaskKind.DELIVER, "sms", limit=2, lease_s=LEASE_S)
            assert [due[task.subject_id] for task in tasks] == left


def test_no_second_worker_leases_tasks_of_a_kind_that_one_holds_alone(world: World) -> None:
    due = put_tasks(world, TaskKind.REMIND, "sms", -2, -1)

    def leased(session: Session) -> list[int]:
        tasks = outbox.lease_exclusively(session, TaskKind.REMIND, "sms", limit=1, lease_s=LEASE_S)
        return [due[task.subject_id] for task in tasks]

    with two_workers() as (first, second):
        assert leased(first) == [-2]
        assert leased(second) == []
    with db.transaction(db.Role.WORKER) as session:
        assert leased(session) == []
    clock.install(clock.Source(shift_s=LEASE_S + 5))
    with db.transaction(db.Role.WORKER) as session:
        assert leased(session) == [-2]


def test_a_worker_whose_lease_ended_does_not_undo_what_another_one_did(world: World) -> None:
    put_tasks(world, TaskKind.POLL, "wave", -1)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        (task,) = outbox.lease(session, TaskKind.POLL, "wave", limit=1, lease_s=LEASE_S)
        outbox.end(session, task, "done")
        outbox.postpone(session, task, 0, "asked again")
        session.refresh(task)
        assert (task.state, task.outcome) == ("done", "done")
        outbox.resume(session, world.senegal.tenant_id, [TaskKind.POLL], task.subject_id, in_s=0)
        session.refresh(task)
        assert (task.state, task.ended_at, task.lease_until) == ("waiting", None, None)


def test_two_workers_lease_different_notices_in_the_order_they_came(world: World) -> None:
    keep_notices(world, -50, -10, -40, -20, -30)

    def leased(session: Session, limit: int) -> list[str]:
        notices = inbox.lease(session, doors=[Door.MOMO], limit=limit, lease_s=LEASE_S)
        return [notice.words.decode() for notice in notices]

    with two_workers() as (first, second):
        assert leased(first, 2) == ["-50", "-40"]
        assert leased(second, 9) == ["-30", "-20", "-10"]
        assert leased(first, 9) == leased(second, 9) == []


def test_a_notice_is_leased_again_after_its_lease_unless_it_has_ended(world: World) -> None:
    keep_notices(world, -2, -1)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        ended, _ = inbox.lease(session, doors=[Door.MOMO], limit=2, lease_s=LEASE_S)
        inbox.end(session, ended, NoticeState.DONE, "done")
        inbox.postpone(session, ended, 0, "put back")
    for shift_s, left in ((LEASE_S - 5, []), (LEASE_S + 5, ["-1"])):
        clock.install(clock.Source(shift_s=shift_s))
        with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
            assert inbox.due_providers(session, Door.MOMO) == ["wave"] * len(left)
            other = inbox.lease(session, doors=[Door.MOMO], limit=2, lease_s=LEASE_S, provider="mtn")
            notices = inbox.lease(session, doors=[Door.MOMO], limit=2, lease_s=LEASE_S, provider="wave")
            assert (other, [notice.words.decode() for notice in notices]) == ([], left)


def test_each_worker_takes_another_part_of_a_billing_run_until_none_is_left(world: World) -> None:
    day = MutuelleDay(world.senegal.tenant_id, "Africa/Dakar", clock.today("Africa/Dakar"))
    with db.transaction(db.Role.WORKER, day.tenant_id) as session:
        part = billing_runs.take(session, day)
        assert part is not None
        billing_runs.save_progress(session, day, part, part)
    with (
        db.transaction(db.Role.WORKER, day.tenant_id) as first,
        db.transaction(db.Role.WORKER, day.tenant_id) as second,
    ):
        second.execute(text("SET LOCAL lock_timeout = '1s'"))
        parts = [billing_runs.take(session, day) for session in (first, second)]
        assert [part and part.number for part in parts] == [1, 2]
