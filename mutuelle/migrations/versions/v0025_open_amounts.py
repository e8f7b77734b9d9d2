"""The twenty-fifth migration: what is still owed and what waits in suspense is stored, and found at once."""

from pathlib import Path

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "open_amounts.sql").read_text(encoding="utf-8")
    )
