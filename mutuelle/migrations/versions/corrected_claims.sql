-- As before, and what a correction of the category leaves of a bill line is claimed by the rule of the right category from
-- the day of the correction on: the proof of the other one was refused.
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
            AND l.payer = asked.payer AND (l.rule = NEW.rule OR EXISTS (SELECT FROM bill_lines k
                JOIN adjustments j ON j.tenant_id = k.tenant_id AND j.id = k.adjustment_id
                WHERE k.tenant_id = l.tenant_id AND k.bill_id = l.bill_id AND k.payer = l.payer AND k.rule = NEW.rule
                    AND k.amount < 0 AND j.reason = 'category' AND j.on_day <= NEW.days_from));
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
