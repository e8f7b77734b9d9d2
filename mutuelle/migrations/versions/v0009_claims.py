"""The ninth migration: subsidy claims, their lines, what was left out of them, and what their payers answered
and paid."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run after those before it, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "claims.sql").read_text(encoding="utf-8")
    )
