"""Finds the dues bills whose period is not over on a day, and how many of their months are left. Pure."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from mutuelle.contributions.bills import BillState
from mutuelle.cover import cover_periods
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import CoverPeriod
from mutuelle.schemes.money_rules import BillKind
from mutuelle.schemes.version_rules import last_day


class BillUnderWay(NamedTuple):
    """A dues bill whose period is not over, and the number of its `months` for which a difference counts.

    `covered_from` is the first day of cover that it had bought when the day began, None if it had bought
    nothing. Such a bill can still be priced as if it was issued today: its price does not depend on what it
    was before.
    """

    bill: BillState
    months: int
    covered_from: date | None


def bills_under_way(books: HouseholdBooks, on: date, since: date) -> list[BillUnderWay]:
    """Returns the dues bills whose period is not over on the day `on`, for a difference from `since` on."""
    cover_bought = cover_periods.periods_bought(
        books.version_of, books.bills, cover_periods.left_after_reversals(books.paid, on)
    )
    bills = []
    for bill in books.bills:
        version = books.version_of(bill.version)
        if bill.kind != BillKind.DUES or version.forgives(bill.issued, bill.period_until, bill.option, on):
            continue
        months = version.option(bill.option).months
        periods = [period for period in cover_bought if period.bill.bill_id == bill.bill_id]
        if _months_to_come(bill, months, periods, on):
            whole = version.adjustment.prorata == "whole"
            left = months if whole else _months_to_come(bill, months, periods, since)
            bought = [period.since for period in periods if period.known_since < on]
            bills.append(BillUnderWay(bill, left, min(bought, default=None)))
    return bills


def _months_to_come(bill: BillState, months: int, periods: Sequence[CoverPeriod], day: date) -> int:
    """Returns how many of a bill's `months` are to come on a day.

    In a fixed year these are the months until its end, else those not yet bought and those bought that are
    not over, counted as `BoughtMonths` counts them, also where a correction pauses the cover. `periods` are
    the cover periods bought by this bill.
    """
    if bill.period_until is not None:
        return min(months, _months_until(day, bill.period_until))
    bought_by_stage = {period.stage: period.bought for period in periods}
    return months - sum(int(bought.months_before(day)) for bought in bought_by_stage.values())


def _months_until(day: date, until: date) -> int:
    """Returns how many months that begin on `day` it takes to reach `until`; 0 if it is over."""
    months = 0
    while day <= until and last_day(day, months + 1) <= until:
        months += 1
    return months + (day <= until and (months == 0 or last_day(day, months) < until))
