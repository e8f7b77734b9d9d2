"""Two schedulers: one sweeps at a time, the other takes over when it falls, and no reminder is sent twice."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from gateway.doorbell import SWEPT
from mutuelle import crypto, db
from mutuelle.enrolment import enrolment
from proving.stage.wire_tap import Trap
from tests.end_to_end.faults.world import MESSAGES, PACE, SCHEDULERS, FaultWorld
from tests.end_to_end.stories.world import SENEGAL, Phone, until

SWEEPS = ["pg_try_advisory_xact_lock"]
DAYS_AFTER = 3  # days after an unpaid bill: Senegal's calendar


@pytest.fixture
def both(ground: FaultWorld) -> Iterator[FaultWorld]:
    """Runs the second scheduler beside the first."""
    ground.stage.start("scheduler-2")
    yield ground
    ground.mend()
    ground.stage.stop("scheduler-2")


def swept(ground: FaultWorld) -> bytes:
    """Returns the time of the last sweep."""
    with redis.Redis.from_url(ground.stage.redis.url) as client:
        return client.get(SWEPT) or b""


@contextmanager
def longer_lease(ground: FaultWorld, name: str) -> Iterator[None]:
    """Lets a program be held longer than the others' lease before PostgreSQL ends its transaction."""
    _restarted(ground, name, "60")
    yield
    _restarted(ground, name, PACE["LEASE_S"])


def _restarted(ground: FaultWorld, name: str, lease_s: str) -> None:
    ground.stage.stop(name)
    ground.stage.give(name, {"LEASE_S": lease_s})
    ground.stage.start(name)


def joined_days_ago(ground: FaultWorld, days: int) -> Phone:
    """Enrols a household some days ago that has not paid. Returns its phone."""
    phone = ground.phone(SENEGAL)
    ((tenant_id,),) = ground.sql("SELECT id FROM tenants WHERE code = 'SN-DIENDER'")
    with ground.as_one_of_us(days=-days), db.transaction(db.Role.APP, tenant_id) as session:
        applicant = enrolment.NewHousehold(
            phone=phone.number, language="fr", category="general", adults=2, birth_years=[1985, 1990, 2015],
            consent="1", channel="ussd",
        )  # fmt: skip
        enrolment.enrol(session, tenant_id, applicant)
    return phone


def reminder_run_of_today(ground: FaultWorld) -> list[tuple[bool]]:
    return ground.sql("SELECT ended_at IS NOT NULL FROM reminder_runs r JOIN tenants t ON t.id = r.tenant_id"
                      " WHERE t.code = 'SN-DIENDER'")  # fmt: skip


def test_two_schedulers_begin_the_day_twice_and_no_household_is_reminded_twice(both: FaultWorld):
    phones = [joined_days_ago(both, DAYS_AFTER) for _ in range(3)]
    for _ in range(2):
        both.do("DELETE FROM reminder_runs")
        until(lambda: reminder_run_of_today(both) == [(True,)], what="the end of the day's round")
    until(lambda: not both.waiting(), what="an empty inbox and outbox")
    queued = "SELECT count(*) FROM messages WHERE kind = 'reminder' AND phone_index = %s"
    for phone in phones:
        assert both.sql(queued, crypto.blind_index(phone.number)) == [(1,)]
        assert len(phone.sms) == 2, "welcome, and one reminder"


def test_two_schedulers_do_not_heap_up_unread_rings(both: FaultWorld):
    for name in MESSAGES:
        both.stage.stop(name)
    both.joins()
    for _ in range(4):
        before = swept(both)
        until(lambda before=before: swept(both) != before, what="a sweep")
    with redis.Redis.from_url(both.stage.redis.url) as client:
        assert 1 <= client.llen("rq:queue:messages") <= len(SCHEDULERS)
    for name in MESSAGES:
        both.stage.start(name)


def test_while_one_scheduler_sweeps_the_other_one_does_not(both: FaultWorld):
    first, second = Trap(after=SWEEPS), Trap(after=SWEEPS)
    both.stage.stop("scheduler-2")  # else the trap may hold the first while the second sweeps
    with longer_lease(both, "scheduler"):
        both.taps["scheduler"].arm(first)
        first.wait(10)
        before = swept(both)
        both.taps["scheduler-2"].arm(second)
        both.stage.start("scheduler-2")
        second.wait(10)
        second.go_on()
        third = both.trap(["scheduler-2"], after=SWEEPS)
        third.wait(10)
        assert swept(both) == before
        for trap in (first, third):
            trap.go_on()
        until(lambda: swept(both) != before, what="the next sweep")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_the_other_scheduler_takes_over_from_one_that_falls_while_it_sweeps(
    both: FaultWorld, how: signal.Signals
):
    trap = both.trap(SCHEDULERS, after=SWEEPS)
    scheduler = trap.wait(10)
    both.stage.kill(scheduler, how)
    if how == signal.SIGKILL:
        trap.cut()
    request = both.request("mtn")
    both.wipe_cache()  # now only a sweep can ring
    both.settles(request)
    both.stage.kill(scheduler, signal.SIGCONT)
    trap.go_on()
