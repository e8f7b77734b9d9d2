-- The managers' console: people who log in, the refunds they decide on, and a role that may do what they may do.
-- The role belongs to the cluster, so it is created only if missing.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'mutuelle_console') THEN
        CREATE ROLE mutuelle_console NOLOGIN;
    END IF;
    -- From 16 on, being a member no longer means that one may SET ROLE.
    IF NOT pg_has_role(current_user, 'mutuelle_console', CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END) THEN
        GRANT mutuelle_console TO CURRENT_USER;
    END IF;
    GRANT USAGE ON SCHEMA public TO mutuelle_console;
END $$;

-- A login name is unique among all mutuelles, because nobody is asked for one before it.
CREATE TABLE logins (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    login text NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._-]{2,39}$'),
    name text NOT NULL,
    password text NOT NULL,
    active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
-- The browser holds the token, we its hash only. `ended_at` is a logout.
CREATE TABLE login_sessions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    login_id uuid NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    began_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, login_id) REFERENCES logins (tenant_id, id)
);
CREATE INDEX login_sessions_login ON login_sessions (tenant_id, login_id) WHERE ended_at IS NULL;
-- Wrong passwords, counted under a keyed hash of the login or the address, before anybody is known.
CREATE TABLE login_tries (
    key bytea PRIMARY KEY,
    count integer NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX login_tries_until ON login_tries (until);
-- One manager asks, another one approves; the money is paid out by hand at the operator, whose transaction is typed in.
-- `seen` is how many allocations the receipt had when it was asked: whatever happened since, it must be asked again.
CREATE TABLE refunds (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    receipt_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('not-ours', 'twice', 'too-much', 'asked', 'other')),
    seen integer NOT NULL,
    status text NOT NULL CHECK (status IN ('asked', 'approved', 'refused', 'paid')),
    asked_by uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    decided_by uuid,
    decided_at timestamptz,
    transaction text,
    paid_by uuid,
    paid_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, receipt_id) REFERENCES receipts (tenant_id, id),
    FOREIGN KEY (tenant_id, asked_by) REFERENCES logins (tenant_id, id),
    FOREIGN KEY (tenant_id, decided_by) REFERENCES logins (tenant_id, id),
    FOREIGN KEY (tenant_id, paid_by) REFERENCES logins (tenant_id, id),
    CHECK ((status = 'asked') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)),
    CONSTRAINT four_eyes CHECK (status NOT IN ('approved', 'paid') OR decided_by <> asked_by),
    CHECK ((status = 'paid') = (transaction IS NOT NULL) AND (transaction IS NULL) = (paid_by IS NULL))
);
CREATE UNIQUE INDEX refunds_asked ON refunds (tenant_id, receipt_id) WHERE status = 'asked';
CREATE INDEX refunds_receipt ON refunds (tenant_id, receipt_id);

-- What the pages look things up by.
CREATE INDEX receipts_day ON receipts (tenant_id, moved_at);
CREATE INDEX receipts_payer ON receipts (tenant_id, payer_index) WHERE payer_index IS NOT NULL;
CREATE INDEX receipts_reference ON receipts (tenant_id, reference) WHERE reference IS NOT NULL;
CREATE INDEX payments_payer ON payments (tenant_id, payer_index);
CREATE INDEX notices_named ON notices (tenant_id, named_ref) WHERE named_ref IS NOT NULL;
CREATE INDEX notices_account ON notices (tenant_id, account_id, received_at);
CREATE INDEX entries_named ON entries (tenant_id, reference text_pattern_ops);
CREATE INDEX audit_subject ON audit (tenant_id, subject);

DO $$
DECLARE
    named text;
    ours text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
    -- As for the worker: money goes to a household of one's own, or of a mutuelle one is the federation of.
    for_child text := '(household_tenant_id IS NULL OR household_tenant_id = tenant_id OR EXISTS (SELECT FROM tenants child'
        || ' WHERE child.id = household_tenant_id AND child.parent_id = tenant_id))';
    written text;
BEGIN
    FOREACH named IN ARRAY ARRAY['logins', 'login_sessions', 'login_tries', 'refunds'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named);
    END LOOP;
    FOREACH named IN ARRAY ARRAY['logins', 'login_sessions', 'refunds', 'operator_accounts', 'households', 'members', 'phones',
        'categories', 'bills', 'bill_lines', 'rights', 'payments', 'receipts', 'reversals', 'allocations', 'entries', 'postings',
        'audit', 'flags', 'notices', 'outbox', 'messages', 'sms_stops'] LOOP
        written := ours || CASE WHEN named IN ('payments', 'allocations') THEN ' AND ' || for_child ELSE '' END;
        EXECUTE format('CREATE POLICY console ON %I TO mutuelle_console USING (%s) WITH CHECK (%s)', named, ours, written);
        EXECUTE format('GRANT SELECT ON %I TO mutuelle_console', named);
    END LOOP;
    FOREACH named IN ARRAY ARRAY['logins', 'login_sessions'] LOOP  -- before the tenant is known
        EXECUTE format('CREATE POLICY resolver ON %I FOR SELECT TO mutuelle_resolver USING (current_user = ''mutuelle_resolver'')', named);
        EXECUTE format('GRANT SELECT ON %I TO mutuelle_resolver', named);
    END LOOP;
END $$;
CREATE POLICY console_directory ON tenants FOR SELECT TO mutuelle_console USING (true);
CREATE POLICY tries ON login_tries TO mutuelle_console USING (true) WITH CHECK (true);
CREATE POLICY setup ON logins TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY setup ON login_sessions TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY auditor ON refunds FOR SELECT TO mutuelle_auditor USING (current_user = 'mutuelle_auditor');
GRANT SELECT ON tenants TO mutuelle_console;
GRANT SELECT ON refunds TO mutuelle_auditor;
GRANT INSERT ON login_sessions, login_tries, refunds, rights, allocations, entries, postings, audit, flags, outbox, messages
    TO mutuelle_console;
GRANT SELECT, UPDATE, DELETE ON login_tries TO mutuelle_console;
GRANT UPDATE (seen_at, ended_at) ON login_sessions TO mutuelle_console;
GRANT UPDATE (status, decided_by, decided_at, transaction, paid_by, paid_at) ON refunds TO mutuelle_console;
GRANT UPDATE (closed_at) ON flags TO mutuelle_console;
-- To lock a row one must be allowed to change a column of it; these two say nothing about money.
GRANT UPDATE (door) ON receipts TO mutuelle_console;
GRANT UPDATE (channel) ON households TO mutuelle_console;
GRANT DELETE ON rights TO mutuelle_console;

-- Questions asked before a tenant is known. They answer ids only.
CREATE FUNCTION login_by_name(wanted text) RETURNS TABLE (tenant_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    'SELECT l.tenant_id, l.id FROM logins l WHERE l.login = wanted';
CREATE FUNCTION session_by_token(token bytea) RETURNS TABLE (tenant_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    'SELECT s.tenant_id, s.id FROM login_sessions s WHERE s.token_hash = token AND s.ended_at IS NULL';
DO $$
DECLARE named text;
BEGIN
    GRANT CREATE ON SCHEMA public TO mutuelle_resolver;  -- needed only to take ownership
    FOREACH named IN ARRAY ARRAY['login_by_name(text)', 'session_by_token(bytea)'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', named);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO mutuelle_console', named);
        EXECUTE format('ALTER FUNCTION %s OWNER TO mutuelle_resolver', named);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM mutuelle_resolver;
END $$;
