"""The seventeenth migration: an unopened bill follows the rules of the day, or ends with its year."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.execute("ALTER TABLE adjustments DROP CONSTRAINT adjustments_reason_check")
    op.execute(
        "ALTER TABLE adjustments ADD CONSTRAINT adjustments_reason_check CHECK (reason IN"
        " ('household', 'category', 'rule', 'correction', 'sponsor', 'unopened', 'expired'))"
    )
