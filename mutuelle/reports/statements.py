"""Reads the named statements of a `.sql` file with aiosql's loader, as statements for SQLAlchemy.

The statement named `shared` holds the tables (`WITH ...`) that every other statement of the file begins with.
Only the loader of aiosql serves here: its functions for psycopg would bypass the session, which sends queued
INSERTs before each query.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from aiosql.query_loader import QueryLoader
from aiosql.types import DriverAdapterProtocol, SQLOperationType
from sqlalchemy import TextClause, text


@dataclass(frozen=True)
class NamedStatement:
    """One statement of a file. `comment` is the text of the comment lines below its name."""

    name: str
    comment: str
    statement: TextClause


class _NamedParameters:
    """Leaves `:name` in a statement, as SQLAlchemy's `text` expects it."""

    @staticmethod
    def process_sql(query_name: str, op_type: SQLOperationType, sql: str) -> str:
        return sql


def load(file: Path) -> list[NamedStatement]:
    """Returns the statements of `file` in its order, without `shared`."""
    adapter = cast(DriverAdapterProtocol, _NamedParameters())
    loader = QueryLoader(adapter, None, attribute=None, mandatory_parameters=False)
    shared, *queries = loader.load_query_data_from_file(file, encoding="utf-8")
    return [
        NamedStatement(query.query_name, query.doc_comments, text(f"{shared.sql}\n{query.sql}"))
        for query in queries
    ]
