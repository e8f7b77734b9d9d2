"""The twenty-eighth migration: what a refused proof leaves of a bill is claimed by the right category."""

from pathlib import Path

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "corrected_claims.sql").read_text(encoding="utf-8")
    )
