"""Properties of rights under any bills and money."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import quote
from mutuelle.cover import household_rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.household_rights import intervals, next_opening
from mutuelle.schemes import schemes

SENEGAL, RWANDA, MALI = (schemes.get(code) for code in ("SN-CMU", "RW-CBHI", "ML-5050"))
SIX = [1980, 1985, 2010, 2012, 2019, 2021]
DAY = timedelta(1)
ONE, TWO, FEE = (UUID(int=i) for i in (1, 2, 3))


def due(scheme, born, issued, bill_id=ONE, covered_until=None, **options):
    """The dues bill that a quote of that day becomes."""
    q = quote(scheme, born, on=issued, covered_until=covered_until, **options)
    version = date.fromisoformat(q.version)
    return BillState(
        bill_id,
        "dues",
        issued,
        scheme.code,
        version,
        q.option,
        q.shares["member"],
        q.total,
        q.period_from,
        q.period_until,
    )


def states(scheme, dues, paid):
    return [(i.state, i.since.isoformat()) for i in intervals(scheme.version, dues, paid)]


FIRST = date(2026, 7, 1)
HORIZON = FIRST + 1500 * DAY


@st.composite
def cases(draw, kinds=(SENEGAL, RWANDA, MALI)):
    scheme = draw(st.sampled_from(kinds))
    people = SIX[: draw(st.integers(1, 6))]
    issued = FIRST + draw(st.integers(0, 200)) * DAY
    bills = [due(scheme, people, issued)]
    if draw(st.booleans()):
        bills.append(due(scheme, people, issued + draw(st.integers(300, 500)) * DAY, TWO))
    paid = draw(st.lists(payments(bills), max_size=6))
    return (
        scheme,
        bills,
        [BillPayment(p.bill_id, p.on, p.amount, UUID(int=100 + i)) for i, p in enumerate(paid)],
    )


def payments(bills, since=FIRST):
    return st.builds(
        lambda bill, share, days: BillPayment(
            bill.bill_id, since + days * DAY, max(1, bill.issued_share * share // 12)
        ),
        st.sampled_from(bills),
        st.integers(0, 13),
        st.integers(0, 800),
    )


def open_days(timeline) -> set[date]:
    return {day for day in days() if household_rights.on(timeline, day).state == "open"}


def days() -> Iterator[date]:
    return (FIRST + n * DAY for n in range(0, 1500, 7))


@given(cases())
def test_intervals_tile_the_time_line(case):
    scheme, bills, paid = case
    timeline = intervals(scheme.version, bills, paid)
    assert timeline[0].since == min(b.issued for b in bills)
    assert timeline[-1].until is None
    for interval, following in pairwise(timeline):
        assert interval.until == following.since - DAY >= interval.since
        assert interval.state != following.state


@given(cases(), st.data())
def test_more_money_today_never_closes_a_day(case, data):
    scheme, bills, paid = case
    last = max([*(p.on for p in paid), *(b.issued for b in bills)])  # nothing is known of the days after
    more = data.draw(payments(bills, since=last))
    assert open_days(intervals(scheme.version, bills, paid)) <= open_days(
        intervals(scheme.version, bills, [*paid, more])
    )


@given(cases(kinds=(RWANDA,)), st.data())
def test_in_a_fixed_year_more_money_of_any_day_never_closes_a_day(case, data):
    scheme, bills, paid = case
    more = data.draw(payments(bills))
    assert open_days(intervals(scheme.version, bills, paid)) <= open_days(
        intervals(scheme.version, bills, [*paid, more])
    )


@given(cases(), st.data())
def test_more_money_of_any_day_never_opens_later(case, data):
    scheme, bills, paid = case
    before, after = (intervals(scheme.version, bills, p) for p in (paid, [*paid, data.draw(payments(bills))]))
    first, sooner = (next((i.since for i in t if i.state == "open"), date.max) for t in (before, after))
    assert sooner <= first


@given(cases(), st.randoms())
def test_the_order_in_which_news_arrives_does_not_matter(case, chance):
    scheme, bills, paid = case
    back = [BillPayment(p.bill_id, p.on + 40 * DAY, -p.amount, p.receipt) for p in paid[:1]]
    mixed_bills, mixed_paid = bills[:], [*paid, *back]
    chance.shuffle(mixed_bills)
    chance.shuffle(mixed_paid)
    assert intervals(scheme.version, mixed_bills, mixed_paid) == intervals(
        scheme.version, bills, [*paid, *back]
    )
    today = FIRST + 100 * DAY
    assert next_opening(scheme.version, mixed_bills, mixed_paid, today) == next_opening(
        scheme.version, bills, [*paid, *back], today
    )


@given(cases(), st.integers(0, 900))
def test_a_past_day_is_what_was_known_on_it(case, later):
    scheme, bills, paid = case
    day = FIRST + later * DAY
    back = [BillPayment(p.bill_id, p.on + 40 * DAY, -p.amount, p.receipt) for p in paid[::2]]
    known_bills = [b for b in bills if b.issued <= day]
    known_paid = [p for p in [*paid, *back] if p.on <= day]
    then = household_rights.on(intervals(scheme.version, known_bills, known_paid), day)
    now = household_rights.on(intervals(scheme.version, bills, [*paid, *back]), day)
    assert then.state == now.state


@given(cases(), st.integers(0, 300))
def test_a_reversal_equals_never_having_paid_from_its_day_on(case, later):
    scheme, bills, paid = case
    if not paid:
        return
    gone = paid[0]
    back = BillPayment(gone.bill_id, gone.on + later * DAY, -gone.amount, gone.receipt)
    reversed_, never, unreversed = (
        intervals(scheme.version, bills, p) for p in ([*paid, back], paid[1:], paid)
    )
    for day in days():
        expected = never if day >= back.on else unreversed
        assert household_rights.on(reversed_, day).state == household_rights.on(expected, day).state


@given(cases())
def test_rights_never_open_for_less_than_a_threshold(case):
    scheme, bills, paid = case
    timeline = intervals(scheme.version, bills, paid)
    for day in (i.since for i in timeline if i.state == "open"):
        assert any(
            sum(p.amount for p in paid if p.bill_id == b.bill_id and p.on <= day)
            >= scheme.version(b.version).stages(b.issued_share)[0].threshold
            for b in bills
        )


@given(cases(), st.integers(0, 800))
def test_the_named_sum_opens_cover_and_no_smaller_sum_does(case, later):
    """Paying `left_to_open` today, oldest bill first, opens the first new day; one step less opens none."""
    scheme, bills, paid = case
    today = FIRST + later * DAY
    bills, paid = [b for b in bills if b.issued <= today], [p for p in paid if p.on <= today]
    opening = next_opening(scheme.version, bills, paid, today)
    if not opening.left_to_open:
        return
    before = intervals(scheme.version, bills, paid)
    after = intervals(scheme.version, bills, [*paid, *oldest_first(bills, paid, opening.left_to_open, today)])
    assert household_rights.on(before, opening.opens_from).state != "open"
    assert household_rights.on(after, opening.opens_from).state == "open"
    assert household_rights.on(after, opening.opens_until).state == "open"
    assert household_rights.on(after, opening.opens_until + DAY).state != "open"
    less = opening.left_to_open - scheme.version(bills[0].version).step
    if less > 0:
        nothing = intervals(scheme.version, bills, [*paid, *oldest_first(bills, paid, less, today)])
        assert open_days(nothing) == open_days(before)


def oldest_first(bills, paid, amount, today):
    laid = []
    for bill in sorted(bills, key=lambda b: (b.issued, str(b.bill_id))):
        left = max(0, bill.issued_share - sum(p.amount for p in paid if p.bill_id == bill.bill_id))
        laid.append(BillPayment(bill.bill_id, today, min(left, amount)))
        amount -= min(left, amount)
    return laid
