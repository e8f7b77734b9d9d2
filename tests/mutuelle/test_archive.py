"""What ended long ago leaves the working tables, but for evidence; nothing of it is lost from the trail."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from mutuelle import archive, clock, db
from mutuelle.archive import ArchivedTable
from tests.mutuelle.closed_story import CLOSED, EVIDENCE, PAYMENT, TENANT, case
from tests.mutuelle.verification import story
from tests.support.templates import Database

LATER = datetime(2029, 1, 1, tzinfo=UTC)  # two years after the story


@pytest.fixture(scope="module", autouse=True)
def _story(module_database: Database) -> Iterator[None]:
    story.tell(module_database.url)
    ticks = count()
    clock.install(clock.Source(now=lambda: LATER + timedelta(days=400, seconds=next(ticks))))
    yield
    clock.install(clock.Source())
    db.disconnect()


@contextmanager
def worker(database: Database, *orders: str) -> Iterator[Session]:
    """A worker's session after a superuser's orders; rolled back afterwards."""
    engine = create_engine(db.driver_url(database.superuser_url), poolclass=NullPool)
    with engine.connect() as connection, Session(connection) as session:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for order in (*CLOSED, *orders):
            connection.exec_driver_sql(order)
        connection.execute(text("SET LOCAL session_replication_role = origin"))
        connection.execute(text("SET LOCAL ROLE mutuelle_worker"))
        yield session
        connection.rollback()


def take_out_all(session: Session, before: datetime = LATER) -> dict[ArchivedTable, int | None]:
    return {table: archive.take_out(session, table, before, 1000) for table in ArchivedTable}


def rest(session: Session) -> dict[str, list[str]]:
    """What is left in the working tables, as a superuser sees it."""
    session.execute(text("RESET ROLE"))
    queries = {
        "notices": "SELECT CASE WHEN unsolicited THEN 'unasked' ELSE 'callback' END FROM notices",
        "messages": "SELECT kind FROM messages",
        "outbox": "SELECT o.kind || coalesce(' ' || m.kind, '') FROM outbox o"
        " LEFT JOIN messages m ON m.id = o.subject_id",
        "ussd_sessions": "SELECT foreign_id FROM ussd_sessions",
        "audit": "SELECT DISTINCT action FROM audit",
    }
    lists = {name: sorted(session.scalars(text(query)).all()) for name, query in queries.items()}
    return {name: rows for name, rows in lists.items() if rows}


WAITS = {"messages": ["sponsored"], "outbox": ["deliver sponsored"]}


def test_what_ended_long_ago_goes_and_what_waits_stays(module_database: Database) -> None:
    with worker(module_database) as session:
        counts = take_out_all(session)
        assert rest(session) == WAITS
    assert min(count or 0 for count in counts.values()) > 0


def test_what_is_young_stays(module_database: Database) -> None:
    with worker(module_database) as session:
        assert set(take_out_all(session, datetime(2026, 11, 22, tzinfo=UTC)).values()) == {0}


@pytest.mark.parametrize("what", EVIDENCE)
def test_evidence_stays(module_database: Database, what: str) -> None:
    orders, expected = EVIDENCE[what]
    with worker(module_database, *orders) as session:
        take_out_all(session)
        stays = rest(session)
    for table in WAITS:
        stays[table] = [name for name in stays[table] if not name.endswith("sponsored")]
    assert {table: rows for table, rows in stays.items() if rows} == expected


def test_a_case_that_stands_for_many_households_keeps_what_is_of_each(module_database: Database) -> None:
    many = case("set-aside", f"'mutuelle:' || {TENANT} || ':households'")
    with worker(module_database, many) as session:
        assert archive.take_out(session, ArchivedTable.MESSAGES, LATER, 1000) == 0
        assert archive.take_out(session, ArchivedTable.NOTICES, LATER, 1000) == 1, "of no household"


def test_a_body_of_evidence_is_not_blanked(module_database: Database) -> None:
    blank = text("SELECT blank_notices(:before, 10, :nothing)")
    values = {"before": LATER, "nothing": b"x" * 28}
    readable = "UPDATE notices SET body = repeat('x', 40)::bytea"
    with worker(module_database, readable, *EVIDENCE["unasked money in suspense"][0]) as session:
        assert [session.scalar(blank, values) for _ in range(2)] == [1, 0]
        session.execute(text("RESET ROLE"))
        assert session.scalars(
            text("SELECT unsolicited FROM notices WHERE octet_length(body) = 40")
        ).all() == [True]


def test_a_case_of_another_mutuelle_keeps_nothing(module_database: Database) -> None:
    other = (
        "INSERT INTO tenants SELECT gen_random_uuid(), kind, NULL, 'OTHER', '999', name, scheme, country,"
        f" currency, zone, language, created_at FROM tenants WHERE id = {TENANT}"
    )
    moved = "UPDATE flags SET tenant_id = (SELECT id FROM tenants WHERE code = 'OTHER') WHERE kind = 'late'"
    with worker(module_database, other, case("late", f"'payment:' || {PAYMENT}"), moved) as session:
        take_out_all(session)
        assert rest(session) == WAITS


def test_entries_move_word_for_word_and_the_whole_trail_shows_them(module_database: Database) -> None:
    trail = text("SELECT * FROM whole_audit ORDER BY id")
    with worker(module_database) as session:
        session.execute(text("SET LOCAL ROLE mutuelle_auditor"))
        before = session.execute(trail).all()
        session.execute(text("SET LOCAL ROLE mutuelle_worker"))
        moved = archive.take_out(session, ArchivedTable.TRAIL, LATER, 1000)
        session.execute(text("SET LOCAL ROLE mutuelle_auditor"))
        assert session.execute(trail).all() == before
        assert moved == len(before) == session.scalar(text("SELECT count(*) FROM audit_archive"))
        assert session.scalar(text("SELECT count(*) FROM audit")) == 0


def test_the_archive_of_a_mutuelle_is_hidden_from_others(module_database: Database) -> None:
    with worker(module_database) as session:
        archive.take_out(session, ArchivedTable.TRAIL, LATER, 1000)
        tenant = session.scalar(text("SELECT id FROM tenants WHERE code = 'SN-TEST'"))
        as_role = text("SELECT set_config('role', :role, true), set_config('app.tenant', :tenant, true)")
        for role in (db.Role.WORKER, db.Role.FEDERATION, db.Role.CONSOLE):
            for owner, expected in ((tenant, True), (uuid4(), False), ("", False)):
                values = {"role": role, "tenant": str(owner)}
                session.execute(as_role, values)
                for name in ("audit_archive", "whole_audit"):
                    assert bool(session.scalar(text(f"SELECT count(*) FROM {name}"))) is expected, (
                        role,
                        name,
                    )
        session.execute(text("SELECT set_config('role', 'mutuelle_app', true)"))
        with pytest.raises(DBAPIError, match="permission denied"):
            session.execute(text("SELECT FROM whole_audit"))


@pytest.mark.parametrize("role", ["mutuelle_resolver", "mutuelle_worker"])
def test_an_entry_that_the_archive_does_not_have_cannot_be_deleted(
    module_database: Database, role: str
) -> None:
    with worker(module_database) as session:
        session.execute(text(f"SET LOCAL ROLE {role}"))
        with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
            session.execute(text("DELETE FROM audit"))


def test_batches_go_from_the_oldest_and_the_last_one_says_so(module_database: Database) -> None:
    with worker(module_database) as session:
        counts = []
        while not archive.is_done(session, ArchivedTable.TRAIL, LATER):
            counts.append(archive.take_out(session, ArchivedTable.TRAIL, LATER, 10))
        batches = list(reversed(archive.runs(session, limit=100)))
        assert [row.row_count for row in batches] == counts
        assert counts[:-1] == [10] * (len(counts) - 1)
        assert len(counts) > 2
        assert [row.is_last for row in batches] == [False] * (len(counts) - 1) + [True]
        assert archive.reach(session, ArchivedTable.TRAIL) == LATER
        assert archive.is_done(session, ArchivedTable.TRAIL, LATER - timedelta(days=1))
        assert not archive.is_done(session, ArchivedTable.TRAIL, LATER + timedelta(days=1))
        assert archive.reach(session, ArchivedTable.MESSAGES) is None


def test_one_process_at_a_time_takes_rows_out(module_database: Database) -> None:
    with worker(module_database) as session:
        assert archive.take_out(session, ArchivedTable.NOTICES, LATER, 1000) == 2
        with db.transaction(db.Role.WORKER) as other:
            assert archive.take_out(other, ArchivedTable.NOTICES, LATER, 1000) is None


def test_the_functions_may_delete_what_they_take_out_and_the_view_shows_what_its_reader_sees(
    module_database: Database,
) -> None:
    rights = (
        "SELECT table_name::text FROM information_schema.table_privileges"
        " WHERE grantee = 'mutuelle_resolver' AND privilege_type IN ('UPDATE', 'DELETE') ORDER BY 1"
    )
    views = (
        "SELECT relname::text, reloptions FROM pg_class"
        " WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
    )
    with module_database.superuser() as connection:
        names = [name for (name,) in connection.execute(rights)]
        assert names == sorted([*ArchivedTable, "ussd_effects"])
        assert connection.execute(views).fetchall() == [("whole_audit", ["security_invoker=true"])]
