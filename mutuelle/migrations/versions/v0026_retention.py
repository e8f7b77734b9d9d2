"""The twenty-sixth migration: rows that ended long ago leave the working tables, but for evidence."""

from pathlib import Path

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    for name in ("evidence.sql", "retention.sql"):
        op.get_bind().connection.cursor().execute((Path(__file__).parent / name).read_text(encoding="utf-8"))
