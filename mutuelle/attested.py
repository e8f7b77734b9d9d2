"""Attested: a checked category has its evidence, a household is one thing a day, and every appeal has its deadline (I12)."""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

_UNPROVEN = """
SELECT id FROM categories WHERE standing = 'checked' AND (evidence IS NULL OR actor IS NULL OR at IS NULL
    OR (evidence <> 'agent-visit' AND reference_index IS NULL)) ORDER BY id
"""
# A row that ended before it began held on no day.
_TWICE = """
SELECT DISTINCT a.household_id FROM categories a JOIN categories b
    ON b.tenant_id = a.tenant_id AND b.household_id = a.household_id AND b.id > a.id
WHERE (a.until IS NULL OR a.until >= a.since) AND (b.until IS NULL OR b.until >= b.since)
    AND a.since <= coalesce(b.until, 'infinity') AND b.since <= coalesce(a.until, 'infinity') ORDER BY 1
"""
_ENDLESS = """
SELECT k.id FROM tickets k JOIN tenants t ON t.id = k.tenant_id
WHERE k.deadline <= (k.opened_at AT TIME ZONE t.zone)::date ORDER BY k.id
"""


def broken(session: Session) -> Iterator[str]:
    """What is wrong, by record."""
    yield from (f"I12 category {row}: is checked without evidence" for row in session.scalars(text(_UNPROVEN)))
    yield from (f"I12 household {row}: has two categories on one day" for row in session.scalars(text(_TWICE)))
    yield from (f"I12 ticket {row}: its deadline was over when it came" for row in session.scalars(text(_ENDLESS)))
