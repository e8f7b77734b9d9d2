"""Collect: ask the operator for each payment we owe a question, under the reference that was committed before."""

from mutuelle import db, outbox
from mutuelle.errors import Declined, Unavailable
from mutuelle.operator import Standing, Status
from mutuelle.outbox import Task
from workers import asking, batch
from workers.hub import Hub


def run(hub: Hub) -> int:
    """Ask for what is due; how many were taken. Safe to run twice: the reference makes the second asking the first."""
    with db.transaction(db.Role.WORKER) as session:
        due = outbox.claim(session, "collect", limit=batch.LIMIT, lease_s=hub.settings.lease_s)
    looked = [(task, asking.look_up(hub, task.tenant_id, task.subject_id)) for task in due]
    batch.each(
        looked, lambda row: row[1].account.operator, lambda row: _one(hub, *row), lambda row, why: asking.put_back(row[0], why)
    )
    return len(due)


def _one(hub: Hub, task: Task, asked: asking.Asked) -> None:
    asking.conclude(hub, asked, _ask(hub, task, asked), "poll", task)


def _ask(hub: Hub, task: Task, asked: asking.Asked) -> Standing:
    """A time-out may have been heard: the second time we first ask what became of it, and ask anew only what was not."""
    payment = asked.payment
    try:
        if task.attempts > 1 and (known := asked.operator.fetch_status(payment.ref, payment.operator_ref)):
            return known
        url = hub.callback_url(asked.account, payment.ref)
        return asked.operator.request_payment(payment.ref, asked.payer, asked.amount, url)
    except Unavailable:
        return Standing(Status.UNKNOWN)
    except Declined as refused:
        return Standing(Status.FAILED, reason=refused.code)
