"""Computes the regulator's indicators of one mutuelle and one month: numerator, denominator and slices.

`indicators.sql` holds the queries, `indicator_list.py` the definition of each indicator in words.

All values are as of the last day of the month. They are counted from dated facts, so a past month computed
again gives the same values, with one exception: money that moved in the month and is found later counts for
rights on the day it moved (`household_rights.py`), so the number of people covered on a past day can grow
by those who had paid in time. Received and matched payments count by the moment they were written, and
never change. `indicators.sql` holds the queries; each is limited to one mutuelle.
"""

import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle.billing import renewals
from mutuelle.contributions.quotes import ADULT
from mutuelle.errors import Malformed
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports import daybook, statements
from mutuelle.reports.indicator_list import PLACES
from mutuelle.schemes import schemes
from mutuelle.schemes.version_rules import Version, months_after

COHORTS = 12  # months of bills whose collection is shown by month


@dataclass(frozen=True)
class Month:
    """A month of a mutuelle's calendar; `last` is its last day, or today while it is not `over`."""

    first: date
    last: date
    over: bool

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"


@dataclass(frozen=True)
class Reading:
    """One value of an indicator: of the whole (`by` is empty), or of one `slice` of it.

    `behind` is the number of people, households, receipts or sessions that the numerator stands for. The
    denominator is None where it is not known or not needed.
    """

    code: str
    by: str
    slice: str
    numerator: int
    denominator: int | None
    behind: int

    @property
    def per_mille(self) -> int | None:
        """The quotient in thousandths, rounded half away from 0; None without a denominator."""
        if not self.denominator:
            return None
        whole = (2000 * abs(self.numerator) + self.denominator) // (2 * self.denominator)
        return -whole if self.numerator < 0 else whole


_STATEMENTS = statements.load(Path(__file__).with_name("indicators.sql"))
# The members of a large mutuelle are then sorted in memory and not on disk.
_WORK_MEM = text("SELECT set_config('work_mem', '64MB', true)")


def month(name: str, today: date) -> Month:
    """Reads a month written as `2026-11`. Raises Malformed if it is none, or has not begun by `today`."""
    if not re.fullmatch(r"\d{4}-\d{2}", name):
        raise Malformed("write a month as 2026-11")
    try:
        first = date.fromisoformat(f"{name}-01")
        last = months_after(first, 1) - timedelta(1)
    except ValueError as error:
        raise Malformed(f"there is no month {name}") from error
    if first > today:
        raise Malformed(f"the month {name} has not begun")
    return Month(first, min(last, today), last < today)


def last_over(today: date) -> Month:
    """Returns the newest month that is over."""
    return month(f"{today.replace(day=1) - timedelta(1):%Y-%m}", today)


def read(session: Session, tenant: Tenant, of: Month, target: int | None) -> list[Reading]:
    """Returns every value of one mutuelle, the whole before its slices.

    `target` is the mutuelle's target population, None if not known. The session has the role AUDITOR.
    """
    versions = schemes.get(tenant.scheme).versions
    cohorts_from = months_after(of.first, 1 - COHORTS)
    since, _ = daybook.day_bounds(of.first, tenant.zone)
    _, until = daybook.day_bounds(of.last, tenant.zone)
    values = {
        "tenant": tenant.id,
        "last": of.last,
        "year_ago": months_after(of.first, -11) - timedelta(1) if of.over else months_after(of.last, -12),
        "cohorts_from": cohorts_from,
        "year_since": daybook.day_bounds(cohorts_from, tenant.zone)[0],
        "since": since,
        "until": until,
        "target": target,
        "rules": json.dumps([_covered_people(version) for version in versions], default=str),
        "lead": max(renewals.lead_days(version) for version in versions),
        "adult": ADULT,
    }
    session.execute(_WORK_MEM)
    rows = [
        row
        for query in _STATEMENTS
        for row in session.execute(query.statement, values)
        if row.numerator is not None
    ]
    readings = [
        Reading(row.code, row.by, row.slice, int(row.numerator), _whole(row.denominator), int(row.behind))
        for row in rows
    ]
    return sorted(readings, key=lambda reading: (PLACES[reading.code], reading.by, reading.slice))


def _covered_people(version: Version) -> dict[str, object]:
    """Returns the age limits and relationships of the rules as a row of the table `rules` in the queries."""
    return {
        "version": version.since,
        "people_max": version.household.people_max,
        "spared_below": version.waiting.waived_below,
        **version.dependants.model_dump(
            include={"child_below", "student_below", "disabled_any_age", "relationships"}
        ),
    }


def _whole(denominator: object) -> int | None:
    return None if denominator is None else int(str(denominator))
