"""Questions about likely duplicates: one person is claimed once, staff are asked, the trail says who."""

from mutuelle.verification.question import Question, query

# The decision that counts of each pair, and the days for which each member stands claimed of one purse: what
# was rejected, cancelled or taken back does not stand. `asked_at` is when it was asked last. A line below 0
# takes units of the line that it names back; where covered days are counted, it frees its days.
_STANDING = """
WITH decided AS (
    SELECT DISTINCT ON (tenant_id, pair_id) tenant_id, pair_id, verdict, decided_at
    FROM duplicate_decisions ORDER BY tenant_id, pair_id, decided_at DESC, id DESC
), standing AS (
    SELECT c.tenant_id, c.household_id, c.member_id, coalesce(s.sponsor_id::text, 'public') AS purse,
        range_agg(daterange(c.days_from, c.days_until, '[]')) FILTER (WHERE c.amount > 0)
            - coalesce(range_agg(daterange(c.days_from, c.days_until, '[]'))
                FILTER (WHERE c.amount < 0 AND c.days IS NOT NULL), '{}') AS days,
        max(s.made_at) FILTER (WHERE c.amount > 0) AS asked_at
    FROM claim_lines c
    JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id AND s.state <> 'cancelled'
    LEFT JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
    WHERE a.answer IS DISTINCT FROM 'rejected' AND EXISTS (SELECT FROM duplicate_pairs p
        WHERE (p.tenant_id = c.tenant_id AND p.member_id = c.member_id)
            OR (p.later_tenant_id = c.tenant_id AND p.later_member_id = c.member_id))
    GROUP BY 1, 2, 3, 4, CASE WHEN c.amount < 0 THEN c.corrects ELSE c.id END HAVING sum(c.amount) > 0
), twice AS (
    SELECT p.tenant_id, p.id, p.number, p.later_number, p.found_at,
        greatest(a.asked_at, b.asked_at) AS asked_at
    FROM duplicate_pairs p
    JOIN standing a ON a.tenant_id = p.tenant_id AND a.member_id = p.member_id
    JOIN standing b ON b.tenant_id = p.later_tenant_id AND b.member_id = p.later_member_id
        AND b.purse = a.purse AND b.days && a.days
)
"""
_CLAIMED = f"""{_STANDING}
SELECT DISTINCT t.number, t.later_number FROM twice t
JOIN decided d ON d.tenant_id = t.tenant_id AND d.pair_id = t.id AND d.verdict <> 'different'
WHERE t.asked_at > d.decided_at
"""  # noqa: S608 - only our own text
_UNDECIDED = f"""{_STANDING}
SELECT DISTINCT t.number, t.later_number FROM twice t
LEFT JOIN decided d ON d.tenant_id = t.tenant_id AND d.pair_id = t.id
WHERE t.asked_at > t.found_at AND (d.pair_id IS NULL OR t.asked_at < d.decided_at AND NOT EXISTS (
    SELECT FROM duplicate_decisions o WHERE o.tenant_id = t.tenant_id AND o.pair_id = t.id
    AND o.decided_at < t.asked_at))
"""  # noqa: S608 - only our own text
_CASE = """
WITH known AS (
    SELECT tenant_id, subject, max(coalesce(closed_at, 'infinity')) AS until
    FROM flags WHERE kind = 'duplicate' GROUP BY tenant_id, subject
)
SELECT p.number, p.later_number FROM duplicate_pairs p
LEFT JOIN duplicate_decisions d ON d.tenant_id = p.tenant_id AND d.pair_id = p.id
LEFT JOIN known a ON a.tenant_id = p.tenant_id AND a.subject = 'household:' || p.household_id
    AND a.until > p.found_at
LEFT JOIN known b ON b.tenant_id = p.later_tenant_id AND b.subject = 'household:' || p.later_household_id
    AND b.until > p.found_at
WHERE d.id IS NULL AND a.subject IS NULL AND b.subject IS NULL
"""
_TRAIL = """
SELECT d.pair_id FROM duplicate_decisions d
LEFT JOIN whole_audit t ON t.tenant_id = d.by_tenant_id AND t.action = 'duplicate-decided'
    AND t.actor = 'manager:' || d.decided_by AND t.facts ->> 'pair' = d.pair_id::text
    AND t.facts ->> 'verdict' = d.verdict AND t.facts ->> 'why' = d.why
    AND abs(extract(epoch FROM t.at - d.decided_at)) < 300
WHERE t.id IS NULL
UNION SELECT CAST(t.facts ->> 'pair' AS uuid) FROM whole_audit t
LEFT JOIN duplicate_decisions d ON d.by_tenant_id = t.tenant_id AND d.pair_id::text = t.facts ->> 'pair'
    AND d.verdict = t.facts ->> 'verdict' AND abs(extract(epoch FROM t.at - d.decided_at)) < 300
WHERE t.action = 'duplicate-decided' AND d.id IS NULL
"""

QUESTIONS: tuple[Question, ...] = (
    query(
        "duplicate-claimed",
        "I12",
        "Who is one person by a decision is claimed once for a day.",
        "households {} and {}",
        _CLAIMED,
    ),
    query(
        "duplicate-undecided",
        "I12",
        "While nobody has decided about two members, only one of them is asked for.",
        "households {} and {}",
        _UNDECIDED,
    ),
    query(
        "duplicate-case",
        "I4",
        "There is a case for each pair of members that nobody has decided about.",
        "households {} and {}",
        _CASE,
    ),
    query(
        "duplicate-trail",
        "I8",
        "The trail names each decision about a pair of members, with its manager.",
        "pair {}",
        _TRAIL,
    ),
)
