"""The jobs of the queues. RQ calls the function of a queue by its name, without arguments."""

from collections.abc import Callable
from time import monotonic

from gateway.doorbell import QueueName
from mutuelle import db, outbox
from mutuelle.outbox import TaskKind
from workers import (
    batch,
    bill,
    blank_old_input,
    callbacks,
    collect,
    deliver,
    expire_proofs,
    incoming_sms,
    lanes,
    payment_requests,
    poll,
    remind,
    schedule,
    services,
    transaction_lists,
)
from workers.lanes import RowSource
from workers.services import WorkerServices

ASKS = {TaskKind.COLLECT: collect.ask, TaskKind.POLL: poll.ask}
ROUNDS = 20  # full batches of one step in one job, so that the worker can stop in between
REMINDER_ROUNDS = 6  # each sends for `deliver.BURST_S`; receipts go in between


def money() -> None:
    """Sends payment requests, reads callbacks, polls, reads transaction lists; each operator in its lane."""
    current = services.current()
    lists = transaction_lists.sources(current)

    def look() -> list[RowSource]:
        with db.transaction(db.Role.WORKER) as session:
            due = outbox.due_lanes(session, list(ASKS))
        tasks = [payment_requests.source(current, kind, lane, ASKS[kind]) for kind, lane in due]
        once, lists[:] = list(lists), []  # a list that could not be read is due again in the next job
        return [*callbacks.sources(current), *tasks, *once]

    began = monotonic()
    lanes.run(look, lambda: current.doorbell.ring(QueueName.MESSAGES), current.stopping.is_set)
    if current.stopping.is_set() or monotonic() >= began + lanes.WITHIN_S:  # there may be more
        current.doorbell.ring(QueueName.MONEY)


def messages() -> None:
    """Sends messages, reads delivery reports and STOP, then sends reminders at their pace."""
    current = services.current()
    for step in (deliver.run, incoming_sms.run):
        _until_empty(step)
    for _ in range(REMINDER_ROUNDS):
        if not deliver.send_reminders(current):
            return
        _until_empty(deliver.run)
    current.doorbell.ring(QueueName.MESSAGES)


def daily() -> None:
    """Blanks old input; where a mutuelle's day has begun: expires proofs, writes bills, queues reminders."""
    current = services.current()
    blank_old_input.run(current)
    with db.transaction(db.Role.WORKER) as session:
        due = schedule.is_daily_work_due(session)
    if due:
        for step in (expire_proofs.run, bill.run, remind.run):
            step(current)
        current.doorbell.ring(QueueName.MESSAGES)


def _until_empty(step: Callable[[WorkerServices], int]) -> None:
    """Repeats a step while its batches are full; rings again when there were too many."""
    for _ in range(ROUNDS):
        if step(services.current()) < batch.LIMIT:
            return
    services.current().doorbell.ring(QueueName.MONEY, QueueName.MESSAGES)
