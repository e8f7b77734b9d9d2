"""Questions about money that left: refunds, reversals and outflows, each with its movement and its people."""

from mutuelle.verification.question import Question, query

_REVERSED = """
SELECT r.id FROM receipts r
LEFT JOIN (SELECT tenant_id, receipt_id, sum(amount - excess) AS units FROM reversals GROUP BY 1, 2) v
    ON v.tenant_id = r.tenant_id AND v.receipt_id = r.id
LEFT JOIN (SELECT tenant_id, receipt_id, sum(amount) AS units FROM allocations WHERE kind = 'reversed'
    GROUP BY 1, 2) a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id
WHERE coalesce(v.units, 0) <> coalesce(a.units, 0)
"""
_REFUNDED = """
SELECT r.id FROM receipts r
LEFT JOIN (SELECT tenant_id, receipt_id, sum(amount - taken_back) AS units FROM refunds
    WHERE status IN ('approved', 'paid') GROUP BY 1, 2) f ON f.tenant_id = r.tenant_id AND f.receipt_id = r.id
LEFT JOIN (SELECT tenant_id, receipt_id, sum(amount) AS units FROM allocations WHERE kind = 'refunded'
    GROUP BY 1, 2) a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id
WHERE coalesce(f.units, 0) <> coalesce(a.units, 0)
"""
# The acts of a refund in the trail, with the manager who must have done each and the amount that is known.
_TRAIL = """
SELECT f.id, s.action FROM refunds f
CROSS JOIN LATERAL (VALUES
    ('refund-asked', f.asked_by, true), ('refund-refused', f.decided_by, f.status = 'refused'),
    ('refund-approved', f.decided_by, f.status IN ('approved', 'paid') OR f.decided_by IS NOT NULL
        AND f.status = 'ended'),
    ('refund-paid', f.paid_by, f.status = 'paid')
) s (action, manager, due)
LEFT JOIN whole_audit t ON t.tenant_id = f.tenant_id AND t.action = s.action
    AND t.subject = 'receipt:' || f.receipt_id AND t.facts ->> 'refund' = f.id::text
    AND t.actor = 'manager:' || s.manager
    AND (s.action <> 'refund-asked' OR (t.facts ->> 'amount' = f.amount::text
        AND t.facts ->> 'reason' = f.reason AND abs(extract(epoch FROM t.at - f.asked_at)) < 300))
WHERE s.due AND t.id IS NULL
"""
_ONE_PERSON = "SELECT id FROM refunds WHERE status IN ('approved', 'paid') AND decided_by = asked_by"
_CURRENCY = """
SELECT f.id FROM refunds f JOIN receipts r ON r.tenant_id = f.tenant_id AND r.id = f.receipt_id
WHERE f.currency <> r.currency
"""
_SEEN = """
SELECT f.id FROM refunds f
JOIN receipts r ON r.tenant_id = f.tenant_id AND r.id = f.receipt_id
LEFT JOIN outflows o ON o.tenant_id = f.tenant_id AND o.id = f.outflow_id
WHERE (f.outflow_id IS NOT NULL AND (o.transaction, o.account_id, o.currency, o.flow)
        IS DISTINCT FROM (f.transaction, r.account_id, f.currency, 'out'))
    OR (f.seen_at IS NOT NULL AND f.outflow_id IS NOT NULL AND o.amount <> f.amount - f.taken_back)
    OR (f.seen_at IS NOT NULL AND f.outflow_id IS NULL AND NOT EXISTS (SELECT FROM reversals v
        WHERE v.tenant_id = f.tenant_id AND v.receipt_id = f.receipt_id
        AND f.transaction IN (v.transaction, r.transaction)))
    OR (f.from_excess > 0 AND NOT EXISTS (SELECT FROM reversals v WHERE v.tenant_id = f.tenant_id
        AND v.receipt_id = f.receipt_id AND v.transaction = f.transaction AND v.excess >= f.from_excess))
"""
_SHRUNK = """
SELECT f.id FROM refunds f WHERE f.taken_back > 0
AND f.taken_back > (SELECT coalesce(sum(v.amount), 0) FROM reversals v
    WHERE v.tenant_id = f.tenant_id AND v.receipt_id = f.receipt_id)
"""
_OTHER_ACCOUNT = """
SELECT v.id FROM reversals v
LEFT JOIN receipts r ON r.tenant_id = v.tenant_id AND r.id = v.receipt_id
WHERE v.account_id IS DISTINCT FROM r.account_id OR v.own_id <> (v.transaction = r.transaction)
    OR v.excess > v.amount
"""
_REVERSAL_MOMENT = """
SELECT v.id FROM reversals v
LEFT JOIN entries e ON e.tenant_id = v.tenant_id AND e.reference IN (
    'reversal:' || v.receipt_id || ':' || v.id, 'reversal:' || v.transaction || ':' || v.receipt_id)
LEFT JOIN entries x ON x.tenant_id = v.tenant_id AND x.reference = 'excess:' || v.receipt_id
WHERE e.at IS DISTINCT FROM v.moved_at AND (e.id IS NOT NULL OR x.id IS NULL)
"""
_UNREVERSED_SMS = """
WITH known AS MATERIALIZED (
    SELECT DISTINCT r.transaction FROM reversals v
    JOIN receipts r ON r.tenant_id = v.tenant_id AND r.id = v.receipt_id
)
SELECT m.id FROM messages m LEFT JOIN known k ON k.transaction = m.facts ->> 'transaction'
WHERE m.kind = 'reversed' AND k.transaction IS NULL
"""
_UNREFUNDED_SMS = """
WITH known AS MATERIALIZED (
    SELECT DISTINCT r.transaction FROM refunds f
    JOIN receipts r ON r.tenant_id = f.tenant_id AND r.id = f.receipt_id WHERE f.decided_by IS NOT NULL
)
SELECT m.id FROM messages m LEFT JOIN known k ON k.transaction = m.facts ->> 'transaction'
WHERE m.kind = 'refunded' AND k.transaction IS NULL
"""
# A refund that the trail knows; reversals of before had no entry of their own.
_VANISHED = """
SELECT DISTINCT t.facts ->> 'refund' FROM whole_audit t
LEFT JOIN refunds f ON f.tenant_id = t.tenant_id AND f.id::text = t.facts ->> 'refund'
WHERE t.action LIKE 'refund-%' AND f.id IS NULL
"""
_OUTFLOW_MOMENT = """
SELECT o.id FROM outflows o
LEFT JOIN entries e ON e.tenant_id = o.tenant_id AND e.reference = 'outflow:' || o.id
WHERE e.at IS DISTINCT FROM o.moved_at
"""

QUESTIONS: tuple[Question, ...] = (
    query(
        "receipt-reversed",
        "I1",
        "What was taken back of a receipt is what its reversals say.",
        "receipt {}",
        _REVERSED,
    ),
    query(
        "receipt-refunded",
        "I1",
        "What is refunded of a receipt is what its decided refunds say.",
        "receipt {}",
        _REFUNDED,
    ),
    query(
        "refund-trail",
        "I8",
        "The trail says who asked for, decided and paid each refund, and for how much.",
        "refund {}: {}",
        _TRAIL,
    ),
    query("refund-gone", "I8", "A refund that the trail names exists.", "refund {}", _VANISHED),
    query(
        "refund-four-eyes",
        "I8",
        "The manager who approved a refund is not the one who asked for it.",
        "refund {}",
        _ONE_PERSON,
    ),
    query("refund-currency", "I1", "A refund has the currency of its receipt.", "refund {}", _CURRENCY),
    query(
        "refund-seen",
        "I15",
        "A payout that was seen is a line of the operator with its transaction, account and amount.",
        "refund {}",
        _SEEN,
    ),
    query(
        "refund-shrunk",
        "I1",
        "What the operator gave back of a refund is among the reversals of its receipt.",
        "refund {}",
        _SHRUNK,
    ),
    query(
        "reversal-account",
        "I2",
        "A reversal is of the account of its receipt, under the transaction it says.",
        "reversal {}",
        _OTHER_ACCOUNT,
    ),
    query(
        "reversal-moment",
        "I1",
        "The ledger entry of a reversal is of the moment at which the money went back.",
        "reversal {}",
        _REVERSAL_MOMENT,
    ),
    query(
        "reversal-sms",
        "I1",
        "The receipt of an SMS about a reversal has a reversal.",
        "message {}",
        _UNREVERSED_SMS,
    ),
    query(
        "refund-sms",
        "I1",
        "The receipt of an SMS about a refund has a refund.",
        "message {}",
        _UNREFUNDED_SMS,
    ),
    query(
        "outflow-moment",
        "I1",
        "The ledger entry of an outflow is of the moment at which the money left.",
        "outflow {}",
        _OUTFLOW_MOMENT,
    ),
)
