"""The outbox: tasks to ask an operator (`collect`, `poll`) or to send an SMS (`deliver`, `remind`).

The table is the queue; a ring of the doorbell only wakes a worker.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, inserts
from mutuelle.db import Row

SMS_LANE = "sms"
EXCLUSIVE_LOCK = 7263013  # the advisory lock of `lease_exclusively`


class TaskKind(StrEnum):
    """What a task asks for: about a payment (`collect`, `poll`) or a message (`deliver`, `remind`)."""

    COLLECT = "collect"
    POLL = "poll"
    DELIVER = "deliver"
    REMIND = "remind"


class TaskState(StrEnum):
    """How far a task has come, as stored. No task is left to a `PERSON` today; the column allows it."""

    WAITING = "waiting"
    DONE = "done"
    PERSON = "person"


class Task(Row):
    """One task about `subject_id`: a payment (`collect`, `poll`) or a message (`deliver`, `remind`).

    `lane` is the operator that it asks, or SMS_LANE.
    """

    __tablename__ = "outbox"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    lane: Mapped[str]
    subject_id: Mapped[UUID]
    key: Mapped[str]
    state: Mapped[str]
    outcome: Mapped[str | None]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


def put(
    session: Session,
    tenant_id: UUID,
    kind: TaskKind,
    subject_id: UUID,
    *,
    lane: str,
    in_s: float = 0,
    at: datetime | None = None,
) -> None:
    """Queues one task per `kind` and `subject_id`, ever; due `at` that moment or in `in_s` seconds."""
    moment = clock.now()
    row = {
        "tenant_id": tenant_id,
        "id": clock.new_id(),
        "kind": kind,
        "lane": lane,
        "subject_id": subject_id,
        "key": _key(kind, subject_id),
        "state": TaskState.WAITING,
        "created_at": moment,
        "due_at": at or moment + timedelta(seconds=in_s),
    }
    inserts.add(session, Task, row, once="key")


# MATERIALIZED: PostgreSQL may run a plain subquery once for every row, which leases more than `:limit`.
_LEASE = text("""
WITH due AS MATERIALIZED (
    SELECT tenant_id, id FROM outbox
    WHERE state = 'waiting' AND kind = :kind AND lane = :lane AND due_at <= :now
    AND (lease_until IS NULL OR lease_until < :now)
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
UPDATE outbox o SET lease_until = :until, attempts = attempts + 1
FROM due
WHERE o.tenant_id = due.tenant_id AND o.id = due.id
RETURNING o.id
""")


def due_lanes(session: Session, kinds: Sequence[TaskKind]) -> list[tuple[TaskKind, str]]:
    """Returns which kinds of tasks are due in which lanes, in the order of `kinds`."""
    rows = session.execute(_DUE_LANES, {"kinds": list(kinds), "now": clock.now()})
    return sorted(((TaskKind(row.kind), row.lane) for row in rows), key=lambda row: kinds.index(row[0]))


def lease(session: Session, kind: TaskKind, lane: str, *, limit: int, lease_s: int) -> list[Task]:
    """Leases up to `limit` due tasks of a lane to this worker alone for `lease_s` seconds. Returns them."""
    moment = clock.now()
    values = {"until": moment + timedelta(seconds=lease_s), "now": moment, "kind": kind, "lane": lane}
    values["limit"] = limit
    ids = session.scalars(_LEASE, values).all()
    rows = session.scalars(select(Task).where(Task.id.in_(ids))).all() if ids else []
    return sorted(rows, key=lambda row: (row.due_at, str(row.id)))


_DUE_LANES = text("""
SELECT DISTINCT kind, lane FROM outbox
WHERE state = 'waiting' AND kind = ANY(:kinds) AND due_at <= :now
AND (lease_until IS NULL OR lease_until < :now)
""")
_NONE_LEASED = text(
    "SELECT pg_try_advisory_xact_lock(:lock) AND NOT EXISTS ("
    " SELECT FROM outbox WHERE state = 'waiting' AND kind = :kind AND lease_until >= :now)"
)


def lease_exclusively(session: Session, kind: TaskKind, lane: str, *, limit: int, lease_s: int) -> list[Task]:
    """Leases like `lease`, but nothing while another worker holds tasks of this kind."""
    if not session.scalar(_NONE_LEASED, {"lock": EXCLUSIVE_LOCK, "kind": kind, "now": clock.now()}):
        return []
    return lease(session, kind, lane, limit=limit, lease_s=lease_s)


def end(session: Session, task: Task, outcome: str) -> None:
    """Ends a task as done."""
    _update(session, task, state=TaskState.DONE, outcome=outcome, ended_at=clock.now(), lease_until=None)


def postpone(session: Session, task: Task, seconds: float, outcome: str) -> None:
    """Makes a task due again in `seconds`."""
    _update(session, task, outcome=outcome, due_at=clock.now() + timedelta(seconds=seconds), lease_until=None)


def _update(session: Session, task: Task, **values: object) -> None:
    # Only while the task waits: a slow worker must not undo what another one did after its lease ended.
    where = (Task.tenant_id == task.tenant_id, Task.id == task.id, Task.state == TaskState.WAITING)
    session.execute(update(Task).where(*where).values(**values))


# The last one of the kinds that exists; one of them that waits is left as it is.
_RESUME = text("""
WITH task AS (SELECT id FROM outbox WHERE tenant_id = :tenant AND key = ANY(:keys)
    ORDER BY state = 'waiting' DESC, array_position(:keys, key) DESC LIMIT 1
), resumed AS (
    UPDATE outbox o SET state = 'waiting', ended_at = NULL, lease_until = NULL, due_at = :due
    FROM task WHERE o.tenant_id = :tenant AND o.id = task.id AND o.state <> 'waiting'
)
SELECT EXISTS (SELECT FROM task)
""")


def resume(
    session: Session, tenant_id: UUID, kinds: Sequence[TaskKind], subject_id: UUID, in_s: float
) -> bool:
    """Makes an ended task about `subject_id` due again, the last of `kinds` first, unless one waits.

    Returns False when there is none: it was taken out (`mutuelle/archive.py`).
    """
    due = clock.now() + timedelta(seconds=in_s)
    keys = [_key(kind, subject_id) for kind in kinds]
    return bool(session.scalar(_RESUME, {"tenant": tenant_id, "keys": keys, "due": due}))


def _key(kind: TaskKind, subject_id: UUID) -> str:
    """The UNIQUE key of a task."""
    return f"{kind}:{subject_id}"


def backoff_s(attempts: int, first_s: float = 5, most_s: float = 300) -> float:
    """Seconds until the next try: 5, 10, 20, ... at most 300."""
    return float(min(most_s, first_s * 2 ** max(0, min(attempts, 20) - 1)))
