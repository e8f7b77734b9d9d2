"""The fifteenth migration: refunds meet reversals, and all money that leaves a wallet is booked."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "outflows.sql").read_text(encoding="utf-8")
    )
