"""Checks of subsidy claims: one claim made again from the books as they were known when it was drafted, and
I12 over all.

I12: every franc of a claim names its household, named member, rule and checked evidence; nothing is claimed
twice; no payer has accepted more of a bill than it owes of it; a claim's total, its lines, its hash and the
ledger say the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle.organisation import tenants
from mutuelle.subsidies import claim_csv, claim_facts, claim_store, claimable
from mutuelle.subsidies.claim_facts import ClaimScope
from mutuelle.subsidies.claim_lines import DraftLine, Period
from mutuelle.subsidies.claim_store import Claim, ClaimLeftOut

Key = tuple[UUID, UUID, bool]  # bill line, member, whether it takes back
LEARNT = {
    "provisional",
    "no-consent",
    "evidence-missing",
    "evidence-expired",
}  # what may be put right after the draft
OF_A_PERSON = {"name", "born"}  # may be put right in the list of members, and stay in the claim as they were


@dataclass
class ClaimComparison:
    """What differs from the claim as it is stored, and what was only learnt since it was drafted."""

    differences: list[str] = field(default_factory=list)
    since: list[str] = field(default_factory=list)


def remake(session: Session, claim: Claim) -> ClaimComparison:
    """Make the claim again from bills, money, members, evidence and rule book as known when it was drafted,
    and compare."""
    made, told = ClaimComparison(), claim_store.lines(session, claim)
    if (
        claim_csv.digest(claim_csv.csv(claim.number, claim.currency, [one.written for one in told]))
        != claim.lines_hash
    ):
        made.differences.append("the hash is not that of the lines")
    tenant = tenants.get(session, claim.tenant_id)
    known, period = (
        ClaimScope(tenant.id, tenant.zone, claim.payer, claim.made_at, claim.id, claim.sponsor_id),
        Period(claim.period_from, claim.period_until),
    )
    lines, left = claimable.judge(claim_facts.read(session, known, period), period, again=claim.again)
    fresh, why = (
        {_key(line): line for line in lines},
        {one.bill_line_id: one.reason for one in left if one.reason != "claimed"},
    )
    for one in told:
        line = fresh.pop(_key(one.written.line), None)
        if line is None:
            reason = why.get(one.written.line.bill_line_id, "no longer owed")
            made.differences.append(f"line {one.written.position}: it could not be claimed ({reason})")
        else:
            _compare(made, one.written.position, one.written.line, line)
    mine = (ClaimLeftOut.tenant_id == claim.tenant_id, ClaimLeftOut.claim_id == claim.id)
    stored = {
        row.bill_line_id: row.reason
        for row in session.scalars(select(ClaimLeftOut).where(*mine))
        if row.reason != "claimed"
    }
    for line in fresh.values():
        reason = stored.get(line.bill_line_id, "unknown")
        late = made.since if reason in LEARNT else made.differences
        late.append(f"household {line.number}: could be claimed, and was left out ({reason})")
    return made


def _key(line: DraftLine) -> Key:
    return line.bill_line_id, line.member_id, line.amount < 0


def _compare(made: ClaimComparison, position: int, stored: DraftLine, fresh: DraftLine) -> None:
    for name in DraftLine.__dataclass_fields__:
        if getattr(stored, name) != getattr(fresh, name):
            into = made.since if name in OF_A_PERSON else made.differences
            into.append(f"line {position}: {name} is not what it was")


_WRONG_LINES = """
SELECT s.number || ' line ' || c.position FROM claim_lines c
JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id
LEFT JOIN members m ON m.tenant_id = c.tenant_id AND m.id = c.member_id AND m.household_id = c.household_id
    AND NOT m.provisional
LEFT JOIN bill_lines l ON l.tenant_id = c.tenant_id AND l.id = c.bill_line_id AND l.payer = s.payer AND l.rule
= c.rule
    AND l.sponsor_id IS NOT DISTINCT FROM s.sponsor_id
LEFT JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id AND b.household_id = c.household_id AND
b.kind = 'dues' WHERE m.id IS NULL OR b.id IS NULL OR btrim(c.name) = '' OR btrim(c.evidence) = ''
"""
_TWICE = """
SELECT l.id FROM bill_lines l CROSS JOIN LATERAL (
    SELECT member_id, sum(sign(amount)) AS times, sum(amount) AS units FROM live_claim_lines(l.tenant_id)
    WHERE bill_line_id = l.id GROUP BY member_id) c
WHERE EXISTS (SELECT FROM claim_lines k WHERE k.tenant_id = l.tenant_id AND k.bill_line_id = l.id)
GROUP BY l.tenant_id, l.id, l.amount
HAVING max(c.times * sign(l.amount)) > 1 OR min(c.times * sign(l.amount)) < 0 OR abs(sum(c.units)) >
abs(l.amount)
"""
# Of each bill of which no line waits, as the last claim that speaks of it left it. A minus that claim did not
# know, or left out for another reason than that nothing is to go back, is not due yet; one its payer rejected
# is not asked for.
_TOO_MUCH = """
WITH said AS (
    SELECT c.tenant_id, c.bill_line_id, c.member_id, c.amount, l.bill_id, l.payer, l.sponsor_id, a.answer,
    a.noted_at FROM claim_lines c JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id AND
    s.state <> 'cancelled' JOIN bill_lines l ON l.tenant_id = c.tenant_id AND l.id = c.bill_line_id LEFT JOIN
    claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
), named AS (
    SELECT tenant_id, claim_id, bill_line_id FROM claim_lines UNION SELECT tenant_id, claim_id, bill_line_id
    FROM claim_left_out
), last AS (
    SELECT DISTINCT ON (l.tenant_id, l.bill_id, l.payer, l.sponsor_id)
        l.tenant_id, l.bill_id, l.payer, l.sponsor_id, s.id, s.made_at, s.period_until
    FROM named n JOIN subsidy_claims s ON s.tenant_id = n.tenant_id AND s.id = n.claim_id AND s.state <>
    'cancelled' JOIN bill_lines l ON l.tenant_id = n.tenant_id AND l.id = n.bill_line_id ORDER BY l.tenant_id,
    l.bill_id, l.payer, l.sponsor_id, s.made_at DESC
), accepted AS (
    SELECT t.tenant_id, t.bill_id, t.payer, t.sponsor_id, t.id, t.made_at, t.period_until,
        sum(c.amount) FILTER (WHERE c.answer = 'accepted') AS units
    FROM last t JOIN said c ON c.tenant_id = t.tenant_id AND c.bill_id = t.bill_id AND c.payer = t.payer
        AND c.sponsor_id IS NOT DISTINCT FROM t.sponsor_id
    GROUP BY t.tenant_id, t.bill_id, t.payer, t.sponsor_id, t.id, t.made_at, t.period_until
    HAVING bool_and(c.answer IS NOT NULL)
        AND NOT bool_or(c.amount < 0 AND c.answer = 'rejected' AND c.noted_at > t.made_at)
), refused AS (
    SELECT tenant_id, bill_line_id FROM said WHERE amount < 0 GROUP BY tenant_id, bill_line_id, member_id
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
GROUP BY t.tenant_id, t.bill_id, t.payer, t.sponsor_id, t.units HAVING t.units > sum(l.amount)
"""
_UNEQUAL = """
SELECT s.number FROM subsidy_claims s LEFT JOIN claim_lines c ON c.tenant_id = s.tenant_id AND c.claim_id =
s.id GROUP BY s.tenant_id, s.id, s.number, s.lines, s.total HAVING count(c.id) <> s.lines OR
coalesce(sum(c.amount), 0) <> s.total
"""
_UNPOSTED = """
SELECT s.number FROM subsidy_claims s
LEFT JOIN entries e ON e.tenant_id = s.tenant_id AND e.reference = 'claim:' || s.id
LEFT JOIN postings p ON p.tenant_id = e.tenant_id AND p.entry_id = e.id
GROUP BY s.tenant_id, s.id, s.number, s.state, s.total
HAVING coalesce(sum(CASE WHEN p.target LIKE 'fund:%' THEN p.amount ELSE -p.amount END), 0)
    <> CASE WHEN s.state IN ('sent', 'paid') THEN s.total ELSE 0 END
"""
_PAID_TWICE = """
SELECT DISTINCT s.number FROM claim_payments p JOIN subsidy_claims s ON s.tenant_id = p.tenant_id AND s.id =
p.claim_id JOIN claim_payments o ON o.tenant_id = p.tenant_id AND o.id <> p.id
    AND replace(lower(o.reference), ' ', '') = replace(lower(p.reference), ' ', '')
"""
_SAID = {
    _WRONG_LINES: "does not rest on a named member, a bill and its evidence",
    _UNEQUAL: "its lines are not its total",
    _UNPOSTED: "the ledger does not say its total",
    _PAID_TWICE: "its money has a bank reference that another payment has",
}


def run(session: Session) -> Iterator[str]:
    """I12 over every claim the transaction may see."""
    for query, wrong in _SAID.items():
        yield from (f"I12 claim {row}: {wrong}" for row in sorted(session.scalars(text(query))))
    yield from (
        f"I12 bill line {row}: is claimed twice" for row in sorted(map(str, session.scalars(text(_TWICE))))
    )
    for row in sorted(map(str, session.scalars(text(_TOO_MUCH)))):
        yield f"I12 bill {row}: its payer accepted more than it owes"
    for claim in session.scalars(select(Claim).order_by(Claim.tenant_id, Claim.number)).all():
        if claim_csv.digest(claim_store.file(session, claim)) != claim.lines_hash:
            yield f"I12 claim {claim.number}: the hash is not that of its lines"
        if claim.state == "paid" and not claim_store.sums(session, claim).settled:
            yield f"I12 claim {claim.number}: is called paid and is not"
