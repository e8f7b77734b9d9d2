"""I7: no mutuelle reaches a row of another. The catalogue names the tables, so new ones are tested."""

import re
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from mutuelle import clock, crypto, db
from mutuelle.households import households
from tests.support import books, people
from tests.support.books import Books, contents, tables
from tests.support.people import AWA
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres

WRITERS = [role for role in db.Role if role is not db.Role.AUDITOR]
# Which mutuelles and services there are: no personal data, shown to all.
DIRECTORY = {"tenants", "service_codes"}
# The worker reads these for all mutuelles when it has no tenant.
OF_THE_WORKER = {
    "notices",
    "outbox",
    "operator_accounts",
    "gateway_accounts",
    "pulls",
    "reminder_runs",
    "billing_runs",
}
# The login sets these up.
SETUP = {"tenants", "service_codes", "operator_accounts", "gateway_accounts"}
# Design §7: gateway accounts are found before a mutuelle is known, and sessions belong to them.
OF_A_GATEWAY = {"gateway_accounts", "service_codes", "ussd_sessions", "ussd_effects"}
ACROSS_TENANTS = {"tenants", "login_tries", "archive_runs", *OF_A_GATEWAY}
# The books have no rows here: the tests of these tables fill them.
EMPTY_HERE = {"logins", "login_sessions", "login_tries", "refunds", "adjustments", "duplicate_pairs"}
EMPTY_HERE |= {"duplicate_decisions", "subsidy_claims", "claim_lines", "claim_left_out", "claim_answers"}
EMPTY_HERE |= {"claim_payments", "archive_runs", "audit_archive"}
# Rows of two mutuelles name both owners: the account's and the household's, or the two of a likely duplicate.
OWNERS = ("tenant_id", "household_tenant_id", "later_tenant_id", "by_tenant_id")
DENIED, WORKS = "42501", ["mutuelle_resolver", "mutuelle_worker"]
CLAIMED = "claimed_duplicates(uuid,uuid[],uuid,uuid,timestamp with time zone)"


@pytest.fixture(scope="module")
def filled_books(module_database: Database) -> Iterator[Books]:
    people.connect(module_database.url)
    world = people.settle_in()
    with module_database.superuser() as connection:  # Coumba's mutuelle has a gateway account of its own
        connection.execute(
            "INSERT INTO gateway_accounts SELECT gen_random_uuid(), %s, provider, '\\x02', NULL, created_at"
            " FROM gateway_accounts",
            [world.mali.tenant_id],
        )
    books.enrol(world, "+221771230099")  # she owes her dues, while Awa has paid all
    yield books.fill(world)
    db.disconnect()


@pytest.fixture(autouse=True)
def _connected(filled_books: Books, module_database: Database) -> None:
    people.connect(module_database.url)


def shown(role: db.Role, tenant: UUID | None) -> set[str]:
    """Returns the tables of which a role may see rows of other mutuelles."""
    if role is db.Role.LOGIN:
        return SETUP
    return DIRECTORY | (OF_THE_WORKER if role is db.Role.WORKER and tenant is None else set())


def contexts(filled_books: Books) -> Iterator[tuple[db.Role, UUID | None]]:
    for role in WRITERS:
        yield role, filled_books.world.mali.tenant_id
        yield role, None


def denied(session: Session, statement: str, values: dict[str, object] | None = None) -> bool:
    """Returns whether a right or a policy refuses the statement; any other error fails the test."""
    try:
        with session.begin_nested():
            session.execute(text(statement), values or {})
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != DENIED:
            raise
        return True
    return False


def touched(session: Session, statement: str, values: dict[str, object]) -> int:
    """Returns how many rows the statement reaches; 0 when it is denied."""
    try:
        with session.begin_nested():
            return len(session.execute(text(statement), values).all())
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != DENIED:
            raise
        return 0


def ours(name: str, columns: list[str]) -> str:
    if name == "tenants":
        return "id = :a"
    return "tenant_id = :a" if "tenant_id" in columns else "true"


def test_awa_has_a_row_in_every_table(filled_books: Books, module_database: Database) -> None:
    empty = {name for name, rows in contents(module_database).items() if not rows}
    assert empty <= EMPTY_HERE


def test_every_table_hides_its_rows_from_its_owner_too(module_database: Database) -> None:
    query = (
        "SELECT relname, relrowsecurity, relforcerowsecurity,"
        " (SELECT count(*) FROM pg_policies WHERE tablename = relname) > 0"
        " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm')"
    )
    with module_database.superuser() as connection:
        security = {name: rest for name, *rest in connection.execute(query)}
    assert security.pop("alembic_version") == [False, False, False]
    assert len(security) >= 27
    assert {name for name, flags in security.items() if flags != [True, True, True]} == set()


def test_the_tenant_leads_every_key_and_foreign_keys_carry_it(module_database: Database) -> None:
    """Foreign-key checks bypass row-level security: without the tenant, a row could name another's."""
    keys = (
        "SELECT c.conrelid::regclass::text, c.contype, c.confrelid::regclass::text,"
        " ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k (n, place)"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.place)"
        " FROM pg_constraint c WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('p', 'f')"
    )
    with module_database.superuser() as connection:
        constraints = connection.execute(keys).fetchall()
    first = {
        table: columns[0]
        for table, kind, _, columns in constraints
        if kind == "p" and table != "alembic_version"
    }
    assert set(first) == set(tables(module_database))
    assert {table for table, column in first.items() if column != "tenant_id"} == ACROSS_TENANTS & set(first)
    for table, kind, target, columns in constraints:
        if kind == "f" and target not in ("tenants", "gateway_accounts"):
            leads = "gateway_id" if target in OF_A_GATEWAY else OWNERS
            assert columns[0] in leads, (table, target, columns)
            assert len(columns) > 1, (table, target, columns)


def test_nothing_of_another_mutuelle_can_be_read(filled_books: Books, module_database: Database) -> None:
    for role, tenant in contexts(filled_books):
        with db.transaction(role, tenant) as session:
            for name, columns in tables(module_database).items():
                a = {"a": filled_books.world.senegal.tenant_id}
                visible = touched(session, f"SELECT * FROM {name} WHERE {ours(name, columns)}", a)
                assert not visible or name in shown(role, tenant) | {"login_tries"}, (role, tenant, name)


def test_nothing_can_be_written_into_another_mutuelle(filled_books: Books, module_database: Database) -> None:
    """Copies Awa's own rows: the policy refuses them before any key does."""
    a = filled_books.world.senegal.tenant_id
    before = contents(module_database)
    for role, tenant in contexts(filled_books):
        with db.transaction(role, tenant) as session, module_database.superuser() as connection:
            for name, columns in tables(module_database).items():
                if name in EMPTY_HERE or (role is db.Role.LOGIN and name in SETUP):
                    continue
                where = ours(name, columns).replace(":a", "%(a)s")
                query = f"SELECT to_jsonb(t)::text FROM {name} t WHERE {where} LIMIT 1"
                row = connection.execute(query, {"a": a}).fetchone()  # type: ignore[call-overload]
                column_list = ", ".join(columns)
                row_values = (
                    f"SELECT {column_list} FROM jsonb_populate_record(NULL::{name}, CAST(:row AS jsonb))"
                )
                assert denied(session, f"INSERT INTO {name} ({column_list}) {row_values}", {"row": row[0]}), (
                    role,
                    tenant,
                    name,
                )
    assert contents(module_database) == before


def test_nothing_of_another_mutuelle_can_be_changed_or_taken_away(
    filled_books: Books, module_database: Database
) -> None:
    a = {"a": filled_books.world.senegal.tenant_id}
    before = contents(module_database)
    for role, tenant in contexts(filled_books):
        with db.transaction(role, tenant) as session:
            for name, columns in tables(module_database).items():
                if role is db.Role.LOGIN and name in SETUP:
                    continue
                where = ours(name, columns)
                reach = touched(session, f"DELETE FROM {name} WHERE {where} RETURNING 1", a)
                if not (name in ("notices", "outbox") and name in shown(role, tenant)):
                    reach += touched(
                        session,
                        f"UPDATE {name} SET {columns[-1]} = {columns[-1]} WHERE {where} RETURNING 1",
                        a,
                    )
                assert reach == 0 or name == "login_tries", (role, tenant, name)
                if role is not db.Role.LOGIN:
                    assert denied(session, f"TRUNCATE {name} CASCADE"), (role, tenant, name)
    assert contents(module_database) == before


@pytest.mark.parametrize("name", ["payments", "allocations"])
def test_no_row_of_ones_own_is_put_on_a_household_of_another(
    filled_books: Books, module_database: Database, name: str
) -> None:
    """These rows name the account's and the household's tenant: they differ only within a federation."""
    a, b = str(filled_books.world.senegal.tenant_id), str(filled_books.world.mali.tenant_id)
    column_list = ", ".join(tables(module_database)[name])
    with module_database.superuser() as connection:
        row = connection.execute(f"SELECT to_jsonb(t)::text FROM {name} t LIMIT 1").fetchone()
    again = (
        f"INSERT INTO {name} ({column_list}) SELECT {column_list} FROM jsonb_populate_record(NULL::{name},"
        " CAST(:row AS jsonb) || jsonb_build_object('tenant_id', CAST(:owner AS text),"
        " 'household_tenant_id', CAST(:home AS text)))"
    )
    for role in (role for role in WRITERS if role is not db.Role.LOGIN):
        for owner, household_owner in ((a, b), (b, a)):
            with db.transaction(role, filled_books.world.mali.tenant_id) as session:
                assert denied(session, again, {"row": row[0], "owner": owner, "home": household_owner}), (
                    role,
                    owner,
                )


def test_sessions_of_a_gateway_are_invisible_to_every_other_gateway(
    filled_books: Books, module_database: Database
) -> None:
    world = filled_books.world
    with module_database.superuser() as connection:
        other = connection.execute(
            "SELECT id FROM gateway_accounts WHERE tenant_id = %s", [world.mali.tenant_id]
        ).fetchone()[0]
    for tenant in (world.senegal.tenant_id, world.mali.tenant_id, None):
        for gateway, sees in ((world.gateway_id, 1), (other, 0), (None, 0)):
            with db.transaction(db.Role.APP, tenant, gateway=gateway) as session:
                for name in ("ussd_sessions", "ussd_effects"):
                    assert touched(session, f"SELECT * FROM {name}", {}) == sees
                    assert touched(session, f"DELETE FROM {name} RETURNING 1", {}) == 0
                assert touched(session, "UPDATE ussd_sessions SET version = version RETURNING 1", {}) == sees


def test_before_the_tenant_is_known_only_ids_are_answered(
    filled_books: Books, module_database: Database
) -> None:
    query = (
        "SELECT p.oid::regprocedure::text, pg_get_function_result(p.oid), r.rolname, p.prosecdef,"
        " p.proconfig::text, ARRAY(SELECT g.rolname::text FROM pg_roles g"
        " WHERE has_function_privilege(g.oid, p.oid, 'EXECUTE') AND NOT g.rolsuper"
        " AND g.rolname LIKE 'mutuelle\\_%' ORDER BY 1), has_function_privilege('public', p.oid, 'EXECUTE')"
        " FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner"
        " WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef"
    )
    may = {"who(bytea)", "account_by_token(bytea)", "gateway_by_token(bytea)", "message_owner(text)"}
    with module_database.superuser() as connection:
        functions = {name: rest for name, *rest in connection.execute(query)}
    assert may <= functions.keys()
    # These blank or take out old rows, and return only how many.
    for name in [name for name in functions if re.match("(forget|blank|remove|archive)_", name)]:
        result, *rest = functions.pop(name)
        assert [result, *rest[:2], *rest[3:]] == ["bigint", "mutuelle_resolver", True, WORKS, False], name
        assert rest[2].startswith('{"search_path=public, pg_temp"'), name
    # These two say which members of other mutuelles are likely ours, and for which days they are claimed.
    for name in ("likely_duplicates(uuid[],bigint)", CLAIMED):
        result, *rest = functions.pop(name)
        assert rest[:3] + rest[4:] == ["mutuelle_resolver", True, '{"search_path=public, pg_temp"}', False]
        assert not re.search(r" name |phone text|cipher|birth|amount", result), name
    for name, (result, owner, definer, path, callers, public) in functions.items():
        assert re.fullmatch(r"TABLE\(tenant_id uuid, \w*id uuid(, (operator|provider) text)?\)", result), name
        assert (owner, definer, path, public) == (
            "mutuelle_resolver",
            True,
            '{"search_path=public, pg_temp"}',
            False,
        ), name
        if name in may:
            assert callers == ["mutuelle_app", "mutuelle_resolver", "mutuelle_worker"], name
    for role in (db.Role.APP, db.Role.WORKER):
        with db.transaction(role) as session:
            assert households.by_phone(session, AWA) == [
                (filled_books.world.senegal.tenant_id, filled_books.household.id)
            ]
    for role in (db.Role.FEDERATION, db.Role.AUDITOR):
        with db.transaction(role) as session:
            assert denied(session, "SELECT * FROM who(:i)", {"i": crypto.blind_index(AWA)})


def test_the_auditor_sees_all_and_writes_nothing(filled_books: Books, module_database: Database) -> None:
    hidden = {"logins", "login_sessions", "login_tries"}
    before = contents(module_database)
    with db.transaction(db.Role.AUDITOR) as session:
        for name, columns in tables(module_database).items():
            if name not in hidden:
                assert session.scalar(text(f"SELECT count(*) FROM {name}")) == len(before[name])
            assert denied(
                session, f"INSERT INTO {name} ({columns[0]}) SELECT {columns[0]} FROM {name} LIMIT 0"
            )
            assert denied(session, f"UPDATE {name} SET {columns[-1]} = {columns[-1]}")
            assert denied(session, f"DELETE FROM {name}")
            assert denied(session, f"TRUNCATE {name} CASCADE")
    assert contents(module_database) == before


def test_roles_have_no_more_rights_than_they_need(module_database: Database) -> None:
    query = (
        "SELECT grantee, privilege_type, array_agg(table_name::text ORDER BY table_name)"
        " FROM information_schema.table_privileges WHERE table_schema = 'public'"
        " AND grantee LIKE 'mutuelle\\_%' GROUP BY 1, 2"
    )
    with module_database.superuser() as connection:
        rights = {(grantee, kind): names for grantee, kind, names in connection.execute(query)}
        powers = "rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication"
        query = f"SELECT bool_or({powers}) FROM pg_roles WHERE rolname LIKE 'mutuelle\\_%'"
        assert connection.execute(query).fetchone() == (False,)
    assert {kind for _, kind in rights} <= {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert [kind for grantee, kind in rights if grantee == "mutuelle_auditor"] == ["SELECT"]
    lookups = {"phones", "operator_accounts", "gateway_accounts", "messages", "logins", "login_sessions"}
    assert set(rights["mutuelle_resolver", "SELECT"]) <= lookups | {"audit", "audit_archive"}
    assert rights["mutuelle_resolver", "INSERT"] == ["audit_archive"]
    for role in ("app", "worker", "federation"):
        assert rights[f"mutuelle_{role}", "DELETE"] == ["open_dues", "open_suspense", "rights", "sms_stops"]
        writable = {*rights[f"mutuelle_{role}", "INSERT"], *rights[f"mutuelle_{role}", "UPDATE"]}
        assert not writable & {"tenants", "service_codes", "operator_accounts", "gateway_accounts"}
    money = {"receipts", "allocations", "entries", "postings", "reversals"}
    assert not set(rights["mutuelle_app", "INSERT"]) & money


def test_a_notice_belongs_to_the_owner_of_its_account(filled_books: Books, module_database: Database) -> None:
    world = filled_books.world
    theirs = world.mali.account.id
    for door, account_id in (("momo", theirs), ("momo", world.gateway_id), ("sms-incoming", theirs)):
        with module_database.superuser() as connection, pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute(
                "INSERT INTO notices (tenant_id, id, door, account_id, provider, digest, body, state,"
                " received_at, due_at)"
                " VALUES (%s, %s, %s, %s, 'wave', '', '', 'new', now(), now())",
                [world.senegal.tenant_id, clock.new_id(), door, account_id],
            )
