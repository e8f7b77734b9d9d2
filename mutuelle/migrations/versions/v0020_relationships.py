"""The twentieth migration: how each member is related to the head, with the day on which it was noted.

An older member has no entry: the rules judge it by its age on the day of joining, as before.
"""

from alembic import op

revision = "0020"
down_revision = "0018"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.execute(
        "ALTER TABLE members ADD COLUMN relationships jsonb NOT NULL DEFAULT '[]'"
        " CHECK (jsonb_typeof(relationships) = 'array')"
    )
    op.execute("GRANT UPDATE (relationships) ON members TO mutuelle_console")
