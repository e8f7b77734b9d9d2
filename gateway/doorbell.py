"""The doorbell: tells a worker that there is work. A ring carries nothing; losing one costs until the next
sweep."""

import logging
from datetime import datetime

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from mutuelle.db import Deadline

QUEUES = {name: f"workers.queues.{name}" for name in ("money", "messages", "daily")}
JOB_S = 120  # under the lease of what a job claims

SWEPT = "scheduler:swept"
log = logging.getLogger("gateway.doorbell")


class Doorbell:
    """Rings of one process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._queues = {name: Queue(name, connection=redis, serializer=JSONSerializer) for name in QUEUES}

    def ring(self, *names: str, deadline: Deadline | None = None) -> bool:
        """Wake the worker of each queue, unless one ring already waits there; nothing is begun after
        `deadline`.

        False when Redis does not answer.
        """
        try:
            for name in names:
                if deadline is not None and not deadline.left_s:
                    return False
                if self._queues[name].count == 0:
                    self._queues[name].enqueue(
                        QUEUES[name], job_timeout=JOB_S, result_ttl=0, failure_ttl=3600, description=name
                    )
        except RedisError as error:
            log.warning("doorbell silent: %s; the sweep will find the work", type(error).__name__)
            return False
        return True

    def beat(self, now: datetime) -> None:
        """The scheduler has just swept; it is said here because a fallen scheduler says nothing."""
        try:
            self._redis.set(SWEPT, now.isoformat())
        except RedisError as error:
            log.warning("nobody hears that the scheduler is alive: %s", type(error).__name__)

    def last_beat(self) -> datetime | None:
        """When the scheduler last swept; None when Redis does not know, or does not answer."""
        try:
            said = self._redis.get(SWEPT)
        except RedisError:
            return None
        return datetime.fromisoformat(said.decode()) if isinstance(said, bytes) else None
