"""A worker or the scheduler as a process: `python -m workers money|messages|schedule`.

SIGTERM ends it after the job at hand.
"""

import signal
import sys
import threading

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from config import logs
from config.settings import Settings, load
from gateway.doorbell import QUEUES, Doorbell
from mutuelle import clock, db, secrets
from workers import batch, hub, schedule

REDIS_S = 5.0
WAIT_FOR_REDIS_S = 1.0


def boot() -> hub.Hub:
    """Make this process a worker: logs, clock, keys, database, doorbell."""
    settings = load()
    logs.set_up(settings.log_level)
    clock.install(clock.Source(shift_s=settings.clock_shift))
    secrets.use(settings.phone_key, settings.secret_key)
    db.connect(settings.database_url, pool=batch.THREADS + 2, wait_s=30)
    here = hub.Hub(settings, _redis(settings), Doorbell(_redis(settings, REDIS_S)))
    hub.install(here)
    return here


def _redis(settings: Settings, answer_s: float | None = None) -> Redis:
    # The listening connection blocks for as long as RQ asks it to; a ring must not.
    return Redis.from_url(settings.redis_url, socket_timeout=answer_s, socket_connect_timeout=REDIS_S, health_check_interval=30)


def work(here: hub.Hub, name: str) -> None:
    """Listen to one queue, never two: RQ may lose a job that is popped from several. It waits for a Redis that is away."""
    stop = _stop_asked()
    while not stop.is_set():
        try:
            here.redis.ping()
            break
        except RedisError:
            stop.wait(WAIT_FOR_REDIS_S)
    else:
        return
    queue = Queue(name, connection=here.redis, serializer=JSONSerializer)
    worker = SimpleWorker([queue], connection=here.redis, serializer=JSONSerializer, log_job_description=False)
    worker.work(logging_level="WARNING")


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
