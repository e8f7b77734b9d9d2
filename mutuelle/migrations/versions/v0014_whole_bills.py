"""The fourteenth migration: a bill and its lines come in one statement, and are checked in one look."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "whole_bills.sql").read_text(encoding="utf-8")
    )
