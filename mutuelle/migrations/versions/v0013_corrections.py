"""The thirteenth migration: the console may correct a member's year of birth and kind; the bill follows."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "corrections.sql").read_text(encoding="utf-8")
    )
