"""The twenty-seventh migration: the noted transaction of a payout may turn out to be a booked reversal."""

from pathlib import Path

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "payout_corrections.sql").read_text(encoding="utf-8")
    )
