-- Rows that ended long ago leave the working tables, in batches: notices, SMS, tasks and USSD sessions are deleted, entries of
-- the trail move to an archive. What is evidence stays (evidence.sql). Each batch is recorded in `archive_runs`.

-- What may be gone: rows of `archived` that had ended before `ended_before`. `is_last` says that the batch found no more.
CREATE TABLE archive_runs (
    id uuid PRIMARY KEY,
    archived text NOT NULL CHECK (archived IN ('notices', 'messages', 'outbox', 'ussd_sessions', 'audit')),
    ended_before timestamptz NOT NULL,
    row_count bigint NOT NULL CHECK (row_count >= 0),
    is_last boolean NOT NULL,
    ran_at timestamptz NOT NULL,
    seal bytea NOT NULL CHECK (octet_length(seal) = 32),
    CHECK (ended_before < ran_at)
);
CREATE INDEX archive_runs_newest ON archive_runs (archived, ended_before);
ALTER TABLE archive_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE archive_runs FORCE ROW LEVEL SECURITY;
GRANT SELECT ON archive_runs TO mutuelle_worker, mutuelle_console, mutuelle_auditor;
GRANT INSERT ON archive_runs TO mutuelle_worker;
-- No tenant and no personal data: how far the tables of all mutuelles reach back.
CREATE POLICY reach ON archive_runs TO mutuelle_worker, mutuelle_console, mutuelle_auditor USING (true) WITH CHECK (true);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON archive_runs FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON archive_runs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Entries of the trail that are older than the setting. Never deleted: accounts are kept for ten years.
CREATE TABLE audit_archive (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    facts jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_archive_subject ON audit_archive (tenant_id, subject);
CREATE INDEX audit_archive_at ON audit_archive (at);
ALTER TABLE audit_archive ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_archive FORCE ROW LEVEL SECURITY;
GRANT SELECT ON audit_archive TO mutuelle_worker, mutuelle_federation, mutuelle_console, mutuelle_auditor;
CREATE POLICY auditor ON audit_archive FOR SELECT TO mutuelle_auditor USING (current_user = 'mutuelle_auditor');
CREATE POLICY tenant ON audit_archive TO mutuelle_worker, mutuelle_federation, mutuelle_console
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_archive FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit_archive FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The trail, whole. It shows a role the rows that this role sees in the two tables.
CREATE VIEW whole_audit WITH (security_invoker = true) AS
    SELECT tenant_id, id, at, actor, action, subject, facts FROM audit
    UNION ALL SELECT tenant_id, id, at, actor, action, subject, facts FROM audit_archive;
GRANT SELECT ON whole_audit TO mutuelle_worker, mutuelle_federation, mutuelle_console, mutuelle_auditor;

-- An entry leaves the trail only when the archive has it, word for word; an effect only by the job, with its session.
CREATE FUNCTION refuse_loss() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'mutuelle_resolver' AND EXISTS (SELECT FROM audit_archive a
            WHERE a.tenant_id = OLD.tenant_id AND a.id = OLD.id AND to_jsonb(a) = to_jsonb(OLD)) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: correct it with a reversal', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION refuse_change_of_effect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'mutuelle_resolver' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: correct it with a reversal', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER append_only ON audit;
DROP TRIGGER append_only ON ussd_effects;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_loss();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ussd_effects FOR EACH ROW EXECUTE FUNCTION refuse_change_of_effect();

-- A batch reads the oldest rows first, so that a run with nothing to do reads what is evidence and no more.
CREATE INDEX notices_ended ON notices (ended_at) WHERE state IN ('done', 'rejected') AND door <> 'sms-incoming';
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE state = 'done';
CREATE INDEX audit_at ON audit (at);
-- BRIN relies on rows that lie in the order of time. Once rows are deleted, new ones fill their place.
DROP INDEX messages_created;
DROP INDEX ussd_sessions_began;
CREATE INDEX messages_created ON messages (created_at);
CREATE INDEX ussd_sessions_began ON ussd_sessions (began_at);

-- What the job reads, deletes and, to lock a row, might change.
DO $$
DECLARE named text;
BEGIN
    FOREACH named IN ARRAY ARRAY['flags', 'tickets', 'bills', 'bill_lines', 'receipts', 'allocations', 'refunds', 'payments',
        'outflows', 'pulls', 'open_suspense'] LOOP
        EXECUTE format('CREATE POLICY evidence ON %I FOR SELECT TO mutuelle_resolver'
            ' USING (current_user = ''mutuelle_resolver'')', named);
    END LOOP;
    FOREACH named IN ARRAY ARRAY['notices', 'messages', 'outbox', 'ussd_effects', 'audit', 'audit_archive'] LOOP
        EXECUTE format('CREATE POLICY retention ON %I TO mutuelle_resolver USING (current_user = ''mutuelle_resolver'')'
            ' WITH CHECK (current_user = ''mutuelle_resolver'')', named);
    END LOOP;
END $$;
GRANT SELECT (tenant_id, subject, opened_at, closed_at) ON flags TO mutuelle_resolver;
GRANT SELECT (tenant_id, household_id, state, answered_at) ON tickets TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, household_id) ON bills TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, bill_id) ON bill_lines TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, account_id, transaction, reference, moved_at) ON receipts TO mutuelle_resolver;
GRANT SELECT (tenant_id, receipt_id, household_tenant_id, household_id, bill_line_id) ON allocations
    TO mutuelle_resolver;
GRANT SELECT (tenant_id, receipt_id, status, seen_at) ON refunds TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, ref, household_tenant_id, household_id, effect_key, status, created_at, unread_proof_at) ON payments
    TO mutuelle_resolver;
GRANT SELECT (tenant_id, account_id, transaction, moved_at) ON outflows TO mutuelle_resolver;
GRANT SELECT (tenant_id, receipt_id) ON open_suspense TO mutuelle_resolver;
GRANT SELECT (tenant_id, account_id, day, open_lines) ON pulls TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, door, account_id, named_ref, body, state, received_at, ended_at), UPDATE (body), DELETE ON notices
    TO mutuelle_resolver;
GRANT UPDATE (kind), DELETE ON messages TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, kind, subject_id, key, state, ended_at), UPDATE (kind), DELETE ON outbox TO mutuelle_resolver;
GRANT SELECT (phone_index, tenant_id), DELETE ON ussd_sessions TO mutuelle_resolver;  -- by the policy `forget`
GRANT SELECT (gateway_id, session_id, screen, ordinal), DELETE ON ussd_effects TO mutuelle_resolver;
GRANT SELECT, UPDATE (action), DELETE ON audit TO mutuelle_resolver;
GRANT SELECT, INSERT ON audit_archive TO mutuelle_resolver;

-- Without `enable_sort = off` the planner, which expects few rows behind a policy, judges every old row of the table before it
-- takes the oldest ones.

-- SMS that came in stay: the digest of a STOP keeps a repeat of it from undoing a later START. `person` is left to staff.
CREATE FUNCTION remove_notices(before timestamptz, most integer) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET enable_sort = off AS $$
    WITH days AS MATERIALIZED (
        SELECT * FROM evidence_days(before)
    ), old AS MATERIALIZED (
        SELECT n.tenant_id, n.id FROM notices n
        WHERE n.state IN ('done', 'rejected') AND n.door <> 'sms-incoming' AND n.ended_at < before
            AND NOT is_evidence_notice(n.tenant_id, n.id, n.account_id, n.named_ref, n.received_at, before)
            AND (n.door <> 'momo' OR n.named_ref IS NOT NULL OR NOT EXISTS (SELECT FROM days d
                WHERE d.tenant_id = n.tenant_id AND d.account_id = n.account_id
                AND n.received_at BETWEEN d.moved_at - interval '26 hours' AND d.moved_at + interval '26 hours'))
        ORDER BY n.ended_at LIMIT most FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM notices n USING old WHERE n.tenant_id = old.tenant_id AND n.id = old.id RETURNING 1
    )
    SELECT count(*) FROM gone $$;

-- Raw bodies are blanked earlier than their rows leave, and those of evidence are not. `nothing` is an encrypted empty message,
-- of 28 bytes; the index `notices_readable` has the same condition.
CREATE FUNCTION blank_notices(before timestamptz, most integer, nothing bytea) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET enable_sort = off AS $$
    WITH days AS MATERIALIZED (
        SELECT * FROM evidence_days(before)
    ), old AS MATERIALIZED (
        SELECT n.tenant_id, n.id FROM notices n
        WHERE n.state <> 'new' AND octet_length(n.body) > 28 AND n.received_at < before
            AND NOT is_evidence_notice(n.tenant_id, n.id, n.account_id, n.named_ref, n.received_at, before)
            AND (n.door <> 'momo' OR n.named_ref IS NOT NULL OR NOT EXISTS (SELECT FROM days d
                WHERE d.tenant_id = n.tenant_id AND d.account_id = n.account_id
                AND n.received_at BETWEEN d.moved_at - interval '26 hours' AND d.moved_at + interval '26 hours'))
        ORDER BY n.received_at LIMIT most FOR UPDATE SKIP LOCKED
    ), blanked AS (
        UPDATE notices n SET body = nothing FROM old WHERE n.tenant_id = old.tenant_id AND n.id = old.id RETURNING 1
    )
    SELECT count(*) FROM blanked $$;

-- A message that the aggregator accepted has ended when it left: some report nothing more.
CREATE FUNCTION remove_messages(before timestamptz, most integer) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET enable_sort = off AS $$
    WITH old AS MATERIALIZED (
        SELECT m.tenant_id, m.id FROM messages m
        WHERE m.created_at < before AND m.status NOT IN ('queued', 'sending')
            AND coalesce(m.ended_at, m.sent_at, m.created_at) < before
            AND NOT EXISTS (SELECT FROM outbox o
                WHERE o.key IN ('deliver:' || m.id, 'remind:' || m.id) AND o.state <> 'done')
            AND NOT is_evidence_message(m.tenant_id, m.id, before)
        ORDER BY m.created_at LIMIT most FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM messages m USING old WHERE m.tenant_id = old.tenant_id AND m.id = old.id RETURNING 1
    )
    SELECT count(*) FROM gone $$;

CREATE FUNCTION remove_tasks(before timestamptz, most integer) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET enable_sort = off AS $$
    WITH old AS MATERIALIZED (
        SELECT o.tenant_id, o.id FROM outbox o
        WHERE o.state = 'done' AND o.ended_at < before
            AND NOT is_evidence_task(o.tenant_id, o.kind, o.subject_id, before)
        ORDER BY o.ended_at LIMIT most FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM outbox o USING old WHERE o.tenant_id = old.tenant_id AND o.id = old.id RETURNING 1
    )
    SELECT count(*) FROM gone $$;

CREATE FUNCTION remove_sessions(before timestamptz, most integer) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET enable_sort = off AS $$
    WITH old AS MATERIALIZED (
        SELECT s.gateway_id, s.id FROM ussd_sessions s
        WHERE s.began_at < before
            AND NOT is_evidence_session(s.gateway_id, s.id, s.tenant_id, s.phone_index, before)
        ORDER BY s.began_at LIMIT most FOR UPDATE SKIP LOCKED
    ), effects AS (
        DELETE FROM ussd_effects e USING old WHERE e.gateway_id = old.gateway_id AND e.session_id = old.id
    ), gone AS (
        DELETE FROM ussd_sessions s USING old WHERE s.gateway_id = old.gateway_id AND s.id = old.id RETURNING 1
    )
    SELECT count(*) FROM gone $$;

-- Two statements, because the trail lets an entry go only when the archive has it.
CREATE FUNCTION archive_trail(before timestamptz, most integer) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET enable_sort = off AS $$
DECLARE ids uuid[]; moved bigint;
BEGIN
    SELECT coalesce(array_agg(o.id), '{}') INTO ids FROM (
        SELECT t.id FROM audit t WHERE t.at < before AND NOT is_evidence_entry(t.tenant_id, t.subject, before)
        ORDER BY t.at LIMIT most FOR UPDATE SKIP LOCKED) o;
    INSERT INTO audit_archive (tenant_id, id, at, actor, action, subject, facts)
        SELECT t.tenant_id, t.id, t.at, t.actor, t.action, t.subject, t.facts FROM audit t
        WHERE t.at < before AND t.id = ANY(ids);
    GET DIAGNOSTICS moved = ROW_COUNT;
    DELETE FROM audit t WHERE t.at < before AND t.id = ANY(ids);
    RETURN moved;
END $$;

DO $$
DECLARE named text;
BEGIN
    GRANT CREATE ON SCHEMA public TO mutuelle_resolver;  -- needed only to take ownership
    FOREACH named IN ARRAY ARRAY['id_of(text, text)', 'reference_of(text)', 'case_stands(uuid, text[], timestamptz)',
        'is_open_payment(uuid, uuid, timestamptz)', 'is_evidence_household(uuid, uuid, timestamptz)',
        'is_evidence_receipt(uuid, uuid, timestamptz)',
        'is_evidence_payment(uuid, uuid, timestamptz)', 'is_evidence_message(uuid, uuid, timestamptz)',
        'is_evidence_task(uuid, text, uuid, timestamptz)', 'evidence_days(timestamptz)',
        'is_evidence_notice(uuid, uuid, uuid, uuid, timestamptz, timestamptz)',
        'is_evidence_session(uuid, uuid, uuid, bytea, timestamptz)',
        'is_evidence_entry(uuid, text, timestamptz)', 'remove_notices(timestamptz, integer)',
        'blank_notices(timestamptz, integer, bytea)', 'remove_messages(timestamptz, integer)',
        'remove_tasks(timestamptz, integer)', 'remove_sessions(timestamptz, integer)', 'archive_trail(timestamptz, integer)'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', named);
        IF named ~ '^(remove|blank|archive)_' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO mutuelle_worker', named);
        END IF;
        EXECUTE format('ALTER FUNCTION %s OWNER TO mutuelle_resolver', named);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM mutuelle_resolver;
END $$;
