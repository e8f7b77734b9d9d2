-- A bill comes whole: its lines are written in the same statement, at whose end they are its price (I11). One look for all
-- bills of a statement, instead of one at COMMIT for each.
CREATE OR REPLACE FUNCTION check_bill_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong record;
BEGIN
    SELECT w.total, coalesce(l.shares, 0) AS shares INTO wrong FROM written w LEFT JOIN LATERAL (
            SELECT sum(amount) AS shares FROM bill_lines
            WHERE tenant_id = w.tenant_id AND bill_id = w.id AND adjustment_id IS NULL) l ON true
        WHERE w.total <> coalesce(l.shares, 0) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the shares of a bill add up to %, its price is %', wrong.shares, wrong.total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- Lines that come to a bill of before must leave it as it is, whoever wrote it and when. A bill that cannot be seen is none.
CREATE OR REPLACE FUNCTION check_bill_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong record;
BEGIN
    SELECT b.total, coalesce(l.shares, 0) AS shares INTO wrong
        FROM (SELECT DISTINCT tenant_id, bill_id FROM written WHERE adjustment_id IS NULL) w
        LEFT JOIN LATERAL (SELECT total FROM bills WHERE tenant_id = w.tenant_id AND id = w.bill_id LIMIT 1) b ON true
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS shares FROM bill_lines
            WHERE tenant_id = w.tenant_id AND bill_id = w.bill_id AND adjustment_id IS NULL) l ON true
        WHERE b.total IS DISTINCT FROM coalesce(l.shares, 0) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the shares of a bill add up to %, its price is %', wrong.shares, wrong.total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER bill_adds_up ON bills;
CREATE TRIGGER bill_adds_up AFTER INSERT ON bills
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION check_bill_price();

-- A line has its bill without this key: its own lines by the check above, an adjustment's by the adjustment's key, and no bill
-- is ever changed or deleted. A key is looked up, and its bill locked, line by line: a sixth of what a bill costs.
ALTER TABLE bill_lines DROP CONSTRAINT bill_lines_tenant_id_bill_id_fkey;
