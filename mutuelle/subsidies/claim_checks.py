"""Checks subsidy claims (I12): makes one again from the books of its draft's moment, and finds wrong ones.

Every franc of a claim names its household, named member, rule and checked evidence; nothing is claimed twice;
no payer has accepted more of a bill than it owes of it; a claim's total, its lines, its hash and the ledger
agree. `mutuelle verify` asks with the queries below, each of which finds what must not exist.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle.organisation import tenants
from mutuelle.subsidies import claim_amounts, claim_csv, claim_facts, claim_store, claim_totals
from mutuelle.subsidies.claim_csv import CsvLine
from mutuelle.subsidies.claim_facts import ClaimScope
from mutuelle.subsidies.claim_lines import ClaimState, DraftLine, LeftOutReason, Period
from mutuelle.subsidies.claim_store import Claim, ClaimLeftOut

# Bill line, member, whether it takes back, first day; the latter only of lines for covered days, of which
# one member may have several.
LineKey = tuple[UUID, UUID, bool, date | None]
# Reasons that new names, consents and evidence may remove after the draft.
REMOVABLE_REASONS = {
    LeftOutReason.PROVISIONAL,
    LeftOutReason.NO_CONSENT,
    LeftOutReason.EVIDENCE_MISSING,
    LeftOutReason.EVIDENCE_EXPIRED,
}
# Fields that may be corrected in the lists of members, proofs and mutuelles; the claim keeps what they were.
CORRECTABLE_FIELDS = {"name", "born", "registry_number", "place"}

# Fields that the lines of a claim of format 1 do not have.
NEW_FIELDS = {"days", "registry_number", "member_paid", "receipts", "household_size", "place"}


@dataclass
class ClaimComparison:
    """How a claim made again differs from the stored one; `since` is what was only learnt after the draft."""

    differences: list[str] = field(default_factory=list)
    since: list[str] = field(default_factory=list)


def remake(session: Session, claim: Claim) -> ClaimComparison:
    """Makes the claim again from the facts known when it was drafted, and returns the differences.

    The facts are bills, money, members, evidence and rule book.
    """
    comparison, stored = ClaimComparison(), claim_store.lines(session, claim)
    csv_lines = [line.csv_line for line in stored]
    if claim_csv.lines_hash(claim.number, claim.currency, csv_lines, claim.format) != claim.lines_hash:
        comparison.differences.append("the hash is not that of the lines")
    tenant = tenants.get(session, claim.tenant_id)
    scope = ClaimScope(tenant.id, tenant.zone, claim.payer, claim.made_at, claim.id, claim.sponsor_id)
    period = Period(claim.period_from, claim.period_until)
    whole = claim.format < 2  # it was drafted before covered days were counted
    facts = claim_facts.read(session, scope, period)
    lines, left_out = claim_amounts.judge(facts, period, again=claim.again, whole=whole)
    remade = {_key(line): line for line in lines}
    reasons = {part.bill_line_id: part.reason for part in left_out if part.reason != LeftOutReason.CLAIMED}
    for csv_line in csv_lines:
        line = remade.pop(_key(csv_line.line), None)
        if line is None:
            reason = reasons.get(csv_line.line.bill_line_id, "no longer owed")
            comparison.differences.append(f"line {csv_line.position}: it could not be claimed ({reason})")
        else:
            _compare(comparison, csv_line, line, NEW_FIELDS if whole else set())
    stored_reasons = _stored_reasons(session, claim)
    for line in remade.values():
        reason = stored_reasons.get(line.bill_line_id, "unknown")
        messages = comparison.since if reason in REMOVABLE_REASONS else comparison.differences
        messages.append(f"household {line.number}: could be claimed, and was left out ({reason})")
    return comparison


def _key(line: DraftLine) -> LineKey:
    return line.bill_line_id, line.member_id, line.amount < 0, line.days_from if line.days else None


def _stored_reasons(session: Session, claim: Claim) -> dict[UUID, str]:
    """Returns why the claim left out each bill line, without what earlier claims asked for."""
    rows = session.scalars(select(ClaimLeftOut).where(claim_store.belongs_to(ClaimLeftOut, claim)))
    return {row.bill_line_id: row.reason for row in rows if row.reason != LeftOutReason.CLAIMED}


def _compare(comparison: ClaimComparison, stored: CsvLine, remade: DraftLine, ignored: set[str]) -> None:
    for name in DraftLine.__dataclass_fields__:
        if name not in ignored and getattr(stored.line, name) != getattr(remade, name):
            messages = comparison.since if name in CORRECTABLE_FIELDS else comparison.differences
            messages.append(f"line {stored.position}: {name} is not what it was")


WRONG_LINES = """
SELECT s.number || ' line ' || c.position FROM claim_lines c
JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id
LEFT JOIN members m ON m.tenant_id = c.tenant_id AND m.id = c.member_id
    AND m.household_id = c.household_id AND NOT m.provisional
LEFT JOIN bill_lines l ON l.tenant_id = c.tenant_id AND l.id = c.bill_line_id AND l.payer = s.payer
    AND (l.rule = c.rule OR EXISTS (SELECT FROM bill_lines k
        JOIN adjustments j ON j.tenant_id = k.tenant_id AND j.id = k.adjustment_id
        WHERE k.tenant_id = l.tenant_id AND k.bill_id = l.bill_id AND k.payer = l.payer AND k.rule = c.rule
        AND k.amount < 0 AND j.reason = 'category' AND j.on_day <= c.days_from))
    AND l.sponsor_id IS NOT DISTINCT FROM s.sponsor_id
LEFT JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
    AND b.household_id = c.household_id AND b.kind = 'dues'
WHERE m.id IS NULL OR b.id IS NULL OR btrim(c.name) = '' OR btrim(c.evidence) = ''
"""
TWICE = """
SELECT l.id FROM bill_lines l
CROSS JOIN LATERAL (
    SELECT member_id, sum(sign(amount)) AS times, sum(amount) AS units FROM live_claim_lines(l.tenant_id)
    WHERE bill_line_id = l.id GROUP BY member_id) c
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(k.days IS NULL), false) AS whole FROM claim_lines k
    JOIN subsidy_claims s ON s.tenant_id = k.tenant_id AND s.id = k.claim_id AND s.state <> 'cancelled'
    WHERE k.tenant_id = l.tenant_id AND k.bill_line_id = l.id) k
WHERE EXISTS (SELECT FROM claim_lines k WHERE k.tenant_id = l.tenant_id AND k.bill_line_id = l.id)
GROUP BY l.tenant_id, l.id, l.amount, k.whole
HAVING (k.whole AND max(c.times * sign(l.amount)) > 1) OR (k.whole AND min(c.times * sign(l.amount)) < 0)
    OR min(c.units * sign(l.amount)) < 0 OR abs(sum(c.units)) > abs(l.amount)
"""
# Looks at each bill without an unanswered line, as the last claim that names the bill left it. A decrease of
# the bill does not count while it is not due: it came after that claim, or the claim left it out for another
# reason than that nothing goes back. A decrease that the payer rejected does not count either.
TOO_MUCH = """
WITH claimed AS (
    SELECT c.tenant_id, c.bill_line_id, c.member_id, c.amount, l.bill_id, l.payer, l.sponsor_id,
        a.answer, a.noted_at
    FROM claim_lines c
    JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id AND s.state <> 'cancelled'
    JOIN bill_lines l ON l.tenant_id = c.tenant_id AND l.id = c.bill_line_id
    LEFT JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
), named AS (
    SELECT tenant_id, claim_id, bill_line_id FROM claim_lines
    UNION SELECT tenant_id, claim_id, bill_line_id FROM claim_left_out
), last AS (
    SELECT DISTINCT ON (l.tenant_id, l.bill_id, l.payer, l.sponsor_id)
        l.tenant_id, l.bill_id, l.payer, l.sponsor_id, s.id, s.made_at, s.period_until
    FROM named n
    JOIN subsidy_claims s ON s.tenant_id = n.tenant_id AND s.id = n.claim_id AND s.state <> 'cancelled'
    JOIN bill_lines l ON l.tenant_id = n.tenant_id AND l.id = n.bill_line_id
    ORDER BY l.tenant_id, l.bill_id, l.payer, l.sponsor_id, s.made_at DESC
), accepted AS (
    SELECT t.tenant_id, t.bill_id, t.payer, t.sponsor_id, t.id, t.made_at, t.period_until,
        sum(c.amount) FILTER (WHERE c.answer = 'accepted') AS units
    FROM last t
    JOIN claimed c ON c.tenant_id = t.tenant_id AND c.bill_id = t.bill_id AND c.payer = t.payer
        AND c.sponsor_id IS NOT DISTINCT FROM t.sponsor_id
    GROUP BY t.tenant_id, t.bill_id, t.payer, t.sponsor_id, t.id, t.made_at, t.period_until
    HAVING bool_and(c.answer IS NOT NULL)
        AND NOT bool_or(c.amount < 0 AND c.answer = 'rejected' AND c.noted_at > t.made_at)
), refused AS (
    SELECT tenant_id, bill_line_id FROM claimed WHERE amount < 0
    GROUP BY tenant_id, bill_line_id, member_id
    HAVING bool_or(answer = 'rejected') AND NOT coalesce(bool_or(answer = 'accepted'), false)
)
SELECT t.bill_id FROM accepted t
JOIN bill_lines l ON l.tenant_id = t.tenant_id AND l.bill_id = t.bill_id AND l.payer = t.payer
    AND l.sponsor_id IS NOT DISTINCT FROM t.sponsor_id
LEFT JOIN adjustments j ON j.tenant_id = l.tenant_id AND j.id = l.adjustment_id
WHERE l.amount > 0 OR (j.on_day <= t.period_until AND j.at <= t.made_at
    AND NOT EXISTS (SELECT FROM claim_left_out o WHERE o.tenant_id = t.tenant_id AND o.claim_id = t.id
        AND o.bill_line_id = l.id AND o.reason NOT IN ('claimed', 'nothing-back'))
    AND (l.tenant_id, l.id) NOT IN (SELECT tenant_id, bill_line_id FROM refused))
GROUP BY t.tenant_id, t.bill_id, t.payer, t.sponsor_id, t.units
HAVING t.units > sum(l.amount)
"""
UNEQUAL = """
SELECT s.number FROM subsidy_claims s
LEFT JOIN claim_lines c ON c.tenant_id = s.tenant_id AND c.claim_id = s.id
GROUP BY s.tenant_id, s.id, s.number, s.lines, s.total
HAVING count(c.id) <> s.lines OR coalesce(sum(c.amount), 0) <> s.total
"""
UNPOSTED = """
SELECT s.number FROM subsidy_claims s
LEFT JOIN entries e ON e.tenant_id = s.tenant_id AND e.reference = 'claim:' || s.id
LEFT JOIN postings p ON p.tenant_id = e.tenant_id AND p.entry_id = e.id
GROUP BY s.tenant_id, s.id, s.number, s.state, s.total
HAVING coalesce(sum(CASE WHEN p.target LIKE 'fund:%' THEN p.amount ELSE -p.amount END), 0)
    <> CASE WHEN s.state IN ('sent', 'paid') THEN s.total ELSE 0 END
"""
PAID_TWICE = """
SELECT DISTINCT s.number FROM claim_payments p
JOIN subsidy_claims s ON s.tenant_id = p.tenant_id AND s.id = p.claim_id
JOIN claim_payments o ON o.tenant_id = p.tenant_id AND o.id <> p.id
    AND replace(lower(o.reference), ' ', '') = replace(lower(p.reference), ' ', '')
"""


def other_hash(session: Session) -> Iterator[str]:
    """Yields the numbers of the claims whose hash is not that of their lines."""
    for claim in _all(session):
        csv_lines = [line.csv_line for line in claim_store.lines(session, claim)]
        if claim_csv.lines_hash(claim.number, claim.currency, csv_lines, claim.format) != claim.lines_hash:
            yield claim.number


def not_paid(session: Session) -> Iterator[str]:
    """Yields the numbers of the claims that are called paid, and are not settled."""
    for claim in _all(session):
        if claim.state == ClaimState.PAID and not claim_totals.sums(session, claim).settled:
            yield claim.number


def _all(session: Session) -> Sequence[Claim]:
    return session.scalars(select(Claim).order_by(Claim.tenant_id, Claim.number)).all()
