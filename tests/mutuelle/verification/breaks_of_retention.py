"""How the story can be broken in what left the working tables, and which question answers."""

from tests.mutuelle.verification.deeds import Break


def run(archived: str, before: str, ran_at: str = "'2030-01-01'", rows: int = 0) -> str:
    """Inserts a run of the archive, without its seal."""
    return (
        "INSERT INTO archive_runs (id, archived, ended_before, row_count, is_last, ran_at, seal)"
        f" VALUES (gen_random_uuid(), '{archived}', {before}, {rows}, true, {ran_at},"
        " decode(repeat('00', 32), 'hex'))"
    )


def archived(action: str) -> str:
    return f"INSERT INTO audit_archive SELECT * FROM audit WHERE action = '{action}'"


RUN_OF_TRAIL = run("audit", "'2028-01-01'", rows=1)

BREAKS: dict[str, Break] = {
    "a run is invented": ("archive-seal", (run("messages", "'2026-01-01'"),), set()),
    "a run takes out what is young": ("archive-moment", (
        run("messages", "'2026-11-21'", "'2026-12-21'"),), {"archive-seal"}),
    "an entry of today is archived": ("archive-young", (
        run("audit", "'2026-01-01'", "'2028-01-01'", 1), archived("promise"),
        "DELETE FROM audit WHERE action = 'promise'"), {"archive-seal"}),
    "an entry stands in both tables": ("archive-once", (RUN_OF_TRAIL, archived("promise")), {"archive-seal"}),
    "an archived entry vanishes": ("archive-count", (
        RUN_OF_TRAIL, "DELETE FROM audit WHERE action = 'promise'"), {"archive-seal", "promise-trail"}),
    "the task of an open request is taken out": ("archive-evidence", (
        "UPDATE payments SET unread_proof_at = created_at", "DELETE FROM outbox WHERE kind = 'collect'",
        run("outbox", "'2028-01-01'")), {"archive-seal", "payment-unread"}),
    "the task of an open case is taken out": ("archive-evidence", (
        "UPDATE flags SET subject = 'deliver:' || (SELECT subject_id FROM outbox"
        " WHERE kind = 'deliver' AND state = 'done' LIMIT 1), kind = 'stuck'"
        " WHERE kind = 'sms'", "DELETE FROM outbox WHERE state = 'done' AND kind = 'deliver'",
        run("outbox", "'2028-01-01'")), {"archive-seal", "case-sms"}),
    # A run covers what ended before its moment, and no younger row.
    "a young SMS vanishes": ("task-subject", (
        run("messages", "'2026-11-01'"), "DELETE FROM messages WHERE kind = 'welcome'"),
        {"archive-seal", "case-subject"}),
    "a young notice with a case vanishes": ("case-subject", (
        run("notices", "'2026-11-01'"),
        "UPDATE flags SET kind = 'unreadable', closed_at = opened_at,"
        " subject = 'notice:' || (SELECT id FROM notices) WHERE kind = 'outflow'",
        "DELETE FROM notices"), {"archive-seal", "case-outflow"}),
}  # fmt: skip
