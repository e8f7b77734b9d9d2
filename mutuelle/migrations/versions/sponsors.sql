-- Sponsors promise `percent` of the member's part of a dues bill, at most `per_bill` of each and `cap` of all.
CREATE TABLE sponsors (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    code text NOT NULL CHECK (code ~ '^[a-z0-9][a-z0-9-]{1,29}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 2 AND 24),
    kind text NOT NULL CHECK (kind IN ('commune', 'ngo', 'relative', 'other')),
    percent smallint NOT NULL CHECK (percent BETWEEN 1 AND 100),
    per_bill bigint CHECK (per_bill > 0),
    cap bigint NOT NULL CHECK (cap > 0),
    since date NOT NULL,
    until date,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, code),
    CHECK (until IS NULL OR until >= since)
);
-- Whom a sponsor helps; a household has one sponsor at a time.
CREATE TABLE sponsorships (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    sponsor_id uuid NOT NULL,
    household_id uuid NOT NULL,
    since date NOT NULL,
    until date,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, sponsor_id) REFERENCES sponsors (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id)
);
CREATE UNIQUE INDEX sponsorships_now ON sponsorships (tenant_id, household_id) WHERE until IS NULL;
CREATE INDEX sponsorships_sponsor ON sponsorships (tenant_id, sponsor_id);

-- A sponsor's promise is a line of an adjustment, which takes as much off the member's part.
ALTER TABLE bill_lines ADD COLUMN sponsor_id uuid,
    ADD FOREIGN KEY (tenant_id, sponsor_id) REFERENCES sponsors (tenant_id, id),
    ADD CONSTRAINT sponsors_line CHECK ((payer = 'sponsor') = (sponsor_id IS NOT NULL));
CREATE INDEX bill_lines_sponsor ON bill_lines (tenant_id, sponsor_id) WHERE sponsor_id IS NOT NULL;
-- A claim on a sponsor names it, and holds nothing of another one: each reads its own households only.
ALTER TABLE subsidy_claims ADD COLUMN sponsor_id uuid,
    ADD FOREIGN KEY (tenant_id, sponsor_id) REFERENCES sponsors (tenant_id, id),
    ADD CONSTRAINT sponsors_claim CHECK ((payer = 'sponsor') = (sponsor_id IS NOT NULL)),
    DROP CONSTRAINT subsidy_claims_tenant_id_payer_year_ordinal_key,
    ADD UNIQUE NULLS NOT DISTINCT (tenant_id, payer, sponsor_id, year, ordinal);
CREATE FUNCTION check_claim_sponsor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM subsidy_claims s JOIN bill_lines l ON l.tenant_id = s.tenant_id AND l.id = NEW.bill_line_id
            AND l.sponsor_id IS NOT DISTINCT FROM s.sponsor_id
            WHERE s.tenant_id = NEW.tenant_id AND s.id = NEW.claim_id) THEN
        RAISE EXCEPTION 'a claim for what this sponsor did not promise' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER of_its_sponsor AFTER INSERT ON claim_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_claim_sponsor();
ALTER TABLE adjustments DROP CONSTRAINT adjustments_reason_check;
ALTER TABLE adjustments ADD CONSTRAINT adjustments_reason_check
    CHECK (reason IN ('household', 'category', 'rule', 'correction', 'sponsor'));

DO $$
DECLARE named text; ours text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
BEGIN
    FOREACH named IN ARRAY ARRAY['sponsors', 'sponsorships'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO mutuelle_auditor USING (current_user = ''mutuelle_auditor'')', named);
        EXECUTE format('CREATE POLICY tenant ON %I TO mutuelle_worker, mutuelle_federation, mutuelle_console USING (%s) WITH CHECK (%s)', named, ours, ours);
        EXECUTE format('GRANT SELECT ON %I TO mutuelle_auditor', named);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO mutuelle_worker, mutuelle_federation, mutuelle_console', named);
    END LOOP;
END $$;
-- The row of a sponsor is locked while a promise is made; only its end is ever changed.
GRANT UPDATE (until) ON sponsors, sponsorships TO mutuelle_worker, mutuelle_federation, mutuelle_console;

-- At COMMIT: no sponsor has promised more than its cap. The row is locked first: two promises of 60 of 100 must not both pass.
CREATE FUNCTION check_promise() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE most bigint; promised bigint;
BEGIN
    SELECT cap INTO most FROM sponsors WHERE tenant_id = NEW.tenant_id AND id = NEW.sponsor_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a promise of a sponsor that cannot be seen' USING ERRCODE = 'check_violation';
    END IF;
    SELECT coalesce(sum(amount), 0) INTO promised FROM bill_lines WHERE tenant_id = NEW.tenant_id AND sponsor_id = NEW.sponsor_id;
    IF promised > most THEN
        RAISE EXCEPTION 'a sponsor would promise %, its cap is %', promised, most USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER promise_within_cap AFTER INSERT ON bill_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.sponsor_id IS NOT NULL AND NEW.amount > 0) EXECUTE FUNCTION check_promise();
