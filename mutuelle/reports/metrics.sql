-- Prometheus metrics. Below the name of each metric stand its kind and help text, then one query: a column
-- for each label, and `value`. Every query begins with the tables of the statement `shared`.

-- name: shared
WITH spans (label, span) AS (
    VALUES ('1h', interval '1 hour'), ('1d', interval '1 day')
), quantiles (label, part) AS (
    VALUES ('0.5', 0.5::float8), ('0.95', 0.95::float8)
), operators AS (
    SELECT DISTINCT operator FROM operator_accounts
), wallets AS (
    SELECT t.code AS tenant, o.operator, o.code AS account, o.tenant_id, o.id
    FROM operator_accounts o JOIN tenants t ON t.id = o.tenant_id
), suspense AS (
    SELECT w.tenant, w.account, r.currency, r.recorded_at, s.units
    FROM open_suspense s
    JOIN receipts r ON r.tenant_id = s.tenant_id AND r.id = s.receipt_id
    JOIN wallets w ON w.tenant_id = r.tenant_id AND w.id = r.account_id
)

-- name: notices_waiting
-- gauge: Outsiders' words not yet understood
SELECT door, provider, count(*) AS value FROM notices WHERE state = 'new' GROUP BY 1, 2

-- name: notices_oldest_seconds
-- gauge: Age of the oldest notice not yet understood
SELECT door, provider, extract(epoch FROM :now - min(received_at)) AS value FROM notices
WHERE state = 'new'
GROUP BY 1, 2

-- name: outbox_waiting
-- gauge: What we still have to ask or say
SELECT kind, count(*) AS value FROM outbox WHERE state = 'waiting' GROUP BY 1

-- name: outbox_overdue_seconds
-- gauge: How long the oldest task that is due has waited beyond its time
SELECT kind, extract(epoch FROM :now - min(due_at)) AS value FROM outbox
WHERE state = 'waiting' AND due_at <= :now
GROUP BY 1

-- name: payments_live
-- gauge: Requests to collect that have no end yet
SELECT w.tenant, w.operator, p.status, count(*) AS value
FROM payments p JOIN wallets w ON w.tenant_id = p.tenant_id AND w.id = p.account_id
WHERE p.status IN ('requested', 'unknown', 'pending') GROUP BY 1, 2, 3

-- name: payments
-- gauge: Requests to collect made in the last hour and day, by what became of them
SELECT w.operator, p.status, s.label AS span, count(*) AS value
FROM spans s JOIN payments p ON p.created_at > :now - s.span
JOIN wallets w ON w.tenant_id = p.tenant_id AND w.id = p.account_id GROUP BY 1, 2, 3

-- name: payments_asked
-- gauge: Requests to collect made in the last hour and day
SELECT o.operator, s.label AS span, (
    SELECT count(*) FROM payments p JOIN wallets w ON w.tenant_id = p.tenant_id AND w.id = p.account_id
    WHERE w.operator = o.operator AND p.created_at > :now - s.span) AS value
FROM spans s, operators o

-- name: receipts
-- gauge: Receipts of the last hour and day, by the door they came through
SELECT w.tenant, w.operator, w.account, r.door, s.label AS span, count(*) AS value
FROM spans s JOIN receipts r ON r.recorded_at > :now - s.span
JOIN wallets w ON w.tenant_id = r.tenant_id AND w.id = r.account_id GROUP BY 1, 2, 3, 4, 5

-- name: receipts_units
-- gauge: Whole smallest units of money received in the last hour and day, by the door they came through
SELECT w.tenant, w.operator, w.account, r.door, r.currency, s.label AS span, sum(r.amount) AS value
FROM spans s JOIN receipts r ON r.recorded_at > :now - s.span
JOIN wallets w ON w.tenant_id = r.tenant_id AND w.id = r.account_id GROUP BY 1, 2, 3, 4, 5, 6

-- name: suspense_receipts
-- gauge: Receipts nobody could attribute yet
SELECT tenant, account, count(*) AS value FROM suspense GROUP BY 1, 2

-- name: suspense_units
-- gauge: Whole smallest units of money nobody could attribute yet
SELECT tenant, account, currency, sum(units) AS value FROM suspense GROUP BY 1, 2, 3

-- name: suspense_oldest_seconds
-- gauge: Age of the oldest receipt nobody could attribute yet
SELECT tenant, account, extract(epoch FROM :now - min(recorded_at)) AS value FROM suspense GROUP BY 1, 2

-- name: flags_open
-- gauge: What a person must look at
SELECT t.code AS tenant, f.kind, count(*) AS value FROM flags f JOIN tenants t ON t.id = f.tenant_id
WHERE f.closed_at IS NULL GROUP BY 1, 2

-- name: flags_oldest_seconds
-- gauge: Age of the oldest thing a person must look at
SELECT t.code AS tenant, f.kind, extract(epoch FROM :now - min(f.opened_at)) AS value FROM flags f
JOIN tenants t ON t.id = f.tenant_id
WHERE f.closed_at IS NULL
GROUP BY 1, 2

-- name: tickets_open
-- gauge: Appeals that wait for an answer
SELECT t.code AS tenant, k.kind, count(*) AS value FROM tickets k JOIN tenants t ON t.id = k.tenant_id
WHERE k.state = 'open' GROUP BY 1, 2

-- name: tickets_overdue
-- gauge: Appeals that wait beyond their deadline, for every mutuelle
SELECT t.code AS tenant, (
    SELECT count(*) FROM tickets k WHERE k.tenant_id = t.id AND k.state = 'open'
    AND k.deadline < CASE WHEN t.zone = ANY(:zones)
        THEN (CAST(:now AS timestamptz) AT TIME ZONE t.zone)::date END) AS value
FROM tenants t WHERE t.kind = 'mutuelle'

-- name: request_to_credit_seconds
-- gauge: From a member's Confirm to the credited payment, of those settled in the last hour and day
SELECT w.operator, s.label AS span, q.label AS quantile,
    percentile_cont(q.part) WITHIN GROUP (ORDER BY extract(epoch FROM p.settled_at - p.created_at)) AS value
FROM spans s, quantiles q, payments p
JOIN wallets w ON w.tenant_id = p.tenant_id AND w.id = p.account_id
WHERE p.status = 'confirmed' AND p.settled_at > :now - s.span AND p.created_at > :now - interval '5 days'
GROUP BY w.operator, s.label, q.label, q.part

-- name: move_to_credit_seconds
-- gauge: From the moment money moved, where the operator tells it, to its receipt in our books
SELECT w.operator, s.label AS span, q.label AS quantile,
    percentile_cont(q.part) WITHIN GROUP (
        ORDER BY greatest(0, extract(epoch FROM r.recorded_at - r.moved_at))) AS value
FROM spans s, quantiles q, receipts r
JOIN wallets w ON w.tenant_id = r.tenant_id AND w.id = r.account_id
WHERE r.recorded_at > :now - s.span
GROUP BY w.operator, s.label, q.label, q.part

-- name: last_callback_seconds
-- gauge: Since the operator last called back and was believed; after a week of silence no sample
SELECT provider AS operator, extract(epoch FROM :now - max(received_at)) AS value FROM notices
WHERE door = 'momo' AND state <> 'rejected' AND received_at > :now - interval '7 days' GROUP BY 1

-- name: callbacks
-- gauge: Callbacks of the last hour and day, by whether they were believed
SELECT o.operator, v.verdict, s.label AS span, (
    SELECT count(*) FROM notices n
    WHERE n.door = 'momo' AND n.provider = o.operator AND n.received_at > :now - s.span
    AND (n.state = 'rejected') = (v.verdict = 'rejected')) AS value
FROM spans s, operators o, (VALUES ('accepted'), ('rejected')) AS v (verdict)

-- name: confirmations
-- gauge: Receipts of the last hour and day, through whatever door
SELECT o.operator, s.label AS span, (
    SELECT count(*) FROM receipts r JOIN wallets w ON w.tenant_id = r.tenant_id AND w.id = r.account_id
    WHERE w.operator = o.operator AND r.recorded_at > :now - s.span) AS value
FROM spans s, operators o

-- name: sms
-- gauge: SMS of the last day, by what became of them
SELECT t.code AS tenant, m.kind, m.status, count(*) AS value FROM messages m
JOIN tenants t ON t.id = m.tenant_id
WHERE m.created_at > :now - interval '1 day'
GROUP BY 1, 2, 3

-- name: sessions_begun
-- gauge: USSD sessions begun in the last hour and day
SELECT t.code AS tenant, s.label AS span, count(*) AS value FROM spans s
JOIN ussd_sessions u ON u.began_at > :now - s.span
JOIN tenants t ON t.id = u.tenant_id
GROUP BY 1, 2

-- name: sessions_acted
-- gauge: Those of them in which something was confirmed
SELECT t.code AS tenant, s.label AS span, count(*) AS value FROM spans s
JOIN ussd_sessions u ON u.began_at > :now - s.span
JOIN tenants t ON t.id = u.tenant_id
WHERE EXISTS (SELECT FROM ussd_effects e WHERE e.gateway_id = u.gateway_id AND e.session_id = u.id)
GROUP BY 1, 2

-- name: archive_run_seconds
-- gauge: Since a run last took all old rows out of a table; no sample before the first one
SELECT archived AS table, extract(epoch FROM :now - max(ran_at)) AS value FROM archive_runs
WHERE is_last
GROUP BY 1

-- name: archive_oldest_seconds
-- gauge: Age of the oldest row in a table that is cleared, evidence included
SELECT k.archived AS table, extract(epoch FROM :now - k.at) AS value FROM (
    SELECT 'notices' AS archived, min(ended_at) AS at FROM notices
        WHERE state IN ('done', 'rejected') AND door <> 'sms-incoming'
    UNION ALL SELECT 'messages', min(created_at) FROM messages
    UNION ALL SELECT 'outbox', min(ended_at) FROM outbox WHERE state = 'done'
    UNION ALL SELECT 'ussd_sessions', min(began_at) FROM ussd_sessions
    UNION ALL SELECT 'audit', min(at) FROM audit) k
WHERE k.at IS NOT NULL
