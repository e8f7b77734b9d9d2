"""Lists claims to check, proofs that end soon or have ended, and households off their registry's list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session, aliased

from mutuelle import clock
from mutuelle.households.households import CategoryClaim, Household
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import CategoryState

SOON = timedelta(30)
Claims = Select[CategoryClaim, str]


@dataclass(frozen=True)
class PendingProof:
    """A household with a claim to check or a proof that ends: `since` when, and the proof's last day."""

    household_id: UUID
    number: str
    category: str
    since: date
    until: date | None
    evidence: str | None


def categories_to_prove(tenant: Tenant) -> tuple[str, ...]:
    """Returns the categories that today's rules grant only with a proof."""
    rules = schemes.get(tenant.scheme).on(tenant.today()).categories
    return tuple(rule.code for rule in rules if rule.proof_first or rule.billed_as != rule.code)


def claims_to_check(
    session: Session, tenant: Tenant, *, skip: int = 0, limit: int = 10
) -> list[PendingProof]:
    """Returns claims that need a proof: those with a number to look up first, then the oldest."""
    query = _last_rows(tenant.id).where(
        CategoryClaim.standing == CategoryState.CLAIMED,
        CategoryClaim.category.in_(categories_to_prove(tenant)),
    )
    order = (CategoryClaim.evidence.is_(None), CategoryClaim.since, CategoryClaim.id)
    return _read(session, query.order_by(*order).offset(skip).limit(limit))


def proofs_near_end(
    session: Session, tenant: Tenant, *, skip: int = 0, limit: int = 10
) -> list[PendingProof]:
    """Returns proofs that end within 30 days, the first to end first."""
    today = tenant.today()
    query = _last_rows(tenant.id).where(
        CategoryClaim.standing == CategoryState.CHECKED, CategoryClaim.until.between(today, today + SOON)
    )
    return _read(session, query.order_by(CategoryClaim.until, CategoryClaim.id).offset(skip).limit(limit))


def expired_proofs(session: Session, tenant_id: UUID, today: date, limit: int) -> Sequence[CategoryClaim]:
    """Returns the checked rows whose proof has ended and that are still the household's last row."""
    query = _last_rows(tenant_id).where(
        CategoryClaim.standing == CategoryState.CHECKED, CategoryClaim.until < today
    )
    return [row.CategoryClaim for row in session.execute(query.order_by(CategoryClaim.until).limit(limit))]


# The line that proves a household was last on a list that is not the newest list of its registry.
_OFF_LIST = """
FROM categories c
JOIN households h ON h.tenant_id = c.tenant_id AND h.id = c.household_id
JOIN registry_entries e ON e.tenant_id = c.tenant_id AND e.number_index = c.reference_index
LEFT JOIN registry_lists l ON l.tenant_id = e.tenant_id AND l.id = e.list_id
JOIN LATERAL (
    SELECT n.id, n.at, n.source FROM registry_lists n
    WHERE n.tenant_id = c.tenant_id AND n.source = coalesce(l.source, 'social')
    ORDER BY n.at DESC, n.id DESC LIMIT 1) newest ON newest.id IS DISTINCT FROM e.list_id
WHERE c.tenant_id = :tenant AND c.standing = 'checked' AND c.evidence IN ('list', 'registry-number')
    AND c.since <= :today AND (c.until IS NULL OR c.until >= :today)
"""
_READ_OFF_LIST = text(
    "SELECT c.household_id, h.number, c.category, c.since, c.until, c.evidence, newest.at"
    + _OFF_LIST
    + "ORDER BY newest.at, c.id OFFSET :skip LIMIT :limit"
)
_COUNT_OFF_LIST = text("SELECT count(*)" + _OFF_LIST + "AND newest.source = :source")


def households_off_list(
    session: Session, tenant: Tenant, *, skip: int = 0, limit: int = 10
) -> list[tuple[PendingProof, date]]:
    """Returns households proven by a line that is not on its registry's newest list, and that list's day.

    They keep their proof until staff refuse it or note a new one.
    """
    values = {"tenant": tenant.id, "today": tenant.today(), "skip": skip, "limit": limit}
    return [
        (PendingProof(*row[:6]), clock.local_date(row[6], tenant.zone))
        for row in session.execute(_READ_OFF_LIST, values)
    ]


def count_off_list(session: Session, tenant: Tenant, registry: str) -> int:
    """Counts the households that the newest list of one registry leaves out."""
    values = {"tenant": tenant.id, "today": tenant.today(), "source": registry}
    return int(session.execute(_COUNT_OFF_LIST, values).scalar_one())


def _last_rows(tenant_id: UUID) -> Claims:
    """Selects the last row of each household that held on some day, and the household's number."""
    later = aliased(CategoryClaim)
    same = (later.tenant_id == CategoryClaim.tenant_id, later.household_id == CategoryClaim.household_id)
    held = (later.until.is_(None)) | (later.until >= later.since)
    after = select(later.id).where(*same, held, later.since > CategoryClaim.since).exists()
    joined = (Household.tenant_id == CategoryClaim.tenant_id) & (Household.id == CategoryClaim.household_id)
    own = (CategoryClaim.until.is_(None)) | (CategoryClaim.until >= CategoryClaim.since)
    return (
        select(CategoryClaim, Household.number)
        .join(Household, joined)
        .where(CategoryClaim.tenant_id == tenant_id, own, ~after)
    )


def _read(session: Session, query: Claims) -> list[PendingProof]:
    return [
        PendingProof(row.household_id, number, row.category, row.since, row.until, row.evidence)
        for row, number in session.execute(query)
    ]
