"""The fifth migration: what was typed in a session, and what outsiders said, are not kept for ever."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run after the fourth, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "forget.sql").read_text(encoding="utf-8")
    )
