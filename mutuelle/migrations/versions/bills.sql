-- At COMMIT: the lines of a bill are its price (I11). The first version took the bill's key out of JSON, which no index
-- serves: every bill written read all bills of the mutuelle.
CREATE FUNCTION check_bill_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE shares bigint;
BEGIN
    SELECT coalesce(sum(amount), 0) INTO shares FROM bill_lines WHERE tenant_id = NEW.tenant_id AND bill_id = NEW.id;
    IF NEW.total IS DISTINCT FROM shares THEN
        RAISE EXCEPTION 'the shares of a bill add up to %, its price is %', shares, NEW.total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION check_bill_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE price bigint; shares bigint;
BEGIN
    SELECT total INTO price FROM bills WHERE tenant_id = NEW.tenant_id AND id = NEW.bill_id;
    SELECT coalesce(sum(amount), 0) INTO shares FROM bill_lines WHERE tenant_id = NEW.tenant_id AND bill_id = NEW.bill_id;
    IF price IS DISTINCT FROM shares THEN
        RAISE EXCEPTION 'the shares of a bill add up to %, its price is %', shares, price USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER bill_adds_up ON bills;
DROP TRIGGER lines_add_up ON bill_lines;
DROP FUNCTION check_bill();
CREATE CONSTRAINT TRIGGER bill_adds_up AFTER INSERT OR UPDATE ON bills
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_bill_price();
CREATE CONSTRAINT TRIGGER lines_add_up AFTER INSERT ON bill_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_bill_line();
