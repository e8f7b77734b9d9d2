"""Queues INSERTs, which `pipeline.py` sends together at the next query or at commit."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mutuelle import pipeline
from mutuelle.db import Row


def add(session: Session, table: type[Row], *rows: Mapping[str, Any], once: str = "") -> None:
    """Inserts `rows` (column -> value). A row whose value in the column `once` already exists is skipped."""
    statements = [(_insert(table.__tablename__, tuple(row), once), _adapt(row)) for row in rows]
    pipeline.queue(session, *statements)


def many(session: Session, table: type[Row], rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts thousands of `rows` by COPY. All have the columns of the first."""
    if rows:
        columns = tuple(rows[0])
        pipeline.copy(
            session, table.__tablename__, columns, ([row[name] for name in columns] for row in rows)
        )


def _adapt(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Jsonb(value) if isinstance(value, dict) else value for name, value in row.items()}


@cache
def _insert(table: str, columns: tuple[str, ...], once: str) -> str:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    values = sql.SQL(", ").join(map(sql.Placeholder, columns))
    conflict = sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(sql.Identifier(once)) if once else sql.SQL("")
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}){}").format(
        sql.Identifier(table), names, values, conflict
    )
    return statement.as_string()  # psycopg caches a str, but composes anything else anew each time
