-- What we ask of a payer other than the member, line by line. Lines are written with their claim and never changed; what a
-- payer said of each, and what it paid, are rows of their own. One person drafts, another one checks.
CREATE TABLE subsidy_claims (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    number text NOT NULL,
    payer text NOT NULL CHECK (payer IN ('state', 'commune', 'sponsor')),
    year smallint NOT NULL,
    ordinal integer NOT NULL CHECK (ordinal > 0),
    period_from date NOT NULL,
    period_until date NOT NULL,
    again boolean NOT NULL,
    currency text NOT NULL,
    lines integer NOT NULL CHECK (lines > 0),
    total bigint NOT NULL,
    lines_hash bytea NOT NULL CHECK (octet_length(lines_hash) = 32),
    state text NOT NULL CHECK (state IN ('drafted', 'checked', 'sent', 'paid', 'cancelled')),
    made_by uuid NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by uuid,
    checked_at timestamptz,
    sent_by uuid,
    sent_at timestamptz,
    ended_by uuid,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, number),
    UNIQUE (tenant_id, payer, year, ordinal),
    FOREIGN KEY (tenant_id, made_by) REFERENCES logins (tenant_id, id),
    FOREIGN KEY (tenant_id, checked_by) REFERENCES logins (tenant_id, id),
    FOREIGN KEY (tenant_id, sent_by) REFERENCES logins (tenant_id, id),
    FOREIGN KEY (tenant_id, ended_by) REFERENCES logins (tenant_id, id),
    CHECK (period_from <= period_until),
    CONSTRAINT claim_four_eyes CHECK (checked_by <> made_by),
    CHECK (state = 'cancelled' OR (state IN ('checked', 'sent', 'paid')) = (checked_by IS NOT NULL)),
    CHECK ((state IN ('sent', 'paid')) = (sent_by IS NOT NULL) AND (state IN ('paid', 'cancelled')) = (ended_by IS NOT NULL)),
    CHECK ((checked_by IS NULL) = (checked_at IS NULL) AND (sent_by IS NULL) = (sent_at IS NULL)
        AND (ended_by IS NULL) = (ended_at IS NULL))
);
-- One member of one household for one bill line. `corrects` names the earlier line that a negative amount takes back, or that
-- was rejected and is claimed anew. `on_day` is the day of the bill line.
CREATE TABLE claim_lines (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    claim_id uuid NOT NULL,
    position integer NOT NULL CHECK (position > 0),
    household_id uuid NOT NULL,
    number text NOT NULL,
    member_id uuid NOT NULL,
    name text NOT NULL CHECK (btrim(name) <> ''),
    born smallint NOT NULL,
    category text NOT NULL,
    scheme text NOT NULL,
    version date NOT NULL,
    rule text NOT NULL,
    evidence text NOT NULL CHECK (btrim(evidence) <> ''),
    days_from date NOT NULL,
    days_until date NOT NULL,
    on_day date NOT NULL,
    amount bigint NOT NULL CHECK (amount <> 0),
    bill_line_id uuid NOT NULL,
    corrects uuid,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, claim_id, position),
    FOREIGN KEY (tenant_id, claim_id) REFERENCES subsidy_claims (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    FOREIGN KEY (tenant_id, member_id) REFERENCES members (tenant_id, id),
    FOREIGN KEY (tenant_id, bill_line_id) REFERENCES bill_lines (tenant_id, id),
    FOREIGN KEY (tenant_id, corrects) REFERENCES claim_lines (tenant_id, id),
    CHECK (days_from <= days_until)
);
CREATE INDEX claim_lines_bill ON claim_lines (tenant_id, bill_line_id, member_id);
CREATE INDEX claim_lines_household ON claim_lines (tenant_id, household_id);
CREATE INDEX claim_lines_corrects ON claim_lines (tenant_id, corrects) WHERE corrects IS NOT NULL;
-- What of the payer's part was not claimed when the claim was drafted, and why.
CREATE TABLE claim_left_out (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    claim_id uuid NOT NULL,
    household_id uuid NOT NULL,
    bill_line_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount <> 0),
    reason text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, claim_id) REFERENCES subsidy_claims (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    FOREIGN KEY (tenant_id, bill_line_id) REFERENCES bill_lines (tenant_id, id)
);
CREATE INDEX claim_left_out_claim ON claim_left_out (tenant_id, claim_id);
CREATE TABLE claim_answers (
    tenant_id uuid NOT NULL,
    line_id uuid NOT NULL,
    id uuid NOT NULL,
    answer text NOT NULL CHECK (answer IN ('accepted', 'rejected')),
    reason text,
    noted_by uuid NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, line_id),
    FOREIGN KEY (tenant_id, line_id) REFERENCES claim_lines (tenant_id, id),
    FOREIGN KEY (tenant_id, noted_by) REFERENCES logins (tenant_id, id),
    CHECK (answer = 'accepted' OR btrim(reason) <> '')
);
-- Money of a payer that came to the bank, or with a minus went back to it. `reference` is the bank's or the receipt's.
CREATE TABLE claim_payments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    claim_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount <> 0),
    reference text NOT NULL CHECK (btrim(reference) <> ''),
    on_day date NOT NULL,
    noted_by uuid NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, claim_id, reference),
    FOREIGN KEY (tenant_id, claim_id) REFERENCES subsidy_claims (tenant_id, id),
    FOREIGN KEY (tenant_id, noted_by) REFERENCES logins (tenant_id, id)
);

-- A line counts while its claim is not cancelled and its payer has not rejected it. A function, because a view hides no rows.
CREATE FUNCTION live_claim_lines(tenant uuid) RETURNS TABLE (household_id uuid, member_id uuid, bill_line_id uuid,
        bill_id uuid, payer text, days_from date, days_until date, amount bigint) LANGUAGE sql STABLE AS $$
    SELECT c.household_id, c.member_id, c.bill_line_id, l.bill_id, s.payer, c.days_from, c.days_until, c.amount
    FROM claim_lines c
    JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id
    JOIN bill_lines l ON l.tenant_id = c.tenant_id AND l.id = c.bill_line_id
    LEFT JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
    WHERE c.tenant_id = tenant AND s.state <> 'cancelled' AND a.answer IS DISTINCT FROM 'rejected'
$$;

-- A claim is written whole and then only moves on.
CREATE FUNCTION claim_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'drafted' THEN
            RAISE EXCEPTION 'a claim begins as a draft' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (to_jsonb(OLD) - '{state,checked_by,checked_at,sent_by,sent_at,ended_by,ended_at}'::text[])
        <> (to_jsonb(NEW) - '{state,checked_by,checked_at,sent_by,sent_at,ended_by,ended_at}'::text[])
        OR OLD.checked_by <> NEW.checked_by OR OLD.sent_by <> NEW.sent_by OR OLD.ended_by <> NEW.ended_by THEN
        RAISE EXCEPTION 'a claim is never edited: correct it with lines of the next one' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (('drafted', 'checked'), ('drafted', 'cancelled'),
        ('checked', 'sent'), ('checked', 'cancelled'), ('sent', 'paid')) THEN
        RAISE EXCEPTION 'a claim that is % cannot be %', OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER frozen BEFORE INSERT OR UPDATE ON subsidy_claims FOR EACH ROW EXECUTE FUNCTION claim_moves();
CREATE TRIGGER no_delete BEFORE DELETE ON subsidy_claims FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON subsidy_claims FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- At COMMIT: a claim has the lines and the total it says it has.
CREATE FUNCTION check_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT (count(*), coalesce(sum(amount), 0)) FROM claim_lines WHERE tenant_id = NEW.tenant_id AND claim_id = NEW.id)
        IS DISTINCT FROM (NEW.lines::bigint, NEW.total::numeric) THEN
        RAISE EXCEPTION 'the lines of a claim are not what it says' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER claim_adds_up AFTER INSERT OR UPDATE ON subsidy_claims
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_claim();

-- A line is of a draft, of a member who has a name, and of a bill line of that payer and household. Under the household's
-- lock: no member's part of a bill line is claimed twice, and no two bills are claimed for the same days of one member.
CREATE FUNCTION check_claim_line() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF times * sign(owed.amount) NOT IN (0, 1) OR part * sign(owed.amount) < 0 OR abs(units) > abs(owed.amount) THEN
        RAISE EXCEPTION 'a part of a bill is claimed twice' USING ERRCODE = 'unique_violation';
    END IF;
    IF sign(owed.amount) * NEW.amount > 0 AND EXISTS (SELECT FROM live_claim_lines(NEW.tenant_id) c
            WHERE c.household_id = NEW.household_id AND c.member_id = NEW.member_id
                AND c.payer = asked.payer AND c.bill_id <> owed.bill_id
                AND c.days_from <= NEW.days_until AND c.days_until >= NEW.days_from
            GROUP BY c.bill_line_id HAVING sum(c.amount) > 0) THEN
        RAISE EXCEPTION 'a household is claimed twice for the same days' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER claimed_once AFTER INSERT ON claim_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_claim_line();

-- Only who was asked can answer or pay; the claim's row is locked, so that two answers do not both end it.
CREATE FUNCTION check_claim_sent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE asked text;
BEGIN
    IF TG_TABLE_NAME = 'claim_payments' THEN
        SELECT state INTO asked FROM subsidy_claims WHERE tenant_id = NEW.tenant_id AND id = NEW.claim_id;
    ELSE
        SELECT s.state INTO asked FROM subsidy_claims s JOIN claim_lines c ON c.tenant_id = s.tenant_id AND c.claim_id = s.id
            WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.line_id;
    END IF;
    IF asked IS DISTINCT FROM 'sent' THEN
        RAISE EXCEPTION 'an answer to a claim that is %', asked USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER was_sent BEFORE INSERT ON claim_answers FOR EACH ROW EXECUTE FUNCTION check_claim_sent();
CREATE TRIGGER was_sent BEFORE INSERT ON claim_payments FOR EACH ROW EXECUTE FUNCTION check_claim_sent();

DO $$
DECLARE
    named text;
    ours text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
BEGIN
    FOREACH named IN ARRAY ARRAY['subsidy_claims', 'claim_lines', 'claim_left_out', 'claim_answers', 'claim_payments'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named);
        EXECUTE format('CREATE POLICY console ON %I TO mutuelle_console USING (%s) WITH CHECK (%s)', named, ours, ours);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO mutuelle_auditor USING (current_user = ''mutuelle_auditor'')', named);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO mutuelle_console', named);
        EXECUTE format('GRANT SELECT ON %I TO mutuelle_auditor', named);
        IF named <> 'subsidy_claims' THEN
            EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', named);
            EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', named);
        END IF;
    END LOOP;
    -- The membership itself is what proves an ordinary category.
    EXECUTE format('CREATE POLICY claims ON consents FOR SELECT TO mutuelle_console USING (%s)', ours);
END $$;
GRANT SELECT ON consents TO mutuelle_console;
GRANT UPDATE (state, checked_by, checked_at, sent_by, sent_at, ended_by, ended_at) ON subsidy_claims TO mutuelle_console;
