"""The seventh migration: a change in the middle of a period is an adjustment, and a bill is never edited."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run after the sixth, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "adjustments.sql").read_text(encoding="utf-8")
    )
