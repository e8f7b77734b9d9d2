"""The sixth migration: whether a bill adds up is looked up by its key, not searched for among all bills."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run after the fifth, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "bills.sql").read_text(encoding="utf-8")
    )
