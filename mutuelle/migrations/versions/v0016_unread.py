"""The sixteenth migration: what was not read does not count as read (lists, proofs, unknown references)."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run after the one before, by the same login. The lists of the last 31 days are then read again."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "unread.sql").read_text(encoding="utf-8")
    )
