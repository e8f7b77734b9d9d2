"""Questions about subsidy claims: each franc rests on a bill, a named member and evidence, once."""

from collections.abc import Callable, Iterable

from sqlalchemy.orm import Session

from mutuelle.subsidies import claim_checks, claim_day_checks
from mutuelle.verification.question import Find, Question, query

_TRAIL = """
SELECT s.number, a.action FROM subsidy_claims s
CROSS JOIN LATERAL (VALUES
    ('claim-drafted', s.made_by, true), ('claim-checked', s.checked_by, s.checked_by IS NOT NULL),
    ('claim-sent', s.sent_by, s.sent_by IS NOT NULL), ('claim-cancelled', s.ended_by, s.state = 'cancelled')
) a (action, manager, due)
LEFT JOIN whole_audit t ON t.tenant_id = s.tenant_id AND t.action = a.action AND t.subject = 'claim:' || s.id
    AND t.facts ->> 'number' = s.number AND t.facts ->> 'total' = s.total::text
    AND t.actor = 'manager:' || a.manager
WHERE a.due AND t.id IS NULL
"""
_PAYMENT_TRAIL = """
WITH both_sides AS (
    SELECT tenant_id, 'claim:' || claim_id AS subject, amount::text AS units, 1 AS times FROM claim_payments
    UNION ALL SELECT tenant_id, subject, facts ->> 'paid', -1 FROM whole_audit WHERE action = 'claim-paid'
)
SELECT DISTINCT s.number FROM subsidy_claims s JOIN (
    SELECT tenant_id, subject FROM both_sides GROUP BY tenant_id, subject, units HAVING sum(times) <> 0
) b ON b.tenant_id = s.tenant_id AND b.subject = 'claim:' || s.id
"""
_ANSWER_TRAIL = """
SELECT s.number FROM subsidy_claims s
LEFT JOIN (SELECT c.tenant_id, c.claim_id, count(*) AS lines,
        coalesce(sum(c.amount) FILTER (WHERE a.answer = 'rejected'), 0) AS rejected
    FROM claim_answers a JOIN claim_lines c ON c.tenant_id = a.tenant_id AND c.id = a.line_id GROUP BY 1, 2) x
    ON x.tenant_id = s.tenant_id AND x.claim_id = s.id
LEFT JOIN (SELECT tenant_id, subject, sum((facts ->> 'lines')::bigint) AS lines,
        sum((facts ->> 'rejected')::bigint) AS rejected
    FROM whole_audit WHERE action = 'claim-answered' GROUP BY 1, 2) t
    ON t.tenant_id = s.tenant_id AND t.subject = 'claim:' || s.id
WHERE (coalesce(x.lines, 0), coalesce(x.rejected, 0)) <> (coalesce(t.lines, 0), coalesce(t.rejected, 0))
"""


def _claims(find: Callable[[Session], Iterable[str]]) -> Find:
    return lambda session: (f"claim {number}" for number in find(session))


QUESTIONS: tuple[Question, ...] = (
    query(
        "claim-line",
        "I12",
        "A claim line rests on a named member, a bill of the payer and evidence.",
        "claim {}",
        claim_checks.WRONG_LINES,
    ),
    query("claim-total", "I12", "The lines of a claim are its total.", "claim {}", claim_checks.UNEQUAL),
    query(
        "claim-posted", "I12", "The ledger says the total of a sent claim.", "claim {}", claim_checks.UNPOSTED
    ),
    query(
        "claim-payment-once",
        "I12",
        "A bank reference pays one claim.",
        "claim {}",
        claim_checks.PAID_TWICE,
    ),
    query("claim-once", "I12", "No part of a bill is claimed twice.", "bill line {}", claim_checks.TWICE),
    query(
        "claim-day-once",
        "I12",
        "No day of a member is claimed twice of one payer.",
        "claim {}",
        claim_day_checks.DAY_TWICE,
    ),
    Question(
        "claim-day-open",
        "I12",
        "The rights of its member were open on each day that a claim line asks for.",
        _claims(claim_day_checks.days_not_open),
    ),
    Question(
        "claim-day-worth",
        "I12",
        "A claim line asks what its days are worth.",
        _claims(claim_day_checks.amounts_not_worth),
    ),
    query(
        "claim-accepted",
        "I12",
        "No payer accepted more of a bill than it owes of it.",
        "bill {}",
        claim_checks.TOO_MUCH,
    ),
    Question(
        "claim-hash", "I12", "The hash of a claim is that of its lines.", _claims(claim_checks.other_hash)
    ),
    Question(
        "claim-paid",
        "I12",
        "A claim that is called paid is answered and paid.",
        _claims(claim_checks.not_paid),
    ),
    query(
        "claim-trail",
        "I8",
        "The trail says who drafted, checked, sent or cancelled each claim, and its total.",
        "claim {}: {}",
        _TRAIL,
    ),
    query(
        "claim-payment-trail",
        "I8",
        "The trail names every payment of a claim with its amount.",
        "claim {}",
        _PAYMENT_TRAIL,
    ),
    query(
        "claim-answer-trail",
        "I8",
        "The trail counts the answers to each claim and the units rejected.",
        "claim {}",
        _ANSWER_TRAIL,
    ),
)
