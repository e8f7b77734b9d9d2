-- The regulator's indicators of one mutuelle and one month. Each named statement computes several indicators.
-- Its columns are `code`, `by`, `slice` (both empty for the whole), `numerator`, `denominator` and `behind`
-- (how many people, households, receipts or sessions the numerator stands for). Every statement begins with
-- the tables of `shared`; PostgreSQL does not compute those that a statement does not name. `:last` is the
-- last day counted. `:since` and `:until` are the first moments of the month and of the next month.

-- name: shared
WITH standing AS (
    SELECT household_id, state, reason FROM rights
    WHERE tenant_id = :tenant AND since <= :last AND (until IS NULL OR until >= :last)
), days (day) AS (
    VALUES (CAST(:last AS date)), (CAST(:year_ago AS date))
), rules AS (  -- whom each version of the rule book covers; a rule without a limit has null
    SELECT * FROM json_to_recordset(CAST(:rules AS json)) AS v (
        version date, people_max integer, spared_below integer, child_below integer, student_below integer,
        disabled_any_age boolean, relationships text[])
), billed AS (  -- the bill whose ages count on a day: a later one is written `:lead` days before it begins
    SELECT DISTINCT ON (d.day, b.household_id) d.day, b.household_id, b.issued, v.*
    FROM days d
    JOIN bills b ON b.tenant_id = :tenant AND b.kind = 'dues' AND b.issued <= d.day
    JOIN rules v ON v.version = b.version
    ORDER BY d.day, b.household_id, coalesce(b.period_from, b.issued + :lead) <= d.day DESC,
        CASE WHEN coalesce(b.period_from, b.issued + :lead) <= d.day THEN b.issued END DESC, b.issued
), covered_on AS (  -- people who may claim care on a day, also those exempt from a household's waiting
    SELECT b.day, r.household_id, r.state = 'open' AS open, least(count(*), max(b.people_max)) AS people
    FROM billed b
    JOIN rights r ON r.tenant_id = :tenant AND r.household_id = b.household_id
        AND r.since <= b.day AND (r.until IS NULL OR r.until >= b.day)
    JOIN members m ON m.tenant_id = :tenant AND m.household_id = b.household_id
        AND m.since <= b.day AND (m.until IS NULL OR m.until >= b.day)
    CROSS JOIN LATERAL (
        SELECT (SELECT e.entry ->> 1 FROM jsonb_array_elements(m.relationships) WITH ORDINALITY e (entry, n)
            WHERE CAST(e.entry ->> 0 AS date) <= greatest(b.issued, m.since)
            ORDER BY e.n DESC LIMIT 1) AS relationship
    ) k
    WHERE (r.state = 'open' OR r.reason = 'rights.waiting'
            AND extract(year FROM b.day) - m.birth_year < b.spared_below)
        AND (m.kind = 'head' OR (
            (k.relationship IS NULL OR cardinality(b.relationships) = 0
                OR k.relationship = ANY(b.relationships))
            AND (b.child_below IS NULL
                OR k.relationship <> 'child'
                OR k.relationship IS NULL AND extract(year FROM m.since) - m.birth_year >= :adult
                OR extract(year FROM b.issued) - m.birth_year
                    < CASE WHEN m.student THEN coalesce(b.student_below, b.child_below) ELSE b.child_below END
                OR b.disabled_any_age AND EXISTS (
                    SELECT FROM member_classes c WHERE c.tenant_id = :tenant AND c.member_id = m.id
                    AND c.code = 'disabled' AND c.since <= b.day AND (c.until IS NULL OR c.until >= b.day)))))
    GROUP BY 1, 2, 3
), covered AS (
    SELECT household_id, open, people FROM covered_on WHERE day = :last
), covered_before AS (  -- a year earlier
    SELECT household_id, open, people FROM covered_on WHERE day = :year_ago
), agreed AS (  -- the language of joining, and the one chosen since: a household's row holds today's only
    SELECT DISTINCT ON (household_id) household_id, language FROM consents
    WHERE tenant_id = :tenant AND kind = 'membership' AND at < :until
    ORDER BY household_id, at DESC
), chosen AS (
    SELECT DISTINCT ON (subject) subject, facts ->> 'language' AS language FROM whole_audit
    WHERE tenant_id = :tenant AND action = 'language' AND at < :until
    ORDER BY subject, at DESC
), homes AS (
    SELECT h.id AS household_id, h.channel, coalesce(c.language, a.language, h.language) AS language
    FROM households h
    LEFT JOIN agreed a ON a.household_id = h.id
    LEFT JOIN chosen c ON c.subject = 'household:' || h.id
    WHERE h.tenant_id = :tenant AND h.joined_at < :until
), ever AS (  -- everyone who was ever enrolled
    SELECT h.household_id, h.channel, h.language, m.people FROM homes h
    JOIN (
        SELECT household_id, count(*) AS people FROM members
        WHERE tenant_id = :tenant AND since <= :last
        GROUP BY 1
    ) m ON m.household_id = h.household_id
), paid AS (  -- as our books said at the end of the month
    SELECT bill_line_id, sum(amount) AS units FROM allocations
    WHERE household_tenant_id = :tenant AND kind = 'bill' AND at < :until GROUP BY 1
), lines AS (  -- of bills, with what changed them until the end of the month
    SELECT l.* FROM bill_lines l
    LEFT JOIN adjustments j ON j.tenant_id = l.tenant_id AND j.id = l.adjustment_id
    WHERE l.tenant_id = :tenant AND (j.at IS NULL OR j.at < :until)
), sent AS (  -- subsidy claims sent until the end of the month, and what had become of them by then
    SELECT s.id, s.payer, s.total, s.sent_at,
        (SELECT coalesce(sum(p.amount), 0) FROM claim_payments p
            WHERE p.tenant_id = s.tenant_id AND p.claim_id = s.id AND p.noted_at < :until) AS received,
        (SELECT coalesce(sum(c.amount), 0) FROM claim_lines c
            JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
            WHERE c.tenant_id = s.tenant_id AND c.claim_id = s.id
            AND a.answer = 'rejected' AND a.noted_at < :until) AS rejected,
        (SELECT count(DISTINCT c.household_id) FROM claim_lines c
            WHERE c.tenant_id = s.tenant_id AND c.claim_id = s.id) AS homes
    FROM subsidy_claims s WHERE s.tenant_id = :tenant AND s.sent_at < :until
), listed AS (  -- lines of the social registries' lists at the end of the month: a newer list may leave one out
    SELECT e.number_index, e.category FROM registry_entries e
    LEFT JOIN registry_lists l ON l.tenant_id = e.tenant_id AND l.id = e.list_id
    WHERE e.tenant_id = :tenant AND e.first_listed_at < :until
        AND (e.valid_until IS NULL OR e.valid_until >= :last)
        AND NOT EXISTS (SELECT FROM registry_lists n
            WHERE n.tenant_id = e.tenant_id AND n.source = coalesce(l.source, 'social')
            AND n.at < :until AND (l.id IS NULL OR (n.at, n.id) > (l.at, l.id)))
), taken AS (  -- receipts of the month, where they went until its end, and whether a person had to say so
    SELECT o.operator, r.id, r.moved_at,
        min(a.at) FILTER (WHERE a.kind IN ('bill', 'credit') AND a.amount > 0) AS placed_at,
        coalesce(bool_or(a.reason = 'by hand'), false) AS by_hand
    FROM receipts r
    JOIN operator_accounts o ON o.tenant_id = r.tenant_id AND o.id = r.account_id
    LEFT JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id AND a.at < :until
    WHERE r.tenant_id = :tenant AND r.recorded_at >= :since AND r.recorded_at < :until
    GROUP BY 1, 2, 3
), calls AS (  -- USSD sessions of the month, unless some of them were taken out (`mutuelle/archive.py`);
    -- `registered`: the phone belonged to a household before the call
    SELECT s.gateway_id, s.id, coalesce(s.report ->> 'network', '?') AS network,
        CAST(s.report ->> 'hops' AS integer) AS hops,
        coalesce(bool_or(p.since <= s.began_at), false) AS registered,
        min(CAST(p.household_id AS text)) AS household
    FROM ussd_sessions s
    LEFT JOIN phones p ON p.tenant_id = s.tenant_id AND p.blind_index = s.phone_index
        AND p.since <= s.began_at + interval '15 minutes' AND (p.until IS NULL OR p.until > s.began_at)
    WHERE s.tenant_id = :tenant AND s.began_at >= :since AND s.began_at < :until
        AND NOT EXISTS (SELECT FROM archive_runs a WHERE a.archived = 'ussd_sessions' AND a.ended_before > :since)
    GROUP BY 1, 2
), acts AS (
    SELECT e.gateway_id, e.session_id AS id, bool_or(e.screen = 'join.confirm') AS joined
    FROM ussd_effects e
    JOIN calls c ON c.gateway_id = e.gateway_id AND c.id = e.session_id
    GROUP BY 1, 2
)

-- name: people
SELECT 'penetration' AS code, '' AS by, '' AS slice,
    coalesce(sum(people), 0) AS numerator, CAST(:target AS bigint) AS denominator,
    coalesce(sum(people), 0) AS behind
FROM covered
UNION ALL
SELECT 'open-share' AS code,
    CASE 0 WHEN grouping(e.language) THEN 'language' WHEN grouping(e.channel) THEN 'channel'
        ELSE '' END AS by,
    coalesce(e.language, e.channel, '') AS slice,
    coalesce(sum(c.people), 0) AS numerator, coalesce(sum(e.people), 0) AS denominator,
    coalesce(sum(c.people), 0) AS behind
FROM ever e
LEFT JOIN covered c ON c.household_id = e.household_id
GROUP BY GROUPING SETS ((), (e.language), (e.channel))
UNION ALL
SELECT 'rights-state' AS code,
    CASE WHEN grouping(s.state) = 0 THEN 'state' ELSE '' END AS by, coalesce(s.state, '') AS slice,
    CASE grouping(s.state) WHEN 0 THEN count(*) FILTER (WHERE s.real)
        ELSE count(*) FILTER (WHERE s.real AND s.state = 'open') END AS numerator,
    (SELECT count(*) FROM homes) AS denominator,
    CASE grouping(s.state) WHEN 0 THEN count(*) FILTER (WHERE s.real)
        ELSE count(*) FILTER (WHERE s.real AND s.state = 'open') END AS behind
FROM (
    SELECT coalesce(r.state, 'never') AS state, true AS real
    FROM homes h
    LEFT JOIN standing r ON r.household_id = h.household_id
    UNION ALL
    SELECT state, false
    FROM unnest(ARRAY['open', 'waiting', 'part-paid', 'lapsed', 'suspended', 'never']) AS state
) s
GROUP BY GROUPING SETS ((), (s.state))
UNION ALL
SELECT 'renewal' AS code, '' AS by, '' AS slice,
    count(c.household_id) AS numerator, count(*) AS denominator, count(c.household_id) AS behind
FROM covered_before b
LEFT JOIN covered c ON c.household_id = b.household_id AND c.open
WHERE b.open
UNION ALL
SELECT 'growth' AS code,
    CASE WHEN grouping(part) = 0 THEN 'part' ELSE '' END AS by, coalesce(part, '') AS slice,
    coalesce(sum(more), 0) AS numerator, (SELECT coalesce(sum(people), 0) FROM covered_before) AS denominator,
    coalesce(sum(abs(more)), 0) AS behind
FROM unnest(ARRAY['external', 'internal', 'lost']) AS part
LEFT JOIN (
    SELECT CASE WHEN b.household_id IS NULL THEN 'external' WHEN c.household_id IS NULL THEN 'lost'
            ELSE 'internal' END AS part,
        coalesce(c.people, 0) - coalesce(b.people, 0) AS more
    FROM covered c
    FULL JOIN covered_before b ON b.household_id = c.household_id
) moved USING (part)
GROUP BY GROUPING SETS ((), (part))
UNION ALL
SELECT 'family-size' AS code, '' AS by, '' AS slice,
    coalesce(sum(people), 0) AS numerator, count(*) AS denominator, count(*) AS behind
FROM covered
WHERE open
UNION ALL
SELECT 'subsidy-due' AS code,
    CASE WHEN grouping(l.payer) = 0 THEN 'payer' ELSE '' END AS by, coalesce(l.payer, '') AS slice,
    coalesce(sum(l.amount), 0) AS numerator, CAST(NULL AS bigint) AS denominator,
    count(DISTINCT b.household_id) AS behind
FROM (
    SELECT DISTINCT ON (b.household_id) b.household_id, b.id FROM bills b
    JOIN covered c ON c.household_id = b.household_id AND c.open
    WHERE b.tenant_id = :tenant AND b.kind = 'dues' AND greatest(b.issued, b.period_from) <= :last
    ORDER BY b.household_id, greatest(b.issued, b.period_from) DESC, b.id
) b
JOIN lines l ON l.bill_id = b.id AND l.payer <> 'member' AND l.amount <> 0
GROUP BY GROUPING SETS ((), (l.payer))
UNION ALL
SELECT 'exempt' AS code,
    CASE WHEN grouping(e.category) = 0 THEN 'category' ELSE '' END AS by, coalesce(e.category, '') AS slice,
    count(c.household_id) AS numerator, count(e.category) AS denominator, count(c.household_id) AS behind
FROM listed e
LEFT JOIN LATERAL (  -- the household that the line proves on the last day
    SELECT household_id FROM categories
    WHERE tenant_id = :tenant AND reference_index = e.number_index AND standing = 'checked'
        AND evidence IN ('list', 'registry-number') AND since <= :last AND (until IS NULL OR until >= :last)
    ORDER BY since DESC, id LIMIT 1
) k ON true
LEFT JOIN covered c ON c.household_id = k.household_id AND c.open
GROUP BY GROUPING SETS ((), (e.category))

-- name: claims
SELECT 'subsidy-received' AS code,
    CASE WHEN grouping(payer) = 0 THEN 'payer' ELSE '' END AS by, coalesce(payer, '') AS slice,
    sum(received) AS numerator, sum(total) AS denominator, coalesce(max(homes), 0) AS behind
FROM sent WHERE sent_at >= :year_since
GROUP BY GROUPING SETS ((), (payer))
UNION ALL
SELECT 'subsidy-wait' AS code, '' AS by, '' AS slice,
    CAST(percentile_disc(0.5) WITHIN GROUP (
        ORDER BY floor(extract(epoch FROM CAST(:until AS timestamptz) - sent_at))) AS bigint) AS numerator,
    CAST(NULL AS bigint) AS denominator, coalesce(max(homes), 0) AS behind
FROM sent WHERE received + rejected < total

-- name: dues
SELECT 'collection' AS code,
    CASE WHEN grouping(cohort) = 0 THEN 'cohort' ELSE '' END AS by, coalesce(cohort, '') AS slice,
    coalesce(sum(received), 0) AS numerator, coalesce(sum(billed), 0) AS denominator,
    count(DISTINCT household_id) FILTER (WHERE received <> 0) AS behind
FROM (
    SELECT b.household_id, to_char(greatest(b.issued, b.period_from), 'YYYY-MM') AS cohort,
        l.amount AS billed, coalesce(p.units, 0) AS received
    FROM bills b
    JOIN lines l ON l.bill_id = b.id AND l.payer = 'member'
    LEFT JOIN paid p ON p.bill_line_id = l.id
    WHERE b.tenant_id = :tenant AND b.kind = 'dues'
        AND greatest(b.issued, b.period_from) BETWEEN :cohorts_from AND :last
) dues
GROUP BY GROUPING SETS ((), (cohort))

-- name: receipts
SELECT 'match-rate' AS code,
    CASE WHEN grouping(operator) = 0 THEN 'operator' ELSE '' END AS by, coalesce(operator, '') AS slice,
    count(*) FILTER (WHERE placed_at IS NOT NULL AND NOT by_hand) AS numerator, count(*) AS denominator,
    count(*) FILTER (WHERE placed_at IS NOT NULL AND NOT by_hand) AS behind
FROM taken
GROUP BY GROUPING SETS ((), (operator))
UNION ALL
SELECT 'match-time' AS code, '' AS by, '' AS slice,
    CAST(percentile_disc(0.5) WITHIN GROUP (
        ORDER BY greatest(0, floor(extract(epoch FROM placed_at - moved_at)))) AS bigint) AS numerator,
    CAST(NULL AS bigint) AS denominator, count(*) AS behind
FROM taken WHERE placed_at IS NOT NULL

-- name: sessions
SELECT 'sessions-acted' AS code,
    CASE 0 WHEN grouping(network) THEN 'network' WHEN grouping(language) THEN 'language'
        ELSE '' END AS by,
    coalesce(network, language, '') AS slice,
    count(acted) AS numerator, count(here) AS denominator, count(acted) AS behind
FROM (
    SELECT c.network, coalesce(h.language, '?') AS language, a.id AS acted, c.id AS here
    FROM calls c
    LEFT JOIN acts a ON a.gateway_id = c.gateway_id AND a.id = c.id
    LEFT JOIN homes h ON h.household_id = CAST(c.household AS uuid)
) sessions
GROUP BY GROUPING SETS ((), (network), (language))
UNION ALL
SELECT 'join-completion' AS code,
    CASE WHEN grouping(c.network) = 0 THEN 'network' ELSE '' END AS by, coalesce(c.network, '') AS slice,
    count(*) FILTER (WHERE a.joined) AS numerator, count(*) AS denominator,
    count(*) FILTER (WHERE a.joined) AS behind
FROM calls c
LEFT JOIN acts a ON a.gateway_id = c.gateway_id AND a.id = c.id
WHERE NOT c.registered
GROUP BY GROUPING SETS ((), (c.network))
UNION ALL
SELECT 'join-step' AS code, 'step' AS by,
    CASE WHEN c.hops IS NULL THEN '?' WHEN c.hops > 8 THEN '9+' ELSE CAST(c.hops AS text) END AS slice,
    count(*) AS numerator, CAST(sum(count(*)) OVER () AS bigint) AS denominator, count(*) AS behind
FROM calls c
LEFT JOIN acts a ON a.gateway_id = c.gateway_id AND a.id = c.id
WHERE NOT c.registered AND a.joined IS NOT TRUE
GROUP BY 3
