"""The eighteenth migration: each task stands in the lane of the operator that it asks."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run after the one before, by the same login."""
    op.execute("ALTER TABLE outbox ADD COLUMN lane text")
    # The owner is held by the policies as well, and has no tenant here.
    for table in ("outbox", "payments", "operator_accounts"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE outbox o SET lane = a.operator FROM payments p"
        " JOIN operator_accounts a ON a.tenant_id = p.tenant_id AND a.id = p.account_id"
        " WHERE o.kind IN ('collect', 'poll') AND p.tenant_id = o.tenant_id AND p.id = o.subject_id"
    )
    op.execute("UPDATE outbox SET lane = 'sms' WHERE lane IS NULL")
    for table in ("outbox", "payments", "operator_accounts"):
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE outbox ALTER COLUMN lane SET NOT NULL")
    op.execute("DROP INDEX outbox_due")
    op.execute("CREATE INDEX outbox_due ON outbox (kind, lane, due_at) WHERE state = 'waiting'")
