"""Questions about requests to pay: their end, their money, and the act that made them."""

from mutuelle.verification import deadlines
from mutuelle.verification.question import Question, query

_UNPROVEN = """
SELECT p.id FROM payments p WHERE p.status IN ('confirmed', 'reversed')
AND NOT EXISTS (SELECT FROM receipts r WHERE r.account_id = p.account_id AND lower(r.reference) = p.ref::text)
"""
# The receipts that answer a request, which its money was allocated as.
_ANSWERS = """
answers AS (
    SELECT DISTINCT r.tenant_id, r.id, r.account_id, r.amount, r.currency, lower(r.reference) AS ref
    FROM receipts r
    JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id
        AND a.reason = 'answer to our request'
)
"""
_UNCALLED = f"""
WITH {_ANSWERS}
SELECT DISTINCT p.id FROM payments p
JOIN answers r ON r.tenant_id = p.tenant_id AND r.account_id = p.account_id AND r.ref = p.ref::text
WHERE p.status NOT IN ('confirmed', 'reversed') AND NOT EXISTS (SELECT FROM flags f
    WHERE f.tenant_id = p.tenant_id AND f.kind = 'contradiction' AND f.subject = 'payment:' || p.ref)
"""  # noqa: S608 - only our own text
_NOT_REVERSED = """
SELECT p.id FROM payments p WHERE p.status = 'reversed' AND NOT EXISTS (
    SELECT FROM receipts r WHERE r.account_id = p.account_id AND lower(r.reference) = p.ref::text
    AND r.amount <= (SELECT sum(v.amount) FROM reversals v
        WHERE v.tenant_id = r.tenant_id AND v.receipt_id = r.id))
"""
_OTHER_AMOUNT = f"""
WITH {_ANSWERS}
SELECT DISTINCT p.id FROM payments p
JOIN answers r ON r.tenant_id = p.tenant_id AND r.account_id = p.account_id AND r.ref = p.ref::text
WHERE (p.amount, p.currency) <> (r.amount, r.currency) AND NOT EXISTS (SELECT FROM flags f
    WHERE f.tenant_id = p.tenant_id AND f.kind = 'amount' AND f.subject = 'payment:' || p.ref)
"""  # noqa: S608 - only our own text
_PAID_TWICE = f"""
WITH {_ANSWERS}
SELECT p.id FROM payments p
JOIN answers r ON r.tenant_id = p.tenant_id AND r.account_id = p.account_id AND r.ref = p.ref::text
WHERE p.status = 'confirmed' AND NOT EXISTS (SELECT FROM flags f WHERE f.tenant_id = p.tenant_id
    AND f.kind IN ('double', 'contradiction', 'late') AND f.subject = 'payment:' || p.ref)
GROUP BY p.tenant_id, p.id HAVING count(*) > 1
"""  # noqa: S608 - only our own text
_NO_END = """
SELECT p.id FROM payments p WHERE p.status IN ('requested', 'unknown', 'pending') AND p.expires_at < :late
AND NOT EXISTS (SELECT FROM flags f WHERE f.subject = 'payment:' || p.ref)
"""
_NO_TASK = """
SELECT p.id FROM payments p WHERE p.status IN ('requested', 'unknown', 'pending')
AND NOT EXISTS (SELECT FROM outbox o WHERE o.subject_id = p.id AND o.state = 'waiting')
"""
_UNASKED = """
SELECT p.id FROM payments p
LEFT JOIN operator_accounts o ON o.tenant_id = p.tenant_id AND o.id = p.account_id
LEFT JOIN whole_audit t ON t.tenant_id = p.household_tenant_id AND t.action = 'pay'
    AND t.subject = 'payment:' || p.ref AND t.facts ->> 'amount' = p.amount::text
    AND t.facts ->> 'operator' = o.operator
WHERE t.id IS NULL
"""
_UNREAD = """
SELECT p.id FROM payments p WHERE p.unread_proof_at IS NOT NULL AND NOT EXISTS (SELECT FROM flags f
    WHERE f.tenant_id = p.tenant_id AND f.kind = 'unreadable' AND f.subject = 'payment:' || p.ref)
"""

QUESTIONS: tuple[Question, ...] = (
    query("payment-receipt", "I2", "A confirmed request has a receipt of its own.", "payment {}", _UNPROVEN),
    query(
        "payment-status",
        "I4",
        "A request whose money was received is confirmed, or a case says what contradicts that.",
        "payment {}",
        _UNCALLED,
    ),
    query(
        "payment-reversed",
        "I4",
        "A request is called reversed because the operator took its whole money back.",
        "payment {}",
        _NOT_REVERSED,
    ),
    query(
        "payment-amount",
        "I1",
        "The money received is what the request asked for, or there is a case about the difference.",
        "payment {}",
        _OTHER_AMOUNT,
    ),
    query(
        "payment-double",
        "I1",
        "There is a case for each request that was paid more than once.",
        "payment {}",
        _PAID_TWICE,
    ),
    query(
        "payment-end",
        "I4",
        "A request that the operator gave up has ended, or there is a case about it.",
        "payment {}",
        _NO_END,
        late=deadlines.late,
    ),
    query("payment-task", "I4", "A task will ask about every request under way.", "payment {}", _NO_TASK),
    query(
        "payment-asked",
        "I8",
        "The trail says that the household asked for each request, with its amount and operator.",
        "payment {}",
        _UNASKED,
    ),
    query(
        "payment-unread",
        "I4",
        "There is a case for each request whose proof could not be read.",
        "payment {}",
        _UNREAD,
    ),
)
