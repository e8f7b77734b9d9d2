"""Writes many households by bulk SQL past the triggers, like those of a mutuelle after some years."""

from uuid import UUID

from psycopg import sql

from proving.stage.servers import Postgres

EACH = 5  # people in a household
# What such a household owes in Senegal.
MEMBER, STATE, FEE = 17_500, 17_500, 1_000

# Joined 380 days ago, paid after 5: the year of cover ends in less than a month, and the next bill is due.
SEED = """
SET LOCAL session_replication_role = replica;
CREATE TEMP TABLE homes ON COMMIT DROP AS SELECT gen_random_uuid() AS home, gen_random_uuid() AS dues,
gen_random_uuid() AS fee,
    gen_random_uuid() AS line, gen_random_uuid() AS fee_line, gen_random_uuid() AS receipt, n
    FROM generate_series({first}::bigint, {first} + {count} - 1) n;
INSERT INTO households (tenant_id, id, number, language, channel, joined_at)
    SELECT {tenant}, home, (8000000000 + n)::text, 'fr', 'settled', now() - interval '380 days' FROM homes;
INSERT INTO members (tenant_id, id, household_id, kind, birth_year, provisional, since)
    SELECT {tenant}, gen_random_uuid(), home, CASE place WHEN 0 THEN 'head' ELSE 'dependant' END,
        CASE WHEN place < 2 THEN 1970 + n % 25 ELSE 2010 + (n + place) % 14 END, true, current_date - 380
    FROM homes, generate_series(0, {each} - 1) place;
INSERT INTO bills (tenant_id, id, household_id, kind, issued, scheme, version, option, category, born, total,
currency)
    SELECT {tenant}, dues, home, 'dues', current_date - 380, 'SN-CMU', date '2020-01-01', 'year', 'general',
        ARRAY[1970 + n % 25, 1970 + n % 25, 2010 + (n + 2) % 14, 2010 + (n + 3) % 14, 2010 + (n + 4) %
        14]::smallint[], {member} + {state}, 'XOF' FROM homes
    UNION ALL SELECT {tenant}, fee, home, 'joining', current_date - 380, 'SN-CMU', date '2020-01-01', 'year',
    'general',
        '{{}}', {joining}, 'XOF' FROM homes;
INSERT INTO bill_lines (tenant_id, id, bill_id, payer, amount, rule)
    SELECT {tenant}, line, dues, 'member', {member}, 'bench' FROM homes
    UNION ALL SELECT {tenant}, gen_random_uuid(), dues, 'state', {state}, 'bench' FROM homes
    UNION ALL SELECT {tenant}, fee_line, fee, 'member', {joining}, 'bench' FROM homes;
INSERT INTO receipts (tenant_id, id, account_id, transaction, amount, currency, door, moved_at, recorded_at)
    SELECT {tenant}, receipt, {account}, 'bench-' || n, {member} + {joining}, 'XOF', 'list', now() - interval
    '375 days', now() FROM homes;
INSERT INTO allocations
    (tenant_id, id, receipt_id, household_tenant_id, household_id, bill_line_id, kind, amount, on_day, at,
    reason) SELECT {tenant}, gen_random_uuid(), receipt, {tenant}, home, part.line, 'bill', part.amount,
    current_date - 375, now(), '' FROM homes, LATERAL (VALUES (line, {member}), (fee_line, {joining})) part
    (line, amount);
"""
CHUNK = 50_000


def write_households(postgres: Postgres, tenant_id: UUID, account_id: UUID, households: int) -> None:
    """Writes `households` without rights, so that a recomputation writes all of them."""
    for first in range(0, households, CHUNK):
        values = {
            "tenant": str(tenant_id),
            "account": str(account_id),
            "first": first,
            "count": min(CHUNK, households - first),
            "each": EACH,
            "member": MEMBER,
            "state": STATE,
            "joining": FEE,
        }
        literals = {name: sql.Literal(value) for name, value in values.items()}
        uuids = {name: sql.SQL("{}::uuid").format(literals[name]) for name in ("tenant", "account")}
        postgres.execute(
            sql.SQL("BEGIN; " + SEED + " COMMIT").format(**{**literals, **uuids}), database="mutuelle"
        )
    postgres.execute(sql.SQL("VACUUM ANALYZE"), database="mutuelle")
