"""Checks (I12): every verified category has evidence, and no household has two categories on one day.

Also: one registry number proves one household on a day, a category that must be proven before it is billed
was proven, and every appeal has a deadline after the day it came. I5: a member's status belongs to a member
of its household, once a day.
"""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle.organisation import mutuelle_day
from mutuelle.schemes import schemes

_UNPROVEN = """
SELECT id FROM categories
WHERE standing = 'checked' AND (evidence IS NULL OR actor IS NULL OR at IS NULL
    OR (evidence <> 'agent-visit' AND reference_index IS NULL))
ORDER BY id
"""
# The categories `a` and `b` hold on a common day. A row that ended before it began held on no day.
_ON_ONE_DAY = """
    (a.until IS NULL OR a.until >= a.since) AND (b.until IS NULL OR b.until >= b.since)
    AND a.since <= coalesce(b.until, 'infinity') AND b.since <= coalesce(a.until, 'infinity')
"""
# Only our own text goes into these statements.
_TWO_CATEGORIES = f"""
SELECT DISTINCT a.household_id FROM categories a
JOIN categories b ON b.tenant_id = a.tenant_id AND b.household_id = a.household_id AND b.id > a.id
WHERE {_ON_ONE_DAY}
ORDER BY 1
"""  # noqa: S608
_TWO_OF_ONE_NUMBER = f"""
SELECT DISTINCT b.id FROM categories a
JOIN categories b ON b.tenant_id = a.tenant_id AND b.reference_index = a.reference_index
    AND b.household_id <> a.household_id AND (b.at, b.id) > (a.at, a.id)
WHERE a.standing = 'checked' AND b.standing = 'checked'
    AND a.evidence IN ('registry-number', 'list') AND b.evidence IN ('registry-number', 'list')
    AND {_ON_ONE_DAY}
ORDER BY b.id
"""  # noqa: S608
# A proof that was refused on its first day held on no day, but the bill was written while it did.
_BEFORE_ITS_PROOF = """
SELECT b.id FROM bills b
JOIN unnest(CAST(:schemes AS text[]), CAST(:versions AS date[]), CAST(:categories AS text[]))
    AS first (scheme, version, category) USING (scheme, version, category)
WHERE b.kind = 'dues' AND NOT EXISTS (
    SELECT FROM categories c
    WHERE c.tenant_id = b.tenant_id AND c.household_id = b.household_id AND c.category = b.category
    AND c.standing = 'checked' AND c.since <= b.issued
    AND (c.until IS NULL OR c.until >= b.issued OR c.until < c.since))
ORDER BY b.id
"""
_MISPLACED_STATUS = """
SELECT c.id FROM member_classes c
JOIN members m ON m.tenant_id = c.tenant_id AND m.id = c.member_id
WHERE m.household_id <> c.household_id OR c.since < m.since OR c.since > m.until OR EXISTS (
    SELECT FROM member_classes o
    WHERE o.tenant_id = c.tenant_id AND o.member_id = c.member_id AND o.code = c.code AND o.id > c.id
    AND o.since <= coalesce(c.until, 'infinity') AND c.since <= coalesce(o.until, 'infinity'))
ORDER BY c.id
"""
_LATE_DEADLINE = """
SELECT k.id FROM tickets k
JOIN tenants t ON t.id = k.tenant_id
WHERE CASE WHEN t.zone = ANY(:zones) THEN k.deadline <= (k.opened_at AT TIME ZONE t.zone)::date END
ORDER BY k.id
"""
_MESSAGES = {
    _UNPROVEN: "I12 category {}: is checked without evidence",
    _TWO_OF_ONE_NUMBER: "I12 category {}: is checked by a registry's number that proves another household",
    _TWO_CATEGORIES: "I12 household {}: has two categories on one day",
    _BEFORE_ITS_PROOF: "I12 bill {}: its category must be proven first, and was not",
    _MISPLACED_STATUS: "I5 class {}: belongs to no member of the household, or is recorded twice for one day",
    _LATE_DEADLINE: "I12 ticket {}: its deadline was over when it came",
}


def broken(session: Session) -> Iterator[str]:
    """Checks everything the transaction may see. Yields what is broken, by record."""
    values = _categories_with_proof_first() | {"zones": mutuelle_day.known_zones(session)}
    for query, message in _MESSAGES.items():
        yield from map(message.format, session.scalars(text(query), values))


def _categories_with_proof_first() -> dict[str, list[object]]:
    """Returns the categories that are billed only once they are proven, by rule book and version."""
    rows = [
        (code, version.since, category.code)
        for code, book in schemes.known().items()
        for version in book.versions
        for category in version.categories
        if category.proof_first
    ]
    return {
        "schemes": [code for code, _, _ in rows],
        "versions": [since for _, since, _ in rows],
        "categories": [category for _, _, category in rows],
    }
