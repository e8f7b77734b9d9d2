"""Turns a household's money into periods of cover, bill by bill and stage by stage. Pure.

How long a household waits first, and what a stage needs, is said by the rules (`schemes/version_rules.py`).

A bill may change in the middle of its period. The share that a stage needs follows from what was known on
each day: the changes of a day count as their sum, a decrease on the day itself, an increase from the day
after. The order of events within a day therefore does not matter, what is taken back on the same day counts
as nothing, and a household that paid enough today is not refused tonight. A stage once reached stays reached,
unless the household was billed as less than it is: what the corrections of a day, net, ask more must then be
paid from the day after.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple
from uuid import UUID

from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bills import BillState
from mutuelle.errors import Conflict
from mutuelle.schemes.money_rules import BillKind
from mutuelle.schemes.version_rules import Stage, Version, last_day, months_after

VersionOf = Callable[[date], Version]  # such as `scheme.version`
DAY = timedelta(1)


@dataclass(frozen=True)
class BillPayment:
    """Member's money on a bill, in whole units; negative for a reversal, or for what a decrease `freed`.

    A reversal takes back the money of its own `receipt` first, then the newest money on that bill.
    """

    bill_id: UUID
    on: date
    amount: int
    receipt: UUID | None = None
    freed: bool = False


class BoughtMonths(NamedTuple):
    """Months of a bill from `since` to `until`: those that a stage bought, or a fixed year's, all of them.

    A month begins on the day of the month on which the first one began.
    """

    since: date
    until: date
    months: int

    def months_before(self, day: date) -> Fraction:
        """How many of the months are over when `day` begins; a part of a month counts by its days."""
        if day <= self.since:
            return Fraction(0)
        if day > self.until:
            return Fraction(self.months)
        whole = (day.year - self.since.year) * 12 + day.month - self.since.month
        whole = min(whole, self.months - 1)
        while self._begins(whole) > day:
            whole -= 1
        first, following = self._begins(whole), self._begins(whole + 1)
        return whole + Fraction((day - first).days, (following - first).days)

    def _begins(self, month: int) -> date:
        return months_after(self.since, month) if month < self.months else self.until + DAY


@dataclass(frozen=True)
class CoverPeriod:
    """Cover from `since` to `until` that a stage of a bill bought, with days of grace to `grace_until`.

    `known_since` is the day the stage was reached; `last_stage` says that the bill has no further one.
    `bill_until` is the last day the bill can cover, or in a rolling cycle could have covered if paid whole.
    `bought` are the months among which the days of the period are counted.
    """

    bill: BillState
    stage: Stage
    known_since: date
    since: date
    until: date
    grace_until: date
    last_stage: bool
    bill_until: date
    bought: BoughtMonths


def payment_order(bill: BillState) -> tuple[date, str]:
    """Sort key: the order in which bills are paid."""
    return bill.issued, str(bill.bill_id)


def amount_paid(money: Iterable[BillPayment], bill: BillState, by: date = date.max) -> int:
    """The money on a bill up to the day `by`, in whole units."""
    return sum(p.amount for p in money if p.bill_id == bill.bill_id and p.on <= by)


def change_days(bill: BillState) -> set[date]:
    """The days from which a change of the bill may count: its own day and the day after."""
    return {day for change in bill.changes for day in (change.on, change.on + DAY)}


def left_after_reversals(paid: Sequence[BillPayment], by: date) -> tuple[BillPayment, ...]:
    """The money that counts after every reversal up to the day `by`; no payment goes below 0.

    Money that a decrease freed is off the bill from its own day. Once a reversal takes back its receipt, what
    had been freed of it by then was never paid either.
    """
    ordered = sorted(paid, key=lambda p: (p.on, p.amount, str(p.receipt), str(p.bill_id)))
    money = [p for p in ordered if p.amount > 0]
    reversals = [p for p in ordered if p.amount < 0 and p.on <= by and not p.freed]
    reversed_on: dict[tuple[UUID, UUID | None], date] = {  # the last day of each
        (p.bill_id, p.receipt): p.on for p in reversals if p.receipt is not None
    }
    freed = [p for p in ordered if p.freed]
    never_paid = [p for p in freed if p.on <= reversed_on.get((p.bill_id, p.receipt), date.min)]
    for reversal in (*reversals, *never_paid):
        money = _without(money, reversal)
    still_freed = [p for p in freed if p not in never_paid]
    return tuple(p for p in (*money, *still_freed) if p.amount)


def _without(money: Sequence[BillPayment], reversal: BillPayment) -> list[BillPayment]:
    """The money after a reversal: its own receipt is reduced first, then the newest money of the bill."""
    reduced = list(money)
    on_bill = [i for i, p in enumerate(reduced) if p.bill_id == reversal.bill_id]
    same_receipt = [
        i for i in on_bill if reversal.receipt is not None and reduced[i].receipt == reversal.receipt
    ]
    newest = [i for i in reversed(on_bill) if reduced[i].on <= reversal.on]
    rest = -reversal.amount
    for i in (*same_receipt, *newest):
        part = min(rest, reduced[i].amount)
        reduced[i] = replace(reduced[i], amount=reduced[i].amount - part)
        rest -= part
    return reduced


def periods_bought(
    version_of: VersionOf, bills: Sequence[BillState], money: Sequence[BillPayment]
) -> tuple[CoverPeriod, ...]:
    """The cover that `money` buys, in the order it became known."""
    stages = [
        (day, *payment_order(bill), earlier, bill, stage)
        for bill in bills
        if bill.kind == BillKind.DUES
        for stage, earlier, day in stages_reached(version_of(bill.version), bill, money)
    ]
    periods: list[CoverPeriod] = []
    run: date | None = None  # the first day of the rolling cover that still runs
    months = 0  # bought in that run
    for day, _, _, earlier, bill, stage in sorted(stages, key=lambda row: row[:4]):
        version = version_of(bill.version)
        whole = version.option(bill.option).months
        last_stage, grace = stage.months >= whole, version.lapse.grace_days * DAY
        if version.cycle.kind == "fixed":
            periods += _in_a_fixed_year(bill, stage, day, whole, grace)
            continue
        covered_until = max((p.until for p in periods), default=None)
        since = version.begins(day, covered_until)
        if run is None or covered_until is None or day > covered_until:
            run, months = since, 0
        months += stage.months - earlier
        first = next((p.since for p in periods if p.bill == bill), since)
        until, bill_until = last_day(run, months), last_day(first, whole)
        bought = BoughtMonths(since, until, stage.months - earlier)
        periods.append(
            CoverPeriod(bill, stage, day, since, until, until + grace, last_stage, bill_until, bought)
        )
    return tuple(part for period in periods for part in _while_paid_for(version_of, period, money))


def _while_paid_for(
    version_of: VersionOf, period: CoverPeriod, money: Sequence[BillPayment]
) -> Iterator[CoverPeriod]:
    """Yields the parts of a period in which the money comes to the threshold of its stage.

    After a correction that made the member's share larger, the stage must be reached anew from the day after.
    """
    bill = period.bill
    version, part = version_of(bill.version), period
    for day in sorted({change.on for change in bill.changes if change.asks_anew}):
        bill_to_pay = _asked_anew(bill, day)
        if bill_to_pay is None or day < part.known_since or day >= part.grace_until:
            continue
        if _first_reached(version, bill_to_pay, period.stage, money) == day + DAY:
            continue
        if part.since <= day:
            yield replace(part, until=min(part.until, day), grace_until=day, last_stage=False)
        day_reached = _first_reached(
            version, replace(bill, issued=max(bill.issued, day + DAY)), period.stage, money
        )
        if day_reached is None or day_reached > part.grace_until:
            return
        part = replace(part, known_since=day_reached, since=max(part.since, day_reached))
    yield part


def _asked_anew(bill: BillState, day: date) -> BillState | None:
    """Returns the bill from the day after `day` on with what its corrections of that day, net, ask more.

    None if they ask no more, or if other changes of the day make up for it. What other changes ask closes
    nothing.
    """
    of_day = [change for change in bill.changes if change.on == day]
    corrections = [change for change in of_day if change.asks_anew]
    member = min(sum(change.member for change in changes) for changes in (of_day, corrections))
    if member <= 0:
        return None
    total = min(sum(change.total for change in changes) for changes in (of_day, corrections))
    others = tuple(change for change in bill.changes if change.on != day)
    changes = (*others, Change(day, member, total))
    return replace(bill, issued=max(bill.issued, day + DAY), changes=changes)


def _first_reached(
    version: Version, bill: BillState, stage: Stage, money: Sequence[BillPayment]
) -> date | None:
    """Returns the first day on which the money on the bill comes to this stage, or a later one."""
    days = (day for later, _, day in stages_reached(version, bill, money) if later.months >= stage.months)
    return next(days, None)


def stages_reached(
    version: Version, bill: BillState, money: Sequence[BillPayment]
) -> Iterator[tuple[Stage, int, date]]:
    """Each stage reached, the months opened before it, and the day.

    Money older than the bill counts from the day of issue.
    """
    payments = [(max(bill.issued, p.on), p.amount) for p in money if p.bill_id == bill.bill_id]
    days = {bill.issued, *(on for on, _ in payments), *(max(bill.issued, day) for day in change_days(bill))}
    stages = version.stages(bill.issued_share, bill.option, bill.issued_total)
    months = 0
    for day in sorted(days):
        total = sum(amount for on, amount in payments if on <= day)
        if bill.changes:
            member, price = bill.counted_on(day)
            stages = version.stages(member, bill.option, price)
        for stage in stages:
            if total < stage.threshold:
                break
            if stage.months > months:
                yield stage, months, day
                months = stage.months


def _in_a_fixed_year(
    bill: BillState, stage: Stage, day: date, whole: int, grace: timedelta
) -> list[CoverPeriod]:
    """The part of the stage's months that is still to come on the `day` it is reached, if any.

    `whole` are the months of the year.
    """
    if bill.period_from is None or bill.period_until is None:
        raise Conflict(f"bill {bill.bill_id}: a fixed year needs a first and a last day")
    since = max(day, bill.period_from)
    until = min(last_day(bill.period_from, stage.months), bill.period_until)
    if since > until:
        return []
    bought, last_stage = BoughtMonths(bill.period_from, bill.period_until, whole), stage.months >= whole
    return [CoverPeriod(bill, stage, day, since, until, until + grace, last_stage, bill.period_until, bought)]
