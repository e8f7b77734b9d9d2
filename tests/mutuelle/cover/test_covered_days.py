"""The covered days of a bill are days on which rights are open, each of one bill; some worked out by hand."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from mutuelle.contributions.bill_change import Change, PriceBasis
from mutuelle.cover import day_spans, member_rights
from mutuelle.cover.cover_periods import BillPayment, BoughtMonths
from mutuelle.cover.covered_days import covered_days
from mutuelle.cover.household_rights import RightsState, intervals
from mutuelle.cover.member_rights import InsuredPerson
from tests.mutuelle.cover.test_rights_properties import (
    FIRST,
    MALI,
    ONE,
    RWANDA,
    SENEGAL,
    TWO,
    cases,
    due,
)
from tests.mutuelle.schemes import world

GRACE = world.scheme("SN-CMU", lapse={"grace_days": 20})
FEW = world.scheme("SN-CMU", household={"people_max": 2, "beyond": "not-covered"})
HEAD, WIFE, CHILD = (UUID(int=n) for n in (11, 12, 13))
SCHEMES = (SENEGAL, RWANDA, MALI, GRACE, FEW)


def people(since: date, joined: date, left: date | None) -> list[InsuredPerson]:
    return [
        InsuredPerson(HEAD, True, 1980, since),
        InsuredPerson(WIFE, False, 1985, since, left),
        InsuredPerson(CHILD, False, 2020, joined),
    ]


def open_spans(timeline, by: date) -> list[day_spans.DaySpan]:
    return day_spans.merge(
        (part.since, min(by, part.until or by)) for part in timeline if part.state == RightsState.OPEN
    )


@settings(max_examples=150, deadline=None)
@given(
    case=cases(kinds=SCHEMES),
    reversals=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400)), max_size=2),
    joined=st.integers(0, 400),
    left=st.none() | st.integers(0, 700),
    day_count=st.integers(0, 1200),
)
def test_each_covered_day_is_open_and_belongs_to_one_bill(case, reversals, joined, left, day_count) -> None:
    """Where no day is grace, each open day belongs to a bill."""
    scheme, bills, paid = case
    for place, later in reversals:
        if paid:
            back = paid[place % len(paid)]
            day = back.on + later * day_spans.DAY
            paid = [*paid, BillPayment(back.bill_id, day, -back.amount, back.receipt)]
    by = FIRST + day_count * day_spans.DAY
    persons = people(
        bills[0].issued,
        bills[0].issued + joined * day_spans.DAY,
        bills[0].issued + left * day_spans.DAY if left is not None else None,
    )
    cover = covered_days(scheme.version, bills, paid, persons, by)
    known_bills = [bill for bill in bills if bill.issued <= by]
    known_money = [payment for payment in paid if payment.on <= by]
    household = open_spans(intervals(scheme.version, known_bills, known_money), by)
    rows = [([cover.household(bill.bill_id) for bill in bills], household)]
    for person in persons:
        timeline = member_rights.timeline(scheme.version, known_bills, known_money, persons, person)
        rows.append(([cover.member(person.id, bill.bill_id) for bill in bills], open_spans(timeline, by)))
    for of_bills, is_open in rows:
        covered = day_spans.merge(span for days in of_bills for span in days.days)
        assert day_spans.subtract(covered, is_open) == []
        assert day_spans.days_in(covered) == sum(day_spans.days_in(days.days) for days in of_bills)
        if scheme is not GRACE:
            assert day_spans.subtract(is_open, covered) == []
        for days in of_bills:
            parts = [days.months(*span) for span in days.days]
            assert sum(parts, Fraction(0)) == days.months(date.min, date.max - day_spans.DAY)


def test_months_are_whole_from_day_to_day_and_parts_of_the_month_under_way() -> None:
    bought = BoughtMonths(date(2027, 1, 31), date(2028, 1, 30), 12)
    assert bought.months_before(date(2027, 1, 31)) == 0
    assert bought.months_before(date(2027, 2, 1)) == Fraction(1, 28)
    assert bought.months_before(date(2027, 2, 28)) == 1
    assert bought.months_before(date(2027, 3, 31)) == 2
    assert bought.months_before(date(2027, 4, 15)) == 2 + Fraction(15, 30)
    assert bought.months_before(date(2028, 1, 31)) == 12


def test_days_of_grace_belong_to_the_bill_that_buys_the_next_period() -> None:
    """The first bill covers to 30 July 2027; the second is paid on 10 August, in its 20 days of grace."""
    first, second = due(GRACE, [1980], FIRST), due(GRACE, [1980], date(2027, 7, 1), TWO)
    paid = [BillPayment(ONE, FIRST, first.issued_share, UUID(int=1))]
    persons = [InsuredPerson(HEAD, True, 1980, FIRST)]
    until = covered_days(GRACE.version, [first], paid, persons, date(2027, 12, 31)).member(HEAD, ONE).days
    last = until[0][1]
    assert until == [(date(2026, 7, 31), date(2027, 7, 30))]
    paid += [BillPayment(TWO, date(2027, 8, 10), second.issued_share, UUID(int=2))]
    unknown = covered_days(GRACE.version, [first, second], paid, persons, date(2027, 8, 9))
    assert unknown.member(HEAD, TWO).days == []
    cover = covered_days(GRACE.version, [first, second], paid, persons, date(2027, 8, 31))
    assert cover.member(HEAD, ONE).days == until
    assert cover.member(HEAD, TWO).days == [(last + day_spans.DAY, date(2027, 8, 31))]
    late = [
        *paid[:1],
        replace(paid[1], on=date(2027, 8, 25)),
    ]  # after the grace: the days between are nobody's
    cover = covered_days(GRACE.version, [first, second], late, persons, date(2027, 8, 31))
    assert cover.member(HEAD, TWO).days == [(date(2027, 8, 25), date(2027, 8, 31))]


def test_who_joins_is_covered_by_the_bill_from_the_day_on_which_the_newcomer_is_paid_for() -> None:
    joined, paid_for = date(2026, 10, 5), date(2026, 10, 20)
    bill = due(SENEGAL, [1980], FIRST)
    basis = PriceBasis(bill.version, "general", (1980, 2000))
    bill = replace(bill, changes=(Change(joined, 2_625, 5_250, basis),))
    money = [
        BillPayment(ONE, FIRST, bill.issued_share, UUID(int=1)),
        BillPayment(ONE, paid_for, 2_625, UUID(int=2)),
    ]
    persons = [InsuredPerson(HEAD, True, 1980, FIRST), InsuredPerson(WIFE, False, 2000, joined)]
    cover = covered_days(SENEGAL.version, [bill], money, persons, date(2026, 10, 31))
    assert cover.member(WIFE, ONE).days == [(paid_for, date(2026, 10, 31))]
    assert cover.member(HEAD, ONE).days == [(date(2026, 7, 31), date(2026, 10, 31))]
