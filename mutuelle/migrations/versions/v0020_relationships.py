"""The twentieth migration: how each member is related to the head, and when a registry's line first came.

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
    op.execute("ALTER TABLE registry_entries ADD COLUMN first_listed_at timestamptz NOT NULL DEFAULT now()")
    # The owner is held by the policies as well, and has no tenant here.
    op.execute("ALTER TABLE registry_entries NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE registry_entries SET first_listed_at = listed_at")
    op.execute("ALTER TABLE registry_entries FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE registry_entries ALTER COLUMN first_listed_at DROP DEFAULT")
