"""Questions about bills: shares that add up, money within them, and days that belong together."""

from mutuelle.verification import bill_prices
from mutuelle.verification.question import Question, query

_SHARES = """
SELECT b.id FROM bills b
LEFT JOIN bill_lines l ON l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.adjustment_id IS NULL
GROUP BY b.tenant_id, b.id, b.total HAVING coalesce(sum(l.amount), 0) <> b.total
"""
_ALONE = """
SELECT l.id FROM bill_lines l LEFT JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
WHERE b.id IS NULL
"""
_ADJUSTMENT_SHARES = """
SELECT j.id FROM adjustments j
LEFT JOIN bill_lines l ON l.tenant_id = j.tenant_id AND l.adjustment_id = j.id
GROUP BY j.tenant_id, j.id, j.total HAVING coalesce(sum(l.amount), 0) <> j.total
"""
_NEGATIVE = """
SELECT DISTINCT bill_id FROM (
    SELECT bill_id FROM bill_lines GROUP BY tenant_id, bill_id, payer HAVING sum(amount) < 0) parts
"""
_OTHER_HOUSEHOLD = """
SELECT j.id FROM adjustments j JOIN bills b ON b.tenant_id = j.tenant_id AND b.id = j.bill_id
WHERE b.household_id <> j.household_id
"""
_OLDER_RULES = """
SELECT id FROM (
    SELECT j.id, j.version, greatest(b.version, max(j.version) OVER (
        PARTITION BY j.tenant_id, j.bill_id ORDER BY j.ordinal
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS before
    FROM adjustments j JOIN bills b ON b.tenant_id = j.tenant_id AND b.id = j.bill_id) rules
WHERE version < before
"""
# Units that an adjustment freed on receipts of the federation stay on the bill, with a case.
_OVERPAID = """
SELECT l.bill_id FROM bill_lines l
LEFT JOIN (SELECT household_tenant_id, bill_line_id, sum(amount) AS units FROM allocations WHERE kind = 'bill'
    GROUP BY 1, 2) a ON a.household_tenant_id = l.tenant_id AND a.bill_line_id = l.id
WHERE l.payer = 'member'
AND NOT EXISTS (SELECT FROM flags f WHERE f.tenant_id = l.tenant_id AND f.kind = 'adjustment'
    AND f.subject = 'bill:' || l.bill_id)
GROUP BY l.tenant_id, l.bill_id HAVING coalesce(sum(a.units), 0) > sum(l.amount)
"""
_CURRENCY = """
SELECT b.id FROM bills b JOIN tenants t ON t.id = b.tenant_id WHERE b.currency <> t.currency
"""
# The household's first bills are of the day on which it joined.
_FIRST_DAY = """
SELECT b.household_id FROM bills b
JOIN households h ON h.tenant_id = b.tenant_id AND h.id = b.household_id
JOIN tenants t ON t.id = h.tenant_id
GROUP BY h.tenant_id, b.household_id, h.joined_at, t.zone
HAVING (h.joined_at AT TIME ZONE t.zone)::date - min(b.issued) NOT BETWEEN 0 AND 1
"""
_NO_BILL = """
SELECT h.id FROM households h LEFT JOIN bills b ON b.tenant_id = h.tenant_id AND b.household_id = h.id
WHERE b.id IS NULL
"""
_ADJUSTMENT_DAY = """
SELECT j.id FROM adjustments j JOIN bills b ON b.tenant_id = j.tenant_id AND b.id = j.bill_id
WHERE j.on_day < b.issued
"""
_ORDER = """
SELECT id FROM (
    SELECT id, ordinal, row_number() OVER w AS place, on_day, lag(on_day) OVER w AS before FROM adjustments
    WINDOW w AS (PARTITION BY tenant_id, bill_id ORDER BY ordinal)) numbered
WHERE ordinal <> place OR on_day < before
"""
_ADJUSTMENT_TRAIL = """
WITH parts AS (
    SELECT tenant_id, adjustment_id, payer, sum(amount)::text AS units FROM bill_lines
    WHERE adjustment_id IS NOT NULL GROUP BY 1, 2, 3 HAVING sum(amount) <> 0
), shares AS (
    SELECT tenant_id, adjustment_id, jsonb_object_agg(payer, units) AS by_payer FROM parts GROUP BY 1, 2
), trail AS (
    SELECT tenant_id, facts ->> 'adjustment' AS id, facts ->> 'bill' AS bill, facts ->> 'on' AS on_day,
        facts ->> 'reason' AS reason, jsonb_strip_nulls(jsonb_build_object('member', facts ->> 'member',
            'state', facts ->> 'state', 'commune', facts ->> 'commune', 'sponsor', facts ->> 'sponsor'))
            AS by_payer
    FROM whole_audit WHERE action = 'adjusted'
)
SELECT j.id FROM adjustments j
LEFT JOIN shares s ON s.tenant_id = j.tenant_id AND s.adjustment_id = j.id
LEFT JOIN trail t ON t.tenant_id = j.tenant_id AND t.id = j.id::text
WHERE (t.bill, t.on_day, t.reason, t.by_payer)
    IS DISTINCT FROM (j.bill_id::text, j.on_day::text, j.reason, coalesce(s.by_payer, '{}'))
"""
_ADJUSTMENT_GONE = """
SELECT t.facts ->> 'adjustment' FROM whole_audit t
LEFT JOIN adjustments j ON j.tenant_id = t.tenant_id AND j.id::text = t.facts ->> 'adjustment'
WHERE t.action = 'adjusted' AND j.id IS NULL
"""
_CAP = """
SELECT s.id FROM sponsors s JOIN bill_lines l ON l.tenant_id = s.tenant_id AND l.sponsor_id = s.id
GROUP BY s.tenant_id, s.id, s.cap HAVING sum(l.amount) > s.cap
"""
_SPONSOR_TERMS = """
SELECT s.id FROM sponsors s
LEFT JOIN whole_audit t ON t.tenant_id = s.tenant_id AND t.action = 'sponsor'
    AND t.subject = 'sponsor:' || s.id
    AND t.facts ->> 'percent' = s.percent::text AND t.facts ->> 'cap' = s.cap::text
    AND t.facts ->> 'per_bill' IS NOT DISTINCT FROM s.per_bill::text
WHERE t.id IS NULL
"""
_SPONSORSHIP = """
SELECT h.id FROM sponsorships h
CROSS JOIN LATERAL (VALUES ('sponsored', true), ('sponsor-ended', h.until IS NOT NULL)) s (action, due)
LEFT JOIN whole_audit t ON t.tenant_id = h.tenant_id AND t.action = s.action
    AND t.subject = 'household:' || h.household_id AND t.facts ->> 'sponsor' = h.sponsor_id::text
WHERE s.due AND t.id IS NULL
"""
# Whoever promised a part of a bill helps the household of that bill.
_SPONSORED = """
SELECT DISTINCT l.bill_id FROM bill_lines l
JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
LEFT JOIN sponsorships h ON h.tenant_id = l.tenant_id AND h.sponsor_id = l.sponsor_id
    AND h.household_id = b.household_id
WHERE l.sponsor_id IS NOT NULL AND h.id IS NULL
"""

QUESTIONS: tuple[Question, ...] = (
    query("bill-shares", "I11", "The shares of a bill add up to its price.", "bill {}", _SHARES),
    query("bill-line-alone", "I11", "Every bill line has its bill.", "bill line {}", _ALONE),
    Question(
        "bill-price",
        "I11",
        "Price, shares and period of a bill are what its rules say for its people, category and day.",
        bill_prices.differing,
    ),
    query(
        "adjustment-shares",
        "I11",
        "The lines of an adjustment add up to its total.",
        "adjustment {}",
        _ADJUSTMENT_SHARES,
    ),
    query("bill-part-negative", "I11", "No payer's part of a bill is negative.", "bill {}", _NEGATIVE),
    query(
        "adjustment-household",
        "I11",
        "An adjustment names the household of its bill.",
        "adjustment {}",
        _OTHER_HOUSEHOLD,
    ),
    query(
        "adjustment-rules", "I11", "No adjustment goes back to older rules.", "adjustment {}", _OLDER_RULES
    ),
    query(
        "adjustment-day",
        "I13",
        "An adjustment counts from the day of its bill on, or a later one.",
        "adjustment {}",
        _ADJUSTMENT_DAY,
    ),
    query(
        "adjustment-order",
        "I13",
        "The adjustments of a bill are numbered from 1 in the order of their days.",
        "adjustment {}",
        _ORDER,
    ),
    query(
        "adjustment-trail",
        "I8",
        "The trail names each adjustment with its bill, day, reason and shares.",
        "adjustment {}",
        _ADJUSTMENT_TRAIL,
    ),
    query(
        "adjustment-gone",
        "I8",
        "An adjustment that the trail names exists.",
        "adjustment {}",
        _ADJUSTMENT_GONE,
    ),
    query("bill-overpaid", "I1", "No more is paid on a bill than its member owes.", "bill {}", _OVERPAID),
    query("bill-currency", "I11", "A bill has the currency of its mutuelle.", "bill {}", _CURRENCY),
    query(
        "bill-first-day",
        "I13",
        "The first bills of a household are of the day on which it joined.",
        "household {}",
        _FIRST_DAY,
    ),
    query("bill-missing", "I11", "Every household has a bill.", "household {}", _NO_BILL),
    query("sponsor-cap", "I11", "No sponsor has promised more than its cap.", "sponsor {}", _CAP),
    query("sponsor-trail", "I8", "The trail names the terms of each sponsor.", "sponsor {}", _SPONSOR_TERMS),
    query(
        "sponsorship-trail",
        "I8",
        "The trail says when a sponsor began and ended to help each household.",
        "sponsorship {}",
        _SPONSORSHIP,
    ),
    query(
        "sponsor-household",
        "I12",
        "A sponsor's part is on the bill of a household that it helped.",
        "bill {}",
        _SPONSORED,
    ),
)
