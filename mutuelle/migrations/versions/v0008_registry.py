"""The eighth migration: what proves a category, social-registry lists and their proposals, appeals."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "registry.sql").read_text(encoding="utf-8")
    )
