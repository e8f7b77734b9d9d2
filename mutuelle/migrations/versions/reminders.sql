-- One reminder per household and day, whatever is restarted.
ALTER TABLE messages ADD COLUMN key text;
CREATE UNIQUE INDEX messages_once ON messages (tenant_id, key) WHERE key IS NOT NULL;

-- How far a mutuelle's reminders of a day have come. `reached` is the last household looked at.
CREATE TABLE reminder_runs (
    tenant_id uuid NOT NULL REFERENCES tenants,
    day date NOT NULL,
    reached uuid,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, day)
);
ALTER TABLE reminder_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE reminder_runs FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON reminder_runs TO mutuelle_worker;
GRANT SELECT ON reminder_runs TO mutuelle_auditor;
CREATE POLICY auditor ON reminder_runs FOR SELECT TO mutuelle_auditor USING (current_user = 'mutuelle_auditor');
CREATE POLICY tenant ON reminder_runs TO mutuelle_worker
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
-- The scheduler asks for all mutuelles whether a run is due.
CREATE POLICY claim ON reminder_runs FOR SELECT TO mutuelle_worker
    USING (current_user = 'mutuelle_worker' AND nullif(current_setting('app.tenant', true), '') IS NULL);

-- What health and metrics read at every scrape. BRIN: rows come in the order of time, and inserting them costs next to nothing.
CREATE INDEX allocations_suspense ON allocations (tenant_id, receipt_id) WHERE kind = 'suspense';
CREATE INDEX notices_received ON notices USING brin (received_at);
CREATE INDEX receipts_recorded ON receipts USING brin (recorded_at);
CREATE INDEX payments_created ON payments USING brin (created_at);
CREATE INDEX messages_created ON messages USING brin (created_at);
CREATE INDEX ussd_sessions_began ON ussd_sessions USING brin (began_at);

-- Reminders leave by a task of their own, at their own pace, so that no receipt waits behind them.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('collect', 'poll', 'deliver', 'remind'));
