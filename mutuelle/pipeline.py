"""What leaves together: statements wait in memory until the next question or the commit, then go in one round
trip.

A transaction begins with its role and tenant, a Confirm or a receipt writes a dozen rows of a dozen tables, a
turn asks three questions that do not depend on each other. One after the other they cost as many round trips
and, in SQLAlchemy, a third of a millisecond each; through psycopg's pipeline (libpq pipeline mode, PostgreSQL
14) they cost one round trip and a fraction. Nothing else changes: the order is kept, whatever is asked next
sees what waited, and a refused statement refuses the transaction with SQLAlchemy's own errors.
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

WAITING = "statements waiting"
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})  # what means something in COPY
Statement = tuple[str, Mapping[str, Any]]  # SQL with %(name)s, and the values


def begin(connection: Connection, *statements: Statement) -> None:
    """Let a transaction begin with these, whatever is asked first."""
    connection.info[WAITING] = list(statements)


def queue(session: Session, *statements: Statement) -> None:
    """Let them leave at the latest when the transaction ends."""
    waiting: list[Statement] = session.connection().info.setdefault(WAITING, [])
    waiting += statements


def send(connection: Connection) -> None:
    """Send what waits on this connection. IntegrityError, or another DBAPIError, when the database refuses a
    statement."""
    waiting: list[Statement] = connection.info.pop(WAITING, [])
    if not waiting:
        return
    raw = _driver(connection)
    with _told_as_sqlalchemy_tells(), raw.pipeline():
        for statement in waiting:
            _leave(connection, raw.cursor(), statement)


def query(session: Session, *questions: Statement, binary: bool = False) -> list[list[Any]]:
    """The rows of each question, by name; one round trip for all of them and for what waits. Each sees its
    own moment, as statements do that follow one another. Errors like `send`; changes of loaded objects that
    were not flushed stay behind. Thousands of rows are read faster from `binary` answers."""
    connection = session.connection()
    raw, waiting = _driver(connection), connection.info.pop(WAITING, [])
    with _told_as_sqlalchemy_tells(), raw.pipeline():
        for statement in waiting:
            _leave(connection, raw.cursor(), statement)
        answers = [
            _leave(connection, raw.cursor(row_factory=namedtuple_row), question, binary)
            for question in questions
        ]
    return [answer.fetchall() for answer in answers]


def array(values: Iterable[str]) -> str:
    """An array as PostgreSQL reads it. psycopg's own way asks each value for its type, which takes five times
    as long."""
    return "{" + ",".join(values) + "}"


def copy(session: Session, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert some thousand rows by COPY, through a temporary table: one that hides its rows takes none by
    COPY."""
    connection = session.connection()
    send(connection)
    raw, staging = _driver(connection), sql.Identifier(f"staging_{table}")
    names, target = sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table)
    make = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
        staging, names, target
    )
    with _told_as_sqlalchemy_tells(), raw.cursor() as cursor:
        cursor.execute(make)
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(staging, names)) as pour:
            pour.write("".join("\t".join(map(_copied, row)) + "\n" for row in rows))
        cursor.execute(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(target, names, names, staging))
        cursor.execute(sql.SQL("DROP TABLE {}").format(staging))


def _copied(value: Any) -> str:
    """A value as COPY reads it. psycopg's own way asks each value's type for a dumper, which takes five times
    as long."""
    if value is None:
        return "\\N"
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(str, value)) + "}"  # whole numbers: years of birth
    return value.translate(ESCAPED) if isinstance(value, str) else str(value)


def single_row(rows: list[Any]) -> Any:
    """The only row of an answer; NoResultFound when there is none."""
    if not rows:
        raise NoResultFound("No row was found when one was required")
    return rows[0]


def _leave(
    connection: Connection, cursor: "psycopg.Cursor[Any]", statement: Statement, binary: bool = False
) -> "psycopg.Cursor[Any]":
    """Whoever listens to SQLAlchemy's statements hears these, too."""
    said, values = statement
    for hears in connection.dispatch.before_cursor_execute:
        hears(connection, cursor, said, values, None, False)
    return cursor.execute(said, values, prepare=True, binary=binary)


def _driver(connection: Connection) -> "psycopg.Connection[Any]":
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


@contextmanager
def _told_as_sqlalchemy_tells() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(
            "statements sent together", None, error, psycopg.Error, hide_parameters=True
        ) from error


@event.listens_for(Engine, "before_cursor_execute")
def _before_a_question(connection: Connection, *_: object) -> None:
    send(connection)


@event.listens_for(Engine, "commit")
def _before_the_commit(connection: Connection) -> None:
    send(connection)
    raw = _driver(connection)
    if (
        raw.info.transaction_status is TransactionStatus.INERROR
    ):  # PostgreSQL would roll back and call it a success
        error = psycopg.errors.InFailedSqlTransaction("a statement was refused before")
        raise DBAPIError.instance("COMMIT", None, error, psycopg.Error, hide_parameters=True)


@event.listens_for(Engine, "rollback")
def _nothing_happened(connection: Connection) -> None:
    if not connection.invalidated:  # a connection that was cut has taken its statements along
        connection.info.pop(WAITING, None)


@event.listens_for(Engine, "savepoint")
def _before_a_savepoint(connection: Connection, name: str) -> None:
    send(connection)


@event.listens_for(Engine, "release_savepoint")
def _with_the_savepoint(connection: Connection, name: str, context: object) -> None:
    send(connection)


@event.listens_for(Engine, "rollback_savepoint")
def _not_since_the_savepoint(connection: Connection, name: str, context: object) -> None:
    _nothing_happened(connection)
