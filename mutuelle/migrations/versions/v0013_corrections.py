"""The thirteenth migration: a member's year of birth and kind may be corrected at the console; the bill
follows."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "corrections.sql").read_text(encoding="utf-8")
    )
