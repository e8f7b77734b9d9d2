"""Prices every bill again by its own rules, people, category and day (I11).

Bills that are alike are read as one row and priced once. An adjustment is not priced again: its price depends
on what the household had paid by then, and the trail names its shares.
"""

from collections.abc import Iterator
from dataclasses import astuple
from datetime import date
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from mutuelle.contributions.quotes import PriceLine, price_of
from mutuelle.errors import Conflict, Refused
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import MEMBER, BillKind
from mutuelle.schemes.version_rules import Version

ROWS_PER_BATCH = 2_000  # bounds the memory, however many kinds of bills there are
_ALIKE = text("""
WITH shares AS (
    SELECT tenant_id, bill_id, jsonb_agg(jsonb_build_array(payer, amount, rule) ORDER BY payer) AS lines
    FROM bill_lines WHERE adjustment_id IS NULL GROUP BY 1, 2
), priced AS (
    SELECT b.id, b.scheme, b.version, b.option, b.category, b.born, b.kind, b.issued, b.period_from,
        b.period_until, b.currency, b.total, s.lines,
        b.issued = min(b.issued) OVER (PARTITION BY b.tenant_id, b.household_id) AS is_first
    FROM bills b LEFT JOIN shares s ON s.tenant_id = b.tenant_id AND s.bill_id = b.id
)
SELECT scheme, version, option, category, born, kind, issued, period_from, period_until, currency, total,
    lines, is_first, array_agg(id ORDER BY id) AS ids
FROM priced GROUP BY scheme, version, option, category, born, kind, issued, period_from, period_until,
    currency, total, lines, is_first
""")


def differing(session: Session) -> Iterator[str]:
    """Yields the bills that their rules would price otherwise, or cannot price."""
    for rows in session.execute(_ALIKE, execution_options={"yield_per": ROWS_PER_BATCH}).partitions():
        for row in rows:
            if not _is_as_ruled(row):
                yield from (f"bill {bill_id}" for bill_id in row.ids)


def _is_as_ruled(row: Row[Any]) -> bool:
    stored = sorted(tuple(line) for line in row.lines or ())
    try:
        scheme = schemes.get(row.scheme)
        version = scheme.version(row.version)
        lines = _lines(row, version)
        period = _is_period(row, version)
    except (Refused, Conflict, KeyError, ValueError):
        return False
    return (
        stored == sorted(astuple(line) for line in lines)
        and row.total == sum(line.amount for line in lines)
        and row.currency == scheme.currency
        and period
    )


def _lines(row: Row[Any], version: Version) -> list[PriceLine]:
    """Returns the lines that the rules give the bill."""
    category, rule = version.category(row.category), f"{row.scheme}/{version.since.isoformat()}"
    price = price_of(version, category, row.born, row.option, row.issued)
    if row.kind == BillKind.JOINING:
        people = price.people if version.joining.per == "person" else 1
        return [PriceLine(MEMBER, version.joining.amount * people, f"{rule}/joining")]
    shares = price.shares.items()
    return [PriceLine(payer, amount, f"{rule}/{category.code}/{payer}") for payer, amount in shares if amount]


def _is_period(row: Row[Any], version: Version) -> bool:
    """Whether the bill's fixed year is that of its day, or for a renewal the next one."""
    if row.kind == BillKind.JOINING:
        return row.period_from is None
    ahead = date.fromordinal(row.issued.toordinal() + version.cycle.ahead_days)
    first = version.period(ahead, row.option)
    if first is None or row.period_from is None:
        return first is None and row.period_from is None
    following = version.period(first[0].replace(year=first[0].year + 1), row.option)
    return (row.period_from, row.period_until) in ((first,) if row.is_first else (first, following))
