"""The twenty-third migration: the lines of a subsidy claim name the days really covered, each day once."""

from pathlib import Path

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "covered_days.sql").read_text(encoding="utf-8")
    )
