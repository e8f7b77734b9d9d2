"""The scheduler: rings for every queue with due work, so that a lost ring costs one sweep.

Several schedulers may run; an advisory lock lets one act at a time.
"""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.doorbell import QueueName
from mutuelle import clock, db, set_aside
from mutuelle.billing import billing_runs
from mutuelle.errors import Malformed
from mutuelle.messaging import reminder_runs
from mutuelle.organisation import mutuelle_day
from mutuelle.set_aside import Work
from workers.services import WorkerServices

LOCK = 7263012
FORGET_S = 3600
DUE = {
    QueueName.MONEY: "SELECT EXISTS (SELECT FROM outbox"
    " WHERE state = 'waiting' AND kind IN ('collect', 'poll') AND due_at <= :now)"
    " OR EXISTS (SELECT FROM notices WHERE state = 'new' AND door = 'momo' AND due_at <= :now)",
    QueueName.MESSAGES: "SELECT EXISTS (SELECT FROM outbox"
    " WHERE state = 'waiting' AND kind IN ('deliver', 'remind') AND due_at <= :now)"
    " OR EXISTS (SELECT FROM notices WHERE state = 'new' AND door LIKE 'sms-%' AND due_at <= :now)",
}
log = logging.getLogger("workers.schedule")


def sweep(services: WorkerServices) -> list[QueueName]:
    """Rings for each queue with due work. Returns these queues; none while another scheduler sweeps."""
    with db.transaction(db.Role.WORKER) as session:
        if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
            return []
        due = [name for name, query in DUE.items() if session.scalar(text(query), {"now": clock.now()})]
        if is_daily_work_due(session):
            due.append(QueueName.DAILY)
    services.doorbell.beat(clock.now())
    services.doorbell.ring(*due)
    return due


def is_daily_work_due(session: Session) -> bool:
    """Whether any mutuelle's day has begun while some of its bills or reminders are not written."""
    return bool(reminder_runs.due(session) or billing_runs.due(session))


def report_unknown_zones() -> None:
    """Opens a case for each mutuelle whose time zone is unknown: no daily work can be done for it."""
    with db.transaction(db.Role.WORKER) as session:
        tenant_ids = mutuelle_day.without_zone(session)
    for tenant_id in tenant_ids:
        with set_aside.mutuelle(tenant_id, Work.ZONE):
            raise Malformed("the time zone of the mutuelle is unknown")


def run(services: WorkerServices, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
    """Sweeps until `stop`. Rings for the transaction lists every `pull_s` seconds, for forgetting every hour.

    When the database is away, keeps trying.
    """
    pull_every = max(1, services.settings.pull_s // services.settings.sweep_s)
    forget_every = max(1, FORGET_S // services.settings.sweep_s)
    turns = 0
    while not stop.is_set():
        try:
            sweep(services)
            if turns % pull_every == 0:
                services.doorbell.ring(QueueName.MONEY)
            if turns % forget_every == 0:
                services.doorbell.ring(QueueName.DAILY)
        except SQLAlchemyError as error:
            log.warning("the database does not answer: %s", type(error).__name__)
        turns += 1
        beat()
        stop.wait(services.settings.sweep_s)
