"""The second migration: people who log in, refunds, and the role of the managers' console."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run after the first, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "console.sql").read_text(encoding="utf-8")
    )
