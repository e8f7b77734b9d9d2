"""The daily run: one message per household and day, in daylight, however often a run is interrupted."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text

from mutuelle import clock, db, outbox
from mutuelle.households import households
from tests.workers.world import together
from workers import bill, remind, schedule

THIRD = "2026-11-25T09:00"  # three days after the bill, nine o'clock in Dakar, eleven in Kigali


class Crash(Exception):
    """The worker died."""


class Breaking:
    """Within it the worker dies at its `after`-th statement."""

    def __init__(self, after):
        self.left = after

    def _count(self, *_):
        self.left -= 1
        if self.left < 0:
            raise Crash

    def __enter__(self):
        event.listen(Engine, "before_cursor_execute", self._count)

    def __exit__(self, kind, *_):
        event.remove(Engine, "before_cursor_execute", self._count)
        return kind is Crash


def run_whole(day):
    while remind.run(day.hub):
        pass


@pytest.mark.every_postgres
def test_who_owes_is_reminded_on_the_day_and_once(day):
    household_ids = day.joins("senegal", 3)
    day.at("2026-11-24T09:00")
    run_whole(day)
    assert day.reminders() == []
    day.at(THIRD)
    run_whole(day)
    run_whole(day)
    day.at("2026-11-25T19:59")
    run_whole(day)
    assert Counter(reminder.household_id for reminder in day.reminders()) == Counter(household_ids)
    assert {reminder.status for reminder in day.reminders()} == {"queued"}
    facts = {"about": "start", "date": "2026-11-22", "days": 3, "left": 11_500, "to_open": 10_500,
             "opens": "2026-12-25", "until": "2027-12-24", "stop": "*384*55#"}  # fmt: skip
    assert [reminder.facts for reminder in day.reminders()] == [facts] * 3


def test_the_day_begins_and_ends_where_people_live(day):
    joined = {place: day.joins(place)[0] for place in ("senegal", "rwanda", "mali")}

    def reminded(moment):
        day.at(moment)
        run_whole(day)
        return {reminder.household_id for reminder in day.reminders()}

    assert reminded("2026-11-25T05:59") == set()
    assert reminded("2026-11-25T06:00") == {joined["rwanda"]}  # eight in Kigali
    assert reminded("2026-11-25T07:59") == {joined["rwanda"]}
    assert reminded("2026-11-25T08:00") == set(joined.values())


def test_a_day_that_was_missed_is_not_made_up_for(day):
    day.joins("rwanda")
    # From eight in the evening of the day on.
    for moment in ("2026-11-25T18:00", "2026-11-25T23:00", "2026-11-26T09:00"):
        day.at(moment)
        run_whole(day)
    assert day.reminders() == []


def test_after_a_stop_it_is_written_down_and_not_sent(day):
    (household_id,) = day.joins("rwanda")
    with db.transaction(db.Role.APP, day.tenant("rwanda")) as session:
        households.set_reminders(session, day.tenant("rwanda"), household_id, False)
    day.at(THIRD)
    run_whole(day)
    assert [reminder.status for reminder in day.reminders()] == ["stopped"]
    assert day.tasks() == []


def test_moments_are_spread_at_the_pace_that_is_set_over_all_mutuelles(day):
    day.joins("senegal", 4)
    day.joins("mali", 3)
    day.at(THIRD)
    run_whole(day)
    moments = [task.due_at for task in day.tasks()]
    assert moments == [clock.now() + timedelta(seconds=n / 10) for n in range(7)]
    day.joins("rwanda", 1)
    day.at("2026-11-28T09:00")  # Rwanda's run begins while others' messages still wait
    run_whole(day)
    assert day.tasks()[-1].due_at == clock.now()


def test_what_does_not_fit_before_night_is_not_queued_and_opens_a_case(day):
    day.joins("senegal", 30)
    day.at("2026-11-25T19:59:59")
    run_whole(day)
    assert len(day.reminders()) == 10  # one second at ten a second
    assert day.flags() == ["reminders"]
    day.at("2026-11-26T08:00")
    run_whole(day)
    assert len(day.reminders()) == 10


def test_the_scheduler_rings_for_it_in_daylight_until_it_is_done(day):
    day.joins("rwanda")
    with db.transaction(db.Role.WORKER, day.tenant("rwanda")) as session:
        session.execute(text("UPDATE outbox SET state = 'done'"))  # the welcome went
    day.at("2026-11-25T05:30")
    assert schedule.sweep(day.hub) == ["daily"]  # the day's bills
    bill.run(day.hub)
    assert schedule.sweep(day.hub) == []
    assert day.hub.doorbell.last_beat() == clock.now()
    day.at("2026-11-25T06:00")
    assert schedule.sweep(day.hub) == ["daily"]
    run_whole(day)
    with db.transaction(db.Role.WORKER, day.tenant("rwanda")) as session:
        session.execute(text("UPDATE outbox SET state = 'done'"))  # the reminder went
    assert schedule.sweep(day.hub) == []


def test_two_workers_at_once_remind_no_household_twice(day, monkeypatch):
    monkeypatch.setattr(remind, "PAGE", 3)
    household_ids = day.joins("senegal", 10)
    day.at(THIRD)
    assert not [error for error in together(4, lambda _: run_whole(day)) if error is not None]
    run_whole(day)
    assert Counter(reminder.household_id for reminder in day.reminders()) == Counter(household_ids)


def test_while_one_worker_sends_reminders_no_other_does(day):
    day.joins("senegal", 3)
    day.at(THIRD)
    run_whole(day)
    day.at("2026-11-25T09:01")

    def claim():
        with db.transaction(db.Role.WORKER) as session:
            return outbox.lease_exclusively(session, "remind", "sms", limit=2, lease_s=150)

    assert len(claim()) == 2
    assert claim() == []
    day.at("2026-11-25T09:05")  # its worker died: after the lease another one goes on
    assert len(claim()) == 2


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(crashes=st.lists(st.integers(0, 60), max_size=6), page=st.integers(1, 5))
def test_cut_off_anywhere_and_run_any_number_of_times_the_messages_are_the_same(
    module_database, new_day, monkeypatch, crashes, page
):
    module_database.empty()
    day = new_day(module_database)
    monkeypatch.setattr(remind, "PAGE", page)
    household_ids = [*day.joins("senegal", 5), *day.joins("rwanda", 3)]
    day.joins("mali", 1)
    with db.transaction(db.Role.APP, day.tenant("mali")) as session:
        # No household can be reached there.
        session.execute(text("UPDATE phones SET until = :now"), {"now": clock.now()})
    day.at(THIRD)
    for after in crashes:
        with Breaking(after):
            run_whole(day)
    run_whole(day)
    assert Counter(reminder.household_id for reminder in day.reminders()) == Counter(household_ids)
    assert {task.subject_id for task in day.tasks()} == {reminder.id for reminder in day.reminders()}
