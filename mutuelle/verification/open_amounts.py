"""Questions about what is open: the stored dues and the stored suspense follow from bills and money."""

from mutuelle.verification.question import Question, query

# Both are computed for all at once, apart from the database's functions that keep the tables.
_OPEN_DUES = """
WITH given AS (
    SELECT household_tenant_id AS tenant_id, bill_line_id, sum(amount) AS units FROM allocations
    WHERE kind = 'bill' GROUP BY 1, 2
), due AS (
    SELECT b.tenant_id, b.household_id, b.id AS bill_id, sum(l.amount - coalesce(g.units, 0)) AS units
    FROM bills b
    JOIN bill_lines l ON l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.payer = 'member'
    LEFT JOIN given g ON g.tenant_id = l.tenant_id AND g.bill_line_id = l.id
    GROUP BY 1, 2, 3
), wanted AS (
    SELECT tenant_id, household_id, bill_id, units,
        sum(units) OVER (PARTITION BY tenant_id, household_id) AS household_units
    FROM due WHERE units <> 0
)
SELECT DISTINCT household_id FROM wanted w
FULL JOIN open_dues o USING (tenant_id, household_id, bill_id)
WHERE (w.units, w.household_units) IS DISTINCT FROM (o.units, o.household_units)
"""

_OPEN_SUSPENSE = """
WITH wanted AS (
    SELECT a.tenant_id, a.receipt_id, r.moved_at, sum(a.amount) AS units FROM allocations a
    JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id
    WHERE a.kind = 'suspense' GROUP BY 1, 2, 3 HAVING sum(a.amount) <> 0
)
SELECT receipt_id FROM wanted w FULL JOIN open_suspense o USING (tenant_id, receipt_id)
WHERE (w.units, w.moved_at) IS DISTINCT FROM (o.units, o.moved_at)
"""

QUESTIONS: tuple[Question, ...] = (
    query(
        "open-dues",
        "I5",
        "The stored open dues of a household follow from its bills and money.",
        "household {}",
        _OPEN_DUES,
    ),
    query(
        "open-suspense",
        "I1",
        "The receipts that are listed as waiting in suspense are those of which a part is in suspense.",
        "receipt {}",
        _OPEN_SUSPENSE,
    ),
)
