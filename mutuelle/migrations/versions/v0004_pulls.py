"""The fourth migration: when each list was last read to its end, and when nothing of it was left over."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run after the third, by the same login. Lists read before are read again, from the start."""
    op.execute("ALTER TABLE pulls ADD COLUMN read_at timestamptz, ADD COLUMN whole_at timestamptz")
