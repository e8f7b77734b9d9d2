"""Questions about receipts and their allocations: whole, once, of their day, and with the right household."""

from mutuelle.verification.question import Question, query

_PARTS = """
SELECT r.id FROM receipts r
LEFT JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id
GROUP BY r.tenant_id, r.id, r.amount HAVING coalesce(sum(a.amount), 0) <> r.amount
"""
_NEGATIVE_PART = """
SELECT DISTINCT receipt_id FROM (
    SELECT receipt_id FROM allocations GROUP BY receipt_id, kind, bill_line_id, household_id
    HAVING sum(amount) < 0) parts
"""
_NEGATIVE_CREDIT = """
SELECT household_id FROM allocations WHERE kind = 'credit' GROUP BY household_id HAVING sum(amount) < 0
"""
_TWICE = "SELECT transaction FROM receipts GROUP BY account_id, transaction HAVING count(*) > 1"
_MOMENT = """
SELECT r.id FROM receipts r
JOIN tenants t ON t.id = r.tenant_id
LEFT JOIN entries e ON e.tenant_id = r.tenant_id AND e.reference = 'receipt:' || r.id
LEFT JOIN (SELECT DISTINCT tenant_id, receipt_id, on_day FROM allocations) a
    ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id AND a.on_day = (r.moved_at AT TIME ZONE t.zone)::date
WHERE e.at IS DISTINCT FROM r.moved_at OR a.receipt_id IS NULL
"""
# Money counts from the day on which it moved, or from the day on which it was allocated: the job that ran at
# midnight had read the day a moment before. Credit counts from the day of the bill or change that uses it.
_DAY = """
SELECT a.id FROM allocations a
JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id
JOIN tenants t ON t.id = a.tenant_id
LEFT JOIN tenants h ON h.id = a.household_tenant_id
WHERE a.on_day NOT IN ((r.moved_at AT TIME ZONE t.zone)::date,
        (r.moved_at AT TIME ZONE coalesce(h.zone, t.zone))::date)
    AND a.on_day - (a.at AT TIME ZONE coalesce(h.zone, t.zone))::date NOT BETWEEN -1 AND 0
    AND NOT EXISTS (SELECT FROM bills b WHERE b.tenant_id = a.household_tenant_id
        AND b.household_id = a.household_id AND b.issued = a.on_day)
    AND NOT EXISTS (SELECT FROM adjustments j WHERE j.tenant_id = a.household_tenant_id
        AND j.household_id = a.household_id AND j.on_day = a.on_day)
"""
_LINE = """
SELECT a.id FROM allocations a
LEFT JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id
LEFT JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
WHERE a.kind = 'bill'
    AND (l.payer IS DISTINCT FROM 'member' OR b.household_id IS DISTINCT FROM a.household_id)
"""
# What first gave money of a receipt to a household: the answer to its request, its phone, or a manager.
_GIVEN = """
WITH given AS (
    SELECT DISTINCT a.tenant_id, a.receipt_id, a.household_tenant_id, a.household_id, a.reason
    FROM allocations a WHERE a.household_id IS NOT NULL AND a.amount > 0
)
"""
_BY_REQUEST = f"""{_GIVEN}
SELECT g.receipt_id, g.household_id FROM given g
JOIN receipts r ON r.tenant_id = g.tenant_id AND r.id = g.receipt_id
LEFT JOIN payments p ON p.tenant_id = r.tenant_id AND p.account_id = r.account_id
    AND p.ref::text = lower(r.reference) AND p.household_id = g.household_id
    AND p.household_tenant_id = g.household_tenant_id
WHERE g.reason = 'answer to our request' AND p.id IS NULL
"""  # noqa: S608 - only our own text
_BY_PHONE = f"""{_GIVEN}
SELECT g.receipt_id, g.household_id FROM given g
JOIN receipts r ON r.tenant_id = g.tenant_id AND r.id = g.receipt_id
LEFT JOIN phones p ON p.tenant_id = g.household_tenant_id AND p.household_id = g.household_id
    AND p.blind_index = r.payer_index
WHERE g.reason = 'payer''s phone is registered to this household only' AND p.id IS NULL
"""  # noqa: S608 - only our own text
_BY_MANAGER = f"""{_GIVEN}
SELECT g.receipt_id, g.household_id FROM given g
LEFT JOIN whole_audit t ON t.tenant_id = g.tenant_id AND t.action = 'attributed'
    AND t.subject = 'receipt:' || g.receipt_id AND t.facts ->> 'household' = g.household_id::text
WHERE g.reason = 'by hand' AND t.id IS NULL
"""  # noqa: S608 - only our own text
_BY_NOBODY = f"""{_GIVEN}
SELECT receipt_id, household_id FROM given GROUP BY tenant_id, receipt_id, household_id
HAVING NOT bool_or(reason IN ('answer to our request', 'by hand',
    'payer''s phone is registered to this household only'))
"""  # noqa: S608 - only our own text
_UNDONE = """
SELECT DISTINCT a.receipt_id FROM allocations a
LEFT JOIN whole_audit t ON t.tenant_id = a.tenant_id AND t.action = 'undone'
    AND t.subject = 'receipt:' || a.receipt_id
WHERE a.reason = 'undone by hand' AND t.id IS NULL
"""
# An SMS about money names the transaction that the household's money came by.
_SMS = """
WITH known AS MATERIALIZED (
    SELECT DISTINCT r.transaction, a.household_tenant_id AS tenant_id, a.household_id
    FROM allocations a JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id
    WHERE a.household_id IS NOT NULL
)
SELECT m.id FROM messages m
LEFT JOIN known k ON k.household_id = m.household_id AND k.tenant_id = m.tenant_id
    AND k.transaction = m.facts ->> 'transaction'
WHERE m.kind IN ('receipt', 'reversed', 'refunded', 'corrected') AND m.facts ? 'transaction'
    AND k.household_id IS NULL
"""

QUESTIONS: tuple[Question, ...] = (
    query("receipt-parts", "I1", "The parts of a receipt add up to its amount.", "receipt {}", _PARTS),
    query("receipt-part-negative", "I1", "No part of a receipt is negative.", "receipt {}", _NEGATIVE_PART),
    query("credit-negative", "I1", "No household's credit is negative.", "household {}", _NEGATIVE_CREDIT),
    query("receipt-once", "I2", "A transaction of an account has one receipt.", "transaction {}", _TWICE),
    query(
        "receipt-moment",
        "I1",
        "The ledger entry and the first part of a receipt are of the moment at which its money moved.",
        "receipt {}",
        _MOMENT,
    ),
    query(
        "allocation-day",
        "I1",
        "An allocation counts from the day of its money, of its writing, or of the bill or change it pays.",
        "allocation {}",
        _DAY,
    ),
    query(
        "allocation-line",
        "I1",
        "Money on a bill is on the member's part of a bill of the household it belongs to.",
        "allocation {}",
        _LINE,
    ),
    query(
        "allocation-request",
        "I1",
        "Money that answers a request belongs to the household of a request with that reference.",
        "receipt {} of household {}",
        _BY_REQUEST,
    ),
    query(
        "allocation-phone",
        "I1",
        "Money that was attributed by the payer's phone belongs to a household that had this phone.",
        "receipt {} of household {}",
        _BY_PHONE,
    ),
    query(
        "allocation-manager",
        "I8",
        "Money that a manager attributed has the manager's act for that household in the trail.",
        "receipt {} of household {}",
        _BY_MANAGER,
    ),
    query(
        "allocation-reason",
        "I1",
        "A household has money of a receipt by a request, by its phone or by a manager's act.",
        "receipt {} of household {}",
        _BY_NOBODY,
    ),
    query(
        "allocation-undone",
        "I8",
        "Money that a manager took off a household has the manager's act in the trail.",
        "receipt {}",
        _UNDONE,
    ),
    query(
        "receipt-sms",
        "I1",
        "The transaction that an SMS about money names is in the books of its household.",
        "message {}",
        _SMS,
    ),
)
