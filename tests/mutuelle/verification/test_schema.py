"""`verify` compares the database itself with what the migrations made, on every PostgreSQL."""

import pytest

from mutuelle import db
from mutuelle.verification import schema, verify
from tests.mutuelle.verification.world import broken
from tests.support import people
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres

GUTTED = (
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RETURN NULL; END $$"
)
BREAKS = {
    "ALTER TABLE receipts DROP CONSTRAINT receipts_account_id_transaction_key": (
        "I8 schema-constraints: receipts receipts_account_id_transaction_key: is gone",
        "I2 schema-indexes: receipts receipts_account_id_transaction_key: is gone",
    ),
    "ALTER TABLE bills DROP CONSTRAINT bills_total_check,"
    " ADD CONSTRAINT bills_total_check CHECK (total > -9)": (
        "I8 schema-constraints: bills bills_total_check: is not as the migrations made it",
    ),
    "ALTER TABLE allocations DROP CONSTRAINT allocations_tenant_id_receipt_id_fkey": (
        "I8 schema-constraints: allocations allocations_tenant_id_receipt_id_fkey: is gone",
    ),
    "DROP INDEX refunds_transaction": ("I2 schema-indexes: refunds refunds_transaction: is gone",),
    GUTTED: ("I8 schema-functions: refuse_change(): is not as the migrations made it",),
    "ALTER FUNCTION refuse_change() SECURITY DEFINER": (
        "I8 schema-functions: refuse_change(): is not as the migrations made it",
    ),
    "ALTER TABLE audit DISABLE TRIGGER append_only": (
        "I8 schema-triggers: audit append_only: is not as the migrations made it",
    ),
    "DROP TRIGGER no_truncate ON postings": ("I8 schema-triggers: postings no_truncate: is gone",),
    "ALTER TABLE claim_answers DISABLE TRIGGER ALL": (
        "I8 schema-triggers: claim_answers append_only: is not as the migrations made it",
        "I8 schema-triggers: claim_answers claim_answers_tenant_id_line_id_fkey: no migration made it",
        "I8 schema-triggers: claim_answers claim_answers_tenant_id_noted_by_fkey: no migration made it",
        "I8 schema-triggers: claim_answers no_truncate: is not as the migrations made it",
        "I8 schema-triggers: claim_answers was_sent: is not as the migrations made it",
    ),
    "CREATE TRIGGER half BEFORE INSERT ON receipts FOR EACH ROW EXECUTE FUNCTION refuse_change()": (
        "I8 schema-triggers: receipts half: no migration made it",
    ),
    "CREATE RULE lost AS ON INSERT TO reversals DO INSTEAD NOTHING": (
        "I8 schema-triggers: reversals rule lost: no migration made it",
    ),
    "ALTER TABLE members NO FORCE ROW LEVEL SECURITY": (
        "I7 schema-row-security: members: is not as the migrations made it",
    ),
    "CREATE POLICY everything ON members FOR SELECT TO mutuelle_app USING (true)": (
        "I7 schema-policies: members everything: no migration made it",
    ),
    "ALTER POLICY tenant ON receipts USING (true)": (
        "I7 schema-policies: receipts tenant: is not as the migrations made it",
    ),
    "CREATE OR REPLACE VIEW whole_audit WITH (security_invoker = true) AS SELECT tenant_id, id, at, actor,"
    " action, subject, facts FROM audit": ("I8 schema-views: whole_audit: is not as the migrations made it",),
    "ALTER VIEW whole_audit SET (security_invoker = false)": (
        "I8 schema-views: whole_audit: is not as the migrations made it",
    ),
    "GRANT UPDATE ON receipts TO mutuelle_app": (
        "I8 schema-grants: receipts to mutuelle_app: is not as the migrations made it",
    ),
    "GRANT UPDATE (amount) ON allocations TO mutuelle_console": (
        "I8 schema-grants: allocations.amount to mutuelle_console: no migration made it",
    ),
    "GRANT EXECUTE ON FUNCTION who(bytea) TO PUBLIC": (
        "I8 schema-grants: who(phone bytea) to PUBLIC: no migration made it",
    ),
    "GRANT DELETE ON postings TO pg_monitor": (
        "I8 schema-grants: postings to pg_monitor: no migration made it",
    ),
    "ALTER TABLE refunds OWNER TO pg_monitor": (
        "I8 schema-owners: refunds: is not as the migrations made it",
    ),
    "ALTER ROLE mutuelle_worker BYPASSRLS": (
        "I7 schema-roles: mutuelle_worker: is not as the migrations made it",
    ),
    "GRANT mutuelle_resolver TO mutuelle_app": (
        "I7 schema-roles: mutuelle_app: is not as the migrations made it",
    ),
    "ALTER ROLE mutuelle SET session_replication_role = replica": (
        "I8 schema-settings: <owner> session_replication_role: no migration made it",
    ),
    "ALTER TABLE receipts ADD COLUMN tip bigint": ("I8 schema-columns: receipts.tip: no migration made it",),
}
# What a deployer may add: a role that reads, an extension's table, a function and an index of its own.
OWN = (
    "CREATE ROLE a_reader NOLOGIN",
    "GRANT SELECT ON receipts, members TO a_reader",
    "CREATE POLICY a_reader ON receipts FOR SELECT TO a_reader USING (true)",
    "CREATE TABLE pg_stat_of_ours (at timestamptz)",
    "CREATE FUNCTION a_count() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
    "CREATE INDEX of_a_deployer ON receipts (moved_at)",
)


@pytest.fixture(scope="module", autouse=True)
def _connected(module_database: Database) -> None:
    people.connect(module_database.url)


def lines(database: Database, *orders: str) -> list[str]:
    with broken(database, *orders) as session:
        return verify.run(session).broken


def test_the_file_is_what_the_migrations_make(module_database: Database) -> None:
    with db.transaction(db.Role.AUDITOR) as session:
        captured = schema.capture(session)
    assert captured == schema.EXPECTED.read_text(encoding="utf-8"), "a migration was added: run `make schema`"


@pytest.mark.parametrize("order", BREAKS)
def test_what_differs_from_the_migrations_is_named(module_database: Database, order: str) -> None:
    with broken(module_database, order) as session:
        broken_lines = [line for question in schema.QUESTIONS for line in question.broken(session)]
    assert sorted(broken_lines) == sorted(BREAKS[order])


def test_what_a_deployer_adds_is_no_difference(module_database: Database) -> None:
    assert lines(module_database, *OWN) == []


def test_an_older_database_is_named_and_nothing_else_is_asked(module_database: Database) -> None:
    newest = schema.expected()["version"]
    for order, at in (
        ("UPDATE alembic_version SET version_num = '0018'", "0018"),
        ("REVOKE SELECT ON alembic_version FROM mutuelle_auditor", "an earlier version"),
    ):
        assert lines(module_database, order, "ALTER TABLE receipts DROP COLUMN seal") == [
            f"I8 schema-version: the database is at {at}, the code expects {newest}: run `mutuelle release`"
        ]


def test_a_question_that_cannot_be_asked_stops_no_other(module_database: Database) -> None:
    broken_lines = lines(module_database, "DROP FUNCTION live_claim_lines(uuid)")
    assert "I8 schema-functions: live_claim_lines(tenant uuid): is gone" in broken_lines
    assert "I12 claim-once: cannot be asked (ProgrammingError)" in broken_lines
