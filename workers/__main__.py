"""Runs a worker or the scheduler as a process: `python -m workers money|messages|daily|schedule`.

On SIGTERM the process ends after its current job. `python -m workers pull ACCOUNT DAY` reads a transaction
list and prints what it found as JSON; `mutuelle pull` checks its words.
"""

import json
import logging
import signal
import sys
import threading
from datetime import date
from types import FrameType

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import select

from config import memory
from config.settings import Settings, load
from gateway.doorbell import JOBS, Doorbell
from mutuelle import db, startup
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import list_cursor
from workers import batch, schedule, services, transaction_lists
from workers.services import WorkerServices

REDIS_S = 5.0
WAIT_FOR_REDIS_S = 1.0
log = logging.getLogger("workers")


def boot() -> WorkerServices:
    """Prepares this process to run jobs. Returns its services, which it also installs."""
    settings = load()
    # A worker that freezes in a transaction locks rows that others lease once its own lease has ended.
    idle_s = min(db.IDLE_S, settings.lease_s)
    startup.boot(settings, pool=batch.CONNECTIONS, wait_s=30, idle_s=idle_s)
    worker_services = WorkerServices(settings, _redis(settings), Doorbell(_redis(settings, REDIS_S)))
    services.install(worker_services)
    memory.settle()
    return worker_services


def _redis(settings: Settings, answer_s: float | None = None) -> Redis:
    # The listening connection blocks for as long as RQ asks it to; a ring must not.
    return Redis.from_url(
        settings.redis_url, socket_timeout=answer_s, socket_connect_timeout=REDIS_S, health_check_interval=30
    )


class Listener(SimpleWorker):
    """RQ's worker that records a request to stop, because RQ returns as well when it loses Redis."""

    asked_to_stop = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True
        services.current().stopping.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def work(redis: Redis, queue_name: str) -> None:
    """Listens to one queue until asked to stop. When Redis goes away, waits for it.

    Never listens to two queues: RQ may lose a job that is popped from several.
    """
    while True:
        stop = _stop_event()  # on each round, because RQ installs its own signal handlers
        try:
            redis.ping()
            if _listen(redis, queue_name):
                return
        except RedisError as error:
            log.warning("waiting for Redis: %s", type(error).__name__)
        stop.wait(WAIT_FOR_REDIS_S)
        if stop.is_set():
            return


def _listen(redis: Redis, queue_name: str) -> bool:
    """Runs jobs. Returns True when asked to stop, False when RQ gave up because Redis went away."""
    queue = Queue(queue_name, connection=redis, serializer=JSONSerializer)
    worker = Listener([queue], connection=redis, serializer=JSONSerializer, log_job_description=False)
    try:
        worker.work(logging_level="WARNING")
    except RedisError as error:
        log.warning("Redis went away: %s", type(error).__name__)
    return worker.asked_to_stop


def _stop_event() -> threading.Event:
    """An event that SIGTERM or SIGINT sets."""
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    return stop


def pull_day(worker_services: WorkerServices, code: str, day: str) -> dict[str, object]:
    """Reads that day's list of the account with this code. Returns what it found, to print."""
    with db.transaction(db.Role.WORKER) as session:
        account = session.scalars(select(OperatorAccount).where(OperatorAccount.code == code)).one()
    reading = transaction_lists.read_day(worker_services, account, date.fromisoformat(day))
    return {
        "account": code,
        "day": day,
        "new": reading.new,
        "known": reading.recorded,
        "unreadable": len(reading.unreadable),
        "not_booked": len(reading.not_booked),
        "open_lines": [*reading.unreadable, *reading.not_booked][: list_cursor.NAMED_LINES],
        "whole": reading.whole,
        "failure": reading.failure,
    }


def main(name: str, *words: str) -> None:
    """Runs the scheduler, the worker of the queue `name`, or reads a list."""
    if name == "pull":
        sys.stdout.write(json.dumps(pull_day(boot(), *words)) + "\n")
    elif name == "schedule":
        schedule.run(boot(), _stop_event())
    elif name in JOBS:
        work(boot().redis, name)
    else:
        raise SystemExit(f"There is no queue {name}; choose one of {', '.join(JOBS)} or schedule.")


if __name__ == "__main__":
    main(*sys.argv[1:] or [""])
