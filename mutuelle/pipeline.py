"""Batches SQL statements and sends them in one psycopg pipeline, at the next query or at commit.

A transaction begins by setting its role and tenant; a Confirm or a receipt writes a dozen rows of a dozen
tables; a turn sends three independent queries. Sent one by one, each statement costs a round trip and a third
of a millisecond in SQLAlchemy. A pipeline (libpq pipeline mode, PostgreSQL 14) sends all of them in one round
trip. Their order is kept, the next query sees their effects, and a statement that PostgreSQL refuses fails
the transaction with SQLAlchemy's own errors.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.orm import Session

QUEUED = "queued statements"  # key in `Connection.info`
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})  # special characters of COPY
Statement = tuple[str, Mapping[str, Any]]  # SQL with %(name)s, and the values


def begin(connection: Connection, *statements: Statement) -> None:
    """Queues the first statements of a transaction."""
    connection.info[QUEUED] = list(statements)


def queue(session: Session, *statements: Statement) -> None:
    """Queues statements; they are sent at commit at the latest."""
    queued: list[Statement] = session.connection().info.setdefault(QUEUED, [])
    queued += statements


def send(connection: Connection) -> None:
    """Sends the queued statements. Raises a DBAPIError (often IntegrityError) when one is refused."""
    queued: list[Statement] = connection.info.pop(QUEUED, [])
    if not queued:
        return
    raw = _driver(connection)
    with _sqlalchemy_errors(), raw.pipeline():
        for statement in queued:
            _execute(connection, raw.cursor(), statement)


def query(session: Session, *queries: Statement, binary: bool = False) -> list[list[Any]]:
    """Sends the queued statements and some queries in one round trip. Returns the rows of each query.

    Each query sees its own snapshot, as in separate statements. Changes of ORM objects are sent only once
    they are flushed. Pass `binary` to read thousands of rows faster. Raises the errors of `send`.
    """
    connection = session.connection()
    raw, queued = _driver(connection), connection.info.pop(QUEUED, [])
    with _sqlalchemy_errors(), raw.pipeline():
        for statement in queued:
            _execute(connection, raw.cursor(), statement)
        cursors = [
            _execute(connection, raw.cursor(row_factory=namedtuple_row), statement, binary)
            for statement in queries
        ]
    return [cursor.fetchall() for cursor in cursors]


def array(values: Iterable[str]) -> str:
    """Returns a PostgreSQL array literal, five times faster than psycopg with its look-up per value."""
    return "{" + ",".join(values) + "}"


def copy(session: Session, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Inserts thousands of rows by COPY through a temporary table.

    COPY FROM is refused on tables with row-level security.
    """
    connection = session.connection()
    send(connection)
    raw, staging = _driver(connection), sql.Identifier(f"staging_{table}")
    names, target = sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table)
    make = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
        staging, names, target
    )
    with _sqlalchemy_errors(), raw.cursor() as cursor:
        cursor.execute(make)
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(staging, names)) as pour:
            pour.write("".join("\t".join(map(_copy_text, row)) + "\n" for row in rows))
        cursor.execute(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(target, names, names, staging))
        cursor.execute(sql.SQL("DROP TABLE {}").format(staging))


def _copy_text(value: Any) -> str:
    """Returns a value in COPY's text format, five times faster than psycopg with its look-up per value."""
    if value is None:
        return "\\N"
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(str, value)) + "}"  # whole numbers: years of birth
    return value.translate(ESCAPED) if isinstance(value, str) else str(value)


def single_row(rows: list[Any]) -> Any:
    """Returns the first row. NoResultFound when there is none."""
    if not rows:
        raise NoResultFound("No row was found when one was required")
    return rows[0]


def _execute(
    connection: Connection, cursor: "psycopg.Cursor[Any]", statement: Statement, binary: bool = False
) -> "psycopg.Cursor[Any]":
    """Executes one statement. SQLAlchemy's listeners for executed statements are called, too."""
    query_text, values = statement
    for listener in connection.dispatch.before_cursor_execute:
        listener(connection, cursor, query_text, values, None, False)
    return cursor.execute(query_text, values, prepare=True, binary=binary)


def _driver(connection: Connection) -> "psycopg.Connection[Any]":
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


@contextmanager
def _sqlalchemy_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(
            "statements sent together", None, error, psycopg.Error, hide_parameters=True
        ) from error


@event.listens_for(Engine, "before_cursor_execute")
def _send_before_query(connection: Connection, *_: object) -> None:
    send(connection)


@event.listens_for(Engine, "commit")
def _send_before_commit(connection: Connection) -> None:
    send(connection)
    raw = _driver(connection)
    # PostgreSQL would roll back and report a success.
    if raw.info.transaction_status is TransactionStatus.INERROR:
        error = psycopg.errors.InFailedSqlTransaction("a statement was refused before")
        raise DBAPIError.instance("COMMIT", None, error, psycopg.Error, hide_parameters=True)


@event.listens_for(Engine, "rollback")
def _drop_queued(connection: Connection) -> None:
    if not connection.invalidated:  # a connection that was cut has lost its statements already
        connection.info.pop(QUEUED, None)


@event.listens_for(Engine, "savepoint")
def _send_before_savepoint(connection: Connection, name: str) -> None:
    send(connection)


@event.listens_for(Engine, "release_savepoint")
def _send_before_release(connection: Connection, name: str, context: object) -> None:
    send(connection)


@event.listens_for(Engine, "rollback_savepoint")
def _drop_queued_since_savepoint(connection: Connection, name: str, context: object) -> None:
    _drop_queued(connection)
