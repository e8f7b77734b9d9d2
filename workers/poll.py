"""Poll: ask what became of the payments an operator accepted; a lost callback costs seconds, not a contribution."""

from mutuelle import db, outbox
from mutuelle.errors import Unavailable
from mutuelle.operator import Standing, Status
from mutuelle.outbox import Task
from workers import asking, batch
from workers.hub import Hub


def run(hub: Hub) -> int:
    """Ask about what is due; how many were taken. A repeat changes nothing."""
    with db.transaction(db.Role.WORKER) as session:
        due = outbox.claim(session, "poll", limit=batch.LIMIT, lease_s=hub.settings.lease_s)
    looked = [(task, asking.look_up(hub, task.tenant_id, task.subject_id)) for task in due]
    batch.each(
        looked, lambda row: row[1].account.operator, lambda row: _one(hub, *row), lambda row, why: asking.put_back(row[0], why)
    )
    return len(due)


def _one(hub: Hub, task: Task, asked: asking.Asked) -> None:
    try:
        told = asked.operator.fetch_status(asked.payment.ref, asked.payment.operator_ref)
    except Unavailable:
        told = Standing(Status.UNKNOWN)
    # It accepted the request and now says it never heard of it: no money moved, and we go on asking until it is too late.
    asking.conclude(hub, asked, told or Standing(Status.UNKNOWN), "poll", task)
