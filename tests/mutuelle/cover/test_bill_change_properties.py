"""Properties of a household's and a member's rights under any bills, money and changes in mid-period."""

from dataclasses import replace
from datetime import date
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutuelle.billing import day_basis
from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.quotes import price_of
from mutuelle.cover import household_rights, member_rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.household_rights import intervals
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.schemes import schemes
from tests.mutuelle.cover.test_rights_properties import (
    DAY,
    FIRST,
    MALI,
    RWANDA,
    SENEGAL,
    SIX,
    cases,
    due,
    open_days,
    payments,
)

BOOKS = [book for book in schemes.load().values() if book.status == "ready"]


@st.composite
def cases_with_changes(draw, kinds=(SENEGAL, RWANDA, MALI)):
    """A case whose bills grow and shrink, never below 0; money beyond a smaller share is freed that day."""
    scheme, bills, paid = draw(cases(kinds))
    news = []
    for bill in bills:
        share, total = bill.issued_share, bill.issued_total
        for days in sorted(draw(st.lists(st.integers(0, 400), max_size=3))):
            member = draw(st.integers(-share, 12_000))
            other = draw(st.integers(share - total, 5_000))
            news.append((bill.bill_id, Change(bill.issued + days * DAY, member, member + other)))
            share, total = share + member, total + news[-1][1].total
    return scheme, bills_known_on(bills, news, date.max), [*paid, *freed_money(bills, news, paid)], news


def bills_known_on(bills, news, day):
    """The bills as they were known on a day."""
    return [
        replace(b, changes=tuple(c for bill_id, c in news if bill_id == b.bill_id and c.on <= day))
        for b in bills
        if b.issued <= day
    ]


def freed_money(bills, news, paid):
    """What `adjustments.apply` makes of money beyond a smaller share, the newest receipt first."""
    back = []
    for bill in bills:
        for on in sorted({c.on for bill_id, c in news if bill_id == bill.bill_id}):
            share = bill.issued_share + sum(
                c.member for bill_id, c in news if bill_id == bill.bill_id and c.on <= on
            )
            on_bill = [p for p in [*paid, *back] if p.bill_id == bill.bill_id and p.on <= on]
            over = sum(p.amount for p in on_bill) - share
            for payment in sorted((p for p in on_bill if p.amount > 0), key=lambda p: p.on, reverse=True):
                left = payment.amount + sum(
                    p.amount for p in on_bill if p.freed and p.receipt == payment.receipt
                )
                if (units := min(over, left)) > 0:
                    back.append(BillPayment(bill.bill_id, on, -units, payment.receipt, freed=True))
                    over -= units
    return back


@settings(max_examples=50)
@given(cases_with_changes())
def test_intervals_still_tile_the_time_line(case):
    scheme, bills, paid, _ = case
    timeline = intervals(scheme.version, bills, paid)
    assert timeline[-1].until is None
    for interval, following in pairwise(timeline):
        assert interval.until == following.since - DAY >= interval.since
        assert interval.state != following.state


@settings(max_examples=50)
@given(cases_with_changes(), st.integers(0, 12_000), st.integers(0, 400), st.data())
def test_a_bill_that_grows_never_closes_a_day(case, more, days, data):
    scheme, bills, paid, news = case
    bill = data.draw(st.sampled_from(bills))
    # Nothing is known of the days after. Within a day an increase may take back a decrease.
    last = max([bill.issued, *(p.on for p in paid), *(c.on + DAY for _, c in news)])
    grown_bills = bills_known_on(bills, [*news, (bill.bill_id, Change(last, more, more))], date.max)
    before, after = (open_days(intervals(scheme.version, b, paid)) for b in (bills, grown_bills))
    assert before <= after


@settings(max_examples=50)
@given(
    st.sampled_from([SENEGAL, RWANDA, MALI]), st.integers(0, 200), st.integers(1, 12_000), st.integers(0, 11)
)
def test_a_bill_that_grows_in_the_evening_leaves_open_what_was_paid_in_the_morning(scheme, days, more, stage):
    bill = due(scheme, SIX, FIRST)
    stages = scheme.version(bill.version).stages(bill.issued_share, bill.option, bill.issued_total)
    day = FIRST + days * DAY
    paid = [BillPayment(bill.bill_id, day, stages[stage % len(stages)].threshold)]
    grown_bill = replace(bill, changes=(Change(day, more, more),))
    before, after = (open_days(intervals(scheme.version, [state], paid)) for state in (bill, grown_bill))
    assert before == after


@settings(max_examples=50)
@given(cases_with_changes(), st.lists(st.integers(-12_000, 12_000), min_size=1, max_size=4), st.data())
def test_changes_of_one_day_that_cancel_out_change_nothing(case, amounts, data):
    scheme, bills, paid, news = case
    bill = data.draw(st.sampled_from(bills))
    day = bill.issued + data.draw(st.integers(0, 400)) * DAY
    mistake = [Change(day, units, units) for units in (*amounts, -sum(amounts))]
    corrected = bills_known_on(bills, [*news, *((bill.bill_id, change) for change in mistake)], date.max)
    assert intervals(scheme.version, corrected, paid) == intervals(scheme.version, bills, paid)
    for later in (day, day + DAY):
        openings = (household_rights.next_opening(scheme.version, b, paid, later) for b in (corrected, bills))
        assert next(openings) == next(openings)


@settings(max_examples=50)
@given(cases_with_changes(), st.integers(0, 700))
def test_a_bill_without_payments_changes_no_day(case, later):
    """`renewals.issue` relies on it and does not recompute rights for every bill it writes."""
    scheme, bills, paid, _ = case
    last = max(bills, key=lambda bill: bill.issued)
    more = replace(
        last,
        bill_id=UUID(int=9),
        issued=last.issued + later * DAY,
        issued_share=max(1, last.issued_share),
        changes=(),
    )
    assert intervals(scheme.version, [*bills, more], paid) == intervals(scheme.version, bills, paid)


@settings(max_examples=50)
@given(cases_with_changes(), st.data())
def test_more_money_today_never_closes_a_day(case, data):
    scheme, bills, paid, _ = case
    last = max([*(p.on for p in paid), *(b.issued for b in bills), *(c.on for b in bills for c in b.changes)])
    more = data.draw(payments(bills, since=last))
    assert open_days(intervals(scheme.version, bills, paid)) <= open_days(
        intervals(scheme.version, bills, [*paid, more])
    )


@settings(max_examples=50)
@given(cases_with_changes(), st.randoms())
def test_the_order_of_payments_and_of_adjustments_of_a_day_does_not_matter(case, chance):
    scheme, bills, paid, news = case
    mixed_paid, mixed_news = paid[:], news[:]
    chance.shuffle(mixed_paid)
    chance.shuffle(mixed_news)
    mixed = bills_known_on(bills, mixed_news, date.max)
    chance.shuffle(mixed)
    assert intervals(scheme.version, mixed, mixed_paid) == intervals(scheme.version, bills, paid)


@settings(max_examples=50)
@given(cases_with_changes(), st.integers(0, 900))
def test_a_past_day_is_what_was_known_on_it(case, later):
    scheme, bills, paid, news = case
    day = FIRST + later * DAY
    back = [BillPayment(p.bill_id, p.on + 40 * DAY, -p.amount, p.receipt) for p in paid[:2] if not p.freed]
    then = intervals(
        scheme.version, bills_known_on(bills, news, day), [p for p in [*paid, *back] if p.on <= day]
    )
    now = intervals(scheme.version, bills, [*paid, *back])
    assert household_rights.on(then, day).state == household_rights.on(now, day).state


@settings(max_examples=50)
@given(cases_with_changes(), st.integers(0, 500), st.integers(1940, 2030), st.booleans())
def test_no_member_is_open_while_the_household_is_not_unless_the_waiting_is_waived(case, later, born, head):
    scheme, bills, paid, _ = case
    since = FIRST + later * DAY
    people = [
        InsuredPerson(UUID(int=1), True, 1980, FIRST),
        InsuredPerson(UUID(int=2), False, min(born, since.year), since),
    ]
    person = people[0 if head else 1]
    timeline = member_rights.timeline(scheme.version, bills, paid, people, person)
    assert timeline[-1].until is None
    for interval, following in pairwise(timeline):
        assert interval.until == following.since - DAY >= interval.since
    own_days = open_days(timeline)
    # None of the three schemes waives a member's waiting.
    assert own_days <= open_days(intervals(scheme.version, bills, paid))
    assert all(day >= person.since for day in own_days)
    if head:
        assert own_days == open_days(intervals(scheme.version, bills, paid))


def compositions(book):
    return st.lists(
        st.tuples(
            st.integers(1, 12),
            st.lists(
                st.integers(1950, 2026), min_size=1, max_size=min(8, book.versions[-1].household.people_max)
            ),
            st.sampled_from(max(book.versions, key=lambda v: v.since).categories),
        ),
        min_size=1,
        max_size=6,
    )


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.code)
@settings(max_examples=50)
@given(data=st.data())
def test_parts_add_up_and_none_is_negative_after_any_series_of_adjustments(book, data):
    version = max(book.versions, key=lambda v: v.since)
    option, day = version.options[-1], date(2026, 11, 22)
    months, series = option.months, data.draw(compositions(book))
    _, born, category = series[0]
    now = dict(price_of(version, category, born, option.code, day).shares)
    total, left = sum(now.values()), months
    last = dict(now)
    for away, people, kind in series[1:]:
        left = max(1, min(left, months * away // 12))
        new = price_of(version, kind, people, option.code, day)
        assert sum(new.shares.values()) == new.total
        parts = day_basis.difference(last, new.shares, left, months)
        total += sum(parts.values())
        now = {payer: now.get(payer, 0) + parts.get(payer, 0) for payer in {*now, *parts}}
        last = new.shares
        assert all(units >= 0 for units in now.values())
        assert sum(now.values()) == total
