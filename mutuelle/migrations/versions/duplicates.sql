-- A keyed hash of the words of a member's name, by which likely duplicates are found in all mutuelles of a federation. It is
-- computed by the program when it is first looked for; empty for a name of one word, which says too little.
ALTER TABLE members ADD COLUMN name_key bytea CHECK (octet_length(name_key) IN (0, 16));
CREATE INDEX members_alike ON members (name_key, birth_year);
CREATE INDEX members_unkeyed ON members (tenant_id, household_id) WHERE name IS NOT NULL AND name_key IS NULL;
CREATE INDEX categories_number ON categories (reference_index) WHERE reference_index IS NOT NULL;
GRANT UPDATE (name_key) ON members TO mutuelle_console;

-- Whoever changes a name does not have to know of the key: it is computed anew.
CREATE FUNCTION forget_name_key() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.name IS DISTINCT FROM OLD.name THEN
        NEW.name_key := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER other_name BEFORE UPDATE OF name ON members FOR EACH ROW EXECUTE FUNCTION forget_name_key();

-- Two memberships that are likely one person's, the earlier one first. The row is of both mutuelles, so it holds member
-- numbers and no name or phone. It stays as it was found.
CREATE TABLE duplicate_pairs (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    household_id uuid NOT NULL,
    member_id uuid NOT NULL,
    number text NOT NULL,
    later_tenant_id uuid NOT NULL,
    later_household_id uuid NOT NULL,
    later_member_id uuid NOT NULL,
    later_number text NOT NULL,
    score smallint NOT NULL,
    reasons text[] NOT NULL CHECK (cardinality(reasons) > 0),
    found_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, id, later_tenant_id),
    UNIQUE (tenant_id, member_id, later_tenant_id, later_member_id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    FOREIGN KEY (tenant_id, member_id) REFERENCES members (tenant_id, id),
    FOREIGN KEY (later_tenant_id, later_household_id) REFERENCES households (tenant_id, id),
    FOREIGN KEY (later_tenant_id, later_member_id) REFERENCES members (tenant_id, id),
    CHECK (household_id <> later_household_id)
);
CREATE INDEX duplicate_pairs_household ON duplicate_pairs (tenant_id, household_id);
CREATE INDEX duplicate_pairs_later ON duplicate_pairs (later_tenant_id, later_household_id);
-- What a manager of one of both mutuelles decided; the newest decision counts.
CREATE TABLE duplicate_decisions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    pair_id uuid NOT NULL,
    later_tenant_id uuid NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('same-earlier', 'same-later', 'different')),
    why text NOT NULL CHECK (why IN ('papers', 'told', 'agent-visit', 'registry')),
    by_tenant_id uuid NOT NULL,
    decided_by uuid NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, pair_id, later_tenant_id) REFERENCES duplicate_pairs (tenant_id, id, later_tenant_id),
    FOREIGN KEY (by_tenant_id, decided_by) REFERENCES logins (tenant_id, id),
    CHECK (by_tenant_id IN (tenant_id, later_tenant_id))
);
CREATE INDEX duplicate_decisions_pair ON duplicate_decisions (tenant_id, pair_id, decided_at);

DO $$
DECLARE
    named text;
    tenant text := 'nullif(current_setting(''app.tenant'', true), '''')::uuid';
    ours text := format('%s IN (tenant_id, later_tenant_id)', tenant);
BEGIN
    FOREACH named IN ARRAY ARRAY['duplicate_pairs', 'duplicate_decisions'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named);
        EXECUTE format('CREATE POLICY tenant ON %I TO mutuelle_app, mutuelle_worker, mutuelle_federation, mutuelle_console'
            ' USING (%s) WITH CHECK (%s)', named, ours,
            ours || CASE named WHEN 'duplicate_decisions' THEN format(' AND by_tenant_id = %s', tenant) ELSE '' END);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO mutuelle_auditor USING (current_user = ''mutuelle_auditor'')', named);
        EXECUTE format('GRANT SELECT ON %I TO mutuelle_app, mutuelle_worker, mutuelle_federation, mutuelle_console,'
            ' mutuelle_auditor', named);
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', named);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', named);
    END LOOP;
    FOREACH named IN ARRAY ARRAY['tenants', 'households', 'members', 'categories', 'duplicate_pairs', 'subsidy_claims',
        'claim_lines', 'claim_answers'] LOOP
        EXECUTE format('CREATE POLICY duplicates ON %I FOR SELECT TO mutuelle_resolver USING (current_user = ''mutuelle_resolver'')', named);
    END LOOP;
END $$;
GRANT INSERT ON duplicate_pairs TO mutuelle_app, mutuelle_worker, mutuelle_federation, mutuelle_console;
GRANT INSERT ON duplicate_decisions TO mutuelle_console;
-- What the two functions below read of other mutuelles: no name, phone number or amount leaves them.
GRANT SELECT (id, parent_id, country) ON tenants TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, number, joined_at) ON households TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, household_id, kind, birth_year, name_key, since, until) ON members TO mutuelle_resolver;
GRANT SELECT (tenant_id, household_id, standing, evidence, reference_index) ON categories TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, household_id, member_id, later_tenant_id, later_household_id, later_member_id) ON duplicate_pairs
    TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, payer, sponsor_id, made_at, state, ended_at) ON subsidy_claims TO mutuelle_resolver;
GRANT SELECT (tenant_id, id, claim_id, household_id, member_id, bill_line_id, days_from, days_until, days, corrects, amount) ON claim_lines
    TO mutuelle_resolver;
GRANT SELECT (tenant_id, line_id, answer, noted_at) ON claim_answers TO mutuelle_resolver;

-- Members of other households that may be the same person as members of `homes`, households of the transaction's mutuelle,
-- and what agrees. By name and year of birth in the same mutuelle and federation; by the number of a checked proof in every
-- mutuelle of the country. Both must have been members on one day. The mutuelle is a sign only for a rare name: at most
-- `namesakes` of its members have it besides these two.
CREATE FUNCTION likely_duplicates(homes uuid[], namesakes bigint) RETURNS TABLE (household_id uuid, member_id uuid, number text,
        other_tenant_id uuid, other_household_id uuid, other_member_id uuid, other_number text, is_earlier boolean,
        same_name boolean, years_apart integer, same_mutuelle boolean, same_number boolean, same_phone boolean, others bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
WITH ours AS MATERIALIZED (
    SELECT id, parent_id, country FROM tenants WHERE id = nullif(current_setting('app.tenant', true), '')::uuid
), proven AS MATERIALIZED (
    SELECT DISTINCT a.household_id, b.tenant_id AS other_tenant_id, b.household_id AS other_household_id
    FROM categories a JOIN ours ON ours.id = a.tenant_id
    JOIN categories b ON b.reference_index = a.reference_index AND b.household_id <> a.household_id
        AND b.standing = 'checked' AND (b.evidence = a.evidence
            OR (a.evidence IN ('registry-number', 'list') AND b.evidence IN ('registry-number', 'list')))
    JOIN tenants t ON t.id = b.tenant_id AND t.country = ours.country
    WHERE a.household_id = ANY(homes) AND a.standing = 'checked'
), pairs AS MATERIALIZED (
    SELECT a.household_id, a.id AS member_id, a.since, b.tenant_id AS other_tenant_id, b.household_id AS other_household_id,
        b.id AS other_member_id, b.since AS other_since, true AS same_name, a.name_key, abs(a.birth_year - b.birth_year) AS years_apart
    FROM members a JOIN ours ON ours.id = a.tenant_id
    JOIN members b ON b.name_key = a.name_key AND b.household_id <> a.household_id
        AND b.birth_year BETWEEN a.birth_year - 1 AND a.birth_year + 1
        AND b.since <= coalesce(a.until, 'infinity') AND a.since <= coalesce(b.until, 'infinity')
    JOIN tenants t ON t.id = b.tenant_id AND t.country = ours.country
        AND (t.id = ours.id OR t.parent_id = ours.parent_id)
    WHERE a.household_id = ANY(homes) AND a.name_key <> ''
    UNION
    SELECT a.household_id, a.id, a.since, b.tenant_id, b.household_id, b.id, b.since,
        coalesce(b.name_key = a.name_key AND a.name_key <> '', false), a.name_key, abs(a.birth_year - b.birth_year)
    FROM proven p CROSS JOIN ours
    JOIN members a ON a.tenant_id = ours.id AND a.household_id = p.household_id
    JOIN members b ON b.tenant_id = p.other_tenant_id AND b.household_id = p.other_household_id
        AND b.birth_year BETWEEN a.birth_year - 1 AND a.birth_year + 1
        AND ((b.name_key = a.name_key AND a.name_key <> '') OR (a.kind = 'head' AND b.kind = 'head'))
        AND b.since <= coalesce(a.until, 'infinity') AND a.since <= coalesce(b.until, 'infinity')
), counted AS (  -- by windows: a join of two lists of unknown length is slow
    SELECT p.*, p.same_name AND p.years_apart = 0 AS is_exact, row_number() OVER (PARTITION BY p.household_id,
            p.other_tenant_id, p.other_household_id, p.member_id, p.same_name AND p.years_apart = 0
            ORDER BY p.other_member_id) AS place
    FROM pairs p
), signs AS (
    SELECT c.*, c.other_tenant_id = ours.id AND (NOT c.same_name OR (SELECT count(*) FROM (SELECT FROM members m
            WHERE m.name_key = c.name_key AND m.tenant_id = ours.id LIMIT namesakes + 3) n) <= namesakes + 2) AS same_mutuelle,
        (c.household_id, c.other_tenant_id, c.other_household_id) IN (SELECT * FROM proven) AS same_number,
        EXISTS (SELECT FROM phones x JOIN phones y ON y.blind_index = x.blind_index
            WHERE x.tenant_id = ours.id AND x.household_id = c.household_id
            AND y.tenant_id = c.other_tenant_id AND y.household_id = c.other_household_id) AS same_phone,
        count(*) FILTER (WHERE c.is_exact AND c.place = 1) OVER (PARTITION BY c.household_id, c.other_tenant_id,
            c.other_household_id) - CASE WHEN c.is_exact THEN 1 ELSE 0 END AS others
    FROM counted c CROSS JOIN ours
)
SELECT s.household_id, s.member_id, h.number, s.other_tenant_id, s.other_household_id, s.other_member_id, o.number,
    (s.since, h.joined_at, h.id) < (s.other_since, o.joined_at, o.id), s.same_name, s.years_apart, s.same_mutuelle,
    s.same_number, s.same_phone, s.others
FROM signs s CROSS JOIN ours
JOIN households h ON h.tenant_id = ours.id AND h.id = s.household_id
JOIN households o ON o.tenant_id = s.other_tenant_id AND o.id = s.other_household_id
WHERE s.same_mutuelle OR s.same_number OR s.same_phone OR s.others > 0
ORDER BY s.household_id, s.member_id, s.other_tenant_id, s.other_member_id
$$;

-- The days for which the other membership of a pair stands claimed of the same money, as it was at a moment: for members of
-- `homes`, households of the mutuelle `of`, which is the transaction's own but for an auditor. `own` is a claim left out.
CREATE FUNCTION claimed_duplicates(of uuid, homes uuid[], sponsor uuid, own uuid, moment timestamptz)
    RETURNS TABLE (tenant_id uuid, pair_id uuid, member_id uuid, days_from date, days_until date)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
WITH sides AS MATERIALIZED (
    SELECT p.tenant_id, p.id AS pair_id, p.member_id, p.later_tenant_id AS other_tenant_id,
        p.later_household_id AS other_household_id, p.later_member_id AS other_member_id
    FROM duplicate_pairs p WHERE p.tenant_id = of AND p.household_id = ANY(homes)
    UNION ALL
    SELECT p.tenant_id, p.id, p.later_member_id, p.tenant_id, p.household_id, p.member_id
    FROM duplicate_pairs p WHERE p.later_tenant_id = of AND p.later_household_id = ANY(homes)
), standing AS (
SELECT s.tenant_id, s.pair_id, s.member_id,
    range_agg(daterange(c.days_from, c.days_until, '[]')) FILTER (WHERE c.amount > 0)
        - coalesce(range_agg(daterange(c.days_from, c.days_until, '[]'))
            FILTER (WHERE c.amount < 0 AND c.days IS NOT NULL), '{}') AS days
FROM sides s
JOIN claim_lines c ON c.tenant_id = s.other_tenant_id AND c.household_id = s.other_household_id
    AND c.member_id = s.other_member_id
JOIN subsidy_claims k ON k.tenant_id = c.tenant_id AND k.id = c.claim_id
LEFT JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id AND a.noted_at <= moment
WHERE (of = nullif(current_setting('app.tenant', true), '')::uuid OR current_setting('role', true) = 'mutuelle_auditor')
    AND CASE WHEN sponsor IS NULL THEN k.payer IN ('state', 'commune') ELSE k.sponsor_id = sponsor END
    AND k.id IS DISTINCT FROM own AND k.made_at <= moment AND NOT (k.state = 'cancelled' AND k.ended_at <= moment)
    AND a.answer IS DISTINCT FROM 'rejected'
-- A line below 0 takes units of the line that it names back; where covered days are counted, it frees its days.
GROUP BY s.tenant_id, s.pair_id, s.member_id, CASE WHEN c.amount < 0 THEN c.corrects ELSE c.id END HAVING sum(c.amount) > 0
)
SELECT t.tenant_id, t.pair_id, t.member_id, lower(span), upper(span) - 1 FROM standing t, unnest(t.days) AS span
$$;
DO $$
BEGIN
    GRANT CREATE ON SCHEMA public TO mutuelle_resolver;  -- needed only to take ownership
    REVOKE ALL ON FUNCTION likely_duplicates(uuid[], bigint), claimed_duplicates(uuid, uuid[], uuid, uuid, timestamptz) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION likely_duplicates(uuid[], bigint)
        TO mutuelle_app, mutuelle_worker, mutuelle_federation, mutuelle_console;
    GRANT EXECUTE ON FUNCTION claimed_duplicates(uuid, uuid[], uuid, uuid, timestamptz) TO mutuelle_console, mutuelle_auditor;
    ALTER FUNCTION likely_duplicates(uuid[], bigint) OWNER TO mutuelle_resolver;
    ALTER FUNCTION claimed_duplicates(uuid, uuid[], uuid, uuid, timestamptz) OWNER TO mutuelle_resolver;
    REVOKE CREATE ON SCHEMA public FROM mutuelle_resolver;
END $$;
