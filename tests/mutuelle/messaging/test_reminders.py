"""On which days a household is reminded, and about which date: three schemes, every date worked by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bills import BillState
from mutuelle.cover import household_rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.messaging import reminders, sending_hours
from mutuelle.messaging.reminders import Reminder
from mutuelle.schemes import schemes

JOINED = date(2026, 11, 22)
BILL, NEXT = UUID(int=1), UUID(int=2)


def bill(scheme, share, issued=JOINED, id=BILL, kind="dues"):
    """A bill of `scheme` as the engine would issue it."""
    version = schemes.get(scheme).on(issued)
    period = version.period(issued + timedelta(version.cycle.ahead_days)) or (None, None)
    return BillState(
        id, kind, issued, scheme, version.since, "year", share, share, *(period if kind == "dues" else ())
    )


def reminders_between(scheme, dues, paid, first, last):
    """Returns every reminder between two days, `day -> (date, about)`, one a day."""
    version_of = schemes.get(scheme).version
    timeline = household_rights.intervals(version_of, dues, paid)
    days = (first + timedelta(n) for n in range((last - first).days + 1))
    by_day = {day: reminders.due(version_of, dues, paid, timeline, day) for day in days}
    return {day: (due[0].date, due[0].about) for day, due in by_day.items() if due}


def on(*days):
    return [date.fromisoformat(day) for day in days]


YEAR = (JOINED, date(2027, 11, 30))

SENEGAL = [
    # Nothing paid of 10 500: three and fourteen days after the bill, then silence.
    ([], ["2026-11-25", "2026-12-06"]),
    # A part opens nothing in Senegal and changes nothing.
    ([("2026-11-24", 3_000)], ["2026-11-25", "2026-12-06"]),
    # All dues paid on the 26th: the first reminder went, the second is not due. Left are only joining fees,
    # which open nothing.
    ([("2026-11-26", 10_500)], ["2026-11-25"]),
    ([("2026-11-22", 10_500)], []),
    # Taken back by the operator on 2 December: what is owed again is reminded of on the next day of the
    # calendar.
    ([("2026-11-23", 10_500), ("2026-12-02", -10_500)], ["2026-12-06"]),
]

RWANDA = [
    # 15 000 for the year July to June, nothing paid since 22 November.
    ([], ["2026-11-25", "2026-12-06"]),
    # 75 % = 11 250, rounded up 12 000, opens 22 November to 31 December. Its end is the date: -30, -14, -3,
    # then +3, +14.
    ([("2026-11-22", 12_000)], ["2026-12-01", "2026-12-17", "2026-12-28", "2027-01-03", "2027-01-14"]),
    # The rest on 20 December covers until 30 June: two reminders went, no more.
    ([("2026-11-22", 12_000), ("2026-12-20", 3_000)], ["2026-12-01", "2026-12-17"]),
    # 11 000 is below the threshold: no cover, so the bill itself is the date.
    ([("2026-11-22", 11_000)], ["2026-11-25", "2026-12-06"]),
    # The threshold reached on 5 December, after the first of the two: from then the date is 31 December.
    ([("2026-12-05", 12_000)], ["2026-11-25", "2026-12-17", "2026-12-28", "2027-01-03", "2027-01-14"]),
]

MALI = [
    # 9 900 for a year, nothing paid.
    ([], ["2026-11-25", "2026-12-06"]),
    # One month (825) on 24 November: 90 days later, 22 February to 21 March. Once before the end, twice
    # after.
    ([("2026-11-24", 825)], ["2027-03-18", "2027-03-24", "2027-04-04"]),
    # Three months on 24 November: 22 February to 21 May.
    ([("2026-11-24", 2_475)], ["2027-05-18", "2027-05-24", "2027-06-04"]),
    # A second month on 20 March: the end moves from 21 March to 21 April; the reminder of the 18th went
    # before.
    ([("2026-11-24", 825), ("2027-03-20", 825)], ["2027-03-18", "2027-04-18", "2027-04-24", "2027-05-05"]),
]

TABLE = [
    pytest.param(scheme, share, paid, days, id=f"{scheme}-{n}")
    for scheme, share, cases in (
        ("SN-CMU", 10_500, SENEGAL),
        ("RW-CBHI", 15_000, RWANDA),
        ("ML-5050", 9_900, MALI),
    )
    for n, (paid, days) in enumerate(cases)
]


@pytest.mark.parametrize(("scheme", "share", "paid", "days"), TABLE)
def test_the_calendar_of_the_first_bill(scheme, share, paid, days):
    due = bill(scheme, share)
    # Day by day: what is paid later is not known yet.
    days_reminded = []
    for n in range((YEAR[1] - YEAR[0]).days + 1):
        day = YEAR[0] + timedelta(n)
        paid_so_far = [
            BillPayment(BILL, date.fromisoformat(d), units)
            for d, units in paid
            if date.fromisoformat(d) <= day
        ]
        days_reminded += reminders_between(scheme, [due], paid_so_far, day, day)
    assert days_reminded == on(*days)


def test_a_year_sold_ahead_is_reminded_of_around_its_first_day():
    """Rwanda sells July to June from 1 June on."""
    due = bill("RW-CBHI", 15_000, issued=date(2027, 6, 5))
    by_day = reminders_between("RW-CBHI", [due], [], date(2027, 6, 1), date(2027, 7, 31))
    first = date(2027, 7, 1)
    assert by_day == dict.fromkeys(
        on("2027-06-17", "2027-06-28", "2027-07-04", "2027-07-15"), (first, "start")
    )


def test_a_renewal_under_cover_is_reminded_of_around_the_end_of_that_cover():
    """One date for both: the last day of the old year, not the first of the new one as well."""
    old, new = bill("RW-CBHI", 15_000), bill("RW-CBHI", 15_000, issued=date(2027, 6, 5), id=NEXT)
    paid = [BillPayment(BILL, JOINED, 15_000)]
    by_day = reminders_between("RW-CBHI", [old, new], paid, date(2027, 6, 1), date(2027, 7, 31))
    last = date(2027, 6, 30)
    assert by_day == dict.fromkeys(on("2027-06-16", "2027-06-27", "2027-07-03", "2027-07-14"), (last, "end"))


def test_the_dues_of_a_year_that_is_over_are_not_reminded_of():
    due = bill("RW-CBHI", 15_000, issued=date(2027, 6, 20))  # for July 2027 to June 2028
    late = bill("RW-CBHI", 15_000, issued=date(2027, 5, 28), id=NEXT)  # for July 2026 to June 2027
    assert late.period_until == date(2027, 6, 30)
    # Not on the 31st of May + 3.
    assert list(reminders_between("RW-CBHI", [late], [], date(2027, 6, 1), date(2027, 8, 1))) == on(
        "2027-06-11"
    )
    assert list(reminders_between("RW-CBHI", [due], [], date(2027, 6, 1), date(2027, 8, 1))) == on(
        "2027-06-28", "2027-07-04", "2027-07-15"
    )


def test_no_reminder_is_sent_for_a_joining_fee_or_without_a_bill():
    fee = bill("SN-CMU", 1_000, kind="joining")
    assert reminders_between("SN-CMU", [fee], [], *YEAR) == {}
    assert reminders_between("SN-CMU", [], [], *YEAR) == {}


def test_a_household_that_waits_for_paid_cover_is_not_reminded():
    """Mali: a month paid on day 2; the bill's third day falls into the 90 days of waiting."""
    due = bill("ML-5050", 9_900)
    assert (
        reminders_between(
            "ML-5050", [due], [BillPayment(BILL, date(2026, 11, 24), 825)], JOINED, date(2026, 12, 31)
        )
        == {}
    )


def test_a_scheme_without_a_calendar_sends_no_reminders():
    due = bill("SN-CMU", 10_500)
    silent = schemes.get("SN-CMU").on(JOINED).model_copy(update={"reminders": None})
    assert [reminders.due(lambda _: silent, [due], [], (), JOINED + timedelta(n)) for n in range(40)] == [
        []
    ] * 40


@given(
    scheme=st.sampled_from(["SN-CMU", "RW-CBHI", "ML-5050"]),
    issued=st.dates(date(2026, 7, 1), date(2027, 12, 31)),
    paid=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 40)), max_size=5),
    share=st.integers(1, 30),
)
def test_every_reminder_stands_in_the_calendar_and_is_about_unpaid_dues(scheme, issued, paid, share):
    """No other day, no household that owes nothing, one date a day for a bill, none after it under cover."""
    version = schemes.get(scheme).on(issued)
    due = bill(scheme, share * 1_000, issued)
    money = [BillPayment(BILL, issued + timedelta(day), units * 250) for day, units in paid]
    timeline = household_rights.intervals(schemes.get(scheme).version, [due], money)
    for n in range(0, 430):
        day = issued + timedelta(n)
        paid_so_far = sum(payment.amount for payment in money if payment.on <= day)
        due_today = reminders.due(schemes.get(scheme).version, [due], money, timeline, day)
        assert len(due_today) <= 1
        for reminder in due_today:
            assert paid_so_far < due.issued_share
            assert n > 0
            assert reminder == Reminder(reminder.date, (day - reminder.date).days, reminder.about)
            assert reminder.days in version.reminders.after or -reminder.days in version.reminders.before
            assert reminder.days < 0 or household_rights.on(timeline, day).state not in ("open", "waiting")


HOURS = [
    ("Africa/Kigali", "2026-11-22T05:59:59", None),  # 07:59:59 in Kigali, two hours ahead of UTC all year
    ("Africa/Kigali", "2026-11-22T06:00:00", "2026-11-22"),
    ("Africa/Kigali", "2026-11-22T17:59:59", "2026-11-22"),
    ("Africa/Kigali", "2026-11-22T18:00:00", None),
    ("Africa/Dakar", "2026-11-22T07:59:59", None),
    ("Africa/Dakar", "2026-11-22T08:00:00", "2026-11-22"),
    ("Africa/Bamako", "2026-11-22T19:59:59", "2026-11-22"),
    ("Africa/Bamako", "2026-11-22T20:00:00", None),
    ("Africa/Kigali", "2026-07-01T06:00:00", "2026-07-01"),  # no summer time
    ("Africa/Dakar", "2026-07-01T08:00:00", "2026-07-01"),
]


@pytest.mark.parametrize(("zone", "moment", "day"), HOURS)
def test_no_sms_leaves_before_eight_or_from_eight_in_the_evening_local_time(zone, moment, day):
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    hours = sending_hours.hours(now, zone)
    assert (hours.day.isoformat() if hours else None) == day
    if hours:
        assert hours.opens <= now < hours.closes
        assert hours.closes - hours.opens == timedelta(hours=12)


def test_dues_that_grew_are_reminded_of_and_dues_that_shrank_are_not():
    book = schemes.get("SN-CMU")
    first = BillState(BILL, "dues", JOINED, "SN-CMU", date(2020, 1, 1), "year", 10_500, 21_000)
    grown_bill = replace(first, changes=(Change(date(2027, 3, 1), 2_916, 5_832),))
    shrunk = replace(first, changes=(Change(date(2027, 3, 1), -2_916, -5_832),))
    for due, money, reminded in (
        (first, 10_500, False),
        (grown_bill, 10_500, True),
        (grown_bill, 13_416, False),
        (shrunk, 7_584, False),
    ):
        paid = [BillPayment(due.bill_id, date(2026, 11, 22), money)]
        timeline = household_rights.intervals(book.version, [due], paid)
        # 14 days before the end.
        assert bool(reminders.due(book.version, [due], paid, timeline, date(2027, 12, 7))) is reminded
