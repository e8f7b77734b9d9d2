"""The scheduler: rings for whatever is due, so that a lost ring costs one sweep. One acts at a time, under an
advisory lock."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from mutuelle import clock, db
from mutuelle.billing import billing_runs
from mutuelle.messaging import reminder_runs
from workers.services import WorkerServices

LOCK = 7263012
FORGET_S = 3600
DUE = {
    "money": "SELECT EXISTS (SELECT FROM outbox WHERE state = 'waiting' AND kind IN ('collect', 'poll') AND due_at <= :now)"
    " OR EXISTS (SELECT FROM notices WHERE state = 'new' AND door = 'momo' AND due_at <= :now)",
    "messages": "SELECT EXISTS (SELECT FROM outbox"
    " WHERE state = 'waiting' AND kind IN ('deliver', 'remind') AND due_at <= :now)"
    " OR EXISTS (SELECT FROM notices WHERE state = 'new' AND door LIKE 'sms-%' AND due_at <= :now)",
}
log = logging.getLogger("workers.schedule")


def sweep(hub: WorkerServices) -> list[str]:
    """Ring for each queue that has something due; which ones were rung. Nothing when another scheduler is
    sweeping."""
    with db.transaction(db.Role.WORKER) as session:
        if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
            return []
        due = [name for name, query in DUE.items() if session.scalar(text(query), {"now": clock.now()})]
        if todays_work(session):
            due.append("daily")
    hub.doorbell.beat(clock.now())
    hub.doorbell.ring(*due)
    return due


def todays_work(session: Session) -> bool:
    """Whether a mutuelle's day has begun whose bills or reminders are not all written. Asked before a tenant
    is chosen."""
    return bool(reminder_runs.due(session) or billing_runs.due(session))


def run(hub: WorkerServices, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
    """Sweep until `stop`; every `pull_s` seconds ring for the transaction lists too, every hour for what is
    to be forgotten.

    A database that is away is waited for.
    """
    pull_every = max(1, hub.settings.pull_s // hub.settings.sweep_s)
    forget_every = max(1, FORGET_S // hub.settings.sweep_s)
    turns = 0
    while not stop.is_set():
        try:
            sweep(hub)
            if turns % pull_every == 0:
                hub.doorbell.ring("money")
            if turns % forget_every == 0:
                hub.doorbell.ring("daily")
        except SQLAlchemyError as error:
            log.warning("the database does not answer: %s", type(error).__name__)
        turns += 1
        beat()
        stop.wait(hub.settings.sweep_s)
