"""The third migration: one reminder per household and day, and what health and metrics are read by."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run after the second, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "reminders.sql").read_text(encoding="utf-8")
    )
