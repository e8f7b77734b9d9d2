"""Computes what a household may claim on a day from its bills, its money and the rule book. Pure.

`member_rights.py` does it for one member.

How rights follow money:

1. A bill has stages (`Version.stages`). A stage is reached, for good, on the day the money paid on the member
   share comes to its threshold; a threshold of 0 is reached on the day of issue. Only the member's money on
   dues counts.
2. In a fixed year a stage covers the first months of the year, from the day it is reached and never before
   the year begins.
3. In a rolling cycle a stage buys its months. They begin after the cover already bought, or on the day the
   stage is reached. A household never covered before, or after a lapse, may wait first (`Version.begins` in
   `schemes/version_rules.py`). Every month paid for is covered, and so are the days of grace after the last
   one.
4. A reversal takes effect on its own day: from then on the money counts as never paid. The days before keep
   their state, because clinics acted on it.
5. The state of a day follows from what was known on that day, so later events do not change it.
6. A bill that changes in mid-period asks for its new share from then on (`cover_periods.py`). Open rights
   stay open although the difference is owed, unless a correction says that the household was billed as less
   than it is; a bill that becomes smaller may open rights on that day.

Hence neither money paid today nor an increase of a bill closes a day that was told as open. In a fixed year
money of any date closes none. In a rolling cycle money recorded later under an earlier date may move a whole
period: it begins sooner, and so ends sooner.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from uuid import UUID

from mutuelle.contributions.bills import BillState
from mutuelle.cover.cover_periods import (
    DAY,
    BillPayment,
    CoverPeriod,
    VersionOf,
    amount_paid,
    change_days,
    left_after_reversals,
    payment_order,
    periods_bought,
)
from mutuelle.schemes.money_rules import BillKind


class RightsState(StrEnum):
    """Whether care may be claimed on a day; worded in the catalogue `rights` under `rights.state.<state>`."""

    OPEN = "open"
    WAITING = "waiting"
    PART_PAID = "part-paid"
    LAPSED = "lapsed"
    SUSPENDED = "suspended"
    NEVER = "never"


class RightsReason(StrEnum):
    """Why a day has its state; the values are ids of the catalogue `rights`."""

    NOT_PAID = "rights.not-paid"
    PART_PAID = "rights.part-paid"
    PART_OVER = "rights.part-over"  # the months paid for are over, the period is not
    WAITING = "rights.waiting"
    PERIOD_TO_COME = "rights.period-to-come"  # paid ahead of a fixed year
    OPEN = "rights.open"
    OVER = "rights.over"
    NO_BILL = "rights.no-bill"
    # One member's, never a household's:
    OVER_LIMIT = "rights.over-limit"
    OVER_AGE = "rights.over-age"
    NOT_ADMITTED = "rights.not-admitted"
    NOT_YET_MEMBER = "rights.not-yet-member"
    LEFT = "rights.left"


class NextStep(StrEnum):
    """What the household can do next; the values are ids of the catalogue `rights`."""

    PAY_REST = "rights.pay-rest"
    PAY_TO_OPEN = "rights.pay-to-open"
    PAY_TO_REOPEN = "rights.pay-to-reopen"
    JOIN = "rights.join"
    WAIT = "rights.wait"
    RENEW = "rights.renew"
    NOTHING_TO_DO = "rights.nothing-to-do"
    ASK_AGENT = "rights.ask-agent"


@dataclass(frozen=True)
class Interval:
    """One state from `since` to `until`, both included; `until` is None for the last interval."""

    state: RightsState
    since: date
    until: date | None
    reason: RightsReason
    next_step: NextStep


@dataclass(frozen=True)
class NextOpening:
    """The least sum that opens or prolongs rights, and the new days it opens today; 0, None, None if none."""

    left_to_open: int
    opens_from: date | None
    opens_until: date | None


# Turns the household's cover into the cover that one member has of it.
CoverView = Callable[[Sequence[CoverPeriod], Sequence[BillPayment]], tuple[CoverPeriod, ...]]


def household_cover(periods: Sequence[CoverPeriod], money: Sequence[BillPayment]) -> tuple[CoverPeriod, ...]:
    """The CoverView of the household itself: every period."""
    return tuple(periods)


@dataclass(frozen=True)
class _CountedMoney:
    """What counts until the next reversal: the money that is left, and the cover that it buys."""

    money: tuple[BillPayment, ...]
    periods: tuple[CoverPeriod, ...]


def intervals(
    version_of: VersionOf,
    bills: Sequence[BillState],
    paid: Sequence[BillPayment],
    view: CoverView = household_cover,
) -> tuple[Interval, ...]:
    """The time line of the household, or with `view` of a member, from the first bill on.

    It has no gap and no overlap, and neighbours differ in state. Empty when there is no bill. The order of
    `bills` and `paid` does not matter.
    """
    if not bills:
        return ()
    reversal_days = sorted({p.on for p in paid if p.amount < 0 and not p.freed})
    books = {day: _count(version_of, bills, paid, day, view) for day in (date.min, *reversal_days)}
    periods = [period for counted in books.values() for period in counted.periods]
    timeline: list[Interval] = []
    for day in _days_to_judge(bills, paid, periods):
        state, reason, next_step = _state_on(day, bills, books[max(since for since in books if since <= day)])
        if timeline and timeline[-1].state == state:
            timeline[-1] = replace(timeline[-1], reason=reason, next_step=next_step)
        else:
            if timeline:
                timeline[-1] = replace(timeline[-1], until=day - DAY)
            timeline.append(Interval(state, day, None, reason, next_step))
    return tuple(timeline)


def _days_to_judge(
    bills: Sequence[BillState], paid: Sequence[BillPayment], periods: Sequence[CoverPeriod]
) -> list[date]:
    """The days on which the state may change, in order, from the first bill on."""
    days = {payment.on for payment in paid}
    for bill in bills:
        days |= {bill.issued} | change_days(bill)
        if bill.period_until:
            days.add(bill.period_until + DAY)
    for p in periods:
        days |= {p.known_since, p.since, p.until + DAY, p.grace_until + DAY, p.bill_until + DAY}
    first_day = min(bill.issued for bill in bills)
    return sorted(day for day in days if day >= first_day)


def on(timeline: Sequence[Interval], day: date) -> Interval:
    """The interval that holds `day`; `never` before the first bill, or without one."""
    for interval in timeline:
        if interval.since <= day and (interval.until is None or day <= interval.until):
            return interval
    until = timeline[0].since - DAY if timeline else None
    return Interval(RightsState.NEVER, day, until, RightsReason.NO_BILL, NextStep.JOIN)


def next_opening(
    version_of: VersionOf, bills: Sequence[BillState], paid: Sequence[BillPayment], today: date
) -> NextOpening:
    """What one further payment today must be to open or prolong rights, if it pays the oldest bill first.

    The sum is a multiple of the scheme's step, unless less than a step is left to pay.
    """
    paid = [p for p in paid if p.on <= today]
    issued = [bill.known_on(today) for bill in bills if bill.kind == BillKind.DUES and bill.issued <= today]
    dues = sorted(issued, key=payment_order)
    now = _count(version_of, dues, paid, today)
    left = {bill: max(0, bill.share_on(today) - amount_paid(now.money, bill)) for bill in dues}
    left |= {
        bill: 0
        for bill in dues
        if version_of(bill.version).forgives(bill.issued, bill.period_until, bill.option, today)
    }
    owed = sum(left.values())
    before = 0
    for bill in dues:
        version = version_of(bill.version)
        member, price = bill.counted_on(today)
        for stage in version.stages(member, bill.option, price):
            short = stage.threshold - (bill.share_on(today) - left[bill])
            if short <= 0:  # reached, or forgiven
                continue
            amount = min(-(-(before + short) // version.step) * version.step, owed)
            then = periods_bought(version_of, dues, [*now.money, *_oldest_first(left, amount, today)])
            starts = [(_day_beyond(now.periods, p.since, lambda q: q.grace_until), p.until) for p in then]
            new = [since for since, until in starts if since <= until]
            if new:
                return NextOpening(amount, min(new), _day_beyond(then, min(new), lambda p: p.until) - DAY)
        before += left[bill]
    return NextOpening(0, None, None)


def days_covered(
    version_of: VersionOf, bills: Sequence[BillState], paid: Sequence[BillPayment], by: date
) -> dict[UUID, tuple[date, date]]:
    """First and last day, without grace, of the cover that each bill has bought, as known on the day `by`."""
    counted = _count(version_of, [bill.known_on(by) for bill in bills], [p for p in paid if p.on <= by], by)
    periods = [p for p in counted.periods if p.known_since <= by]
    return {
        period.bill.bill_id: (min(p.since for p in periods if p.bill == period.bill), period.until)
        for period in periods
    }


def _oldest_first(left: dict[BillState, int], amount: int, today: date) -> list[BillPayment]:
    """Splits `amount` over what is left to pay of each bill, in the order of the bills."""
    payments = []
    for bill, owed in left.items():
        payments.append(BillPayment(bill.bill_id, today, min(owed, amount)))
        amount -= min(owed, amount)
    return payments


def _day_beyond(periods: Iterable[CoverPeriod], day: date, end_of: Callable[[CoverPeriod], date]) -> date:
    """Returns the first day from `day` on that no period covers; a period covers days up to its `end_of`."""
    for period in sorted(periods, key=lambda p: p.since):
        if period.since <= day <= end_of(period):
            day = end_of(period) + DAY
    return day


def _count(
    version_of: VersionOf,
    bills: Sequence[BillState],
    paid: Sequence[BillPayment],
    by: date,
    view: CoverView = household_cover,
) -> _CountedMoney:
    """The money that counts after all reversals up to the day `by`, and the cover it buys."""
    money = left_after_reversals(paid, by)
    return _CountedMoney(money, view(periods_bought(version_of, bills, money), money))


def _state_on(
    day: date, bills: Sequence[BillState], counted: _CountedMoney
) -> tuple[RightsState, RightsReason, NextStep]:
    """State, reason and next step on `day`, from what was known then."""
    periods = [p for p in counted.periods if p.known_since <= day]
    part_paid = _is_part_paid(day, periods)
    if any(p.since <= day <= p.grace_until for p in periods):
        owing = part_paid or _owes_an_increase(day, periods, counted.money)
        return RightsState.OPEN, RightsReason.OPEN, NextStep.PAY_REST if owing else NextStep.NOTHING_TO_DO
    later = [p for p in periods if p.since > day]
    if later:
        fixed = min(later, key=lambda p: p.since).bill.period_from is not None
        reason = RightsReason.PERIOD_TO_COME if fixed else RightsReason.WAITING
        return RightsState.WAITING, reason, NextStep.WAIT
    if part_paid:
        return RightsState.SUSPENDED, RightsReason.PART_OVER, NextStep.PAY_TO_REOPEN
    if any(_holds_unspent_money(day, bill, periods, counted.money) for bill in bills):
        return RightsState.PART_PAID, RightsReason.PART_PAID, NextStep.PAY_TO_OPEN
    if periods:
        return RightsState.LAPSED, RightsReason.OVER, NextStep.RENEW
    return RightsState.NEVER, RightsReason.NOT_PAID, NextStep.PAY_TO_OPEN


def _is_part_paid(day: date, periods: Sequence[CoverPeriod]) -> bool:
    """Whether a bill that can still cover `day` has reached a stage, but not its last one."""
    whole_bills = [p.bill for p in periods if p.last_stage]
    return any(day <= p.bill_until and p.bill not in whole_bills for p in periods)


def _owes_an_increase(day: date, periods: Sequence[CoverPeriod], money: Sequence[BillPayment]) -> bool:
    """Whether a bill of `day` was paid whole, and an adjustment then made it larger than what was paid."""
    bills = [p.bill for p in periods if p.last_stage and p.since <= day <= p.bill_until]
    return any(bill.changes and amount_paid(money, bill, day) < bill.share_on(day) for bill in bills)


def _holds_unspent_money(
    day: date, bill: BillState, periods: Sequence[CoverPeriod], money: Sequence[BillPayment]
) -> bool:
    """Whether the bill holds money that has bought nothing yet, and still can."""
    over = bill.period_until is not None and day > bill.period_until
    if bill.kind != BillKind.DUES or day < bill.issued or over:
        return False
    own = [p for p in periods if p.bill == bill]
    spent = max((p.stage.threshold for p in own), default=0)
    return not any(p.last_stage for p in own) and amount_paid(money, bill, day) > spent
