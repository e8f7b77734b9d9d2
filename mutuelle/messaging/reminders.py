"""On which days a household with unpaid dues is reminded, and about which date. Pure: no session, no clock.

The rule in six sentences:

1. Reminders are only for dues that are not fully paid and can still open cover; a joining fee opens nothing,
   and the dues of a fixed year that is over cannot open it any more. A household without such a bill gets no
   reminder.
2. Each such bill has one date. It is the last day covered, once cover reaches to the bill (its last open day
   in the time line is the eve of the bill's first day, or later): the end of a part of the year, of the
   months paid, of the old cover before a renewal. Otherwise it is the bill's first day: the first day of its
   fixed year or, if later or rolling, the day of its issue.
3. The scheme's calendar counts from that date: `before` and `after` list the days on which a message is sent,
   and no other day. A day on which no message could be sent is skipped; the message is not sent later.
4. After the date, a household is not reminded if it is covered, or waits for cover already paid; before the
   date, every household is.
5. No reminder is sent on the day a bill is issued, because the household was just notified of it; and a day
   brings one message, about the nearest date.
6. A household that has promised to pay on a day (`promises.py`) is reminded only of the promise on that day.
   Before it, the only reminder is of the end of cover, on the last of the calendar's days `before` it.

Messages are sent only in the hours that `sending_hours.py` allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from mutuelle.contributions.bills import BillState
from mutuelle.cover import household_rights
from mutuelle.cover.cover_periods import DAY, BillPayment, VersionOf
from mutuelle.cover.household_rights import Interval, RightsState
from mutuelle.schemes.money_rules import BillKind


class ReminderSubject(StrEnum):
    """What the date of a reminder is, as stored in the facts of its message."""

    END = "end"  # cover ends
    START = "start"  # cover could begin
    PROMISE = "promise"  # the household promised to pay


@dataclass(frozen=True)
class Reminder:
    """One message, sent `days` after `date` (negative: before it). `about` says what the date is."""

    date: date
    days: int
    about: ReminderSubject


def due(
    version_of: VersionOf,
    dues: Sequence[BillState],
    paid: Sequence[BillPayment],
    timeline: Sequence[Interval],
    today: date,
    promised: date | None = None,
) -> list[Reminder]:
    """Returns the reminders due on the local date `today`, the nearest date first; at most one is sent.

    `promised` is the day that the household has promised to pay on, if any.
    """
    is_covered = household_rights.on(timeline, today).state in (RightsState.OPEN, RightsState.WAITING)
    reminders = set()
    for bill in dues:
        calendar = version_of(bill.version).reminders
        if calendar is None or not _is_payable(version_of, bill, paid, today):
            continue
        if promised == today:
            return [Reminder(today, 0, ReminderSubject.PROMISE)]
        reminder = _reminder_of(bill, timeline, today)
        is_last_before_end = reminder.about == ReminderSubject.END and -reminder.days == min(
            calendar.before, default=0
        )
        if promised is not None and today < promised and not is_last_before_end:
            continue
        if -reminder.days in calendar.before or (reminder.days in calendar.after and not is_covered):
            reminders.add(reminder)
    return sorted(reminders, key=lambda reminder: (abs(reminder.days), reminder.date))


def _is_payable(version_of: VersionOf, bill: BillState, paid: Sequence[BillPayment], today: date) -> bool:
    """Whether the member owes a part of these dues, issued before today, and paying can still open cover."""
    if (
        bill.kind != BillKind.DUES
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
    """Returns the reminder that a bill has on `today`, whether or not the calendar names the day."""
    begins = max(bill.issued, bill.period_from or bill.issued)
    ends = [
        part.until
        for part in timeline
        if part.state == RightsState.OPEN and part.until and part.until >= begins - DAY
    ]
    day = max(ends, default=begins)
    return Reminder(day, (today - day).days, ReminderSubject.END if ends else ReminderSubject.START)
