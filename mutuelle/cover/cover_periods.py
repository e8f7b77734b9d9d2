"""Grants: the cover that a household's money buys, bill by bill and stage by stage. Pure: no session, no
clock.

A bill may change in the middle of its period. Which share a stage asks for follows from what was known on
each day: a decrease counts on its own day, an increase from the day after, so that the order within a day
does not matter and nobody who paid enough today is told otherwise tonight. A stage once reached stays
reached.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from mutuelle.contributions.bills import BillState
from mutuelle.errors import Conflict
from mutuelle.schemes.money_rules import BillKind
from mutuelle.schemes.versions import Stage, Version, last_day

VersionOf = Callable[[date], Version]  # such as `scheme.version`
DAY = timedelta(1)


@dataclass(frozen=True)
class BillPayment:
    """Member's money on a bill, in whole units, negative for a reversal or, when `freed`, for what a decrease
    gave back.

    A reversal takes back the money of the same `receipt`; without one, or beyond it, the newest money of that
    bill.
    """

    bill_id: UUID
    on: date
    amount: int
    receipt: UUID | None = None
    freed: bool = False


@dataclass(frozen=True)
class CoverPeriod:
    """Cover that a bill's stage brought, known since the day `known`."""

    bill: BillState
    stage: Stage
    known: date
    since: date
    until: date
    lasts: date  # `until`, and the days of grace after it
    whole: bool  # the bill's last stage
    ends: date  # the last day this bill can cover; in a rolling cycle, could have covered had it been paid whole


def payment_order(bill: BillState) -> tuple[date, str]:
    """The order bills are paid in."""
    return bill.issued, str(bill.bill_id)


def amount_paid(money: Iterable[BillPayment], bill: BillState, by: date = date.max) -> int:
    """The money on a bill up to a day."""
    return sum(p.amount for p in money if p.bill_id == bill.bill_id and p.on <= by)


def left_after_reversals(paid: Sequence[BillPayment], by: date) -> tuple[BillPayment, ...]:
    """The money that counts once every reversal up to `by` took its own back; never below nothing.

    What a decrease freed left on its own day; but once a reversal touches its receipt, that part never came
    either.
    """
    ordered = sorted(paid, key=lambda p: (p.on, p.amount, str(p.receipt), str(p.bill_id)))
    money = [p for p in ordered if p.amount > 0]
    reversals = [p for p in ordered if p.amount < 0 and p.on <= by and not p.freed]
    touched = {(p.bill_id, p.receipt) for p in reversals if p.receipt is not None}
    freed = [p for p in ordered if p.freed]
    never_came = [p for p in freed if (p.bill_id, p.receipt) in touched and p.on <= by]
    for reversal in (*reversals, *never_came):
        takes = -reversal.amount
        own = [
            i for i, p in enumerate(money) if reversal.receipt is not None and p.receipt == reversal.receipt
        ]
        newest = [i for i, p in enumerate(money) if p.on <= reversal.on][::-1]
        for i in [*own, *newest]:
            if money[i].bill_id == reversal.bill_id:
                taken = min(takes, money[i].amount)
                money[i] = replace(money[i], amount=money[i].amount - taken)
                takes -= taken
    return tuple(p for p in (*money, *(p for p in freed if p not in never_came)) if p.amount)


def periods_bought(
    version_of: VersionOf, bills: Sequence[BillState], money: Sequence[BillPayment]
) -> tuple[CoverPeriod, ...]:
    """The cover that `money` buys, in the order it became known."""
    stages = []
    for bill in bills:
        if bill.kind == BillKind.DUES:
            for stage, earlier, day in stages_reached(version_of(bill.version), bill, money):
                stages.append((day, *payment_order(bill), earlier, bill, stage))
    grants: list[CoverPeriod] = []
    run: date | None = None  # the first day of the rolling cover that still runs, and the months bought in it
    months = 0
    for known, _, _, earlier, bill, stage in sorted(stages, key=lambda r: r[:4]):
        version = version_of(bill.version)
        whole = version.option(bill.option).months
        if version.cycle.kind == "fixed":
            grants += _in_a_fixed_year(bill, stage, known, stage.months >= whole, version.lapse.grace_days)
            continue
        covered_until = max((g.until for g in grants), default=None)
        since = version.begins(known, covered_until)
        if run is None or covered_until is None or known > covered_until:
            run, months = since, 0
        months += stage.months - earlier
        first = next((g.since for g in grants if g.bill == bill), since)
        until = last_day(run, months)
        lasts = until + version.lapse.grace_days * DAY
        grants.append(
            CoverPeriod(
                bill, stage, known, since, until, lasts, stage.months >= whole, last_day(first, whole)
            )
        )
    return tuple(grants)


def stages_reached(
    version: Version, bill: BillState, money: Sequence[BillPayment]
) -> Iterator[tuple[Stage, int, date]]:
    """Each stage reached, the months that were before, and on which day; money older than the bill counts
    from its issue."""
    coming = [(max(bill.issued, p.on), p.amount) for p in money if p.bill_id == bill.bill_id]
    changed = {day for change in bill.changes for day in (change.on, change.on + DAY)}
    stages = version.stages(bill.issued_share, bill.option, bill.issued_total)
    months = 0
    for day in sorted({bill.issued, *(on for on, _ in coming), *(max(bill.issued, day) for day in changed)}):
        total = sum(amount for on, amount in coming if on <= day)
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
    bill: BillState, stage: Stage, known: date, whole: bool, grace_days: int
) -> list[CoverPeriod]:
    """The part of the stage's months that is still to come, if any."""
    if bill.period_from is None or bill.period_until is None:
        raise Conflict(f"bill {bill.bill_id}: a fixed year needs a first and a last day")
    since, until = (
        max(known, bill.period_from),
        min(last_day(bill.period_from, stage.months), bill.period_until),
    )
    lasts = until + grace_days * DAY
    return (
        [CoverPeriod(bill, stage, known, since, until, lasts, whole, bill.period_until)]
        if since <= until
        else []
    )
