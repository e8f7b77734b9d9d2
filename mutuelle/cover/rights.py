"""Rights: what a household may claim on a day, from its bills, its money and the rule book. Pure: no session,
no clock.

How rights follow money, in six sentences:

1. A bill has stages (`Version.stages`); the day its member share has been paid up to a stage's threshold,
   that stage is reached for good, and a threshold of 0 is reached the day the bill is issued. Only the
   member's money on dues counts.
2. In a fixed year a stage covers the first months of the year, from the day it is reached and never before
   the year begins.
3. In a rolling cycle a stage buys its months, which begin after the cover already bought, or on the day it is
   reached; a household never covered before, or after a lapse, may wait first (`Version.begins`). No month
   paid for is ever lost, and days of grace after the last one are covered too.
4. A reversal takes effect on its own day: from then on all is as if that money had never come, but the days
   before stay what they were, because a clinic was told so.
5. The state of a day follows from what was known on that day, so nothing that happens later changes it.
6. A bill that changes in mid-period asks from then on for its new share (`cover_periods.py`): what is open
   stays open, though the difference is owed; a bill that becomes smaller may open rights on that day.

Hence money that comes today never closes a day, nor does a bill that grows; in a fixed year money of any date
closes none. In a rolling cycle money found later under an earlier date may move a whole period forward: it
begins sooner, and so ends sooner.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal
from uuid import UUID

from mutuelle.contributions.bills import BillState
from mutuelle.cover.cover_periods import (
    DAY,
    BillPayment,
    CoverPeriod,
    VersionOf,
    amount_paid,
    left_after_reversals,
    payment_order,
    periods_bought,
)
from mutuelle.schemes.money_rules import BillKind

State = Literal["open", "waiting", "part-paid", "lapsed", "suspended", "never"]
# Why a day is as it is. `period-to-come`: paid ahead of a fixed year; `part-over`: what was paid is used up,
# not the period.
Paying = Literal["rights.not-paid", "rights.part-paid", "rights.part-over"]
Known = Literal["rights.waiting", "rights.period-to-come", "rights.open", "rights.over", "rights.no-bill"]
OneMember = Literal[
    "rights.over-limit", "rights.over-age", "rights.not-yet-member", "rights.left"
]  # never a household's
Reason = Literal[Paying, Known, OneMember]
Pay = Literal["rights.pay-rest", "rights.pay-to-open", "rights.pay-to-reopen"]
NextStep = Literal[
    Pay, "rights.join", "rights.wait", "rights.renew", "rights.nothing-to-do", "rights.ask-agent"
]


@dataclass(frozen=True)
class Interval:
    """One state from `since` to `until`, both included; `until` is None for the last. `reason` and
    `next_step` are text ids."""

    state: State
    since: date
    until: date | None
    reason: Reason
    next_step: NextStep


@dataclass(frozen=True)
class NextOpening:
    """The least further sum that opens or prolongs rights and the new days it would open today; 0, None, None
    if none."""

    left_to_open: int
    opens_from: date | None
    opens_until: date | None


CoverView = Callable[
    [Sequence[CoverPeriod], Sequence[BillPayment]], tuple[CoverPeriod, ...]
]  # the cover as one member has it


def household_cover(grants: Sequence[CoverPeriod], money: Sequence[BillPayment]) -> tuple[CoverPeriod, ...]:
    """The cover as the household has it."""
    return tuple(grants)


@dataclass(frozen=True)
class _CountedMoney:
    """What counts while no further reversal comes: the money left, and the cover it brought."""

    money: tuple[BillPayment, ...]
    grants: tuple[CoverPeriod, ...]


def intervals(
    version_of: VersionOf,
    bills: Sequence[BillState],
    paid: Sequence[BillPayment],
    seen: CoverView = household_cover,
) -> tuple[Interval, ...]:
    """The household's time line from its first bill on, or a member's with `seen`: no gap, no overlap,
    neighbours of different states.

    Empty when there is no bill. The order of `dues` and `paid` does not matter.
    """
    if not bills:
        return ()
    born = min(bill.issued for bill in bills)
    reversals = sorted({p.on for p in paid if p.amount < 0 and not p.freed})
    books = {day: _books(version_of, bills, paid, day, seen) for day in (date.min, *reversals)}
    moments = {born, *(d.issued for d in bills), *(d.period_until + DAY for d in bills if d.period_until)}
    moments |= {p.on for p in paid} | {
        day for bill in bills for c in bill.changes for day in (c.on, c.on + DAY)
    }
    for kept in books.values():
        for g in kept.grants:
            moments |= {g.known, g.since, g.until + DAY, g.lasts + DAY, g.ends + DAY}
    found: list[Interval] = []
    for day in sorted(m for m in moments if m >= born):
        state, reason, next_step = _on(day, bills, books[max(b for b in books if b <= day)])
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
    return Interval(
        "never", day, timeline[0].since - DAY if timeline else None, "rights.no-bill", "rights.join"
    )


def next_opening(
    version_of: VersionOf, bills: Sequence[BillState], paid: Sequence[BillPayment], today: date
) -> NextOpening:
    """What one further payment today must be to open or prolong rights, given that it pays the oldest bill
    first.

    The sum is a multiple of the scheme's step, unless less than a step is left to pay.
    """
    paid = [p for p in paid if p.on <= today]
    bills = sorted(
        (d.known_on(today) for d in bills if d.kind == BillKind.DUES and d.issued <= today), key=payment_order
    )
    now = _books(version_of, bills, paid, today)
    left = {bill: max(0, bill.share_on(today) - amount_paid(now.money, bill)) for bill in bills}
    left |= {d: 0 for d in bills if version_of(d.version).forgives(d.issued, d.period_until, d.option, today)}
    owed = sum(left.values())
    before = 0
    for bill in bills:
        version = version_of(bill.version)
        member, price = bill.counted_on(today)
        for stage in version.stages(member, bill.option, price):
            short = stage.threshold - (bill.share_on(today) - left[bill])
            if short <= 0:  # reached, or forgiven
                continue
            amount = min(-(-(before + short) // version.step) * version.step, owed)
            then = periods_bought(version_of, bills, [*now.money, *_oldest_first(left, amount, today)])
            starts = [(_beyond(now.grants, grant.since, lambda g: g.lasts), grant.until) for grant in then]
            new = [since for since, until in starts if since <= until]
            if new:
                return NextOpening(amount, min(new), _beyond(then, min(new), lambda g: g.until) - DAY)
        before += left[bill]
    return NextOpening(0, None, None)


def days_covered(
    version_of: VersionOf, bills: Sequence[BillState], paid: Sequence[BillPayment], by: date
) -> dict[UUID, tuple[date, date]]:
    """First and last day, without grace, of the cover that each bill has bought by what is known on the day
    `by`."""
    changed = [bill.known_on(by) for bill in bills]
    known = [
        g for g in _books(version_of, changed, [p for p in paid if p.on <= by], by).grants if g.known <= by
    ]
    return {one.bill.bill_id: (min(g.since for g in known if g.bill == one.bill), one.until) for one in known}


def _oldest_first(left: dict[BillState, int], amount: int, today: date) -> list[BillPayment]:
    """`amount` laid on what is left of each bill, in their order."""
    laid = []
    for bill, owed in left.items():
        laid.append(BillPayment(bill.bill_id, today, min(owed, amount)))
        amount -= min(owed, amount)
    return laid


def _beyond(grants: Iterable[CoverPeriod], day: date, last: Callable[[CoverPeriod], date]) -> date:
    """The first day from `day` on that no grant reaches, each of which reaches to its `last`."""
    for grant in sorted(grants, key=lambda g: g.since):
        if grant.since <= day <= last(grant):
            day = last(grant) + DAY
    return day


def _books(
    version_of: VersionOf,
    bills: Sequence[BillState],
    paid: Sequence[BillPayment],
    by: date,
    seen: CoverView = household_cover,
) -> _CountedMoney:
    money = left_after_reversals(paid, by)
    return _CountedMoney(money, seen(periods_bought(version_of, bills, money), money))


def _on(day: date, bills: Sequence[BillState], books: _CountedMoney) -> tuple[State, Reason, NextStep]:
    """State, reason and next step on `day`, from what was known then."""
    known = [g for g in books.grants if g.known <= day]
    partly = [
        g
        for g in known
        if not g.whole and day <= g.ends and not any(o.bill == g.bill and o.whole for o in known)
    ]
    if any(g.since <= day <= g.lasts for g in known):
        owing = partly or any(
            g.whole and g.since <= day <= g.ends and _grown(day, g.bill, books.money) for g in known
        )
        return "open", "rights.open", "rights.pay-rest" if owing else "rights.nothing-to-do"
    later = [g for g in known if g.since > day]
    if later:
        fixed = min(later, key=lambda g: g.since).bill.period_from is not None
        return "waiting", "rights.period-to-come" if fixed else "rights.waiting", "rights.wait"
    if partly:
        return "suspended", "rights.part-over", "rights.pay-to-reopen"
    if any(_unspent(day, bill, known, books.money) for bill in bills):
        return "part-paid", "rights.part-paid", "rights.pay-to-open"
    if known:
        return "lapsed", "rights.over", "rights.renew"
    return "never", "rights.not-paid", "rights.pay-to-open"


def _unspent(day: date, bill: BillState, known: Sequence[CoverPeriod], money: Sequence[BillPayment]) -> bool:
    """Whether the bill holds money that bought nothing yet, and still can."""
    if (
        bill.kind != BillKind.DUES
        or day < bill.issued
        or (bill.period_until is not None and day > bill.period_until)
    ):
        return False
    mine = [g for g in known if g.bill == bill]
    return not any(g.whole for g in mine) and amount_paid(money, bill, day) > max(
        (g.stage.threshold for g in mine), default=0
    )


def _grown(day: date, bill: BillState, money: Sequence[BillPayment]) -> bool:
    """Whether the bill was paid whole, and an adjustment then made it larger than what was paid."""
    return bool(bill.changes) and amount_paid(money, bill, day) < bill.share_on(day)
