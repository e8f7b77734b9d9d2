"""The SQL of `social_registry`: loading a list, finding the households of its lines, proposing matches."""

from sqlalchemy import text

CREATE_STAGE = """
CREATE TEMP TABLE staged_entries (id uuid, number_index bytea, number_cipher bytea, phone_index bytea,
    phone_cipher bytea, head_name text, birth_year smallint, category text, valid_until date) ON COMMIT DROP
"""
COPY_TO_STAGE = "COPY staged_entries FROM STDIN"
DROP_STAGE = text("DROP TABLE staged_entries")
LOAD_FROM_STAGE = text("""
WITH taken AS (
    INSERT INTO registry_entries AS e (
        id, number_index, number_cipher, phone_index, phone_cipher, head_name,
        birth_year, category, valid_until, tenant_id, listed_at, list_id, first_listed_at)
    SELECT staged.*, :tenant, :now, :list, :now FROM staged_entries staged ORDER BY number_index
    ON CONFLICT (tenant_id, number_index) DO UPDATE SET
        phone_index = excluded.phone_index, phone_cipher = excluded.phone_cipher,
        head_name = excluded.head_name, birth_year = excluded.birth_year, category = excluded.category,
        valid_until = excluded.valid_until, listed_at = excluded.listed_at, list_id = excluded.list_id
    WHERE (e.phone_index, e.head_name, e.birth_year, e.category, e.valid_until)
        IS DISTINCT FROM (excluded.phone_index, excluded.head_name, excluded.birth_year,
            excluded.category, excluded.valid_until)
    RETURNING xmax = 0 AS fresh
)
SELECT count(*) FILTER (WHERE fresh) AS new, count(*) FILTER (WHERE NOT fresh) AS changed FROM taken
""")
# Unchanged lines belong to the new list from now on.
MOVE_TO_LIST = text("""
UPDATE registry_entries e SET list_id = :list FROM staged_entries s
WHERE e.tenant_id = :tenant AND e.number_index = s.number_index AND e.list_id IS DISTINCT FROM :list
""")

# The category of a household today, and its head; a row that ended before it began held on no day. With
# `:home`, only the lines with that household's number or phone, and all households that share these.
_HOUSEHOLDS = """
WITH wanted AS MATERIALIZED (
    SELECT id, number_index, phone_index FROM registry_entries e
    WHERE tenant_id = :tenant AND (CAST(:home AS uuid) IS NULL
        OR number_index IN (SELECT reference_index FROM categories
            WHERE tenant_id = :tenant AND household_id = :home)
        OR phone_index IN (SELECT blind_index FROM phones
            WHERE tenant_id = :tenant AND household_id = :home AND until IS NULL))
), near AS MATERIALIZED (
    SELECT c.household_id FROM categories c JOIN wanted w ON w.number_index = c.reference_index
    WHERE c.tenant_id = :tenant
    UNION
    SELECT p.household_id FROM phones p JOIN wanted w ON w.phone_index = p.blind_index
    WHERE p.tenant_id = :tenant AND p.until IS NULL
), now AS (
    SELECT DISTINCT ON (household_id)
        household_id, category, standing, since, until, evidence, reference_index
    FROM categories
    WHERE tenant_id = :tenant AND (until IS NULL OR until >= since)
    AND (CAST(:home AS uuid) IS NULL OR household_id IN (SELECT household_id FROM near))
    ORDER BY household_id, since DESC
), head AS (
    SELECT DISTINCT ON (household_id) household_id, birth_year, name FROM members
    WHERE tenant_id = :tenant AND kind = 'head' AND until IS NULL
    AND (CAST(:home AS uuid) IS NULL OR household_id IN (SELECT household_id FROM near))
    ORDER BY household_id, since, id
)
"""
WITH_NUMBER_OR_PHONE = text(
    _HOUSEHOLDS  # noqa: S608  # the text is all ours, every value is a parameter
    + """
SELECT e.id AS entry_id, e.category AS listed, e.birth_year, e.valid_until, s.household_id, s.number, s.phone,
    head.birth_year AS head_born, now.category, now.until,
    CASE WHEN now.standing = 'checked' AND now.until < :today THEN 'claimed'
        ELSE now.standing END AS standing,
    coalesce(now.reference_index = e.number_index AND now.standing = 'checked' AND now.category = e.category
        AND (e.valid_until IS NULL OR now.until = e.valid_until)
        AND (now.until IS NULL OR now.until >= :today), false) AS this
FROM (
    SELECT entry_id, household_id, bool_or(number) AS number, bool_or(phone) AS phone FROM (
        SELECT e.id AS entry_id, n.household_id, true AS number, false AS phone
        FROM wanted e
        JOIN now n ON n.reference_index = e.number_index AND n.evidence IN ('registry-number', 'list')
        UNION ALL
        SELECT e.id, p.household_id, false, true
        FROM wanted e
        JOIN phones p ON p.tenant_id = :tenant AND p.blind_index = e.phone_index AND p.until IS NULL
    ) common GROUP BY 1, 2
) s
JOIN registry_entries e ON e.tenant_id = :tenant AND e.id = s.entry_id
LEFT JOIN now USING (household_id)
LEFT JOIN head USING (household_id)
ORDER BY e.id, s.household_id
"""
)
HEADS_WITH_NAME = text(
    _HOUSEHOLDS
    + """
SELECT household_id, head.birth_year AS head_born, head.name, now.category, now.until,
    CASE WHEN now.standing = 'checked' AND now.until < :today THEN 'claimed' ELSE now.standing END AS standing
FROM head
LEFT JOIN now USING (household_id)
WHERE head.name IS NOT NULL
ORDER BY household_id
"""
)
LINES_WITH_YEAR = text(
    "SELECT id AS entry_id, category AS listed, birth_year, valid_until, head_name FROM registry_entries"
    " WHERE tenant_id = :tenant AND birth_year IS NOT NULL ORDER BY id"
)
PROPOSE = text("""
INSERT INTO registry_proposals (tenant_id, id, entry_id, household_id, category, reasons, state, made_at)
VALUES (:tenant, :id, :entry, :home, :category, :reasons, 'open', :now)
ON CONFLICT DO NOTHING RETURNING id
""")
