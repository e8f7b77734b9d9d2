"""The twenty-first migration: rows of money have a seal, and `mutuelle verify` may read the version."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.execute("GRANT SELECT ON alembic_version TO mutuelle_auditor")
    # Rows of before stay without: this login does not have the key.
    for table in ("receipts", "reversals", "outflows", "refunds"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN seal bytea CHECK (octet_length(seal) = 32)")
