-- What members still owe: one row for each bill with an unpaid or overpaid member part, with the sum of all rows of its
-- household. It follows from bill lines and allocations. It is stored so that an amount finds the households that owe it.
-- Arrears that a rule book forgives stay here: the program, which knows the rules, leaves them out when it reads.
CREATE TABLE open_dues (
    tenant_id uuid NOT NULL,
    household_id uuid NOT NULL,
    bill_id uuid NOT NULL,
    units bigint NOT NULL CHECK (units <> 0),
    household_units bigint NOT NULL,
    PRIMARY KEY (tenant_id, household_id, bill_id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    FOREIGN KEY (tenant_id, bill_id) REFERENCES bills (tenant_id, id)
);
CREATE INDEX open_dues_bill ON open_dues (tenant_id, units, household_id);
CREATE INDEX open_dues_household ON open_dues (tenant_id, household_units, household_id);
-- The receipts of which a part waits in suspense, and how much. It follows from allocations.
CREATE TABLE open_suspense (
    tenant_id uuid NOT NULL,
    receipt_id uuid NOT NULL,
    moved_at timestamptz NOT NULL,
    units bigint NOT NULL CHECK (units <> 0),
    PRIMARY KEY (tenant_id, receipt_id),
    FOREIGN KEY (tenant_id, receipt_id) REFERENCES receipts (tenant_id, id)
);
CREATE INDEX open_suspense_oldest ON open_suspense (tenant_id, moved_at, receipt_id);
DROP INDEX allocations_suspense;
-- By whose phone it is, and by which open request it may answer, money in suspense is compared with.
CREATE INDEX phones_ever ON phones (tenant_id, blind_index);
CREATE INDEX payments_unanswered ON payments (tenant_id, account_id, amount, created_at)
    WHERE status NOT IN ('confirmed', 'reversed');

-- The rows that these households must have, by their bills and allocations.
CREATE FUNCTION open_dues_of(tenants uuid[], homes uuid[]) RETURNS SETOF open_dues
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT tenant_id, household_id, bill_id, units, sum(units) OVER (PARTITION BY tenant_id, household_id)::bigint
    FROM (
        SELECT b.tenant_id, b.household_id, b.id AS bill_id, sum(l.amount - coalesce((
            SELECT sum(a.amount) FROM allocations a
            WHERE a.household_tenant_id = b.tenant_id AND a.household_id = b.household_id AND a.kind = 'bill'
                AND a.bill_line_id = l.id), 0))::bigint AS units
        FROM unnest(tenants, homes) AS h (tenant_id, id)
        JOIN bills b ON b.tenant_id = h.tenant_id AND b.household_id = h.id
        JOIN bill_lines l ON l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.payer = 'member'
        GROUP BY b.tenant_id, b.household_id, b.id
    ) due WHERE units <> 0 $$;

-- Each statement that adds bill lines or allocations computes the rows of the households that it touched. The household is
-- locked first, as its callers do: of two transactions at once the second must see what the first has added.
CREATE FUNCTION renew_open_dues(tenants uuid[], homes uuid[]) RETURNS void
    LANGUAGE sql SET search_path = public, pg_temp AS $$
    SELECT FROM households WHERE (tenant_id, id) IN (SELECT * FROM unnest(tenants, homes)) ORDER BY id FOR NO KEY UPDATE;
    DELETE FROM open_dues d USING unnest(tenants, homes) AS h (tenant_id, id)
        WHERE d.tenant_id = h.tenant_id AND d.household_id = h.id;
    INSERT INTO open_dues SELECT * FROM open_dues_of(tenants, homes) $$;
CREATE FUNCTION open_dues_by_lines() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM renew_open_dues(array_agg(tenant_id), array_agg(household_id)) FROM (
        SELECT DISTINCT b.tenant_id, b.household_id FROM written w
        JOIN bills b ON b.tenant_id = w.tenant_id AND b.id = w.bill_id WHERE w.payer = 'member') homes HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION open_dues_by_money() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM renew_open_dues(array_agg(household_tenant_id), array_agg(household_id)) FROM (
        SELECT DISTINCT household_tenant_id, household_id FROM written WHERE kind = 'bill') homes HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER open_dues AFTER INSERT ON bill_lines REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION open_dues_by_lines();
CREATE TRIGGER open_dues AFTER INSERT ON allocations REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION open_dues_by_money();
CREATE FUNCTION renew_open_suspense() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM receipts WHERE (tenant_id, id) IN (SELECT tenant_id, receipt_id FROM written WHERE kind = 'suspense')
        ORDER BY id FOR NO KEY UPDATE;
    IF FOUND THEN
        DELETE FROM open_suspense s USING written w
            WHERE w.kind = 'suspense' AND s.tenant_id = w.tenant_id AND s.receipt_id = w.receipt_id;
        INSERT INTO open_suspense (tenant_id, receipt_id, moved_at, units)
        SELECT r.tenant_id, r.id, r.moved_at, sum(a.amount)
        FROM (SELECT DISTINCT tenant_id, receipt_id FROM written WHERE kind = 'suspense') w
        JOIN receipts r ON r.tenant_id = w.tenant_id AND r.id = w.receipt_id
        JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id AND a.kind = 'suspense'
        GROUP BY r.tenant_id, r.id HAVING sum(a.amount) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER open_suspense AFTER INSERT ON allocations REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION renew_open_suspense();

-- The rows of today. Row-level security must not hide the books from the owner of the tables meanwhile.
ALTER TABLE bills NO FORCE ROW LEVEL SECURITY;
ALTER TABLE bill_lines NO FORCE ROW LEVEL SECURITY;
ALTER TABLE allocations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE households NO FORCE ROW LEVEL SECURITY;
ALTER TABLE receipts NO FORCE ROW LEVEL SECURITY;
INSERT INTO open_dues SELECT dues.* FROM (SELECT array_agg(tenant_id) AS tenants, array_agg(id) AS homes FROM households) h,
    open_dues_of(h.tenants, h.homes) dues;
INSERT INTO open_suspense SELECT r.tenant_id, r.id, r.moved_at, sum(a.amount)
    FROM receipts r JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id AND a.kind = 'suspense'
    GROUP BY r.tenant_id, r.id HAVING sum(a.amount) <> 0;
ALTER TABLE bills FORCE ROW LEVEL SECURITY;
ALTER TABLE bill_lines FORCE ROW LEVEL SECURITY;
ALTER TABLE allocations FORCE ROW LEVEL SECURITY;
ALTER TABLE households FORCE ROW LEVEL SECURITY;
ALTER TABLE receipts FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    named text;
    ours text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
BEGIN
    FOREACH named IN ARRAY ARRAY['open_dues', 'open_suspense'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named);
        EXECUTE format('CREATE POLICY tenant ON %I TO mutuelle_app, mutuelle_worker, mutuelle_federation, mutuelle_console'
            ' USING (%s) WITH CHECK (%s)', named, ours, ours);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO mutuelle_auditor USING (current_user = ''mutuelle_auditor'')', named);
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I TO mutuelle_app, mutuelle_worker, mutuelle_federation,'
            ' mutuelle_console', named);
        EXECUTE format('GRANT SELECT ON %I TO mutuelle_auditor', named);
    END LOOP;
END $$;
