"""Attested: a checked category has its evidence, a number of a registry proves one household a day, who must
be proven first was, a household is one thing a day, a member's class is of a member of that household while
there, and every appeal has its deadline (I12).
"""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle.schemes import schemes

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
# A proof that was refused on its first day held on no day, but the bill was written while it did.
_BEFORE_ITS_PROOF = """
SELECT b.id FROM bills b JOIN unnest(CAST(:schemes AS text[]), CAST(:versions AS date[]), CAST(:categories AS
text[]))
    AS first (scheme, version, category) USING (scheme, version, category)
WHERE b.kind = 'dues' AND NOT EXISTS (SELECT FROM categories c WHERE c.tenant_id = b.tenant_id
    AND c.household_id = b.household_id AND c.category = b.category AND c.standing = 'checked' AND c.since <=
    b.issued AND (c.until IS NULL OR c.until >= b.issued OR c.until < c.since)) ORDER BY b.id
"""
_TWO_OF_ONE_NUMBER = """
SELECT DISTINCT b.id FROM categories a JOIN categories b ON b.tenant_id = a.tenant_id
    AND b.reference_index = a.reference_index AND b.household_id <> a.household_id AND (b.at, b.id) > (a.at,
    a.id)
WHERE a.standing = 'checked' AND b.standing = 'checked' AND a.evidence IN ('registry-number', 'list')
    AND b.evidence IN ('registry-number', 'list') AND (a.until IS NULL OR a.until >= a.since)
    AND (b.until IS NULL OR b.until >= b.since)
    AND a.since <= coalesce(b.until, 'infinity') AND b.since <= coalesce(a.until, 'infinity') ORDER BY b.id
"""
_NOBODYS = """
SELECT c.id FROM member_classes c JOIN members m ON m.tenant_id = c.tenant_id AND m.id = c.member_id
WHERE m.household_id <> c.household_id OR c.since < m.since OR c.since > m.until OR EXISTS (SELECT FROM
member_classes o
    WHERE o.tenant_id = c.tenant_id AND o.member_id = c.member_id AND o.code = c.code AND o.id > c.id
    AND o.since <= coalesce(c.until, 'infinity') AND c.since <= coalesce(o.until, 'infinity')) ORDER BY c.id
"""
_ENDLESS = """
SELECT k.id FROM tickets k JOIN tenants t ON t.id = k.tenant_id
WHERE k.deadline <= (k.opened_at AT TIME ZONE t.zone)::date ORDER BY k.id
"""


def broken(session: Session) -> Iterator[str]:
    """What is wrong, by record."""
    yield from (
        f"I12 category {row}: is checked without evidence" for row in session.scalars(text(_UNPROVEN))
    )
    rows = session.scalars(text(_TWO_OF_ONE_NUMBER))
    yield from (
        f"I12 category {row}: is checked by a registry's number that proves another household" for row in rows
    )
    yield from (
        f"I12 household {row}: has two categories on one day" for row in session.scalars(text(_TWICE))
    )
    rows = session.scalars(text(_BEFORE_ITS_PROOF), _proof_first())
    yield from (f"I12 bill {row}: its category must be proven first, and was not" for row in rows)
    yield from (
        f"I5 class {row}: is of nobody there, or twice on one day" for row in session.scalars(text(_NOBODYS))
    )
    yield from (
        f"I12 ticket {row}: its deadline was over when it came" for row in session.scalars(text(_ENDLESS))
    )


def _proof_first() -> dict[str, list[object]]:
    """The categories nobody is billed under before they are proven, by rule book and version."""
    found = [
        (code, version.since, category.code)
        for code, book in schemes.load().items()
        for version in book.versions
        for category in version.categories
        if category.proof_first
    ]
    return {
        "schemes": [one[0] for one in found],
        "versions": [one[1] for one in found],
        "categories": [one[2] for one in found],
    }
