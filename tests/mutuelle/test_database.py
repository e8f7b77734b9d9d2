"""An ordinary login creates the database once, and a pooled connection carries no state to its next user."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from mutuelle import db
from mutuelle.migrations.migrate import migrate
from mutuelle.organisation.tenants import Tenant
from tests.support import people
from tests.support.books import tables
from tests.support.templates import Database, TemplateServer

pytestmark = pytest.mark.every_postgres

SCHEMA = """
SELECT 'class', oid::text, relname::text, relacl::text FROM pg_class WHERE relnamespace =
'public'::regnamespace UNION ALL SELECT 'policy', tablename, policyname, concat(roles, cmd, qual, with_check)
FROM pg_policies UNION ALL SELECT 'function', oid::text, proname, concat(proacl, proowner, prosrc) FROM
pg_proc
    WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', oid::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
UNION ALL SELECT 'member', roleid::text, member::text, '' FROM pg_auth_members
UNION ALL SELECT 'version', version_num, '', '' FROM alembic_version ORDER BY 1, 2, 3
"""


def schema(database: Database) -> list[tuple[str, ...]]:
    with database.superuser() as connection:
        return connection.execute(SCHEMA).fetchall()


def versions(database: Database) -> int:
    return sum(row[0] == "version" for row in schema(database))


def wait_until(true: Callable[[], bool], within_s: float = 20) -> None:
    end = monotonic() + within_s
    while not true():
        assert monotonic() < end, "this did not become true in time"


def test_an_ordinary_login_makes_the_schema_and_a_second_run_changes_nothing(
    blank_database: Database,
) -> None:
    with psycopg.connect(blank_database.url) as connection:
        login = "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(login).fetchone() == (False, False, True)
    migrate(blank_database.url)
    migrated = schema(blank_database)
    assert versions(blank_database) == 1
    migrate(blank_database.url)
    assert schema(blank_database) == migrated


def test_a_second_database_of_the_cluster_finds_the_roles_there(postgres: TemplateServer) -> None:
    with postgres.copy(migrated=False) as first, postgres.copy(migrated=False) as second:
        migrate(first.url)
        migrate(second.url)
        assert tables(first) == tables(second) != {}


def test_two_migrations_at_once_wait_for_each_other(blank_database: Database) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
    )
    program = [
        sys.executable,
        "-c",
        "import sys; from mutuelle.migrations.migrate import migrate; migrate(sys.argv[1])",
        blank_database.url,
    ]
    with psycopg.connect(blank_database.url) as first, blank_database.superuser() as watcher:
        watcher.autocommit = True
        first.execute("SELECT pg_advisory_xact_lock(7263011)")
        runs = [subprocess.Popen(program) for _ in range(2)]
        wait_until(lambda: watcher.execute(waiting).fetchone() == (2,))
        first.commit()
        assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert versions(blank_database) == 1


@contextmanager
def login_as(
    postgres: TemplateServer, database: Database, *, may: str = "LOGIN", member_of: str | None = None
) -> Iterator[str]:
    """Creates a login. Yields the database's address for it, and drops the login afterwards."""
    name = f"login_of_{database.name}_{len(may)}"
    role = sql.Identifier(name)
    postgres.execute(sql.SQL("CREATE ROLE {} PASSWORD 'x' {}").format(role, sql.SQL(may)))
    if member_of:
        postgres.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(member_of), role))
    try:
        yield re.sub(r"//[^@]+@", f"//{name}:x@", database.url)
    finally:
        db.disconnect()
        postgres.execute(sql.SQL("DROP ROLE {}").format(role))


def assert_refused(url: str, role_name: str) -> None:
    for start in (db.connect, migrate):
        with pytest.raises(
            SystemExit, match=rf"DATABASE_URL: the role {role_name}\S* is superuser or has BYPASSRLS"
        ):
            start(url)


def test_a_login_that_could_look_past_row_level_security_is_refused_at_start(
    postgres: TemplateServer, blank_database: Database
) -> None:
    assert_refused(blank_database.superuser_url, "stage")
    with login_as(postgres, blank_database, may="LOGIN BYPASSRLS") as url:
        assert_refused(url, "login_of_")
        name = re.findall(r"//([^:]+):", url)[0]
        with login_as(postgres, blank_database, member_of=name) as member:
            assert_refused(member, name)
    assert tables(blank_database) == {}


def test_a_login_with_no_right_on_the_database_sees_nothing(
    postgres: TemplateServer, database: Database
) -> None:
    with login_as(postgres, database) as url, psycopg.connect(url) as connection:
        for name in tables(database):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name)))


CARRIED = text(
    "SELECT pg_backend_pid(), session_user = current_user, coalesce(current_setting('app.tenant', true), ''),"
    " coalesce(current_setting('app.gateway', true), ''), current_setting('statement_timeout'),"
    " current_setting('lock_timeout')"
)


def test_a_pooled_connection_never_carries_a_role_or_a_tenant_over(database: Database) -> None:
    people.connect(database.url)
    world = people.settle_in()
    db.connect(database.url, pool=1)
    assert db._engine is not None

    def carried() -> tuple[object, ...]:
        # The pooled connection as its next user gets it.
        with db._engine.connect() as connection:
            return tuple(connection.execute(CARRIED).one())

    before = carried()
    assert before[1:] == (True, "", "", "0", "0")
    for role in db.Role:
        with db.transaction(role, world.senegal.tenant_id, gateway=world.gateway_id) as session:
            pid, _, tenant, gateway, _, _ = session.execute(CARRIED).one()
            current_user = session.scalar(text("SELECT current_user"))
        assert (pid, tenant, gateway) == (before[0], str(world.senegal.tenant_id), str(world.gateway_id))
        assert current_user == ("mutuelle" if role is db.Role.LOGIN else role.value)
        assert carried() == before
        with pytest.raises(ZeroDivisionError), db.transaction(role, world.senegal.tenant_id):
            raise ZeroDivisionError
        assert carried() == before
        with (
            pytest.raises(OperationalError, match="statement timeout"),
            db.transaction(role, world.senegal.tenant_id, deadline=db.Deadline(0.05)) as session,
        ):
            session.execute(text("SELECT pg_sleep(5)"))
        assert carried() == before
    db.disconnect()


def test_a_savepoint_rolled_back_keeps_role_and_tenant(database: Database) -> None:
    people.connect(database.url)
    world = people.settle_in()
    with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
        before = session.execute(CARRIED).one()
        savepoint = session.begin_nested()
        session.execute(text("SELECT set_config('role', 'none', true), set_config('app.tenant', '', true)"))
        savepoint.rollback()
        assert session.execute(CARRIED).one() == before
    db.disconnect()


def test_an_auditor_looks_at_one_view_of_the_books(database: Database) -> None:
    people.connect(database.url)
    people.settle_in()
    count_of_tenants = select(func.count()).select_from(Tenant)
    with db.transaction(db.Role.AUDITOR) as session:
        before = session.scalar(count_of_tenants)
        with database.superuser() as meanwhile:
            meanwhile.execute(
                "INSERT INTO tenants SELECT gen_random_uuid(), kind, NULL, code || '2', '999', name, scheme,"
                " country, currency, zone, language, created_at FROM tenants LIMIT 1"
            )
        assert session.scalar(count_of_tenants) == before == 3
    with db.transaction(db.Role.AUDITOR) as session:
        assert session.scalar(count_of_tenants) == 4
    db.disconnect()


def test_an_idle_transaction_is_ended_and_the_next_one_works(database: Database) -> None:
    """A client that is frozen or gone inside a transaction holds locks that others need."""
    db.connect(database.url, idle_s=1)
    with database.superuser() as other:
        other.autocommit = True

        def free() -> bool:
            return other.execute("SELECT pg_try_advisory_lock(7)").fetchone() == (True,)

        def stand_still() -> None:
            with db.transaction(db.Role.WORKER) as session:
                session.execute(text("SELECT pg_advisory_xact_lock(7)"))
                assert not free()
                wait_until(free)
                session.execute(text("SELECT 1"))

        with pytest.raises(DBAPIError, match="idle-in-transaction"):
            stand_still()
    with db.transaction(db.Role.WORKER) as session:
        assert session.scalar(text("SELECT 1")) == 1
    db.disconnect()
