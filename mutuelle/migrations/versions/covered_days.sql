-- The lines of a claim name the days really covered. Older lines ask for whole periods: their new columns stay empty, and
-- the file of their claim keeps its format.
ALTER TABLE subsidy_claims ADD COLUMN format smallint NOT NULL DEFAULT 1 CHECK (format > 0);
ALTER TABLE claim_lines
    ADD COLUMN days integer,
    ADD COLUMN registry_number text CHECK (btrim(registry_number) <> ''),
    ADD COLUMN member_paid bigint,
    ADD COLUMN receipts text CHECK (btrim(receipts) <> ''),
    ADD COLUMN household_size smallint CHECK (household_size > 0),
    ADD COLUMN place text CHECK (btrim(place) <> ''),
    -- Every day from the first to the last is asked for: a span with a gap is two lines.
    ADD CONSTRAINT claim_lines_days CHECK (days = days_until - days_from + 1);
CREATE INDEX claim_lines_member ON claim_lines (tenant_id, member_id, days_until);

-- A line is of a draft, of a member who has a name, and of a bill line of that payer and household. Under the household's
-- lock: no member's part of a bill line is claimed twice, no day of it is asked for twice, and no two bills are claimed for
-- the same days of one member. A line below the other sign gives its days back.
CREATE OR REPLACE FUNCTION check_claim_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE asked record; owed record; times bigint; part bigint; units bigint;
BEGIN
    SELECT payer, state INTO asked FROM subsidy_claims WHERE tenant_id = NEW.tenant_id AND id = NEW.claim_id;
    IF asked.state IS DISTINCT FROM 'drafted' THEN
        RAISE EXCEPTION 'the lines of a claim are written with its draft' USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM 1 FROM households WHERE tenant_id = NEW.tenant_id AND id = NEW.household_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a claim for a household that cannot be seen' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM members WHERE tenant_id = NEW.tenant_id AND id = NEW.member_id
            AND household_id = NEW.household_id AND NOT provisional AND btrim(name) <> '') THEN
        RAISE EXCEPTION 'a claim for a member without a name' USING ERRCODE = 'check_violation';
    END IF;
    SELECT l.amount, l.bill_id INTO owed FROM bill_lines l
        JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
        WHERE l.tenant_id = NEW.tenant_id AND l.id = NEW.bill_line_id AND b.household_id = NEW.household_id
            AND l.payer = asked.payer AND l.rule = NEW.rule;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a claim for what this payer does not owe' USING ERRCODE = 'check_violation';
    END IF;
    SELECT sum(sign(amount)) FILTER (WHERE member_id = NEW.member_id), sum(amount) FILTER (WHERE member_id = NEW.member_id),
        sum(amount) INTO times, part, units FROM live_claim_lines(NEW.tenant_id) WHERE bill_line_id = NEW.bill_line_id;
    IF (NEW.days IS NULL AND times * sign(owed.amount) NOT IN (0, 1)) OR part * sign(owed.amount) < 0
        OR abs(units) > abs(owed.amount) THEN
        RAISE EXCEPTION 'a part of a bill is claimed twice' USING ERRCODE = 'unique_violation';
    END IF;
    -- Most lines share no day with another of the member: only those that do are compared day by day.
    IF NOT EXISTS (SELECT FROM claim_lines c WHERE c.tenant_id = NEW.tenant_id AND c.member_id = NEW.member_id
            AND c.days_until >= NEW.days_from AND c.days_from <= NEW.days_until AND c.id <> NEW.id) THEN
        IF NEW.days IS NOT NULL AND sign(NEW.amount) <> sign(owed.amount) THEN
            RAISE EXCEPTION 'a day is given back that was not claimed' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END IF;
    IF NEW.days IS NOT NULL AND EXISTS (SELECT FROM live_claim_lines(NEW.tenant_id) c
            CROSS JOIN LATERAL generate_series(greatest(c.days_from, NEW.days_from), least(c.days_until, NEW.days_until),
                interval '1 day') d
            WHERE c.bill_line_id = NEW.bill_line_id AND c.member_id = NEW.member_id
                AND c.days_from <= NEW.days_until AND c.days_until >= NEW.days_from
            GROUP BY d.d HAVING sum(sign(c.amount)) * sign(owed.amount) NOT IN (0, 1)) THEN
        RAISE EXCEPTION 'a day of a bill is claimed twice' USING ERRCODE = 'unique_violation';
    END IF;
    IF sign(owed.amount) * NEW.amount > 0 AND EXISTS (SELECT FROM live_claim_lines(NEW.tenant_id) c
            CROSS JOIN LATERAL generate_series(greatest(c.days_from, NEW.days_from), least(c.days_until, NEW.days_until),
                interval '1 day') d
            WHERE c.household_id = NEW.household_id AND c.member_id = NEW.member_id
                AND c.payer = asked.payer AND c.bill_id <> owed.bill_id
                AND c.days_from <= NEW.days_until AND c.days_until >= NEW.days_from
            GROUP BY c.bill_line_id, d.d HAVING sum(sign(c.amount)) > 0) THEN
        RAISE EXCEPTION 'a household is claimed twice for the same days' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NULL;
END $$;
