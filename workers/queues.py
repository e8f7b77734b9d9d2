"""The jobs behind a ring: one per queue, each taking all that is due there. Called by RQ by name, with no
argument."""

from collections.abc import Callable

from mutuelle import db
from workers import (
    batch,
    bill,
    callbacks,
    collect,
    deliver,
    expire_proofs,
    forget,
    poll,
    pull,
    remind,
    schedule,
    services,
    sms_reports,
)
from workers.services import WorkerServices

ROUNDS = 20  # full batches one job takes before it lets the worker breathe
REMINDER_ROUNDS = 6  # each takes `deliver.BURST_S`; receipts go in between


def money() -> None:
    """Ask for payments, understand callbacks, poll, read transaction lists."""
    here = services.current()
    for step in (callbacks.run, collect.run, poll.run):
        _until_empty(step)
    pull.run(here)


def messages() -> None:
    """Send messages, read delivery reports and STOP; then send reminders at their pace."""
    here = services.current()
    for step in (deliver.run, sms_reports.run):
        _until_empty(step)
    for _ in range(REMINDER_ROUNDS):
        if not deliver.reminders(here):
            return
        _until_empty(deliver.run)
    here.doorbell.ring("messages")


def daily() -> None:
    """Forget what is old; then, where a mutuelle's day has begun: end proofs that are over, write bills,
    queue reminders."""
    here = services.current()
    forget.run(here)
    with db.transaction(db.Role.WORKER) as session:
        due = schedule.todays_work(session)
    if due:
        for step in (expire_proofs.run, bill.run, remind.run):
            step(here)
        here.doorbell.ring("messages")


def _until_empty(step: Callable[[WorkerServices], int]) -> None:
    for _ in range(ROUNDS):
        if step(services.current()) < batch.LIMIT:
            return
    services.current().doorbell.ring("money", "messages")
