"""Any year of payments, joins, leaves, reversals and monthly claims: what is asked follows covered days."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from mutuelle.contributions.bill_change import Change, PriceBasis
from mutuelle.cover import household_rights
from mutuelle.cover.household_rights import RightsState
from mutuelle.schemes.version_rules import months_after
from mutuelle.subsidies.claim_lines import ClaimMember, LineAnswer
from tests.mutuelle.subsidies.claiming import ClaimedHousehold, month_after
from tests.mutuelle.subsidies.test_rule_books import AUGUST, DAY, household

MALI, EACH, MONTHS = "ML-5050", 3_300, 22  # a member's and the State's part of a year; a year and the waiting
EVENTS = st.tuples(
    st.sampled_from(["pays", "pays", "pays", "joins", "leaves", "none"]),
    st.integers(1, 27),
    st.integers(1, 9),
)
LOSSES = st.tuples(
    st.sampled_from(["pays", "pays", "reversed", "joins", "leaves"]), st.integers(1, 27), st.integers(1, 9)
)
ANSWERS = st.lists(st.sampled_from([*LineAnswer, None]), min_size=MONTHS, max_size=MONTHS)


@dataclass
class Year(ClaimedHousehold):
    """A household of Mali whose months are paid one by one, and what happens to it on each day of a year."""

    receipts: list[tuple[UUID, int]] = field(default_factory=list)
    prices: dict[UUID, Fraction] = field(default_factory=dict)  # a month of who came later

    def happens(self, event: str, day: date, units: int) -> None:
        """Applies an event on this day."""
        present = [member for member in self.household.members if member.until is None]
        bill = self.household.books.bills[0]
        if event == "pays" and (rest := bill.share_on(day) - self.paid) > 0:
            amount = min(rest, units * 275)
            self.receipts.append((self.pays(day, amount), amount))
        elif event == "reversed" and self.receipts:
            receipt, amount = self.receipts.pop(units % len(self.receipts))
            paid_on = next(money.on for money in self.household.books.paid if money.receipt == receipt)
            # The operator may tell of it after the month was claimed.
            self.loses(max(paid_on, day - timedelta(20 * (units % 3))), amount, receipt)
        elif event == "joins" and len(present) < 6:
            number = len(self.household.members)
            child = ClaimMember(UUID(int=number + 1), False, f"Child {number}", 2026, day, None)
            self.changes(day, 1, (*self.household.members, child))
        elif event == "leaves" and len(present) > 1:
            gone = present[1 + units % (len(present) - 1)]
            members = tuple(
                replace(member, until=day) if member is gone else member for member in self.household.members
            )
            if gone.since < day:
                self.changes(day, -1, members)

    @property
    def paid(self) -> int:
        return sum(money.amount for money in self.household.books.paid)

    def changes(self, day: date, sign: int, members: tuple[ClaimMember, ...]) -> None:
        """Prices the bill for these members for the months to come, the one under way included."""
        base, bill = self.household.payables[0], self.household.books.bills[0]
        left = 12 - self.months_covered(day - timedelta(1))
        units = sign * (EACH * ceil(left) // 12)
        if sign > 0:
            self.prices[members[-1].id] = Fraction(units) / left if left else Fraction(0)
        born = tuple(member.born for member in members if member.until is None)
        change = Change(day, units, 2 * units, PriceBasis(bill.version, base.category, born))
        payables = self.household.payables
        if units:
            line = replace(base, line_id=uuid4(), on_day=day, amount=units, reason="household", born=born)
            payables = (*payables, line)
        bill = replace(bill, changes=(*bill.changes, change))
        books = replace(self.household.books, bills=(bill,))
        self.household = replace(self.household, members=members, payables=payables, books=books)

    def months_covered(self, by: date) -> Fraction:
        """The months that were covered up to `by`."""
        return sum((months(since, until) for since, until in self.runs(by)), Fraction(0))

    def runs(self, by: date) -> list[tuple[date, date]]:
        """The spans up to `by` on which the household is open."""
        books = self.household.books
        timeline = household_rights.intervals(
            books.version_of, [books.bills[0].known_on(by)], [money for money in books.paid if money.on <= by]
        )
        return [
            (part.since, min(by, part.until or by))
            for part in timeline
            if part.state == RightsState.OPEN and part.since <= by
        ]

    def worth_by(self, by: date) -> Fraction:
        """What the covered days of all members are worth at the members' prices, not rounded."""
        worth, runs = Fraction(0), self.runs(by)
        for member in self.household.members:
            for since, until in self.open_days(member.id, by):
                run = next(first for first, last in runs if first <= since <= last)
                covered = months(run, until) - months(run, since - timedelta(1))
                worth += self.prices.get(member.id, Fraction(EACH, 12)) * covered
        return worth


def months(since: date, until: date) -> Fraction:
    """The months from `since` to `until`, a part of a month by its days; counted day by day."""
    whole, first = 0, since
    while months_after(since, whole + 1) - timedelta(1) <= until:
        whole += 1
        first = months_after(since, whole)
    if until < first:
        return Fraction(whole)
    return whole + Fraction((until - first).days + 1, (months_after(since, whole + 1) - first).days)


def year(people: int, paid: int, *, days_may_wait: bool = False) -> Year:
    home = household(MALI, [1980, *range(2010, 2009 + people)], "general", "state", paid=0)
    made = Year(home, days_may_wait=days_may_wait)
    if paid:
        made.receipts.append((made.pays(DAY, paid * 275 * people), paid * 275 * people))
    return made


@settings(max_examples=15, deadline=None)
@given(people=st.integers(1, 3), paid=st.integers(0, 12), events=st.lists(EVENTS, max_size=18))
def test_each_claim_asks_what_the_covered_days_are_worth_and_no_more(
    people: int, paid: int, events: list[tuple[str, int, int]]
) -> None:
    """The months are counted day by day, beside the product's own count."""
    made, period = year(people, paid), AUGUST
    for n in range(MONTHS):
        if n < len(events):
            event, day, units = events[n]
            made.happens(event, period.since.replace(day=day), units)
        made.claim(period, LineAnswer.ACCEPTED)
        assert made.asked <= made.worth_by(period.until)
        period = month_after(period)


@settings(max_examples=15, deadline=None)
@given(
    people=st.integers(1, 3),
    paid=st.integers(0, 12),
    events=st.lists(LOSSES, max_size=18),
    answers=ANSWERS,
    again=st.booleans(),
)
def test_no_day_is_asked_twice_or_without_cover(
    people: int, paid: int, events: list[tuple[str, int, int]], answers: list[LineAnswer | None], again: bool
) -> None:
    """`claim` asserts it after each month, but for days that were lost since and wait for an answer."""
    made, period = year(people, paid, days_may_wait=True), AUGUST
    for n in range(MONTHS):
        if n < len(events):
            event, day, units = events[n]
            made.happens(event, period.since.replace(day=day), units)
        made.claim(period, answers[n], again=again)
        if units_of_year := sum(payable.amount for payable in made.household.payables):
            assert made.asked <= units_of_year or any(row.answer is None for row in made.household.claimed)
        period = month_after(period)
    made.answers(LineAnswer.ACCEPTED)
    made.claim(period, LineAnswer.ACCEPTED, again=True)
    made.days_may_wait = False
    made.claim(period, LineAnswer.ACCEPTED, again=True)
    assert made.claim(period, again=True) == []


@settings(max_examples=12, deadline=None)
@given(people=st.integers(1, 4), events=st.lists(EVENTS, max_size=12))
def test_after_a_year_that_was_covered_whole_the_sum_is_the_payers_part(
    people: int, events: list[tuple[str, int, int]]
) -> None:
    """Whoever comes is paid for on the same day. Whoever leaves is asked for no more than the bill owes."""
    made, period = year(people, 12), AUGUST
    for n in range(MONTHS):
        if n < len(events) and events[n][0] != "pays":
            event, number, units = events[n]
            day = period.since.replace(day=number)
            made.happens(event, day, units)
            if (rest := made.household.books.bills[0].share_on(day) - made.paid) > 0:
                made.pays(day, rest)
        made.claim(period, LineAnswer.ACCEPTED)
        period = month_after(period)
    owed = sum(payable.amount for payable in made.household.payables)
    if any(member.since > DAY and member.until for member in made.household.members):
        # The bill charges the month of a short stay whole: its days may be worth less.
        assert made.asked <= owed
    else:
        assert (made.asked, made.reasons()) == (owed, {})
