-- What leaves a wallet is booked: reversals line by line, refunds when they are paid out, and everything else as an outflow.
-- The owner of the tables upgrades the rows of all mutuelles, so that row-level security must not hide them meanwhile.
ALTER TABLE reversals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE refunds NO FORCE ROW LEVEL SECURITY;
ALTER TABLE receipts NO FORCE ROW LEVEL SECURITY;
ALTER TABLE allocations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE entries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE postings NO FORCE ROW LEVEL SECURITY;
ALTER TABLE flags NO FORCE ROW LEVEL SECURITY;

-- `fee` is the operator's fee that came back with it, `excess` what left beyond what was still there of the receipt.
-- `own_id`: the operator reports it under the receipt's own transaction, so that amount and moment tell the lines apart.
ALTER TABLE reversals
    ADD COLUMN fee bigint NOT NULL DEFAULT 0 CHECK (fee >= 0),
    ADD COLUMN excess bigint NOT NULL DEFAULT 0 CHECK (excess >= 0 AND excess <= amount),
    ADD COLUMN own_id boolean NOT NULL DEFAULT false;
ALTER TABLE reversals DISABLE TRIGGER append_only;
UPDATE reversals v SET own_id = true FROM receipts r
    WHERE r.tenant_id = v.tenant_id AND r.id = v.receipt_id AND r.transaction = v.transaction;
UPDATE reversals v SET excess = late.excess FROM (
    SELECT w.tenant_id, w.id, least(w.amount, w.until_here - b.booked) AS excess FROM (
        SELECT tenant_id, id, receipt_id, amount,
            sum(amount) OVER (PARTITION BY tenant_id, receipt_id ORDER BY recorded_at, id) AS until_here FROM reversals) w
    JOIN LATERAL (SELECT coalesce(sum(a.amount), 0) AS booked FROM allocations a
        WHERE a.tenant_id = w.tenant_id AND a.receipt_id = w.receipt_id AND a.kind = 'reversed') b ON true
    WHERE w.until_here > b.booked) late
    WHERE v.tenant_id = late.tenant_id AND v.id = late.id;
ALTER TABLE reversals ENABLE TRIGGER append_only;
ALTER TABLE reversals DROP CONSTRAINT reversals_account_id_transaction_key;
CREATE UNIQUE INDEX reversals_line ON reversals (account_id, transaction) WHERE NOT own_id;
CREATE UNIQUE INDEX reversals_own_line ON reversals (account_id, transaction, amount, moved_at) WHERE own_id;

-- Money that left a wallet and is no reversal of a receipt, or that came back to it: a payout, a sweep to the bank, a theft.
CREATE TABLE outflows (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    transaction text NOT NULL,
    flow text NOT NULL CHECK (flow IN ('out', 'back')),
    kind text,
    amount bigint NOT NULL CHECK (amount > 0),
    fee bigint NOT NULL CHECK (fee >= 0),
    currency text NOT NULL,
    moved_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (account_id, transaction, flow),
    FOREIGN KEY (tenant_id, account_id) REFERENCES operator_accounts (tenant_id, id)
);
CREATE INDEX outflows_moved ON outflows (tenant_id, moved_at);
ALTER TABLE outflows ENABLE ROW LEVEL SECURITY;
ALTER TABLE outflows FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON outflows TO mutuelle_worker, mutuelle_federation;
GRANT SELECT ON outflows TO mutuelle_console, mutuelle_auditor;
CREATE POLICY auditor ON outflows FOR SELECT TO mutuelle_auditor USING (current_user = 'mutuelle_auditor');
CREATE POLICY tenant ON outflows TO mutuelle_worker, mutuelle_federation, mutuelle_console
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON outflows FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON outflows FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- `taken_back` is what the operator itself gave back of an approved refund. `seen_at` is when a line of the operator proved
-- the payout, `outflow_id` that line. `shares_transaction`: an older refund was closed by the same transaction, before this
-- was refused.
ALTER TABLE refunds
    ADD COLUMN taken_back bigint NOT NULL DEFAULT 0 CHECK (taken_back >= 0 AND taken_back <= amount),
    ADD COLUMN ended_at timestamptz,
    ADD COLUMN seen_at timestamptz,
    ADD COLUMN outflow_id uuid,
    ADD COLUMN shares_transaction boolean NOT NULL DEFAULT false,
    ADD FOREIGN KEY (tenant_id, outflow_id) REFERENCES outflows (tenant_id, id);
ALTER TABLE refunds DROP CONSTRAINT refunds_status_check;
ALTER TABLE refunds DROP CONSTRAINT refunds_check;
ALTER TABLE refunds
    ADD CONSTRAINT refunds_status_check CHECK (status IN ('asked', 'approved', 'refused', 'paid', 'ended')),
    ADD CONSTRAINT decided CHECK (CASE status WHEN 'asked' THEN decided_by IS NULL WHEN 'ended' THEN true
        ELSE decided_by IS NOT NULL END AND (decided_by IS NULL) = (decided_at IS NULL)),
    ADD CONSTRAINT ended CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
    ADD CONSTRAINT seen CHECK (status = 'paid' OR (seen_at IS NULL AND outflow_id IS NULL));
UPDATE refunds f SET shares_transaction = true WHERE EXISTS (SELECT FROM refunds g
    WHERE g.tenant_id = f.tenant_id AND g.transaction = f.transaction AND (g.paid_at, g.id) < (f.paid_at, f.id));
CREATE UNIQUE INDEX refunds_transaction ON refunds (tenant_id, transaction)
    WHERE transaction IS NOT NULL AND NOT shares_transaction;
CREATE INDEX refunds_open ON refunds (tenant_id, status) WHERE status IN ('asked', 'approved');
GRANT SELECT, UPDATE (status, taken_back, ended_at, seen_at, outflow_id) ON refunds TO mutuelle_worker, mutuelle_federation;
GRANT UPDATE (seen_at, outflow_id) ON refunds TO mutuelle_console;
CREATE POLICY tenant ON refunds TO mutuelle_worker, mutuelle_federation
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);

-- Reversals of before took refunded money first: of approved refunds, then of paid ones.
UPDATE refunds f SET taken_back = consumed.units FROM (
    SELECT g.tenant_id, g.id, least(g.amount, greatest(0, gone.units - g.before)) AS units FROM (
        SELECT tenant_id, id, receipt_id, amount, sum(amount) OVER w - amount AS before FROM refunds
            WHERE status IN ('approved', 'paid')
            WINDOW w AS (PARTITION BY tenant_id, receipt_id ORDER BY status, asked_at, id)) g
    JOIN LATERAL (SELECT (SELECT sum(h.amount) FROM refunds h WHERE h.tenant_id = g.tenant_id
            AND h.receipt_id = g.receipt_id AND h.status IN ('approved', 'paid'))
        - (SELECT coalesce(sum(a.amount), 0) FROM allocations a WHERE a.tenant_id = g.tenant_id
            AND a.receipt_id = g.receipt_id AND a.kind = 'refunded') AS units) gone ON true) consumed
    WHERE f.tenant_id = consumed.tenant_id AND f.id = consumed.id AND consumed.units > 0;
UPDATE refunds SET status = 'ended', ended_at = now() WHERE status = 'approved' AND taken_back = amount;
INSERT INTO flags (tenant_id, id, kind, subject, reason, opened_at)
    SELECT DISTINCT ON (tenant_id, receipt_id) tenant_id, gen_random_uuid(), 'refund', 'receipt:' || receipt_id,
        CASE WHEN shares_transaction THEN 'two refunds were closed by the same transaction'
        ELSE 'the operator took the payment back although a refund of it was approved' END, now()
    FROM refunds WHERE taken_back > 0 OR shares_transaction ORDER BY tenant_id, receipt_id, shares_transaction;

-- A refund now leaves the wallet's books when it is paid out, not when it is approved.
WITH late AS (
    SELECT f.tenant_id, gen_random_uuid() AS id, 'refund-kept:' || f.id AS reference, 'outside:' || r.account_id AS source,
        'refunds:' || r.account_id AS target, f.amount - f.taken_back AS units, f.currency
        FROM refunds f JOIN receipts r ON r.tenant_id = f.tenant_id AND r.id = f.receipt_id WHERE f.status = 'approved'
    UNION ALL
    SELECT r.tenant_id, gen_random_uuid(), 'excess:' || r.id, 'outflow:' || r.account_id, 'outside:' || r.account_id,
        sum(v.excess), r.currency FROM reversals v JOIN receipts r ON r.tenant_id = v.tenant_id AND r.id = v.receipt_id
        GROUP BY r.tenant_id, r.id HAVING sum(v.excess) > 0
), headed AS (
    INSERT INTO entries (tenant_id, id, reference, at) SELECT tenant_id, id, reference, now() FROM late
)
INSERT INTO postings (tenant_id, id, entry_id, source, target, amount, currency)
    SELECT tenant_id, gen_random_uuid(), id, source, target, units, currency FROM late;

ALTER TABLE reversals FORCE ROW LEVEL SECURITY;
ALTER TABLE refunds FORCE ROW LEVEL SECURITY;
ALTER TABLE receipts FORCE ROW LEVEL SECURITY;
ALTER TABLE allocations FORCE ROW LEVEL SECURITY;
ALTER TABLE entries FORCE ROW LEVEL SECURITY;
ALTER TABLE postings FORCE ROW LEVEL SECURITY;
ALTER TABLE flags FORCE ROW LEVEL SECURITY;
