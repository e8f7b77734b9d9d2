"""The twelfth migration: classes of members, enrolment by a person, and which list of a registry a line was
last on."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run after the ones before, by the same login."""
    op.get_bind().connection.cursor().execute(
        (Path(__file__).parent / "classes.sql").read_text(encoding="utf-8")
    )
