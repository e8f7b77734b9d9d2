"""Adds up subsidy claims: what was asked, accepted, rejected and paid, by category and by reason left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mutuelle.subsidies.claim_store import Claim, ClaimLeftOut, ClaimLine, belongs_to


@dataclass(frozen=True)
class ClaimSubtotal:
    """Households, lines and units of one category or of one reason; `name` is its code."""

    name: str
    households: int
    lines: int
    units: int


@dataclass(frozen=True)
class ClaimTotals:
    """The units a claim asks, and its payer accepted, rejected and paid; `waiting` counts open lines."""

    requested: int
    accepted: int
    rejected: int
    waiting: int
    paid: int

    @property
    def rest(self) -> int:
        """The units still to come; below 0 they go back to the payer."""
        return self.requested - self.rejected - self.paid

    @property
    def settled(self) -> bool:
        """Whether every line is answered and what was accepted is paid."""
        return not self.waiting and not self.rest


_SUMS = text("""
SELECT coalesce(sum(c.amount), 0) AS asked, count(*) FILTER (WHERE a.answer IS NULL) AS waiting,
    coalesce(sum(c.amount) FILTER (WHERE a.answer = 'accepted'), 0) AS accepted,
    coalesce(sum(c.amount) FILTER (WHERE a.answer = 'rejected'), 0) AS rejected,
    (SELECT coalesce(sum(p.amount), 0) FROM claim_payments p
        WHERE p.tenant_id = :tenant AND p.claim_id = :claim) AS paid
FROM claim_lines c
LEFT JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
WHERE c.tenant_id = :tenant AND c.claim_id = :claim
""")


def sums(session: Session, claim: Claim) -> ClaimTotals:
    """Returns the totals of a claim."""
    row = session.execute(_SUMS, {"tenant": claim.tenant_id, "claim": claim.id}).one()
    return ClaimTotals(int(row.asked), int(row.accepted), int(row.rejected), row.waiting, int(row.paid))


_RESTS = text("""
SELECT s.id AS claim_id, s.total
    - (SELECT coalesce(sum(c.amount), 0) FROM claim_lines c
        JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
        WHERE c.tenant_id = s.tenant_id AND c.claim_id = s.id AND a.answer = 'rejected')
    - (SELECT coalesce(sum(p.amount), 0) FROM claim_payments p
        WHERE p.tenant_id = s.tenant_id AND p.claim_id = s.id) AS rest
FROM subsidy_claims s WHERE s.id = ANY(:claims) AND s.state = 'sent'
""")


def rests(session: Session, claims: Sequence[Claim]) -> dict[UUID, int]:
    """Returns the units still to come, or below 0 to go back, of each claim that is sent and not settled."""
    rows = session.execute(_RESTS, {"claims": [claim.id for claim in claims]})
    return {row.claim_id: int(row.rest) for row in rows}


def by_category(session: Session, claim: Claim) -> list[ClaimSubtotal]:
    """Returns the subtotals of the claim's lines by category."""
    return _subtotals(session, ClaimLine, ClaimLine.category, claim)


def by_reason(session: Session, claim: Claim) -> list[ClaimSubtotal]:
    """Returns the subtotals of what the claim leaves out by reason."""
    return _subtotals(session, ClaimLeftOut, ClaimLeftOut.reason, claim)


def whole_period_rules(session: Session, claim: Claim) -> list[tuple[str, date]]:
    """Returns the rule books and versions by which lines of the claim ask for whole periods, if any do."""
    query = select(ClaimLine.scheme, ClaimLine.version).where(
        belongs_to(ClaimLine, claim), ClaimLine.days.is_(None)
    )
    rows = session.execute(query.distinct().order_by(ClaimLine.scheme, ClaimLine.version))
    return [(scheme, version) for scheme, version in rows]


def people(session: Session, claim: Claim) -> tuple[int, int]:
    """Returns how many households and how many members the claim names."""
    counts = select(func.count(ClaimLine.household_id.distinct()), func.count(ClaimLine.member_id.distinct()))
    row = session.execute(counts.where(belongs_to(ClaimLine, claim))).one()
    return row[0], row[1]


def _subtotals(session: Session, table: Any, column: Any, claim: Claim) -> list[ClaimSubtotal]:
    counts = select(column, func.count(table.household_id.distinct()), func.count(), func.sum(table.amount))
    rows = session.execute(counts.where(belongs_to(table, claim)).group_by(column).order_by(column))
    return [ClaimSubtotal(name, households, lines, int(units)) for name, households, lines, units in rows]
