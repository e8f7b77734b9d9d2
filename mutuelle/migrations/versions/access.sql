-- Who may touch what. One login owns the schema; every transaction takes one of these roles, which cannot log in.
-- The roles belong to the cluster, so they are created only if missing.
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['app', 'worker', 'federation', 'auditor', 'resolver'] LOOP
        wanted := 'mutuelle_' || wanted;
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
        -- From 16 on, being a member no longer means that one may SET ROLE.
        IF NOT pg_has_role(current_user, wanted, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END) THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', wanted);
    END LOOP;
END $$;

-- Every table hides its rows, from its owner too. A policy that shows all rows asks for the very role, because policies of
-- a role also reach its members.
DO $$
DECLARE
    named text;
    ours text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
    household_too text := 'household_tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
    gateways text := 'gateway_id = nullif(current_setting(''app.gateway'', true), '''')::uuid';
    -- A federation writes for its mutuelles and a mutuelle on its federation's account; nobody else writes across tenants.
    for_child text := '(household_tenant_id IS NULL OR household_tenant_id = tenant_id OR EXISTS (SELECT FROM tenants child'
        || ' WHERE child.id = household_tenant_id AND child.parent_id = tenant_id))';
    at_parent text := 'EXISTS (SELECT FROM tenants child WHERE child.id = household_tenant_id AND child.parent_id = tenant_id)';
    any_tenant text := '(current_user = ''mutuelle_worker'' AND nullif(current_setting(''app.tenant'', true), '''') IS NULL)';
    written text;
BEGIN
    FOR named IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named);
        EXECUTE format('GRANT SELECT ON %I TO mutuelle_auditor', named);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO mutuelle_auditor USING (current_user = ''mutuelle_auditor'')', named);
        IF named IN ('tenants', 'service_codes') THEN  -- the directory: no personal data
            EXECUTE format('CREATE POLICY directory ON %I FOR SELECT TO mutuelle_app, mutuelle_worker, mutuelle_federation USING (true)', named);
            EXECUTE format('GRANT SELECT ON %I TO mutuelle_app, mutuelle_worker, mutuelle_federation', named);
        ELSIF named IN ('ussd_sessions', 'ussd_effects') THEN
            EXECUTE format('CREATE POLICY gateway ON %I TO mutuelle_app USING (%s) WITH CHECK (%s)', named, gateways, gateways);
        ELSIF named <> 'gateway_accounts' THEN
            written := ours || CASE WHEN named IN ('payments', 'allocations') THEN ' AND ' || for_child ELSE '' END;
            EXECUTE format('CREATE POLICY tenant ON %I TO mutuelle_app, mutuelle_worker, mutuelle_federation USING (%s) WITH CHECK (%s)', named, ours, written);
        END IF;
        IF named IN ('payments', 'allocations') THEN  -- the account may belong to the federation, the household to the mutuelle
            EXECUTE format('CREATE POLICY household ON %I TO mutuelle_app, mutuelle_worker USING (%s) WITH CHECK (%s AND %s)', named, household_too, household_too, at_parent);
        END IF;
        -- The worker claims for all tenants, and only while it has none: once it works for one it sees that one's rows.
        IF named IN ('notices', 'outbox', 'pulls', 'operator_accounts', 'gateway_accounts') THEN
            EXECUTE format('CREATE POLICY claim ON %I FOR SELECT TO mutuelle_worker USING %s', named, any_tenant);
            EXECUTE format('GRANT SELECT ON %I TO mutuelle_worker', named);
        END IF;
        IF named IN ('notices', 'outbox') THEN
            EXECUTE format('CREATE POLICY take ON %I FOR UPDATE TO mutuelle_worker USING %s', named, any_tenant);
        END IF;
        IF named IN ('tenants', 'gateway_accounts', 'service_codes', 'operator_accounts') THEN  -- the login sets these up
            EXECUTE format('CREATE POLICY setup ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', named);
        END IF;
        IF named IN ('phones', 'operator_accounts', 'gateway_accounts', 'messages') THEN  -- before the tenant is known
            EXECUTE format('CREATE POLICY resolver ON %I FOR SELECT TO mutuelle_resolver USING (current_user = ''mutuelle_resolver'')', named);
            EXECUTE format('GRANT SELECT ON %I TO mutuelle_resolver', named);
        END IF;
    END LOOP;
END $$;

GRANT SELECT ON operator_accounts, households, members, phones, categories, consents, sms_stops, bills, bill_lines, rights,
    payments, receipts, allocations, outbox, messages, notices, flags, ussd_sessions, ussd_effects TO mutuelle_app;
GRANT INSERT ON households, members, phones, categories, consents, sms_stops, bills, bill_lines, rights, payments, outbox,
    messages, notices, audit, flags, ussd_sessions, ussd_effects TO mutuelle_app;
GRANT UPDATE ON households, members, phones, categories, notices, ussd_sessions TO mutuelle_app;
GRANT DELETE ON sms_stops, rights TO mutuelle_app;

GRANT SELECT, INSERT ON pulls, households, members, phones, categories, consents, sms_stops, bills, bill_lines, rights, payments,
    receipts, reversals, allocations, entries, postings, audit, flags, notices, outbox, messages
    TO mutuelle_worker, mutuelle_federation;
GRANT SELECT ON operator_accounts TO mutuelle_federation;
GRANT UPDATE ON pulls, households, members, phones, categories, bills, payments, receipts, flags, notices, outbox, messages
    TO mutuelle_worker, mutuelle_federation;
GRANT DELETE ON sms_stops, rights TO mutuelle_worker, mutuelle_federation;

-- Questions asked before a tenant is known. They answer ids only.
CREATE FUNCTION who(phone bytea) RETURNS TABLE (tenant_id uuid, household_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    'SELECT p.tenant_id, p.household_id FROM phones p WHERE p.blind_index = phone AND p.until IS NULL';
CREATE FUNCTION account_by_token(token bytea) RETURNS TABLE (tenant_id uuid, id uuid, operator text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    'SELECT a.tenant_id, a.id, a.operator FROM operator_accounts a WHERE token IN (a.token_hash, a.old_token_hash)';
CREATE FUNCTION gateway_by_token(token bytea) RETURNS TABLE (tenant_id uuid, id uuid, provider text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    'SELECT g.tenant_id, g.id, g.provider FROM gateway_accounts g WHERE token IN (g.token_hash, g.old_token_hash)';
CREATE FUNCTION message_owner(provider text) RETURNS TABLE (tenant_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    'SELECT m.tenant_id, m.id FROM messages m WHERE m.provider_id = provider';
DO $$
DECLARE named text;
BEGIN
    GRANT CREATE ON SCHEMA public TO mutuelle_resolver;  -- needed only to take ownership
    FOREACH named IN ARRAY ARRAY['who(bytea)', 'account_by_token(bytea)', 'gateway_by_token(bytea)', 'message_owner(text)'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', named);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO mutuelle_app, mutuelle_worker', named);
        EXECUTE format('ALTER FUNCTION %s OWNER TO mutuelle_resolver', named);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM mutuelle_resolver;
END $$;
