-- What can still be read, by its age: a sealed empty message has 28 bytes, a blanked session no opening.
CREATE INDEX notices_readable ON notices (received_at) WHERE state <> 'new' AND octet_length(body) > 28;
CREATE INDEX ussd_sessions_readable ON ussd_sessions (began_at) WHERE opening <> '{}';

-- The worker may blank the sessions of all gateways, and read none.
GRANT SELECT (gateway_id, id, opening, began_at), UPDATE (opening, heard) ON ussd_sessions TO mutuelle_resolver;
CREATE POLICY forget ON ussd_sessions TO mutuelle_resolver
    USING (current_user = 'mutuelle_resolver') WITH CHECK (current_user = 'mutuelle_resolver' AND opening = '{}' AND heard IS NULL);
CREATE FUNCTION forget_sessions(before timestamptz, most integer) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH old AS MATERIALIZED (
        SELECT gateway_id, id FROM ussd_sessions WHERE opening <> '{}' AND began_at < before
        ORDER BY began_at LIMIT most FOR UPDATE SKIP LOCKED
    ), blanked AS (
        UPDATE ussd_sessions s SET opening = '{}', heard = NULL FROM old WHERE s.gateway_id = old.gateway_id AND s.id = old.id
        RETURNING 1
    )
    SELECT count(*) FROM blanked $$;
DO $$
BEGIN
    GRANT CREATE ON SCHEMA public TO mutuelle_resolver;  -- needed only to take ownership
    REVOKE ALL ON FUNCTION forget_sessions(timestamptz, integer) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION forget_sessions(timestamptz, integer) TO mutuelle_worker;
    ALTER FUNCTION forget_sessions(timestamptz, integer) OWNER TO mutuelle_resolver;
    REVOKE CREATE ON SCHEMA public FROM mutuelle_resolver;
END $$;
