-- What proves a category: `evidence` is its kind, the reference on it is personal and stored as a phone is. `until` is the last
-- day it holds; whoever comes after ends it earlier. `actor` and `at` say who wrote the row and when.
ALTER TABLE categories
    ADD COLUMN reference_index bytea,
    ADD COLUMN reference_cipher bytea,
    ADD COLUMN actor text,
    ADD COLUMN at timestamptz,
    ADD COLUMN why text,
    ADD CHECK (evidence IN ('registry-number', 'document', 'agent-visit', 'list')),
    ADD CHECK ((reference_index IS NULL) = (reference_cipher IS NULL)),
    ADD CHECK (reference_index IS NULL OR evidence IS NOT NULL),
    ADD CHECK (standing = 'claimed' OR (actor IS NOT NULL AND at IS NOT NULL)),
    ADD CHECK ((standing = 'refused') = (why IS NOT NULL));
CREATE UNIQUE INDEX categories_now ON categories (tenant_id, household_id) WHERE until IS NULL;
CREATE INDEX categories_reference ON categories (tenant_id, reference_index) WHERE reference_index IS NOT NULL;
CREATE INDEX categories_standing ON categories (tenant_id, standing, since);

-- A claim, a check and a refusal are rows of their own: only the day they end on may be written into them later.
CREATE FUNCTION refuse_other_category() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD) - 'until' IS DISTINCT FROM to_jsonb(NEW) - 'until' THEN
        RAISE EXCEPTION 'a category is never edited' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_its_end BEFORE UPDATE ON categories FOR EACH ROW EXECUTE FUNCTION refuse_other_category();

-- A line of a social registry's list: who it says is in which category, until when. A later list of the same number wins.
CREATE TABLE registry_entries (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    number_index bytea NOT NULL,
    number_cipher bytea NOT NULL,
    phone_index bytea,
    phone_cipher bytea,
    head_name text NOT NULL,
    birth_year smallint CHECK (birth_year BETWEEN 1890 AND 2200),
    category text NOT NULL,
    valid_until date,
    listed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, number_index),
    CHECK ((phone_index IS NULL) = (phone_cipher IS NULL))
);
CREATE INDEX registry_entries_phone ON registry_entries (tenant_id, phone_index) WHERE phone_index IS NOT NULL;

-- An entry that may be a household's, and why; a person says yes or no, once.
CREATE TABLE registry_proposals (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    entry_id uuid NOT NULL,
    household_id uuid NOT NULL,
    category text NOT NULL,
    reasons text[] NOT NULL CHECK (cardinality(reasons) > 0),
    state text NOT NULL CHECK (state IN ('open', 'accepted', 'declined')),
    made_at timestamptz NOT NULL,
    decided_by uuid,
    decided_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, entry_id, household_id, category),
    FOREIGN KEY (tenant_id, entry_id) REFERENCES registry_entries (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    FOREIGN KEY (tenant_id, decided_by) REFERENCES logins (tenant_id, id),
    CHECK ((state = 'open') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL))
);
CREATE INDEX registry_proposals_open ON registry_proposals (tenant_id, made_at) WHERE state = 'open';

-- An appeal: `number` is what is said on USSD and SMS, `text_id` the words the household agreed to, `deadline` a local date.
CREATE TABLE tickets (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    number text NOT NULL CHECK (number ~ '^[1-9][0-9]{7}$'),
    household_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('category', 'household', 'payment')),
    channel text NOT NULL,
    text_id text NOT NULL,
    opened_at timestamptz NOT NULL,
    deadline date NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'answered', 'closed')),
    answer text CHECK (answer IN ('accepted', 'explained', 'closed')),
    explanation text,
    answered_by uuid,
    answered_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, number),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    FOREIGN KEY (tenant_id, answered_by) REFERENCES logins (tenant_id, id),
    CHECK ((state = 'open') = (answer IS NULL) AND (answer IS NULL) = (answered_by IS NULL)
        AND (answered_by IS NULL) = (answered_at IS NULL)),
    CHECK ((state = 'closed') = (coalesce(answer, '') = 'closed')),
    CHECK ((coalesce(answer, '') = 'explained') = (explanation IS NOT NULL))
);
CREATE UNIQUE INDEX tickets_open ON tickets (tenant_id, household_id) WHERE state = 'open';
CREATE INDEX tickets_deadline ON tickets (tenant_id, deadline) WHERE state = 'open';

DO $$
DECLARE
    named text;
    ours text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
BEGIN
    FOREACH named IN ARRAY ARRAY['registry_entries', 'registry_proposals', 'tickets'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named);
        EXECUTE format('CREATE POLICY tenant ON %I TO mutuelle_app, mutuelle_worker, mutuelle_federation, mutuelle_console'
            ' USING (%s) WITH CHECK (%s)', named, ours, ours);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO mutuelle_auditor USING (current_user = ''mutuelle_auditor'')', named);
        EXECUTE format('GRANT SELECT ON %I TO mutuelle_auditor, mutuelle_worker, mutuelle_console', named);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON tickets TO mutuelle_app;
GRANT SELECT ON tickets TO mutuelle_federation;
GRANT INSERT ON tickets TO mutuelle_console;
GRANT UPDATE (state, answer, explanation, answered_by, answered_at) ON tickets TO mutuelle_console;
GRANT INSERT ON registry_entries, registry_proposals TO mutuelle_worker;
GRANT UPDATE (phone_index, phone_cipher, head_name, birth_year, category, valid_until, listed_at) ON registry_entries TO mutuelle_worker;
GRANT UPDATE (state, decided_by, decided_at) ON registry_proposals TO mutuelle_console;
-- What a manager may do with a household: say what is proven, and name who is in it.
GRANT INSERT ON categories TO mutuelle_console;
GRANT UPDATE (until) ON categories TO mutuelle_console;
GRANT UPDATE (name, provisional) ON members TO mutuelle_console;
