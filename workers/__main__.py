"""A worker or the scheduler as a process: `python -m workers money|messages|daily|schedule`.

SIGTERM ends it after the job at hand.
"""

import logging
import signal
import sys
import threading
from types import FrameType

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from config import memory
from config.settings import Settings, load
from gateway.doorbell import QUEUES, Doorbell
from mutuelle import db, startup
from workers import batch, schedule, services

REDIS_S = 5.0
WAIT_FOR_REDIS_S = 1.0
log = logging.getLogger("workers")


def boot() -> services.WorkerServices:
    """Prepares this process to run jobs. Returns its services, which it also installs."""
    settings = load()
    # A worker that freezes in a transaction locks rows that others lease once its own lease has ended.
    idle_s = min(db.IDLE_S, settings.lease_s)
    startup.boot(settings, pool=batch.THREADS + 2, wait_s=30, idle_s=idle_s)
    worker_services = services.WorkerServices(settings, _redis(settings), Doorbell(_redis(settings, REDIS_S)))
    services.install(worker_services)
    memory.settle()
    return worker_services


def _redis(settings: Settings, answer_s: float | None = None) -> Redis:
    # The listening connection blocks for as long as RQ asks it to; a ring must not.
    return Redis.from_url(
        settings.redis_url, socket_timeout=answer_s, socket_connect_timeout=REDIS_S, health_check_interval=30
    )


class Listener(SimpleWorker):
    """RQ's worker, which remembers that it was asked to stop: RQ also leaves when Redis goes away under
    it."""

    asked_to_stop = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def work(here: services.WorkerServices, name: str) -> None:
    """Listen to one queue, never two: RQ may lose a job that is popped from several. A Redis that goes away
    is waited for."""
    while True:
        stop = _stop_asked()  # again each time: RQ installs its own
        try:
            here.redis.ping()
            if _listen(here, name):
                return
        except RedisError as error:
            log.warning("waiting for Redis: %s", type(error).__name__)
        stop.wait(WAIT_FOR_REDIS_S)
        if stop.is_set():
            return


def _listen(here: services.WorkerServices, name: str) -> bool:
    """Work until asked to stop (True) or until RQ gives up on a Redis that went away."""
    queue = Queue(name, connection=here.redis, serializer=JSONSerializer)
    worker = Listener([queue], connection=here.redis, serializer=JSONSerializer, log_job_description=False)
    try:
        worker.work(logging_level="WARNING")
    except RedisError as error:
        log.warning("Redis went away: %s", type(error).__name__)
    return worker.asked_to_stop


def _stop_asked() -> threading.Event:
    """Set by SIGTERM or SIGINT."""
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    return stop


def main(what: str) -> None:
    if what == "schedule":
        schedule.run(boot(), _stop_asked())
    elif what in QUEUES:
        work(boot(), what)
    else:
        raise SystemExit(f"There is no queue {what}; choose one of {', '.join(QUEUES)} or schedule.")


if __name__ == "__main__":
    main(*sys.argv[1:2] or [""])
