"""Tests that the tap holds and cuts a real PostgreSQL connection at the exact statement."""

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from proving.stage.wire_tap import Moment, PostgresMessages, Tap, Trap
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres
WITHIN_S = 10


@pytest.fixture
def tap(blank_database: Database) -> Iterator[Tap]:
    with psycopg.connect(blank_database.url) as connection:
        connection.execute("CREATE TABLE kept (number int)")
    tap = Tap("writer", lambda: blank_database.server.port)
    yield tap
    tap.close()


def url(tap: Tap, database: Database) -> str:
    return database.url.replace(f":{database.server.port}/", f":{tap.port}/")


def stored_rows(database: Database) -> int:
    with psycopg.connect(database.url) as connection:
        return len(connection.execute("SELECT FROM kept").fetchall())


def apart(act: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    """Runs `act` in another thread. Returns the thread and the list of its errors."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except psycopg.OperationalError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


@pytest.mark.parametrize("pipelined", [False, True], ids=["one by one", "in a pipeline"])
@pytest.mark.parametrize(("moment", "rows"), [("before", 0), ("after", 1)])
def test_a_connection_is_cut_before_the_commit_is_received_or_after_it_is_executed(
    tap: Tap, blank_database: Database, moment: Moment, rows: int, pipelined: bool
):
    trap = Trap(after=["INSERT INTO kept"], moment=moment)
    tap.arm(trap)

    def write() -> None:
        with psycopg.connect(url(tap, blank_database)) as connection:
            if pipelined:
                with connection.pipeline():
                    connection.execute("INSERT INTO kept VALUES (%s)", [7])
                    connection.commit()
            else:
                connection.execute("INSERT INTO kept VALUES (7)")

    thread, raised = apart(write)
    assert trap.wait(WITHIN_S) == "writer"
    assert stored_rows(blank_database) == rows
    trap.cut()
    thread.join(WITHIN_S)
    assert (stored_rows(blank_database), len(raised)) == (rows, 1)


def test_only_the_transaction_that_ran_the_statement_is_held(tap: Tap, blank_database: Database):
    trap = Trap(after=["INSERT INTO kept"])
    tap.arm(trap)
    with psycopg.connect(url(tap, blank_database)) as connection:
        connection.execute("SELECT FROM kept")
        connection.commit()
    thread, raised = apart(lambda: write_prepared(url(tap, blank_database)))
    trap.wait(WITHIN_S)
    trap.go_on()
    thread.join(WITHIN_S)
    assert (stored_rows(blank_database), raised) == (1, [])


def write_prepared(where: str) -> None:
    """Runs a statement that was prepared in an earlier transaction and is now sent by name."""
    with psycopg.connect(where) as connection:
        connection.execute("SELECT %s::int", [0], prepare=True)
        connection.commit()
        connection.execute("INSERT INTO kept VALUES (%s)", [1], prepare=True)


def test_a_trap_that_nothing_reaches_is_an_error_and_later_connections_pass(
    tap: Tap, blank_database: Database
):
    trap = Trap(after=["INSERT INTO kept"])
    tap.arm(trap)
    with pytest.raises(TimeoutError, match="nobody came to COMMIT"):
        trap.wait(0.01)
    write_prepared(url(tap, blank_database))
    assert stored_rows(blank_database) == 1


def test_a_query_is_known_by_its_name_and_messages_may_come_in_pieces():
    protocol = PostgresMessages()
    start = b"\x00\x00\x00\x08\x00\x03\x00\x00"
    parse = b"P" + (4 + 10).to_bytes(4, "big") + b"s\x00DELETE\x00\x00\x00"[:10]
    bind = b"B" + (4 + 7).to_bytes(4, "big") + b"\x00s\x00four"
    queries = [query for byte in start + parse + bind for _, query in protocol.read(bytes([byte]))]
    assert [query for query in queries if query] == [b"DELETE", b"DELETE\nfour"]
