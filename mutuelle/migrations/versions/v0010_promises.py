"""The tenth migration: what a household says it will pay, and when. It is a word, and no money."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "promises.sql").read_text(encoding="utf-8")
    )
