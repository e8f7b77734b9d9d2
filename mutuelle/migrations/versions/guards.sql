-- What the database itself refuses, whatever the code above it does.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: correct it with a reversal', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DO $$
DECLARE guarded text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['entries', 'postings', 'allocations', 'reversals', 'audit', 'bill_lines', 'ussd_effects'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', guarded);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', guarded);
    END LOOP;
END $$;

-- A receipt's money may not change once it is proven.
CREATE FUNCTION refuse_other_money() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.tenant_id, OLD.id, OLD.account_id, OLD.transaction, OLD.amount, OLD.currency)
        IS DISTINCT FROM (NEW.tenant_id, NEW.id, NEW.account_id, NEW.transaction, NEW.amount, NEW.currency) THEN
        RAISE EXCEPTION 'a receipt is never edited' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER same_money BEFORE UPDATE ON receipts FOR EACH ROW EXECUTE FUNCTION refuse_other_money();
CREATE TRIGGER no_delete BEFORE DELETE ON receipts FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON receipts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- At COMMIT: no receipt gives out more than it holds, no part of it is negative, no household credit is negative.
-- The row is locked first: two commits of 60 on a receipt of 100 must not both pass. A row that cannot be seen is a violation.
CREATE FUNCTION check_allocations() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE held bigint; wrong text;
BEGIN
    SELECT amount INTO held FROM receipts WHERE tenant_id = NEW.tenant_id AND id = NEW.receipt_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'allocation of a receipt that cannot be seen' USING ERRCODE = 'check_violation';
    END IF;
    SELECT coalesce(max('more is allocated than the receipt holds') FILTER (WHERE given > held), max('a part is negative') FILTER (WHERE lowest < 0))
        INTO wrong FROM (
            SELECT sum(part) AS given, min(part) AS lowest FROM (
                SELECT sum(amount) AS part FROM allocations
                WHERE tenant_id = NEW.tenant_id AND receipt_id = NEW.receipt_id GROUP BY kind, bill_line_id, household_id) parts) sums;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kind = 'credit' THEN
        PERFORM 1 FROM households WHERE tenant_id = NEW.household_tenant_id AND id = NEW.household_id FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'credit of a household that cannot be seen' USING ERRCODE = 'check_violation';
        END IF;
        IF (SELECT sum(amount) FROM allocations WHERE household_tenant_id = NEW.household_tenant_id
                AND household_id = NEW.household_id AND kind = 'credit') < 0 THEN
            RAISE EXCEPTION 'household credit would be negative' USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER allocations_add_up AFTER INSERT ON allocations
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_allocations();

-- At COMMIT: the lines of a bill are its price (I11).
CREATE FUNCTION check_bill() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE price bigint; shares bigint;
BEGIN
    SELECT total INTO price FROM bills WHERE tenant_id = NEW.tenant_id AND id = coalesce(to_jsonb(NEW) ->> 'bill_id', NEW.id::text)::uuid;
    SELECT coalesce(sum(amount), 0) INTO shares FROM bill_lines
        WHERE tenant_id = NEW.tenant_id AND bill_id = coalesce(to_jsonb(NEW) ->> 'bill_id', NEW.id::text)::uuid;
    IF price IS DISTINCT FROM shares THEN
        RAISE EXCEPTION 'the shares of a bill add up to %, its price is %', shares, price USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER bill_adds_up AFTER INSERT OR UPDATE ON bills
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_bill();
CREATE CONSTRAINT TRIGGER lines_add_up AFTER INSERT ON bill_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_bill();
