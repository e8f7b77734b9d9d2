"""Gives every test a clean, migrated database in milliseconds: a copy of the server's template.

The append-only tables refuse TRUNCATE, and a copy also resets sequences and seeded rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from mutuelle.migrations.migrate import migrate
from proving.stage.programs import PostgresProgram
from proving.stage.servers import Postgres

TEMPLATE = "migrated"

# Not by TRUNCATE, which is slow on many empty tables, and without the triggers that keep tables append-only.
EMPTY = """
DO $$
DECLARE named text; filled boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR named IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                 WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', named) INTO filled;
        IF filled THEN EXECUTE format('DELETE FROM %s', named); END IF;
    END LOOP;
    FOR named IN SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences
                 WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        EXECUTE format('ALTER SEQUENCE %s RESTART', named);
    END LOOP;
END $$
"""


# The rows of now, and the counters, in a schema that the product does not see.
KEEP = """
DO $$
DECLARE named text; filled boolean; columns text;
BEGIN
    DROP SCHEMA IF EXISTS kept CASCADE;
    CREATE SCHEMA kept;
    CREATE TABLE kept.sequences AS
        SELECT format('%I.%I', schemaname, sequencename) AS name, last_value
        FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
    CREATE TABLE kept.tables (name text, columns text);
    FOR named IN SELECT tablename FROM pg_tables
                 WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', named) INTO filled;
        IF filled THEN
            SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
                WHERE attrelid = format('public.%I', named)::regclass AND attnum > 0
                AND NOT attisdropped AND attgenerated = '';
            EXECUTE format('CREATE TABLE kept.%I AS SELECT %s FROM public.%I', named, columns, named);
            INSERT INTO kept.tables VALUES (named, columns);
        END IF;
    END LOOP;
END $$
"""
BRING_BACK = """
DO $$
DECLARE kept_table record; sequence record;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR kept_table IN SELECT * FROM kept.tables LOOP
        EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM kept.%I',
            kept_table.name, kept_table.columns, kept_table.columns, kept_table.name);
    END LOOP;
    FOR sequence IN SELECT * FROM kept.sequences LOOP
        PERFORM setval(sequence.name::regclass, sequence.last_value);
    END LOOP;
END $$
"""


@dataclass(frozen=True)
class Database:
    """One test's database: `url` is the product's login, `superuser_url` has every right."""

    name: str
    server: Postgres

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    @property
    def superuser_url(self) -> str:
        return self.server.superuser_url(self.name)

    def superuser(self) -> psycopg.Connection:
        """Connects past row-level security, to read what the product wrote; use it in a `with`."""
        return psycopg.connect(self.superuser_url)

    def empty(self) -> None:
        """Deletes every row and restarts every sequence, between the examples of a property test."""
        self.server.execute(sql.SQL(EMPTY), database=self.name)

    def keep(self) -> None:
        """Remembers the rows of now, for `restore`."""
        self.server.execute(sql.SQL(KEEP), database=self.name)

    def restore(self) -> None:
        """Deletes every row and brings back those that `keep` remembers."""
        self.server.execute(sql.SQL(EMPTY), sql.SQL(BRING_BACK), database=self.name)


class TemplateServer(Postgres):
    """A PostgreSQL for tests: not durable, with a migrated template to copy from."""

    def __init__(self, program: PostgresProgram, state_dir: Path) -> None:
        super().__init__(
            program, state_dir, superuser_password="stage", login_password="mutuelle", durable=False
        )
        self._numbers = count(1)
        self._migrated = False

    @contextmanager
    def copy(self, migrated: bool = True) -> Iterator[Database]:
        """Creates a database for the time of the block."""
        if migrated and not self._migrated:
            self.create_database(TEMPLATE)
            migrate(self.url(TEMPLATE))
            self._migrated = True
        name = f"test_{next(self._numbers)}"
        self.create_database(name, TEMPLATE if migrated else "template0")
        try:
            yield Database(name, self)
        finally:
            self.drop_database(name)
