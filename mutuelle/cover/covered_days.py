"""Says on which days each bill really covered a household and its members. Pure.

A day counts for a member if the member's rights were open on it (`member_rights.py`), and it counts for the
bill whose money bought it. A day of grace is a day of the next period bought: it belongs to the bill that
buys that period, and to none while nobody has.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import NamedTuple
from uuid import UUID

from mutuelle.contributions.bills import BillState
from mutuelle.cover import day_spans, member_rights
from mutuelle.cover.cover_periods import (
    DAY,
    BillPayment,
    BoughtMonths,
    CoverPeriod,
    VersionOf,
    left_after_reversals,
    payment_order,
    periods_bought,
)
from mutuelle.cover.day_spans import DaySpan
from mutuelle.cover.household_rights import RightsState
from mutuelle.cover.member_rights import InsuredPerson


class CoveredSpan(NamedTuple):
    """Covered days of one bill, both included, and the months of the bill among which they are counted."""

    since: date
    until: date
    bought: BoughtMonths


@dataclass(frozen=True)
class CoveredDays:
    """The days on which one bill covered one member, or the household; the spans are in order."""

    spans: tuple[CoveredSpan, ...] = ()

    @property
    def days(self) -> list[DaySpan]:
        """The covered days as spans that do not touch."""
        return day_spans.merge((span.since, span.until) for span in self.spans)

    def months(self, since: date, until: date) -> Fraction:
        """How many months of the bill the covered days from `since` to `until` are."""
        months = Fraction(0)
        for span in self.spans:
            first, last = max(span.since, since), min(span.until, until)
            if first <= last:
                months += span.bought.months_before(last + DAY) - span.bought.months_before(first)
        return months

    def without(self, others: Sequence[DaySpan]) -> "CoveredDays":
        """Returns the days that `others` do not hold."""
        spans = (
            CoveredSpan(*part, span.bought)
            for span in self.spans
            for part in day_spans.subtract([(span.since, span.until)], others)
        )
        return CoveredDays(tuple(sorted(spans)))


@dataclass(frozen=True)
class HouseholdCover:
    """The covered days of a household's bills: of the household itself, and of each member and bill."""

    of_household: Mapping[UUID, CoveredDays]
    of_member: Mapping[tuple[UUID, UUID], CoveredDays]

    def household(self, bill_id: UUID) -> CoveredDays:
        """The days on which the bill covered the household."""
        return self.of_household.get(bill_id, CoveredDays())

    def member(self, member_id: UUID, bill_id: UUID) -> CoveredDays:
        """The days on which the bill covered this member."""
        return self.of_member.get((member_id, bill_id), CoveredDays())


class _Epoch(NamedTuple):
    """The days from one reversal to the next, and the cover that counts on them."""

    since: date
    until: date
    money: tuple[BillPayment, ...]
    periods: tuple[CoverPeriod, ...]


def covered_days(
    version_of: VersionOf,
    bills: Sequence[BillState],
    paid: Sequence[BillPayment],
    people: Sequence[InsuredPerson],
    by: date,
) -> HouseholdCover:
    """Returns the days up to `by` that each bill covered, from what was known on the day `by`.

    `people` are all members, past and present.
    """
    bills = [bill.known_on(by) for bill in bills if bill.issued <= by]
    paid = [payment for payment in paid if payment.on <= by]
    if not bills:
        return HouseholdCover({}, {})
    order = [bill.bill_id for bill in sorted(bills, key=payment_order)]
    epochs = _epochs(version_of, bills, paid, by)
    always = [(min(bill.issued for bill in bills), by)]
    household = _by_bill(order, [(e, [(p, p) for p in e.periods]) for e in epochs], always)
    first = always[0][0]
    limit = min(version_of(bill.version).household.people_max for bill in bills)
    of_member = {}
    for person in people:
        present = [(max(first, person.since), min(by, person.until or by))]
        if len(people) > limit:  # whose turn it is among so many, the time line says
            timeline = member_rights.timeline(version_of, bills, paid, people, person)
            is_open = ((part.since, part.until or by) for part in timeline if part.state == RightsState.OPEN)
            present = day_spans.intersect(present, day_spans.merge(is_open))
        own = [(epoch, _own_parts(version_of, epoch, people, person)) for epoch in epochs]
        for bill_id, days in _by_bill(order, own, present).items():
            of_member[person.id, bill_id] = days
    return HouseholdCover(household, of_member)


def _own_parts(
    version_of: VersionOf, epoch: _Epoch, people: Sequence[InsuredPerson], person: InsuredPerson
) -> list[tuple[CoverPeriod, CoverPeriod]]:
    """Returns the periods of an epoch, each with a part that the person has of it."""
    return [
        (period, part)
        for period in epoch.periods
        for part in member_rights.own_periods(version_of, period, epoch.money, people, person)
    ]


def _epochs(
    version_of: VersionOf, bills: Sequence[BillState], paid: Sequence[BillPayment], by: date
) -> list[_Epoch]:
    days = sorted({p.on for p in paid if p.amount < 0 and not p.freed})
    starts = [date.min, *days]
    ends = [*(day - DAY for day in days), by]
    epochs = []
    for since, until in zip(starts, ends, strict=True):
        money = left_after_reversals(paid, since)
        epochs.append(_Epoch(since, until, money, periods_bought(version_of, bills, money)))
    return epochs


def _by_bill(
    order: Iterable[UUID],
    epochs: Sequence[tuple[_Epoch, Sequence[tuple[CoverPeriod, CoverPeriod]]]],
    present: Sequence[DaySpan],
) -> dict[UUID, CoveredDays]:
    """Returns the covered days by bill; each epoch comes with its periods and the part one has of each."""
    spans = defaultdict[UUID, list[CoveredSpan]](list)
    for epoch, parts in epochs:
        is_open = day_spans.merge(
            (max(epoch.since, part.since, part.known_since), min(epoch.until, part.grace_until))
            for _, part in parts
        )
        is_open = day_spans.intersect(is_open, present)
        for period, part in parts:
            # Days of grace before the next period was bought are days of that period.
            late = period.since < period.known_since == part.since
            first = max(period.since if late else part.since, epoch.since, part.bought.since)
            last = min(part.until, epoch.until, part.bought.until)
            if first <= last:
                days = day_spans.clip(is_open, first, last)
                spans[part.bill.bill_id] += [CoveredSpan(*span, part.bought) for span in days]
    earlier_days: list[DaySpan] = []
    days_of = {}
    for bill_id in order:
        merged = _merged(spans[bill_id])
        days_of[bill_id] = CoveredDays(merged).without(earlier_days)
        earlier_days = day_spans.merge([*earlier_days, *((span.since, span.until) for span in merged)])
    return {bill_id: days for bill_id, days in days_of.items() if days.spans}


def _merged(spans: Sequence[CoveredSpan]) -> tuple[CoveredSpan, ...]:
    """The spans with each day once: stages of a fixed year overlap."""
    by_months = defaultdict[BoughtMonths, list[DaySpan]](list)
    for span in spans:
        by_months[span.bought].append((span.since, span.until))
    merged: list[CoveredSpan] = []
    for bought, days in by_months.items():
        earlier_days = day_spans.merge((span.since, span.until) for span in merged)
        merged += [
            CoveredSpan(*part, bought) for part in day_spans.subtract(day_spans.merge(days), earlier_days)
        ]
    return tuple(sorted(merged))
