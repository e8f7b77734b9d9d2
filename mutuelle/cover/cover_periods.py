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
from typing import Literal
from uuid import UUID

from mutuelle.contributions.bill_change import Change
from mutuelle.errors import Conflict
from mutuelle.schemes.versions import Stage, Version, last_day

VersionOf = Callable[[date], Version]  # such as `scheme.version`
DAY = timedelta(1)


@dataclass(frozen=True)
class Due:
    """What rights need of a bill: whole units; `version` is the effective date of its rules.

    `member_share` and `total` are those it was written with, `changes` what adjusted it since. `period_*`
    bound a fixed year and are None in a rolling cycle, and for a joining fee, which opens nothing.
    """

    bill_id: UUID
    kind: Literal["dues", "joining"]
    issued: date
    version: date
    member_share: int
    total: int
    period_from: date | None = None
    period_until: date | None = None
    option: str | None = None
    changes: tuple[Change, ...] = ()

    def share_on(self, day: date) -> int:
        """What the member owes of it as known on `day`."""
        return self.member_share + sum(change.member for change in self.changes if change.on <= day)

    def counted_on(self, day: date) -> tuple[int, int]:
        """The member share and the price that stages are reached by on `day`: an increase counts from the day
        after."""
        member = sum(c.member for c in self.changes if c.on < day or (c.on == day and c.member < 0))
        total = sum(c.total for c in self.changes if c.on < day or (c.on == day and c.total < 0))
        return self.member_share + member, self.total + total

    def known_on(self, day: date) -> "Due":
        """It without what changed later."""
        return replace(self, changes=tuple(change for change in self.changes if change.on <= day))


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

    due: Due
    stage: Stage
    known: date
    since: date
    until: date
    lasts: date  # `until`, and the days of grace after it
    whole: bool  # the bill's last stage
    ends: date  # the last day this bill can cover; in a rolling cycle, could have covered had it been paid whole


def age(due: Due) -> tuple[date, str]:
    """The order bills are paid in."""
    return due.issued, str(due.bill_id)


def summed(money: Iterable[BillPayment], due: Due, by: date = date.max) -> int:
    """The money on a bill up to a day."""
    return sum(p.amount for p in money if p.bill_id == due.bill_id and p.on <= by)


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


def bought(
    version_of: VersionOf, dues: Sequence[Due], money: Sequence[BillPayment]
) -> tuple[CoverPeriod, ...]:
    """The cover that `money` buys, in the order it became known."""
    stages = []
    for due in dues:
        if due.kind == "dues":
            for stage, earlier, day in reached(version_of(due.version), due, money):
                stages.append((day, *age(due), earlier, due, stage))
    grants: list[CoverPeriod] = []
    run: date | None = None  # the first day of the rolling cover that still runs, and the months bought in it
    months = 0
    for known, _, _, earlier, due, stage in sorted(stages, key=lambda r: r[:4]):
        version = version_of(due.version)
        whole = version.option(due.option).months
        if version.cycle.kind == "fixed":
            grants += _in_a_fixed_year(due, stage, known, stage.months >= whole, version.lapse.grace_days)
            continue
        covered_until = max((g.until for g in grants), default=None)
        since = version.begins(known, covered_until)
        if run is None or covered_until is None or known > covered_until:
            run, months = since, 0
        months += stage.months - earlier
        first = next((g.since for g in grants if g.due == due), since)
        until = last_day(run, months)
        lasts = until + version.lapse.grace_days * DAY
        grants.append(
            CoverPeriod(due, stage, known, since, until, lasts, stage.months >= whole, last_day(first, whole))
        )
    return tuple(grants)


def reached(version: Version, due: Due, money: Sequence[BillPayment]) -> Iterator[tuple[Stage, int, date]]:
    """Each stage reached, the months that were before, and on which day; money older than the bill counts
    from its issue."""
    coming = [(max(due.issued, p.on), p.amount) for p in money if p.bill_id == due.bill_id]
    changed = {day for change in due.changes for day in (change.on, change.on + DAY)}
    stages = version.stages(due.member_share, due.option, due.total)
    months = 0
    for day in sorted({due.issued, *(on for on, _ in coming), *(max(due.issued, day) for day in changed)}):
        total = sum(amount for on, amount in coming if on <= day)
        if due.changes:
            member, price = due.counted_on(day)
            stages = version.stages(member, due.option, price)
        for stage in stages:
            if total < stage.threshold:
                break
            if stage.months > months:
                yield stage, months, day
                months = stage.months


def _in_a_fixed_year(due: Due, stage: Stage, known: date, whole: bool, grace_days: int) -> list[CoverPeriod]:
    """The part of the stage's months that is still to come, if any."""
    if due.period_from is None or due.period_until is None:
        raise Conflict(f"bill {due.bill_id}: a fixed year needs a first and a last day")
    since, until = max(known, due.period_from), min(last_day(due.period_from, stage.months), due.period_until)
    lasts = until + grace_days * DAY
    return (
        [CoverPeriod(due, stage, known, since, until, lasts, whole, due.period_until)]
        if since <= until
        else []
    )
