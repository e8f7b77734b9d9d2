-- Enrolment by a person: the form, or the line of a list, that signed a household up does so once.
ALTER TABLE households ADD COLUMN effect_key text;
CREATE UNIQUE INDEX households_effect ON households (tenant_id, effect_key) WHERE effect_key IS NOT NULL;
GRANT INSERT ON households, phones, consents, bills TO mutuelle_console;
CREATE POLICY enrolment ON consents FOR INSERT TO mutuelle_console
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);

-- That a member is of a class which the rules treat otherwise, such as one that does not wait. It is health information.
-- It counts from the day it was noted, so that no day before changes.
CREATE TABLE member_classes (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    household_id uuid NOT NULL,
    member_id uuid NOT NULL,
    code text NOT NULL CHECK (code IN ('pregnant', 'disabled')),
    evidence text NOT NULL CHECK (evidence IN ('document', 'agent-visit')),
    since date NOT NULL,
    until date CHECK (until >= since),
    actor text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    FOREIGN KEY (tenant_id, member_id) REFERENCES members (tenant_id, id)
);
CREATE INDEX member_classes_household ON member_classes (tenant_id, household_id);
CREATE UNIQUE INDEX member_classes_now ON member_classes (tenant_id, member_id, code) WHERE until IS NULL;

CREATE FUNCTION refuse_other_class() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD) - 'until' IS DISTINCT FROM to_jsonb(NEW) - 'until' OR OLD.until IS NOT NULL THEN
        RAISE EXCEPTION 'a class of a member is never edited' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_its_end BEFORE UPDATE ON member_classes FOR EACH ROW EXECUTE FUNCTION refuse_other_class();
CREATE TRIGGER no_delete BEFORE DELETE ON member_classes FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON member_classes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The lists of each registry, as they came; an entry is of the last list that held its number.
CREATE TABLE registry_lists (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    source text NOT NULL CHECK (source <> ''),
    digest text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX registry_lists_newest ON registry_lists (tenant_id, source, at);
ALTER TABLE registry_entries ADD COLUMN list_id uuid,
    ADD FOREIGN KEY (tenant_id, list_id) REFERENCES registry_lists (tenant_id, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON registry_lists FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON registry_lists FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DO $$
DECLARE
    named text;
    ours text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
BEGIN
    FOREACH named IN ARRAY ARRAY['member_classes', 'registry_lists'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named);
        EXECUTE format('CREATE POLICY tenant ON %I TO mutuelle_worker, mutuelle_federation, mutuelle_console'
            ' USING (%s) WITH CHECK (%s)', named, ours, ours);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO mutuelle_auditor USING (current_user = ''mutuelle_auditor'')', named);
        EXECUTE format('GRANT SELECT ON %I TO mutuelle_auditor, mutuelle_worker, mutuelle_console', named);
    END LOOP;
END $$;
GRANT SELECT ON member_classes TO mutuelle_federation;
GRANT INSERT ON member_classes TO mutuelle_console;
GRANT UPDATE (until) ON member_classes TO mutuelle_console;
GRANT INSERT ON registry_lists TO mutuelle_worker;
GRANT UPDATE (list_id) ON registry_entries TO mutuelle_worker;
