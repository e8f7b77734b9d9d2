"""Rights: what a household may claim on a day, from its bills, its money and the rule book. Pure: no session, no clock.

How rights follow money, in five sentences:

1. A bill has stages (`Version.stages`); the day its member share has been paid up to a stage's threshold, that stage is
   reached for good, and a threshold of 0 is reached the day the bill is issued. Only the member's money on dues counts.
2. In a fixed year a stage covers the first months of the year, from the day it is reached and never before the year begins.
3. In a rolling cycle a stage buys its months, which begin after the cover already bought, or on the day it is reached; a
   household never covered before, or after a lapse, may wait first (`Version.begins`). No month paid for is ever lost, and
   days of grace after the last one are covered too.
4. A reversal takes effect on its own day: from then on all is as if that money had never come, but the days before stay what
   they were, because a clinic was told so.
5. The state of a day follows from what was known on that day, so nothing that happens later changes it.

Hence money that comes today never closes a day; in a fixed year that holds for money of any date. In a rolling cycle money
found later under an earlier date may move a whole period forward: it begins sooner, and so ends sooner.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal
from uuid import UUID

from mutuelle.errors import Conflict
from mutuelle.versions import Stage, Version, last_day

State = Literal["open", "waiting", "part-paid", "lapsed", "suspended", "never"]
# Why a day is as it is. `period-to-come`: paid ahead of a fixed year; `part-over`: what was paid is used up, not the period.
Paying = Literal["rights.not-paid", "rights.part-paid", "rights.part-over"]
Known = Literal["rights.waiting", "rights.period-to-come", "rights.open", "rights.over"]
Reason = Literal[Paying, Known, "rights.no-bill", "rights.over-limit"]  # the last is one member's, never a household's
Pay = Literal["rights.pay-rest", "rights.pay-to-open", "rights.pay-to-reopen"]
NextStep = Literal[Pay, "rights.join", "rights.wait", "rights.renew", "rights.nothing-to-do", "rights.ask-agent"]
VersionOf = Callable[[date], Version]  # such as `scheme.version`
DAY = timedelta(1)


@dataclass(frozen=True)
class Due:
    """What rights need of a bill: whole units; `version` is the effective date of its rules.

    `period_*` bound a fixed year and are None in a rolling cycle, and for a joining fee, which opens nothing.
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


@dataclass(frozen=True)
class Paid:
    """Member's money on a bill, in whole units, negative for a reversal.

    A reversal takes back the money of the same `receipt`; without one, or beyond it, the newest money of that bill.
    """

    bill_id: UUID
    on: date
    amount: int
    receipt: UUID | None = None


@dataclass(frozen=True)
class Interval:
    """One state from `since` to `until`, both included; `until` is None for the last. `reason` and `next_step` are text ids."""

    state: State
    since: date
    until: date | None
    reason: Reason
    next_step: NextStep


@dataclass(frozen=True)
class Ahead:
    """The least further sum that opens or prolongs rights and the new days it would open today; 0, None, None if none."""

    left_to_open: int
    opens_from: date | None
    opens_until: date | None


@dataclass(frozen=True)
class _Grant:
    """Cover that a bill's stage brought, known since the day `known`."""

    due: Due
    stage: Stage
    known: date
    since: date
    until: date
    lasts: date  # `until`, and the days of grace after it
    whole: bool  # the bill's last stage
    ends: date  # the last day this bill can cover; in a rolling cycle, could have covered had it been paid whole


@dataclass(frozen=True)
class _Books:
    """What counts while no further reversal comes: the money left, and the cover it brought."""

    money: tuple[Paid, ...]
    grants: tuple[_Grant, ...]


def intervals(version_of: VersionOf, dues: Sequence[Due], paid: Sequence[Paid]) -> tuple[Interval, ...]:
    """The household's time line from its first bill on: no gap, no overlap, neighbours of different states.

    Empty when there is no bill. The order of `dues` and `paid` does not matter.
    """
    if not dues:
        return ()
    born = min(due.issued for due in dues)
    reversals = sorted({p.on for p in paid if p.amount < 0})
    books = {day: _books(version_of, dues, paid, day) for day in (date.min, *reversals)}
    moments = {born, *(d.issued for d in dues), *(d.period_until + DAY for d in dues if d.period_until)}
    moments |= {p.on for p in paid}
    for kept in books.values():
        for g in kept.grants:
            moments |= {g.known, g.since, g.until + DAY, g.lasts + DAY, g.ends + DAY}
    found: list[Interval] = []
    for day in sorted(m for m in moments if m >= born):
        state, reason, next_step = _on(day, dues, books[max(b for b in books if b <= day)])
        if found and found[-1].state == state:
            found[-1] = replace(found[-1], reason=reason, next_step=next_step)
        else:
            if found:
                found[-1] = replace(found[-1], until=day - DAY)
            found.append(Interval(state, day, None, reason, next_step))
    return tuple(found)


def on(timeline: Sequence[Interval], day: date) -> Interval:
    """The interval `day` falls in; before the first bill, or without one, `never`."""
    for interval in timeline:
        if interval.since <= day and (interval.until is None or day <= interval.until):
            return interval
    return Interval("never", day, timeline[0].since - DAY if timeline else None, "rights.no-bill", "rights.join")


def ahead(version_of: VersionOf, dues: Sequence[Due], paid: Sequence[Paid], today: date) -> Ahead:
    """What one further payment today must be to open or prolong rights, given that it pays the oldest bill first.

    The sum is a multiple of the scheme's step, unless less than a step is left to pay.
    """
    paid = [p for p in paid if p.on <= today]
    bills = sorted((d for d in dues if d.kind == "dues" and d.issued <= today), key=_age)
    now = _books(version_of, bills, paid, today)
    left = {due: max(0, due.member_share - _sum(now.money, due)) for due in bills}
    left |= {d: 0 for d in bills if version_of(d.version).forgives(d.issued, d.period_until, d.option, today)}
    owed = sum(left.values())
    before = 0
    for due in bills:
        version = version_of(due.version)
        for stage in version.stages(due.member_share, due.option, due.total):
            short = stage.threshold - (due.member_share - left[due])
            if short <= 0:  # reached, or forgiven
                continue
            amount = min(-(-(before + short) // version.step) * version.step, owed)
            then = _grants(version_of, bills, [*now.money, *_oldest_first(left, amount, today)])
            starts = [(_beyond(now.grants, grant.since, lambda g: g.lasts), grant.until) for grant in then]
            new = [since for since, until in starts if since <= until]
            if new:
                return Ahead(amount, min(new), _beyond(then, min(new), lambda g: g.until) - DAY)
        before += left[due]
    return Ahead(0, None, None)


def covered(version_of: VersionOf, dues: Sequence[Due], paid: Sequence[Paid], by: date) -> dict[UUID, tuple[date, date]]:
    """First and last day, without grace, of the cover that each bill has bought by what is known on the day `by`."""
    known = [g for g in _books(version_of, dues, [p for p in paid if p.on <= by], by).grants if g.known <= by]
    return {one.due.bill_id: (min(g.since for g in known if g.due == one.due), one.until) for one in known}


def _age(due: Due) -> tuple[date, str]:
    return due.issued, str(due.bill_id)


def _sum(money: Iterable[Paid], due: Due, by: date = date.max) -> int:
    return sum(p.amount for p in money if p.bill_id == due.bill_id and p.on <= by)


def _oldest_first(left: dict[Due, int], amount: int, today: date) -> list[Paid]:
    """`amount` laid on what is left of each due, in their order."""
    laid = []
    for due, owed in left.items():
        laid.append(Paid(due.bill_id, today, min(owed, amount)))
        amount -= min(owed, amount)
    return laid


def _beyond(grants: Iterable[_Grant], day: date, last: Callable[[_Grant], date]) -> date:
    """The first day from `day` on that no grant reaches, each of which reaches to its `last`."""
    for grant in sorted(grants, key=lambda g: g.since):
        if grant.since <= day <= last(grant):
            day = last(grant) + DAY
    return day


def _books(version_of: VersionOf, dues: Sequence[Due], paid: Sequence[Paid], by: date) -> _Books:
    money = _left_after_reversals(paid, by)
    return _Books(money, _grants(version_of, dues, money))


def _left_after_reversals(paid: Sequence[Paid], by: date) -> tuple[Paid, ...]:
    """The money that counts once every reversal up to `by` took its own back; never below nothing."""
    ordered = sorted(paid, key=lambda p: (p.on, p.amount, str(p.receipt), str(p.bill_id)))
    money = [p for p in ordered if p.amount > 0]
    for reversal in (p for p in ordered if p.amount < 0 and p.on <= by):
        takes = -reversal.amount
        own = [i for i, p in enumerate(money) if reversal.receipt is not None and p.receipt == reversal.receipt]
        newest = [i for i, p in enumerate(money) if p.on <= reversal.on][::-1]
        for i in [*own, *newest]:
            if money[i].bill_id == reversal.bill_id:
                taken = min(takes, money[i].amount)
                money[i] = replace(money[i], amount=money[i].amount - taken)
                takes -= taken
    return tuple(p for p in money if p.amount)


def _grants(version_of: VersionOf, dues: Sequence[Due], money: Sequence[Paid]) -> tuple[_Grant, ...]:
    """The cover that `money` buys, in the order it became known."""
    reached = []
    for due in dues:
        if due.kind == "dues":
            stages = version_of(due.version).stages(due.member_share, due.option, due.total)
            months_before = {stage: before.months for before, stage in pairwise(stages)}
            for stage, day in _reached(due, stages, money):
                reached.append((day, *_age(due), months_before.get(stage, 0), due, stage, stage is stages[-1]))
    grants: list[_Grant] = []
    run: date | None = None  # the first day of the rolling cover that still runs, and the months bought in it
    months = 0
    for known, _, _, earlier, due, stage, whole in sorted(reached, key=lambda r: r[:4]):
        version = version_of(due.version)
        if version.cycle.kind == "fixed":
            grants += _in_a_fixed_year(due, stage, known, whole, version.lapse.grace_days)
            continue
        covered_until = max((g.until for g in grants), default=None)
        since = version.begins(known, covered_until)
        if run is None or covered_until is None or known > covered_until:
            run, months = since, 0
        months += stage.months - earlier
        ends = last_day(next((g.since for g in grants if g.due == due), since), version.option(due.option).months)
        until = last_day(run, months)
        grants.append(_Grant(due, stage, known, since, until, until + version.lapse.grace_days * DAY, whole, ends))
    return tuple(grants)


def _reached(due: Due, stages: Sequence[Stage], money: Sequence[Paid]) -> Iterator[tuple[Stage, date]]:
    """Each stage reached, and on which day; money older than the bill counts from its issue, and 0 needs none."""
    coming = sorted((p.on, p.amount) for p in money if p.bill_id == due.bill_id)
    total, day = 0, due.issued
    for stage in stages:
        while total < stage.threshold and coming:
            on_day, amount = coming.pop(0)
            total, day = total + amount, max(day, on_day)
        if total >= stage.threshold:
            yield stage, day


def _in_a_fixed_year(due: Due, stage: Stage, known: date, whole: bool, grace_days: int) -> list[_Grant]:
    """The part of the stage's months that is still to come, if any."""
    if due.period_from is None or due.period_until is None:
        raise Conflict(f"bill {due.bill_id}: a fixed year needs a first and a last day")
    since, until = max(known, due.period_from), min(last_day(due.period_from, stage.months), due.period_until)
    lasts = until + grace_days * DAY
    return [_Grant(due, stage, known, since, until, lasts, whole, due.period_until)] if since <= until else []


def _on(day: date, dues: Sequence[Due], books: _Books) -> tuple[State, Reason, NextStep]:
    """State, reason and next step on `day`, from what was known then."""
    known = [g for g in books.grants if g.known <= day]
    partly = [g for g in known if not g.whole and day <= g.ends and not any(o.due == g.due and o.whole for o in known)]
    if any(g.since <= day <= g.lasts for g in known):
        return "open", "rights.open", "rights.pay-rest" if partly else "rights.nothing-to-do"
    later = [g for g in known if g.since > day]
    if later:
        fixed = min(later, key=lambda g: g.since).due.period_from is not None
        return "waiting", "rights.period-to-come" if fixed else "rights.waiting", "rights.wait"
    if partly:
        return "suspended", "rights.part-over", "rights.pay-to-reopen"
    if any(_unspent(day, due, known, books.money) for due in dues):
        return "part-paid", "rights.part-paid", "rights.pay-to-open"
    if known:
        return "lapsed", "rights.over", "rights.renew"
    return "never", "rights.not-paid", "rights.pay-to-open"


def _unspent(day: date, due: Due, known: Sequence[_Grant], money: Sequence[Paid]) -> bool:
    """Whether the due holds money that bought nothing yet, and still can."""
    if due.kind != "dues" or day < due.issued or (due.period_until is not None and day > due.period_until):
        return False
    return _sum(money, due, day) > max((g.stage.threshold for g in known if g.due == due), default=0)
