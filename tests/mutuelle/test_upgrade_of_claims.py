"""The update to version 0023: a claim of before keeps its file, byte by byte, and so its hash."""

import hashlib
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from mutuelle import db
from mutuelle.migrations.migrate import migrate
from mutuelle.subsidies import claim_checks, claim_store
from tests.support.templates import Database

FILE = """\
claim,line,household,member,born,category,scheme,version,rule,evidence,from,until,billed,amount,currency,\
corrects
ML-A/ETAT/2026/001,1,9515893698,"Awa ""Ma"", Ba",1985,general,ML-5050,2020-01-01,\
ML-5050/2020-01-01/general/state,adhésion 9515893698,2026-11-01,2027-10-31,2026-08-03,13200,XOF,
"""
CLAIM = """
INSERT INTO subsidy_claims (tenant_id, id, number, payer, year, ordinal, period_from, period_until, again,
    currency, lines, total, lines_hash, state, made_by, made_at)
VALUES (%(tenant)s, %(claim)s, 'ML-A/ETAT/2026/001', 'state', 2026, 1, '2026-11-01', '2026-11-30', false,
    'XOF', 1, 13200, %(hash)s, 'drafted', gen_random_uuid(), now())
"""
LINE = """
INSERT INTO claim_lines (tenant_id, id, claim_id, position, household_id, number, member_id, name, born,
    category, scheme, version, rule, evidence, days_from, days_until, on_day, amount, bill_line_id)
VALUES (%(tenant)s, gen_random_uuid(), %(claim)s, 1, gen_random_uuid(), '9515893698', gen_random_uuid(),
    'Awa "Ma", Ba', 1985, 'general', 'ML-5050', '2020-01-01', 'ML-5050/2020-01-01/general/state',
    'adhésion 9515893698', '2026-11-01', '2027-10-31', '2026-08-03', 13200, gen_random_uuid())
"""


@pytest.mark.every_postgres
def test_a_claim_of_before_keeps_its_file_and_its_hash(blank_database: Database) -> None:
    migrate(blank_database.url, "0022")
    values = {"tenant": uuid4(), "claim": uuid4(), "hash": hashlib.sha256(FILE.encode()).digest()}
    with blank_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(CLAIM, values)
        connection.execute(LINE, values)
    migrate(blank_database.url)
    db.connect(blank_database.url)
    try:
        with db.transaction(db.Role.AUDITOR) as session:
            assert claim_files(session) == [(1, FILE)]
            assert list(claim_checks.other_hash(session)) == []
            (line,) = (row.csv_line.line for row in claim_store.lines(session, claims(session)[0]))
            assert (line.days, line.registry_number, line.member_paid, line.place) == (None,) * 4
    finally:
        db.disconnect()


def claims(session: Session) -> list[claim_store.Claim]:
    return list(session.query(claim_store.Claim))


def claim_files(session: Session) -> list[tuple[int, str]]:
    return [(claim.format, claim_store.file(session, claim).decode()) for claim in claims(session)]
