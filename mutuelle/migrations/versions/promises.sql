-- A household's word that it will pay what it owes on a day, such as after the harvest. `amount` is what was left on the day
-- it was given. Nothing is owed, opened or closed by it. One at a time: who has given one is asked to keep it first.
CREATE TABLE promises (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    household_id uuid NOT NULL,
    effect_key text NOT NULL UNIQUE,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    given date NOT NULL,
    day date NOT NULL CHECK (day > given),
    state text NOT NULL CHECK (state IN ('open', 'kept', 'lapsed')),
    created_at timestamptz NOT NULL,
    concluded date CHECK (concluded > day),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    CHECK ((state = 'open') = (concluded IS NULL))
);
CREATE UNIQUE INDEX promises_open ON promises (tenant_id, household_id) WHERE state = 'open';
CREATE INDEX promises_day ON promises (tenant_id, day) WHERE state = 'open';
ALTER TABLE promises ENABLE ROW LEVEL SECURITY;
ALTER TABLE promises FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON promises TO mutuelle_app;
GRANT SELECT, UPDATE (state, concluded) ON promises TO mutuelle_worker;
GRANT SELECT ON promises TO mutuelle_console, mutuelle_auditor;
CREATE POLICY auditor ON promises FOR SELECT TO mutuelle_auditor USING (current_user = 'mutuelle_auditor');
CREATE POLICY tenant ON promises TO mutuelle_app, mutuelle_worker, mutuelle_console
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TRIGGER no_delete BEFORE DELETE ON promises FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON promises FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
