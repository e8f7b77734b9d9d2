"""Questions about cases for staff: each that must exist does, and a closed one says who closed it."""

from mutuelle.verification.question import Question, query

# Whether a manager has closed a case `f` as seen.
_SEEN = """EXISTS (SELECT FROM whole_audit t WHERE t.tenant_id = f.tenant_id AND t.action = 'flag-seen'
    AND t.subject = f.subject AND t.facts ->> 'kind' = f.kind
    AND abs(extract(epoch FROM t.at - f.closed_at)) < 300 AND t.actor LIKE 'manager:%')"""
# Whether a later case says the same: money that was attributed and undone waits again.
_OPEN_AGAIN = """EXISTS (SELECT FROM flags o WHERE o.tenant_id = f.tenant_id AND o.kind = f.kind
    AND o.subject = f.subject AND o.closed_at IS NULL)"""
# The product closes these kinds itself; all others are closed by a manager alone.
_CLOSED = f"""
SELECT f.id FROM flags f
LEFT JOIN (SELECT tenant_id, 'receipt:' || receipt_id AS subject FROM allocations WHERE kind = 'suspense'
    GROUP BY tenant_id, receipt_id HAVING sum(amount) > 0) s
    ON s.tenant_id = f.tenant_id AND s.subject = f.subject
WHERE f.closed_at IS NOT NULL AND CASE f.kind
    WHEN 'suspense' THEN s.subject IS NOT NULL AND NOT {_OPEN_AGAIN}
    WHEN 'outflow' THEN NOT EXISTS (SELECT FROM outflows o
            JOIN refunds r ON r.tenant_id = o.tenant_id AND r.outflow_id = o.id
            WHERE o.tenant_id = f.tenant_id AND 'transaction:' || o.transaction = f.subject)
        AND NOT EXISTS (SELECT FROM whole_audit c
            WHERE c.tenant_id = f.tenant_id AND c.action = 'refund-corrected')
    WHEN 'unreadable' THEN NOT {_OPEN_AGAIN} AND (
        EXISTS (SELECT FROM payments p WHERE p.tenant_id = f.tenant_id
            AND 'payment:' || p.ref = f.subject AND p.unread_proof_at IS NOT NULL)
        OR EXISTS (SELECT FROM notices n WHERE n.tenant_id = f.tenant_id
            AND 'notice:' || n.id = f.subject AND n.state <> 'done'))
    WHEN 'duplicate' THEN NOT EXISTS (SELECT FROM duplicate_pairs p
        JOIN duplicate_decisions d ON d.tenant_id = p.tenant_id AND d.pair_id = p.id
            AND d.by_tenant_id = f.tenant_id AND d.decided_at <= f.closed_at
        WHERE f.subject = ANY(ARRAY['household:' || p.household_id, 'household:' || p.later_household_id]))
    WHEN 'reversal' THEN split_part(f.subject, ':', 1) NOT IN ('transaction', 'account')
    WHEN 'stuck' THEN split_part(f.subject, ':', 1) NOT IN ('transaction', 'account')
    ELSE f.kind NOT IN ('list', 'rule') END
AND NOT {_SEEN}
"""  # noqa: S608 - only our own text
_TIMES = "SELECT id FROM flags WHERE closed_at < opened_at"
_SUSPENSE = f"""
SELECT a.receipt_id FROM allocations a
WHERE a.kind = 'suspense' AND NOT EXISTS (SELECT FROM flags f
    WHERE f.tenant_id = a.tenant_id AND f.subject = 'receipt:' || a.receipt_id
    AND f.kind IN ('suspense', 'currency') AND (f.closed_at IS NULL OR {_SEEN}))
GROUP BY a.tenant_id, a.receipt_id HAVING sum(a.amount) > 0
"""  # noqa: S608 - only our own text
_EXCESS = """
SELECT DISTINCT v.receipt_id FROM reversals v WHERE v.excess > 0 AND NOT EXISTS (SELECT FROM flags f
    WHERE f.tenant_id = v.tenant_id AND f.kind IN ('conflict', 'refund')
    AND f.subject = 'receipt:' || v.receipt_id)
"""
_OUTFLOW = """
SELECT o.id FROM outflows o WHERE NOT EXISTS (SELECT FROM refunds r
    WHERE r.tenant_id = o.tenant_id AND r.outflow_id = o.id)
AND NOT EXISTS (SELECT FROM flags f WHERE f.tenant_id = o.tenant_id AND f.kind = 'outflow'
    AND f.subject = 'transaction:' || o.transaction)
"""
_REFUND = """
SELECT r.id FROM refunds r WHERE (r.status = 'ended' OR (r.taken_back > 0 AND r.status = 'approved')
    OR (r.outflow_id IS NOT NULL AND r.seen_at IS NULL))
AND NOT EXISTS (SELECT FROM flags f WHERE f.tenant_id = r.tenant_id AND f.kind = 'refund'
    AND f.subject = 'receipt:' || r.receipt_id)
"""
_SMS = """
SELECT m.id FROM messages m WHERE m.status = 'ambiguous' AND NOT EXISTS (SELECT FROM flags f
    WHERE f.tenant_id = m.tenant_id AND f.kind = 'sms' AND f.subject = 'message:' || m.id)
"""
_NOTICE = """
SELECT n.id FROM notices n WHERE n.state = 'person' AND NOT EXISTS (SELECT FROM flags f
    WHERE f.tenant_id = n.tenant_id AND f.kind = 'unreadable' AND f.subject = 'notice:' || n.id)
"""
_FEE = """
SELECT t.subject FROM whole_audit t WHERE t.action = 'fee-corrected' AND NOT EXISTS (SELECT FROM flags f
    WHERE f.tenant_id = t.tenant_id AND f.kind = 'fee' AND f.subject = t.subject)
"""
# What a case or an entry of the trail is about. Lists and logins are not read by an auditor. An SMS or a
# notice may be gone if all cases about it were closed before the archive's last run; closing one is noted in
# the trail a moment later.
_SUBJECTS = """
WITH mentions AS (
    SELECT tenant_id, subject, coalesce(closed_at, 'infinity') AS at FROM flags
    UNION ALL SELECT tenant_id, subject, at - interval '5 minutes' FROM whole_audit
), subjects AS (
    SELECT subject, split_part(subject, ':', 1) AS kind, max(at) AS at FROM mentions
    GROUP BY tenant_id, subject
), reach (kind, ended_before) AS (
    SELECT CASE archived WHEN 'messages' THEN 'message' ELSE 'notice' END, max(ended_before)
    FROM archive_runs WHERE archived IN ('messages', 'notices') GROUP BY 1
), known (subject) AS (
    SELECT 'receipt:' || id FROM receipts UNION ALL SELECT 'payment:' || ref FROM payments
    -- After a restore operators still name requests that our books have lost.
    UNION ALL SELECT 'payment:' || named_ref FROM notices
    UNION ALL SELECT 'payment:' || reference FROM receipts
    UNION ALL SELECT 'bill:' || id FROM bills UNION ALL SELECT 'claim:' || id FROM subsidy_claims
    UNION ALL SELECT 'household:' || id FROM households UNION ALL SELECT 'sponsor:' || id FROM sponsors
    UNION ALL SELECT 'notice:' || id FROM notices UNION ALL SELECT 'message:' || id FROM messages
)
SELECT s.subject FROM subjects s
LEFT JOIN known k ON k.subject = s.subject
LEFT JOIN reach r ON r.kind = s.kind
WHERE k.subject IS NULL AND (r.ended_before IS NULL OR s.at >= r.ended_before)
    AND s.kind IN ('receipt', 'payment', 'bill', 'claim', 'sponsor', 'notice', 'message')
UNION SELECT f.subject FROM flags f WHERE f.kind = 'outflow' AND NOT EXISTS (SELECT FROM outflows o
    WHERE o.tenant_id = f.tenant_id AND 'transaction:' || o.transaction = f.subject)
"""

QUESTIONS: tuple[Question, ...] = (
    query(
        "case-closed",
        "I8",
        "A closed case names the manager who closed it, or its reason is gone.",
        "case {}",
        _CLOSED,
    ),
    query("case-times", "I8", "A case was closed after it was opened.", "case {}", _TIMES),
    query("case-subject", "I8", "What a case or an entry of the trail is about exists.", "{}", _SUBJECTS),
    query(
        "case-suspense",
        "I4",
        "Money in suspense has an open case, or a manager has seen it.",
        "receipt {}",
        _SUSPENSE,
    ),
    query(
        "case-excess",
        "I4",
        "There is a case for each receipt of which more was taken back than was there.",
        "receipt {}",
        _EXCESS,
    ),
    query(
        "case-outflow",
        "I4",
        "Money that left a wallet is explained by a refund, or there is a case about it.",
        "outflow {}",
        _OUTFLOW,
    ),
    query(
        "case-refund",
        "I4",
        "There is a case for each refund that ended, shrank or was paid with another amount.",
        "refund {}",
        _REFUND,
    ),
    query("case-sms", "I4", "There is a case for each SMS that may have been sent.", "message {}", _SMS),
    query("case-notice", "I4", "There is a case for each notice left to staff.", "notice {}", _NOTICE),
    query("case-fee", "I4", "There is a case for each fee that the operator corrected.", "{}", _FEE),
)
