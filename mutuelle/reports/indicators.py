"""Indicators: what a regulator reads of one mutuelle and one month, each with its formula, numerator and
denominator.

All stand as of the last day of the month. They are counted from facts that carry a date, so a past month told
again says the same. One thing may still move it, and must: money that moved in the month and is found later
counts for rights on the day it moved (`rights.py`), so the people covered on a past day can grow by who had
paid in time. What the books had received and matched counts by the moment it was written, and never changes.
The queries stand in `indicators.sql`; whoever asks them is the auditor, and each names the one mutuelle it is
about.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle.errors import Malformed
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports import daybook, statements
from mutuelle.reports.indicator_list import PLACES
from mutuelle.schemes import schemes
from mutuelle.schemes.versions import months_after

COHORTS = 12  # months of bills whose collection is shown by month


@dataclass(frozen=True)
class Month:
    """A month of a mutuelle's calendar. `last` is its last day, or today while it runs; then it is not
    `over`."""

    first: date
    last: date
    over: bool

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"


@dataclass(frozen=True)
class Reading:
    """One value: the whole, or where `by` is told the part `slice` of it. `behind` is how many people,
    households, receipts or sessions the numerator stands for; a denominator of None is not known, or not
    needed."""

    code: str
    by: str
    slice: str
    numerator: int
    denominator: int | None
    behind: int

    @property
    def per_mille(self) -> int | None:
        """The quotient in thousandths, halves away from 0; None without a denominator."""
        if not self.denominator:
            return None
        whole = (2000 * abs(self.numerator) + self.denominator) // (2 * self.denominator)
        return -whole if self.numerator < 0 else whole


_STATEMENTS = statements.load(Path(__file__).with_name("indicators.sql"))
# The members of a large mutuelle are then sorted in memory and not on disk.
_WORK_MEM = text("SELECT set_config('work_mem', '64MB', true)")


def month(told: str, today: date) -> Month:
    """The month `2026-11` as of the local date `today`. Malformed: not a month, or one that has not begun."""
    if not re.fullmatch(r"\d{4}-\d{2}", told):
        raise Malformed("a month is told as 2026-11")
    try:
        first = date.fromisoformat(f"{told}-01")
        last = months_after(first, 1) - timedelta(1)
    except ValueError as error:
        raise Malformed(f"there is no month {told}") from error
    if first > today:
        raise Malformed(f"the month {told} has not begun")
    return Month(first, min(last, today), last < today)


def last_over(today: date) -> Month:
    """The newest month that is over."""
    return month(f"{today.replace(day=1) - timedelta(1):%Y-%m}", today)


def read(session: Session, tenant: Tenant, of: Month, target: int | None) -> list[Reading]:
    """Every value of one mutuelle, the whole before its parts; `target` is its target population, None when
    nobody told it."""
    rules = schemes.get(tenant.scheme).on(of.last)
    since, _ = daybook.day_bounds(of.first, tenant.zone)
    _, until = daybook.day_bounds(of.last, tenant.zone)
    asked = {
        "tenant": tenant.id,
        "last": of.last,
        "year_ago": months_after(of.first, -11) - timedelta(1) if of.over else months_after(of.last, -12),
        "cohorts_from": months_after(of.first, 1 - COHORTS),
        "since": since,
        "until": until,
        "target": target,
        "people_max": rules.household.people_max,
        "spared_below": rules.waiting.waived_below,
    }
    session.execute(_WORK_MEM)
    rows = [
        row
        for query in _STATEMENTS
        for row in session.execute(query.statement, asked)
        if row.numerator is not None
    ]
    found = [
        Reading(row.code, row.by, row.slice, int(row.numerator), _whole(row.denominator), int(row.behind))
        for row in rows
    ]
    return sorted(found, key=lambda one: (PLACES[one.code], one.by, one.slice))


def _whole(denominator: object) -> int | None:
    return None if denominator is None else int(str(denominator))
