"""A promise to pay after the harvest: reminders wait for its day; what is owed or open does not change."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from menus import engine, idempotent_turn
from menus.flow import FLOW
from menus.idempotent_turn import TurnRequest
from mutuelle import clock, db
from mutuelle.contributions.bills import BillState
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks, RightsRow
from mutuelle.errors import Refused
from mutuelle.money import Money
from mutuelle.payments import promises, settlement
from mutuelle.payments.operators import Movement
from mutuelle.payments.promises import Promise
from mutuelle.schemes import schemes
from mutuelle.schemes.service_rules import Season
from mutuelle.verification import verify
from tests.menus import world
from workers import remind

NEW_YEAR = date(2026, 12, 31)
RICE = Season(code="rice", label={"fr": "Riz"}, starts="11-10", ends="02-28", source="made up for a test")

NEXT_BILL = """
WITH b AS (
    INSERT INTO bills SELECT tenant_id, gen_random_uuid(), household_id, kind, '2027-01-01', NULL, NULL,
    scheme, version,
        option, category, born, total, currency FROM bills WHERE kind = 'dues' RETURNING tenant_id, id, total
) INSERT INTO bill_lines SELECT tenant_id, gen_random_uuid(), id, 'member', total, 'x' FROM b
"""


def run_whole(day, *moments):
    for moment in moments:
        day.at(moment)
        while remind.run(day.hub):
            pass


def promise(day, household_id, on=NEW_YEAR, place="senegal", key="k"):
    with db.transaction(db.Role.APP, day.tenant(place)) as session:
        return promises.make(session, day.tenant(place), household_id, day=on, effect_key=key)


def pays(day, household_id, amount, place="senegal"):
    account = getattr(day.world, place).account
    phone = {"senegal": "+221770000001", "rwanda": "+250780000001"}[place]
    moved = Movement(f"T{clock.new_id()}", Money(amount, account.currency), clock.now(), payer=phone)
    with db.transaction(db.Role.WORKER, day.tenant(place)) as session:
        settlement.credit(session, account, moved, "list")


def states(day):
    return [
        (promise.state, promise.concluded and promise.concluded.isoformat())
        for promise in day.all(select(Promise).order_by(Promise.created_at))
    ]


def reminders_sent(day):
    return [(reminder.key[-10:], reminder.facts["about"]) for reminder in day.reminders()]


def holds(day):
    with db.transaction(db.Role.AUDITOR) as session:
        return verify.run(session).broken == []


def test_reminders_are_sent_on_the_day_and_not_before(day):
    promising, other = day.joins("senegal", 2)
    assert promise(day, promising).amount == 11_500
    run_whole(day, "2026-11-25T09:00", "2026-12-06T09:00", "2026-12-30T09:00")
    # The scheme's 3 and 14 days after the bill.
    assert {reminder.household_id for reminder in day.reminders()} == {other}
    run_whole(day, "2026-12-31T09:00", "2026-12-31T15:00")
    (reminder,) = [reminder for reminder in day.reminders() if reminder.household_id == promising]
    facts = reminder.facts
    assert (facts["about"], facts["date"], facts["left"]) == ("promise", "2026-12-31", 11_500)
    assert states(day) == [("open", None)]
    run_whole(day, "2027-01-01T09:00", "2027-01-02T09:00")
    assert states(day) == [("lapsed", "2027-01-01")]
    assert len([reminder for reminder in day.reminders() if reminder.household_id == promising]) == 1
    assert holds(day)


def test_a_household_that_pays_before_the_day_gets_no_reminder_and_has_kept_the_promise(day):
    (household_id,) = day.joins("senegal")
    promise(day, household_id)
    day.at("2026-12-20T09:00")
    pays(day, household_id, 11_500)
    run_whole(day, "2026-12-31T09:00", "2027-01-01T09:00")
    assert day.reminders() == []
    assert states(day) == [("kept", "2027-01-01")]


def test_a_payment_of_the_promised_sum_keeps_the_promise_after_later_bills(day, database):
    (household_id,) = day.joins("senegal")
    promise(day, household_id)
    day.at("2026-12-31T09:00")
    pays(day, household_id, 11_500)
    with database.superuser() as connection:  # another bill, such as the next year's
        connection.execute(NEXT_BILL)
    run_whole(day, "2027-01-01T09:00")
    assert states(day) == [("kept", "2027-01-01")]


def test_the_last_reminder_before_cover_ends_is_still_sent_after_a_promise(day):
    """Rwanda: 12 000 of 15 000 cover until 31 December. Reminders: 30, 14, 3 days before, 3, 14 after."""
    (household_id,) = day.joins("rwanda")
    pays(day, household_id, 12_000, "rwanda")
    promise(day, household_id, date(2027, 1, 31), "rwanda")
    days = ("2026-12-01", "2026-12-17", "2026-12-28", "2027-01-03", "2027-01-14", "2027-01-31", "2027-02-01")
    run_whole(day, *(f"{moment}T09:00" for moment in days))
    assert reminders_sent(day) == [("2026-12-28", "end"), ("2027-01-31", "promise")]
    assert states(day) == [("lapsed", "2027-02-01")]


def test_one_promise_at_a_time_for_an_amount_owed_and_a_day_that_is_offered(day):
    first, second = day.joins("senegal", 2)
    promise(day, first)
    with pytest.raises(Refused, match=r"promise\.open"):
        promise(day, first, date(2027, 1, 31), key="k2")
    for near_or_odd in (date(2026, 11, 22), date(2026, 11, 30), date(2027, 1, 30), date(2028, 3, 31)):
        with pytest.raises(Refused, match=r"promise\.day"):
            promise(day, second, near_or_odd, key="k2")
    with pytest.raises(IntegrityError):
        promise(day, second, key="k")  # the same Confirm
    pays(day, first, 11_500)
    run_whole(day, "2027-01-01T09:00")
    with pytest.raises(Refused, match=r"pay\.nothing-owed"):
        promise(day, first, date(2027, 1, 31), key="k3")
    # The last day of groundnut.
    assert promise(day, second, date(2027, 3, 31), key="k4").day == date(2027, 3, 31)


def test_a_promise_is_never_changed_or_deleted(day):
    (household_id,) = day.joins("senegal")
    promise(day, household_id)
    moved = "UPDATE promises SET day = day + 1"
    tries = [(db.Role.APP, moved), (db.Role.WORKER, moved), (db.Role.WORKER, "DELETE FROM promises"),
             (db.Role.LOGIN, "TRUNCATE promises")]  # fmt: skip
    for role, change in tries:
        with (
            pytest.raises((ProgrammingError, IntegrityError)),
            db.transaction(role, day.tenant("senegal")) as session,
        ):
            session.execute(text(change))
    assert states(day) == [("open", None)]


def test_verify_finds_an_open_promise_whose_day_is_over(day, database):
    (household_id,) = day.joins("senegal")
    promise(day, household_id)
    run_whole(day, "2027-01-01T09:00")
    assert holds(day)
    with database.superuser() as connection:
        connection.execute("UPDATE promises SET state = 'open', concluded = NULL")
    assert not holds(day)


def test_the_phone_shows_the_promised_day_and_a_repeated_yes_stores_one_promise(day):
    (household_id,) = day.joins("senegal")
    hop = TurnRequest(day.world.gateway_id, day.tenant("senegal"), "ATUid_1", "+221770000001", "")
    cached = None
    for typed in ("", "2", "2*3", "2*3*1", "2*3*1*1", "2*3*1*1"):
        reply = idempotent_turn.answer(replace(hop, text=typed), cached)
        cached = reply.state or cached
    assert "31/12/2026" in reply.screen_text.text
    assert reply.screen_text.open is False
    (stored,) = day.all(select(Promise))
    assert (stored.household_id, stored.day, stored.amount) == (household_id, NEW_YEAR, 11_500)
    assert stored.given == date(2026, 11, 22)
    later = replace(hop, foreign_id="ATUid_2", text="2*3")
    assert "31/12/2026" in idempotent_turn.answer(replace(later, text="2*3"), None).screen_text.text


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 115)), max_size=4))
def test_a_promise_changes_nothing_that_is_owed_or_open(new_day, module_database, payments):
    """Two households pay the same on the same days, and one has promised: their rights are the same."""
    module_database.empty()
    day = new_day(module_database)
    tenant = day.tenant("senegal")
    household_ids = day.joins("senegal", 2)
    promise(day, household_ids[0])
    for after, hundreds in sorted(payments):
        moment = date(2026, 11, 22) + timedelta(after)
        run_whole(day, f"{moment}T09:00")
        for number, account in ((1, day.world.senegal.account), (2, day.world.senegal.account)):
            moved = Movement(
                f"T{clock.new_id()}", Money(hundreds * 100, "XOF"), clock.now(), payer=f"+2217700{number:05d}"
            )
            with db.transaction(db.Role.WORKER, tenant) as session:
                settlement.credit(session, account, moved, "list")
    run_whole(day, "2027-01-20T09:00")
    with db.transaction(db.Role.AUDITOR) as session:
        for ahead in (0, 20, 45, 90, 400):
            on = date(2026, 11, 22) + timedelta(ahead)
            ours, theirs = (
                cover_books.position(session, tenant, household_id, on) for household_id in household_ids
            )
            assert ours == theirs
        rows = [
            [
                (r.state, r.since, r.until)
                for r in session.scalars(
                    select(RightsRow).where(RightsRow.household_id == household_id).order_by(RightsRow.since)
                )
            ]
            for household_id in household_ids
        ]
        assert rows[0] == rows[1]
        assert verify.run(session).broken == []


@pytest.mark.parametrize(
    ("today", "ends"),
    [
        ("2026-11-22", ["2026-12-31", "2027-01-31", "2027-02-28"]),  # 30 November is eight days away
        ("2026-11-16", ["2026-11-30", "2026-12-31", "2027-01-31"]),
        ("2026-11-17", ["2026-12-31", "2027-01-31", "2027-02-28"]),
        ("2028-01-31", ["2028-02-29", "2028-03-31", "2028-04-30"]),
    ],
)
def test_ends_of_months_are_two_weeks_away_or_more(today, ends):
    assert [end.isoformat() for end in promises.months(date.fromisoformat(today))] == ends


@pytest.mark.parametrize(
    ("today", "day"),
    [
        ("2026-10-27", "2026-11-10"),  # two weeks before it begins: its first day
        ("2026-10-28", "2027-02-28"),  # nearer: its last
        ("2027-01-05", "2027-02-28"),
        ("2027-02-15", "2027-11-10"),  # it is all but over: the next one
    ],
)
def test_a_season_is_promised_for_its_first_day_or_when_that_is_near_for_its_last(today, day):
    rules = schemes.get("SN-CMU").on(date(2026, 11, 22)).model_copy(update={"seasons": (RICE,)})
    (harvest,) = promises.harvests(rules, date.fromisoformat(today))
    assert (harvest.day.isoformat(), harvest.season.code) == (day, "rice")
    assert promises.harvests(rules.model_copy(update={"seasons": ()}), date.fromisoformat(today)) == []


def owes(period_until, member=15_000, kind="dues"):
    return BillState(
        bill_id=uuid4(),
        kind=kind,
        issued=date(2026, 7, 1),
        period_from=date(2026, 7, 1),
        period_until=period_until,
        scheme="RW-CBHI",
        version=date(2026, 7, 1),
        option="year",
        issued_total=member,
        issued_share=member,
        line_id=uuid4(),
    )


def test_no_day_after_the_year_that_is_owed_for_is_offered():
    june = date(2027, 6, 30)
    today = date(2027, 5, 10)
    assert promises.useful_until(HouseholdBooks((owes(june),)), today) == june
    assert promises.months(today, june) == [date(2027, 5, 31), june]
    assert promises.months(date(2027, 6, 20), june) == []
    assert promises.months(today) == [date(2027, 5, 31), june, date(2027, 7, 31)]
    rules = schemes.get("SN-CMU").on(date(2026, 11, 22)).model_copy(update={"seasons": (RICE,)})
    assert promises.harvests(rules, today, june) == []
    coming = owes(date(2028, 6, 30))
    assert promises.useful_until(HouseholdBooks((owes(june), coming)), today) == date(2028, 6, 30)
    over, rolling, fee = owes(date(2026, 6, 30)), owes(None), owes(None, 500, "joining")
    assert [
        promises.useful_until(HouseholdBooks(each), today)
        for each in ((over,), (owes(june), rolling), (fee,), ())
    ] == [None] * 4


def test_who_can_name_no_day_is_not_asked_for_one():
    late = {"on": "2027-06-20", "household": replace(world.NEW, promise_until="2027-06-30")}
    for more, is_offered in ((late, False), (late | {"on": "2027-06-10"}, True), ({}, True)):
        opening = world.facts("RW-CBHI", who="new", **more)
        screen = engine.turn(FLOW, None, opening, "2", {}).screen_text
        assert ("Plus tard" in str(screen)) is is_offered, more
