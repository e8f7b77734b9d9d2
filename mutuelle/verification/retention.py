"""Questions about what left the working tables: runs of the archive keep their moments and all evidence."""

from mutuelle import archive
from mutuelle.verification.question import Question, query

_MOMENT = """
SELECT r.id FROM archive_runs r
JOIN unnest(CAST(:tables AS text[]), CAST(:days AS integer[])) AS kept (archived, days) USING (archived)
WHERE r.ended_before > r.ran_at - make_interval(days => kept.days)
"""
_YOUNG = """
SELECT a.id FROM audit_archive a
WHERE a.at >= coalesce((SELECT max(ended_before) FROM archive_runs WHERE archived = 'audit'), '-infinity')
"""
_TWICE = "SELECT a.id FROM audit_archive a JOIN audit t ON t.tenant_id = a.tenant_id AND t.id = a.id"
_COUNT = """
SELECT archived.count, moved.count
FROM (SELECT count(*) FROM audit_archive) archived,
    (SELECT coalesce(sum(row_count), 0) AS count FROM archive_runs WHERE archived = 'audit') moved
WHERE archived.count <> moved.count
"""
# A request and its first task are written together. The task may be gone if the request was closed when a run
# took it out, and was opened again later. The subject of a case about a task is the key of the task.
_EVIDENCE = """
WITH open_requests AS (
    SELECT id, ref, created_at, created_at AS since FROM payments
    WHERE status IN ('requested', 'unknown', 'pending')
    UNION ALL SELECT id, ref, created_at, unread_proof_at FROM payments WHERE unread_proof_at IS NOT NULL
    UNION ALL SELECT p.id, p.ref, p.created_at, f.opened_at FROM payments p
        JOIN flags f ON f.tenant_id = p.tenant_id AND f.subject = 'payment:' || p.ref AND f.closed_at IS NULL
)
SELECT f.subject FROM flags f
WHERE f.closed_at IS NULL AND split_part(f.subject, ':', 1) IN ('collect', 'poll', 'deliver', 'remind')
    AND NOT EXISTS (SELECT FROM outbox o WHERE o.key = f.subject)
UNION SELECT 'payment:' || p.ref FROM open_requests p
WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.key = 'collect:' || p.id)
    AND NOT EXISTS (SELECT FROM archive_runs r
        WHERE r.archived = 'outbox' AND r.ended_before > p.created_at AND r.ran_at <= p.since)
"""

QUESTIONS: tuple[Question, ...] = (
    query(
        "archive-moment",
        "I8",
        "A run of the archive took out only what had ended at least as long before it as settings allow.",
        "archive run {}",
        _MOMENT,
        tables=[table.value for table in archive.LEAST_DAYS],
        days=list(archive.LEAST_DAYS.values()),
    ),
    query(
        "archive-young",
        "I8",
        "An entry in the archive of the trail is older than the runs that moved it there.",
        "entry {}",
        _YOUNG,
    ),
    query(
        "archive-once",
        "I8",
        "No entry of the trail stands in its table and in the archive.",
        "entry {}",
        _TWICE,
    ),
    query(
        "archive-count",
        "I8",
        "The archive of the trail holds as many entries as the runs moved there.",
        "{} entries, {} were moved",
        _COUNT,
    ),
    query(
        "archive-evidence",
        "I4",
        "The task of each request that has no end or an open case exists, and each task that has one.",
        "{}",
        _EVIDENCE,
    ),
)
