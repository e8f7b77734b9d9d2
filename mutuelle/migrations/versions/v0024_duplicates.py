"""The twenty-fourth migration: pairs of members that are likely one person, and what was decided of them."""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "duplicates.sql").read_text(encoding="utf-8")
    )
