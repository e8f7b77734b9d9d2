"""Checks cover and claims against the money that really moved, without the product's rules.

It judges households that always owe a share themselves: no category was ever proven for them, and no sponsor
ever helped them. Such a household has no open day before the day of its first payment, none from today on
when all that it paid went back, and nothing is claimed for it while it has paid nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

PAYING = """
SELECT h.id, t.zone FROM households h JOIN tenants t ON t.id = h.tenant_id
WHERE NOT EXISTS (SELECT FROM categories c WHERE c.household_id = h.id AND c.standing = 'checked')
AND NOT EXISTS (SELECT FROM sponsorships s WHERE s.household_id = h.id)
ORDER BY h.number
"""
OPEN = "SELECT household_id, since, until FROM rights WHERE state = 'open' ORDER BY household_id, since"
CLAIMED = """
SELECT l.household_id, sum(l.amount)::bigint FROM claim_lines l
JOIN subsidy_claims s ON s.tenant_id = l.tenant_id AND s.id = l.claim_id AND s.state <> 'cancelled'
LEFT JOIN claim_answers a ON a.tenant_id = l.tenant_id AND a.line_id = l.id
WHERE a.answer IS DISTINCT FROM 'rejected' GROUP BY 1
"""


@dataclass
class PaidMoney:
    """What really came from one household: the moments, and the units that did not go back."""

    moments: list[datetime] = field(default_factory=list)
    kept: int = 0

    def add(self, at: datetime, amount: int, gone: int) -> None:
        """Adds a movement of which `gone` units went back."""
        self.moments.append(at)
        self.kept += amount - gone


def broken(books: psycopg.Connection, paid: Mapping[Any, PaidMoney], now: datetime) -> list[str]:
    """Returns what is open or claimed without money; `paid` is by household."""
    lines = []
    zones: dict[Any, str] = dict(books.execute(PAYING).fetchall())
    for household_id, since, until in books.execute(OPEN):
        if household_id not in zones:
            continue
        zone, money = ZoneInfo(zones[household_id]), paid.get(household_id, PaidMoney())
        first = min((moment.astimezone(zone).date() for moment in money.moments), default=date.max)
        today = now.astimezone(zone).date()
        if since < first:
            lines.append(f"FREE-COVER {household_id}: open from {since}, paid first on {first}")
        elif money.kept <= 0 and (until is None or until >= today):
            lines.append(f"FREE-COVER {household_id}: open until {until}, all its money went back")
    for household_id, units in books.execute(CLAIMED):
        if household_id in zones and household_id not in paid and units:
            lines.append(f"CLAIMED-UNPAID {household_id}: {units} claimed, nothing was paid")
    return lines
