"""The twenty-second migration: the console may withdraw an SMS that has not left."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.execute("GRANT UPDATE (status, ended_at) ON messages TO mutuelle_console")
