"""New rows leave together: they wait in memory until the next statement or the commit, then go in one round trip.

A Confirm or a receipt writes a dozen rows of a dozen tables. One after the other they cost as many round trips and, in
SQLAlchemy, a third of a millisecond each; through psycopg's pipeline (libpq pipeline mode, PostgreSQL 14) they cost one
round trip and a fraction. Nothing else changes: the order is kept, whatever is asked next sees them, and a refused row
refuses the transaction with SQLAlchemy's own errors.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from mutuelle.db import Row

WAITING = "rows waiting"
Waiting = list[tuple[str, tuple[str, ...], str, Mapping[str, Any]]]


def add(session: Session, table: type[Row], *rows: Mapping[str, Any], once: str = "") -> None:
    """Insert `rows` (column -> value) at the latest when the transaction ends; silently not, where `once` names a column
    whose value is there already."""
    waiting: Waiting = session.connection().info.setdefault(WAITING, [])
    waiting += [(table.__tablename__, tuple(row), once, row) for row in rows]


def send(connection: Connection) -> None:
    """Send what waits on this connection. IntegrityError, or another DBAPIError, when the database refuses a row."""
    waiting: Waiting = connection.info.pop(WAITING, [])
    if not waiting:
        return
    raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    try:
        with raw.pipeline():
            for table, columns, once, row in waiting:
                told = {name: _adapted(row[name]) for name in columns}
                raw.execute(_insert(table, columns, once), told, prepare=True)
    except psycopg.Error as error:
        kind = IntegrityError if isinstance(error, psycopg.IntegrityError) else DBAPIError
        raise kind("rows sent together", None, error, hide_parameters=True) from error


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


@cache
def _insert(table: str, columns: tuple[str, ...], once: str) -> str:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    values = sql.SQL(", ").join(map(sql.Placeholder, columns))
    found = sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(sql.Identifier(once)) if once else sql.SQL("")
    whole = sql.SQL("INSERT INTO {} ({}) VALUES ({}){}").format(sql.Identifier(table), names, values, found)
    return whole.as_string()  # psycopg remembers a str, and composes anything else anew each time


@event.listens_for(Engine, "before_cursor_execute")
def _before_a_question(connection: Connection, *_: object) -> None:
    send(connection)


@event.listens_for(Engine, "commit")
def _before_the_commit(connection: Connection) -> None:
    send(connection)


@event.listens_for(Engine, "rollback")
def _nothing_happened(connection: Connection) -> None:
    if not connection.invalidated:  # a connection that was cut has taken its rows along
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
