"""Proofs that wait: whose claims nobody has looked at, whose evidence ends soon or is over, and who left a
registry's list."""

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

SOON = timedelta(30)
Claims = Select[CategoryClaim, str]


@dataclass(frozen=True)
class PendingProof:
    """One household whose proof waits or ends: `since` it claims, or `until` its evidence holds."""

    household_id: UUID
    number: str
    category: str
    since: date
    until: date | None
    evidence: str | None


def categories_to_prove(tenant: Tenant) -> tuple[str, ...]:
    """The categories a claim alone does not bring, under today's rules."""
    rules = schemes.get(tenant.scheme).on(clock.today(tenant.zone)).categories
    return tuple(rule.code for rule in rules if rule.proof_first or rule.billed_as != rule.code)


def claims_to_check(
    session: Session, tenant: Tenant, *, skip: int = 0, limit: int = 10
) -> list[PendingProof]:
    """Households that claim what must be proven, those with a number to look up first, then the oldest."""
    mine = _last(tenant.id).where(
        CategoryClaim.standing == "claimed", CategoryClaim.category.in_(categories_to_prove(tenant))
    )
    order = (CategoryClaim.evidence.is_(None), CategoryClaim.since, CategoryClaim.id)
    return _told(session, mine.order_by(*order).offset(skip).limit(limit))


def proofs_near_end(
    session: Session, tenant: Tenant, *, skip: int = 0, limit: int = 10
) -> list[PendingProof]:
    """Households whose evidence ends within a month, the first to end first."""
    today = clock.today(tenant.zone)
    soon = _last(tenant.id).where(
        CategoryClaim.standing == "checked", CategoryClaim.until.between(today, today + SOON)
    )
    return _told(session, soon.order_by(CategoryClaim.until, CategoryClaim.id).offset(skip).limit(limit))


def expired_proofs(session: Session, tenant_id: UUID, today: date, limit: int) -> Sequence[CategoryClaim]:
    """Checked rows whose evidence is over and after which nothing was written."""
    ended = _last(tenant_id).where(CategoryClaim.standing == "checked", CategoryClaim.until < today)
    return [row.CategoryClaim for row in session.execute(ended.order_by(CategoryClaim.until).limit(limit))]


# The line that proves a household was last on a list that is not the newest one of its registry.
_OUT = """
FROM categories c JOIN households h ON h.tenant_id = c.tenant_id AND h.id = c.household_id
JOIN registry_entries e ON e.tenant_id = c.tenant_id AND e.number_index = c.reference_index
LEFT JOIN registry_lists l ON l.tenant_id = e.tenant_id AND l.id = e.list_id
JOIN LATERAL (SELECT n.id, n.at, n.source FROM registry_lists n WHERE n.tenant_id = c.tenant_id
    AND n.source = coalesce(l.source, 'social') ORDER BY n.at DESC, n.id DESC LIMIT 1) newest
    ON newest.id IS DISTINCT FROM e.list_id
WHERE c.tenant_id = :tenant AND c.standing = 'checked' AND c.evidence IN ('list', 'registry-number') AND
c.since <= :today
    AND (c.until IS NULL OR c.until >= :today)
"""
_UNLISTED = text(
    "SELECT c.household_id, h.number, c.category, c.since, c.until, c.evidence, newest.at"
    + _OUT
    + "ORDER BY newest.at, c.id OFFSET :skip LIMIT :limit"
)
_LEFT_OUT = text("SELECT count(*)" + _OUT + "AND newest.source = :source")


def households_off_list(
    session: Session, tenant: Tenant, *, skip: int = 0, limit: int = 10
) -> list[tuple[PendingProof, date]]:
    """Households whose proof is a line of a registry that is on its newest list no more, and the day that
    list came.

    Nothing is taken from them: a person looks, and refuses the proof or notes a new one.
    """
    asked = {"tenant": tenant.id, "today": clock.today(tenant.zone), "skip": skip, "limit": limit}
    return [
        (PendingProof(*row[:6]), clock.local_date(row[6], tenant.zone))
        for row in session.execute(_UNLISTED, asked)
    ]


def count_off_list(session: Session, tenant: Tenant, registry: str) -> int:
    """How many households `unlisted` names because of the newest list of one registry."""
    asked = {"tenant": tenant.id, "today": clock.today(tenant.zone), "source": registry}
    return int(session.execute(_LEFT_OUT, asked).scalar_one())


def _last(tenant_id: UUID) -> Claims:
    """The last row of each household that held on a day, and the household."""
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


def _told(session: Session, query: Claims) -> list[PendingProof]:
    return [
        PendingProof(row.household_id, number, row.category, row.since, row.until, row.evidence)
        for row, number in session.execute(query)
    ]
