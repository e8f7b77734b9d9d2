"""The eleventh migration: sponsors, who promise a part of households' dues up to a cap."""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run after the tenth, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "sponsors.sql").read_text(encoding="utf-8")
    )
