"""Questions about categories: checked by evidence, one on a day, and written when the trail says."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle.schemes import schemes
from mutuelle.verification.question import Question, query

_UNPROVEN = """
SELECT id FROM categories
WHERE standing = 'checked' AND (evidence IS NULL OR actor IS NULL OR at IS NULL
    OR (evidence <> 'agent-visit' AND reference_index IS NULL))
"""
# The categories `a` and `b` hold on a common day. A row that ended before it began held on no day.
_ON_ONE_DAY = """
    (a.until IS NULL OR a.until >= a.since) AND (b.until IS NULL OR b.until >= b.since)
    AND a.since <= coalesce(b.until, 'infinity') AND b.since <= coalesce(a.until, 'infinity')
"""
_TWO_CATEGORIES = f"""
SELECT DISTINCT a.household_id FROM categories a
JOIN categories b ON b.tenant_id = a.tenant_id AND b.household_id = a.household_id AND b.id > a.id
WHERE {_ON_ONE_DAY}
"""  # noqa: S608 - only our own text
TWO_OF_ONE_NUMBER = f"""
SELECT DISTINCT b.id FROM categories a
JOIN categories b ON b.tenant_id = a.tenant_id AND b.reference_index = a.reference_index
    AND b.household_id <> a.household_id AND (b.at, b.id) > (a.at, a.id)
WHERE a.standing = 'checked' AND b.standing = 'checked'
    AND a.evidence IN ('registry-number', 'list') AND b.evidence IN ('registry-number', 'list')
    AND {_ON_ONE_DAY}
"""  # noqa: S608 - only our own text
# A proof that was refused on its first day held on no day, but the bill was written while it did.
_BEFORE_ITS_PROOF = text("""
SELECT b.id FROM bills b
JOIN unnest(CAST(:schemes AS text[]), CAST(:versions AS date[]), CAST(:categories AS text[]))
    AS first (scheme, version, category) USING (scheme, version, category)
WHERE b.kind = 'dues' AND NOT EXISTS (
    SELECT FROM categories c
    WHERE c.tenant_id = b.tenant_id AND c.household_id = b.household_id AND c.category = b.category
    AND c.standing = 'checked' AND c.since <= b.issued
    AND (c.until IS NULL OR c.until >= b.issued OR c.until < c.since))
ORDER BY b.id
""")
_TRAIL = """
SELECT c.id FROM categories c
LEFT JOIN whole_audit t ON t.tenant_id = c.tenant_id AND t.subject = 'household:' || c.household_id
    AND t.facts ->> 'category' = c.category
    AND (c.at IS NULL OR abs(extract(epoch FROM t.at - c.at)) < 300) AND (
        (t.action = 'category-' || c.standing AND t.facts ->> 'evidence' IS NOT DISTINCT FROM c.evidence
            AND t.facts ->> 'why' IS NOT DISTINCT FROM c.why)
        OR (t.action = 'enrol' AND t.facts ->> 'standing' = c.standing))
WHERE t.id IS NULL
"""
# A category with a moment begins on that day, or on an earlier one that the manager names.
_SINCE = """
SELECT c.id FROM categories c
JOIN tenants t ON t.id = c.tenant_id
JOIN households h ON h.tenant_id = c.tenant_id AND h.id = c.household_id
WHERE c.since > (coalesce(c.at, h.joined_at) AT TIME ZONE t.zone)::date
    OR (c.since < (h.joined_at AT TIME ZONE t.zone)::date - 1 AND c.standing <> 'checked')
"""


def _billed_before_proof(session: Session) -> list[str]:
    """Returns the bills of a category that must be proven before it is billed, and was not."""
    rows = [
        (code, version.since, category.code)
        for code, book in schemes.known().items()
        for version in book.versions
        for category in version.categories
        if category.proof_first
    ]
    values = {
        "schemes": [code for code, _, _ in rows],
        "versions": [since for _, since, _ in rows],
        "categories": [category for _, _, category in rows],
    }
    return [f"bill {bill_id}" for bill_id in session.scalars(_BEFORE_ITS_PROOF, values)]


QUESTIONS: tuple[Question, ...] = (
    query("category-evidence", "I12", "A checked category has its evidence.", "category {}", _UNPROVEN),
    query(
        "category-number",
        "I12",
        "A registry's number proves one household on a day.",
        "category {}",
        TWO_OF_ONE_NUMBER,
    ),
    query("category-once", "I12", "A household has one category on a day.", "household {}", _TWO_CATEGORIES),
    Question(
        "category-first",
        "I12",
        "A category that must be proven before it is billed was proven by then.",
        _billed_before_proof,
    ),
    query(
        "category-trail",
        "I8",
        "The trail says when each category was claimed, checked or refused.",
        "category {}",
        _TRAIL,
    ),
    query(
        "category-since",
        "I13",
        "A category begins no later than the day it was written, and a claim not before its household.",
        "category {}",
        _SINCE,
    ),
)
