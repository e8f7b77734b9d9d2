"""The first migration: tables, what the database itself refuses, and who may touch what."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Run on PostgreSQL 15 and 18; needs a login with CREATEROLE that owns the database, no extension."""
    cursor = op.get_bind().connection.cursor()
    for part in ("tables_1", "tables_2", "tables_3", "guards", "access"):
        cursor.execute((HERE / f"{part}.sql").read_text(encoding="utf-8"))
