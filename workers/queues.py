"""The jobs of the queues. RQ calls the function of a queue by its name, without arguments."""

import logging
from collections.abc import Callable
from functools import partial
from time import monotonic

from gateway.doorbell import QueueName
from mutuelle import db, outbox
from mutuelle.outbox import TaskKind
from workers import (
    archive_old_rows,
    batch,
    bill,
    blank_old_input,
    callbacks,
    collect,
    deliver,
    expire_proofs,
    find_duplicates,
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
log = logging.getLogger("workers.queues")
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
    _each(lambda: _until_empty(deliver.run), lambda: _until_empty(incoming_sms.run), _reminders)


def _reminders() -> None:
    current = services.current()
    for _ in range(REMINDER_ROUNDS):
        if not deliver.send_reminders(current):
            return
        _until_empty(deliver.run)
    current.doorbell.ring(QueueName.MESSAGES)


def daily() -> None:
    """Blanks old input; where a mutuelle's day has begun: proofs, likely duplicates, bills, reminders.

    Opens a case for a mutuelle whose time zone is unknown: no day begins there. At last takes out old rows.
    """
    current = services.current()
    _each(
        lambda: blank_old_input.run(current),
        schedule.report_unknown_zones,
        lambda: _days_work(current),
        lambda: archive_old_rows.run(current),
    )


def _days_work(current: WorkerServices) -> None:
    with db.transaction(db.Role.WORKER) as session:
        due = schedule.is_daily_work_due(session)
    if due:
        steps = (expire_proofs.run, find_duplicates.run, bill.run, remind.run)
        try:
            _each(*(partial(step, current) for step in steps))
        finally:
            current.doorbell.ring(QueueName.MESSAGES)


def _each(*steps: Callable[[], object]) -> None:
    """Runs every step, also after one has failed. At the end raises the first failure, for RQ to record."""
    failures: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as error:  # of any kind: the other steps serve other people
            log.exception("a step of a job failed: %s", type(error).__name__)
            failures.append(error)
    if failures:
        raise failures[0]


def _until_empty(step: Callable[[WorkerServices], int]) -> None:
    """Repeats a step while its batches are full; rings again when there were too many."""
    for _ in range(ROUNDS):
        if step(services.current()) < batch.LIMIT:
            return
    services.current().doorbell.ring(QueueName.MONEY, QueueName.MESSAGES)
