"""Reminders: on which days a household with unpaid dues hears from us, and about which date. Pure: no
session, no clock.

The rule in six sentences:

1. Only dues that are not fully paid and can still open cover are reminded of; a joining fee opens nothing,
   and the dues of a fixed year that is over cannot open it any more. A household without a bill to pay is
   left in peace.
2. Each such bill has one date. It is the last day covered, once cover reaches to the bill (its last open day
   in the time line is the eve of the bill's first day, or later): the end of a part of the year, of the
   months paid, of the old cover before a renewal. Otherwise it is the bill's first day: the first day of its
   fixed year or, if later or rolling, the day of its issue.
3. The scheme's calendar counts from that date: `before` and `after` list the days on which a message goes,
   and no other day. Nothing is made up for: a day on which we could not speak is skipped.
4. After the date nobody is reminded who is covered, or waits for cover already paid; before it, everybody is.
5. Nothing goes on the day a bill is issued, for the household was just told; and a day brings one message,
   about the nearest date.
6. Who has promised to pay on a day (`promises.py`) is reminded on that day of nothing else, and before it of
   one thing only: the end of cover, on the last of the calendar's days `before` it.

Messages leave only in the hours that `sending_hours.py` allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from mutuelle.contributions.bills import BillState
from mutuelle.cover import rights
from mutuelle.cover.cover_periods import DAY, BillPayment, VersionOf
from mutuelle.cover.rights import Interval


@dataclass(frozen=True)
class Reminder:
    """One message: `days` after `date`, negative before it. `about` says whether cover ends or could begin on
    that date, or whether payment was promised for it."""

    date: date
    days: int
    about: Literal["end", "start", "promise"]


def due(
    version_of: VersionOf,
    dues: Sequence[BillState],
    paid: Sequence[BillPayment],
    timeline: Sequence[Interval],
    today: date,
    promised: date | None = None,
) -> list[Reminder]:
    """What the household is to be reminded of on the local date `today`, the nearest date first; at most one
    is sent.

    `promised` is the day it has promised to pay on, if it has.
    """
    spared = rights.on(timeline, today).state in ("open", "waiting")
    found = set()
    for bill in dues:
        calendar = version_of(bill.version).reminders
        if calendar is None or not _is_payable(version_of, bill, paid, today):
            continue
        if promised == today:
            return [Reminder(today, 0, "promise")]
        one = _reminder_of(bill, timeline, today)
        if (
            promised is not None
            and today < promised
            and (one.about != "end" or -one.days != min(calendar.before, default=0))
        ):
            continue
        if -one.days in calendar.before or (one.days in calendar.after and not spared):
            found.add(one)
    return sorted(found, key=lambda one: (abs(one.days), one.date))


def _is_payable(version_of: VersionOf, bill: BillState, paid: Sequence[BillPayment], today: date) -> bool:
    """Whether the member still owes a part of these dues, was not told of them just now, and paying can still
    open cover."""
    if (
        bill.kind != "dues"
        or bill.issued >= today
        or (bill.period_until is not None and bill.period_until < today)
    ):
        return False
    if version_of(bill.version).forgives(bill.issued, bill.period_until, bill.option, today):
        return False
    return sum(
        money.amount for money in paid if money.bill_id == bill.bill_id and money.on <= today
    ) < bill.share_on(today)


def _reminder_of(bill: BillState, timeline: Sequence[Interval], today: date) -> Reminder:
    begins = max(bill.issued, bill.period_from or bill.issued)
    ends = [
        part.until for part in timeline if part.state == "open" and part.until and part.until >= begins - DAY
    ]
    about = max(ends, default=begins)
    return Reminder(about, (today - about).days, "end" if ends else "start")
