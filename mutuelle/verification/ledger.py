"""Questions about the ledger: every posting has an entry, an act that caused it, and the right address.

The ledger is compared act by act: what the entries of one receipt moved is what its allocations, reversals
and refunds say. Entries about claims are compared by mutuelle, because an answer's entry names no claim.
"""

from mutuelle.verification.question import Question, query

# Each entry with the kind of act that its reference names, and the keys in it. Before reversals were booked
# line by line, their entries named the transaction, then the receipt.
_NAMED = """
named AS (
    SELECT e.tenant_id, e.id, split_part(e.reference, ':', 1) AS act,
        coalesce(r.id::text, split_part(e.reference, ':', 2)) AS key,
        CASE WHEN r.id IS NULL THEN split_part(e.reference, ':', 3) END AS second_key
    FROM entries e
    LEFT JOIN receipts r ON r.tenant_id = e.tenant_id AND e.reference LIKE 'reversal:%'
        AND r.id::text = right(e.reference, 36)
)
"""
# Each act of the ledger, the table of its key, and that of its second key.
_ACTS = """
acts (act, of, second_of) AS (VALUES
    ('receipt', 'receipt', NULL), ('allocation', 'receipt', NULL), ('attribution', 'receipt', NULL),
    ('undo', 'receipt', NULL), ('credit', 'receipt', NULL), ('fee', 'receipt', NULL),
    ('excess', 'receipt', NULL), ('reversal', 'receipt', 'reversal'), ('adjustment', 'adjustment', 'receipt'),
    ('refund', 'refund', NULL), ('refund-paid', 'refund', NULL), ('refund-seen', 'refund', NULL),
    ('refund-kept', 'refund', NULL), ('outflow', 'outflow', NULL), ('claim', 'claim', NULL),
    ('claim-payment', 'claim-payment', NULL), ('claim-answer', NULL, NULL)
)
"""
# Units that each origin has at each address: by its entries, less what the rows of the origin say.
_BALANCES = f"""
WITH {_NAMED}, origins AS (
    SELECT n.tenant_id, n.id, CASE
        WHEN n.act IN ('receipt', 'allocation', 'attribution', 'undo', 'credit', 'fee', 'reversal', 'excess')
            THEN 'receipt ' || n.key
        WHEN n.act = 'adjustment' THEN 'receipt ' || n.second_key
        WHEN f.id IS NOT NULL THEN 'receipt ' || f.receipt_id
        WHEN n.act = 'outflow' THEN 'outflow ' || n.key
        WHEN n.act IN ('claim', 'claim-answer', 'claim-payment') THEN 'claims of ' || n.tenant_id
        ELSE 'entry ' || n.id END AS origin
    FROM named n LEFT JOIN refunds f ON f.tenant_id = n.tenant_id AND f.id::text = n.key
        AND n.act IN ('refund', 'refund-paid', 'refund-seen', 'refund-kept')
), booked AS (
    SELECT o.origin, p.currency, unnest(ARRAY[p.target, p.source]) AS address,
        unnest(ARRAY[p.amount, -p.amount]) AS units
    FROM postings p
    LEFT JOIN origins o ON o.tenant_id = p.tenant_id AND o.id = p.entry_id
), due AS (
    SELECT 'receipt ' || id AS origin, currency,
        unnest(ARRAY['outside:' || account_id, 'fees:' || account_id]) AS address,
        unnest(ARRAY[fee - amount, -fee]) AS units FROM receipts
    UNION ALL SELECT 'receipt ' || r.id, r.currency, unnest(ARRAY['outside:' || v.account_id,
            'fees:' || v.account_id, 'outflow:' || v.account_id]),
            unnest(ARRAY[v.amount - v.fee, v.fee, -v.excess])
        FROM reversals v JOIN receipts r ON r.tenant_id = v.tenant_id AND r.id = v.receipt_id
    UNION ALL SELECT 'outflow ' || id, currency,
            unnest(ARRAY['outside:' || account_id, 'fees:' || account_id, 'outflow:' || account_id]),
            unnest(ARRAY[amount + fee, -fee, -amount]) * CASE flow WHEN 'out' THEN 1 ELSE -1 END
        FROM outflows
    UNION ALL SELECT 'receipt ' || r.id, f.currency, CASE WHEN f.status = 'approved' THEN 'refunds:'
            WHEN f.outflow_id IS NULL THEN 'outside:' ELSE 'outflow:' END || r.account_id,
            f.amount - f.taken_back - f.from_excess
        FROM refunds f JOIN receipts r ON r.tenant_id = f.tenant_id AND r.id = f.receipt_id
        WHERE f.status IN ('approved', 'paid')
    UNION ALL SELECT 'receipt ' || r.id, f.currency, 'outflow:' || r.account_id, f.from_excess
        FROM refunds f JOIN receipts r ON r.tenant_id = f.tenant_id AND r.id = f.receipt_id
    UNION ALL SELECT 'receipt ' || r.id, r.currency, CASE a.kind
            WHEN 'suspense' THEN 'suspense:' || r.account_id WHEN 'credit' THEN 'household:' || a.household_id
            ELSE 'fund:' || a.household_tenant_id END, a.amount
        FROM allocations a JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id
        WHERE a.kind IN ('suspense', 'credit', 'bill')
    UNION ALL SELECT 'claims of ' || s.tenant_id, s.currency, unnest(ARRAY['fund:' || s.tenant_id,
            'receivable:' || s.payer || coalesce(':' || s.sponsor_id, '') || ':' || s.tenant_id]),
            unnest(ARRAY[c.amount, -c.amount])
        FROM claim_lines c JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id
        LEFT JOIN claim_answers x ON x.tenant_id = c.tenant_id AND x.line_id = c.id
        WHERE s.state IN ('sent', 'paid') AND x.answer IS DISTINCT FROM 'rejected'
    UNION ALL SELECT 'claims of ' || s.tenant_id, s.currency, unnest(ARRAY['bank:' || s.tenant_id,
            'receivable:' || s.payer || coalesce(':' || s.sponsor_id, '') || ':' || s.tenant_id]),
            unnest(ARRAY[-p.amount, p.amount])
        FROM claim_payments p JOIN subsidy_claims s ON s.tenant_id = p.tenant_id AND s.id = p.claim_id
)
SELECT coalesce(origin, 'no entry'), address FROM (
    SELECT origin, currency, address, units FROM booked
    UNION ALL SELECT origin, currency, address, -units FROM due) both_sides
GROUP BY origin, currency, address HAVING sum(units) <> 0
"""  # noqa: S608 - only our own text
_CAUSES = f"""
WITH {_NAMED}, {_ACTS}, known (of, id) AS (
    SELECT 'receipt', id::text FROM receipts UNION ALL SELECT 'reversal', id::text FROM reversals
    UNION ALL SELECT 'refund', id::text FROM refunds UNION ALL SELECT 'outflow', id::text FROM outflows
    UNION ALL SELECT 'adjustment', id::text FROM adjustments
    UNION ALL SELECT 'claim', id::text FROM subsidy_claims
    UNION ALL SELECT 'claim-payment', id::text FROM claim_payments
)
SELECT n.id FROM named n
LEFT JOIN acts a ON a.act = n.act
LEFT JOIN known k ON k.of = a.of AND k.id = n.key
LEFT JOIN known s ON s.of = a.second_of AND s.id = n.second_key
WHERE a.act IS NULL OR (a.of IS NOT NULL AND k.id IS NULL)
    OR (a.second_of IS NOT NULL AND n.second_key IS NOT NULL AND s.id IS NULL)
"""  # noqa: S608 - only our own text
# Which postings each act makes, by the kinds of their addresses. Before outflows were booked, an approved
# refund left for `outside` at once.
_MOVES = f"""
WITH {_NAMED}, moves (act, source, target) AS (VALUES
    ('receipt', 'outside', 'household'), ('receipt', 'outside', 'suspense'), ('receipt', 'fees', 'outside'),
    ('allocation', 'household', 'fund'), ('attribution', 'suspense', 'household'),
    ('undo', 'fund', 'household'), ('undo', 'household', 'suspense'),
    ('credit', 'household', 'fund'), ('credit', 'fund', 'household'),
    ('fee', 'fees', 'outside'), ('fee', 'outside', 'fees'),
    ('reversal', 'refunds', 'outside'), ('reversal', 'suspense', 'outside'),
    ('reversal', 'fund', 'household'), ('reversal', 'household', 'outside'),
    ('reversal', 'outflow', 'outside'), ('reversal', 'outside', 'fees'),
    ('excess', 'outflow', 'outside'), ('adjustment', 'fund', 'household'),
    ('refund', 'fund', 'household'), ('refund', 'household', 'refunds'), ('refund', 'suspense', 'refunds'),
    ('refund', 'household', 'outside'), ('refund', 'suspense', 'outside'),
    ('refund-paid', 'refunds', 'outside'), ('refund-kept', 'outside', 'refunds'),
    ('refund-seen', 'outside', 'outflow'), ('refund-seen', 'outflow', 'outside'),
    ('refund-seen', 'outside', 'household'), ('refund-seen', 'outside', 'suspense'),
    ('refund-seen', 'outside', 'refunds'),
    ('outflow', 'outflow', 'outside'), ('outflow', 'outside', 'outflow'),
    ('outflow', 'fees', 'outside'), ('outflow', 'outside', 'fees'),
    ('claim', 'receivable', 'fund'), ('claim', 'fund', 'receivable'),
    ('claim-answer', 'receivable', 'fund'), ('claim-answer', 'fund', 'receivable'),
    ('claim-payment', 'bank', 'receivable'), ('claim-payment', 'receivable', 'bank')
)
SELECT p.id FROM postings p
JOIN named n ON n.tenant_id = p.tenant_id AND n.id = p.entry_id
LEFT JOIN moves m ON m.act = n.act AND m.source = split_part(p.source, ':', 1)
    AND m.target = split_part(p.target, ':', 1)
WHERE m.act IS NULL
"""  # noqa: S608 - only our own text
# Two acts may move nothing: the allocation of money that is all credit, and a reversal that was noted before
# as the payout of a refund.
_EMPTY = """
SELECT e.reference FROM entries e
LEFT JOIN postings p ON p.tenant_id = e.tenant_id AND p.entry_id = e.id
WHERE p.id IS NULL AND e.reference NOT LIKE 'allocation:%' AND NOT (e.reference LIKE 'reversal:%'
    AND EXISTS (SELECT FROM refunds f WHERE f.tenant_id = e.tenant_id AND f.status = 'paid'
        AND f.taken_back > 0 AND e.reference LIKE '%:' || f.receipt_id || '%'))
"""
_ADDRESSES = """
WITH used AS (SELECT DISTINCT unnest(ARRAY[source, target]) AS address FROM postings), possible AS (
    SELECT unnest(ARRAY['outside:', 'suspense:', 'fees:', 'refunds:', 'outflow:']) || id AS address
    FROM operator_accounts
    UNION ALL SELECT 'household:' || id FROM households
    UNION ALL SELECT unnest(ARRAY['fund:', 'bank:', 'receivable:state:', 'receivable:commune:']) || id
        FROM tenants
    UNION ALL SELECT 'receivable:sponsor:' || id || ':' || tenant_id FROM sponsors
)
SELECT address FROM used LEFT JOIN possible USING (address) WHERE possible.address IS NULL
"""

QUESTIONS: tuple[Question, ...] = (
    query(
        "ledger-balance",
        "I1",
        "The entries of a receipt, an outflow or the claims moved what its rows say, at every address.",
        "{} at {}",
        _BALANCES,
    ),
    query(
        "ledger-cause",
        "I1",
        "Every entry names an act, and the receipt, refund, outflow or claim of that act exists.",
        "entry {}",
        _CAUSES,
    ),
    query(
        "ledger-move",
        "I1",
        "Every posting moves money between two addresses that the act of its entry can use.",
        "posting {}",
        _MOVES,
    ),
    query("ledger-empty", "I1", "Every entry has its postings.", "entry {}", _EMPTY),
    query(
        "ledger-address",
        "I1",
        "Every address belongs to an account, a household, a mutuelle or a payer that exists.",
        "address {}",
        _ADDRESSES,
    ),
)
