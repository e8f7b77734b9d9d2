-- A bill is never edited: what changes in the middle of its period is an adjustment with lines of its own.
-- They follow one another by `ordinal`; `born`, `category` and `version` are what the price was worked out from, on `on_day`, `months` for how many months of
-- the period the difference counts; `total` is by how much it changes.
CREATE TABLE adjustments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    bill_id uuid NOT NULL,
    household_id uuid NOT NULL,
    ordinal integer NOT NULL CHECK (ordinal > 0),
    on_day date NOT NULL,
    reason text NOT NULL CHECK (reason IN ('household', 'category', 'rule', 'correction')),
    born smallint[] NOT NULL,
    category text,
    version date NOT NULL,
    months integer NOT NULL CHECK (months > 0),
    total bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, bill_id, id),
    UNIQUE (tenant_id, bill_id, ordinal),
    FOREIGN KEY (tenant_id, bill_id) REFERENCES bills (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id)
);
CREATE INDEX adjustments_household ON adjustments (tenant_id, household_id);
ALTER TABLE bill_lines ADD COLUMN adjustment_id uuid,
    ADD FOREIGN KEY (tenant_id, bill_id, adjustment_id) REFERENCES adjustments (tenant_id, bill_id, id);
-- What an adjustment freed: money beyond the new share, which becomes credit. It is no reversal: it did come.
ALTER TABLE allocations ADD COLUMN adjustment_id uuid,
    ADD FOREIGN KEY (household_tenant_id, adjustment_id) REFERENCES adjustments (tenant_id, id),
    ADD CONSTRAINT freed CHECK (adjustment_id IS NULL OR (kind IN ('bill', 'credit') AND household_id IS NOT NULL));
-- An agent has seen that a child goes to school or learns a trade, which some schemes cover for longer.
ALTER TABLE members ADD COLUMN student boolean NOT NULL DEFAULT false;

ALTER TABLE adjustments ENABLE ROW LEVEL SECURITY;
ALTER TABLE adjustments FORCE ROW LEVEL SECURITY;
CREATE POLICY auditor ON adjustments FOR SELECT TO mutuelle_auditor USING (current_user = 'mutuelle_auditor');
CREATE POLICY tenant ON adjustments TO mutuelle_app, mutuelle_worker, mutuelle_federation
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY console ON adjustments TO mutuelle_console
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
GRANT SELECT ON adjustments TO mutuelle_auditor, mutuelle_app;
GRANT SELECT, INSERT ON adjustments TO mutuelle_worker, mutuelle_federation, mutuelle_console;
GRANT INSERT ON bill_lines, members TO mutuelle_console;
GRANT UPDATE (until, student) ON members TO mutuelle_console;

-- How far each part of a mutuelle's bills of a day has come; `reached` is the last household looked at.
CREATE TABLE billing_runs (
    tenant_id uuid NOT NULL REFERENCES tenants,
    day date NOT NULL,
    part smallint NOT NULL,
    reached uuid,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, day, part)
);
ALTER TABLE billing_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE billing_runs FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON billing_runs TO mutuelle_worker;
GRANT SELECT ON billing_runs TO mutuelle_auditor;
CREATE POLICY auditor ON billing_runs FOR SELECT TO mutuelle_auditor USING (current_user = 'mutuelle_auditor');
CREATE POLICY tenant ON billing_runs TO mutuelle_worker
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY claim ON billing_runs FOR SELECT TO mutuelle_worker
    USING (current_user = 'mutuelle_worker' AND nullif(current_setting('app.tenant', true), '') IS NULL);
-- One bill of dues per fixed year, whoever writes it.
CREATE UNIQUE INDEX bills_year ON bills (tenant_id, household_id, period_from) WHERE kind = 'dues' AND period_from IS NOT NULL;

-- Bills and adjustments are as the books: nothing of them is ever changed.
REVOKE UPDATE ON bills FROM mutuelle_worker, mutuelle_federation;
DO $$
DECLARE guarded text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['bills', 'adjustments'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', guarded);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', guarded);
    END LOOP;
END $$;

-- At COMMIT: a bill's own lines are its price, an adjustment's lines are its total (I11), and nobody's part falls below nothing.
CREATE OR REPLACE FUNCTION check_bill_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE shares bigint;
BEGIN
    SELECT coalesce(sum(amount), 0) INTO shares FROM bill_lines
        WHERE tenant_id = NEW.tenant_id AND bill_id = NEW.id AND adjustment_id IS NULL;
    IF NEW.total IS DISTINCT FROM shares THEN
        RAISE EXCEPTION 'the shares of a bill add up to %, its price is %', shares, NEW.total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- The lines of a bill are written in its own transaction, at whose COMMIT the bill is checked: one look for all lines of a
-- statement. Lines that come to a bill of before must leave it as it is.
CREATE OR REPLACE FUNCTION check_bill_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong record;
BEGIN
    SELECT b.total, (SELECT coalesce(sum(l.amount), 0) FROM bill_lines l
            WHERE l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.adjustment_id IS NULL) AS shares
        INTO wrong FROM written w JOIN bills b ON b.tenant_id = w.tenant_id AND b.id = w.bill_id
        WHERE w.adjustment_id IS NULL AND b.xmin <> pg_current_xact_id()::xid LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the shares of a bill add up to %, its price is %', wrong.shares, wrong.total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER lines_add_up ON bill_lines;
CREATE TRIGGER lines_add_up AFTER INSERT ON bill_lines
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION check_bill_line();

-- Two adjustments of 60 off a share of 100 must not both pass: the household is locked first.
CREATE FUNCTION check_adjustment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wanted adjustments; shares bigint;
BEGIN
    IF TG_TABLE_NAME = 'adjustments' THEN
        wanted := NEW;
    ELSE
        SELECT * INTO wanted FROM adjustments WHERE tenant_id = NEW.tenant_id AND id = NEW.adjustment_id;
    END IF;
    PERFORM 1 FROM households WHERE tenant_id = wanted.tenant_id AND id = wanted.household_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'an adjustment of a household that cannot be seen' USING ERRCODE = 'check_violation';
    END IF;
    SELECT coalesce(sum(amount), 0) INTO shares FROM bill_lines
        WHERE tenant_id = wanted.tenant_id AND bill_id = wanted.bill_id AND adjustment_id = wanted.id;
    IF wanted.total IS DISTINCT FROM shares THEN
        RAISE EXCEPTION 'the lines of an adjustment add up to %, its total is %', shares, wanted.total USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM bill_lines WHERE tenant_id = wanted.tenant_id AND bill_id = wanted.bill_id
            GROUP BY payer HAVING sum(amount) < 0) THEN
        RAISE EXCEPTION 'a payer''s part of a bill would be negative' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER adjustment_adds_up AFTER INSERT ON adjustments
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_adjustment();
CREATE CONSTRAINT TRIGGER adjusting_lines_add_up AFTER INSERT ON bill_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.adjustment_id IS NOT NULL) EXECUTE FUNCTION check_adjustment();
