"""The doorbell: rings wake workers and carry no data. The scheduler's next sweep makes up for a lost ring."""

import logging
from datetime import datetime
from enum import StrEnum

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from mutuelle.db import Deadline


class QueueName(StrEnum):
    """The queues, each with a worker of its own."""

    MONEY = "money"
    MESSAGES = "messages"
    DAILY = "daily"


JOBS = {name: f"workers.queues.{name}" for name in QueueName}
JOB_S = 120  # less than the lease of the rows that a job works on

SWEPT = "scheduler:swept"
log = logging.getLogger("gateway.doorbell")


class Doorbell:
    """Sends the rings of one process through Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._queues = {
            name: Queue(name.value, connection=redis, serializer=JSONSerializer) for name in QueueName
        }

    def ring(self, *names: QueueName, deadline: Deadline | None = None) -> bool:
        """Wakes the worker of each queue, unless a ring waits there already. Sends no ring after `deadline`.

        Returns False when Redis does not answer.
        """
        try:
            for name in names:
                if deadline is not None and not deadline.left_s:
                    return False
                if self._queues[name].count == 0:
                    self._queues[name].enqueue(
                        JOBS[name], job_timeout=JOB_S, result_ttl=0, failure_ttl=3600, description=name
                    )
        except RedisError as error:
            log.warning("doorbell silent: %s; the sweep will find the work", type(error).__name__)
            return False
        return True

    def beat(self, now: datetime) -> None:
        """Records in Redis that the scheduler has just swept, so that a stopped scheduler is noticed."""
        try:
            self._redis.set(SWEPT, now.isoformat())
        except RedisError as error:
            log.warning("the scheduler's beat was not stored: %s", type(error).__name__)

    def last_beat(self) -> datetime | None:
        """Returns when the scheduler last swept, None if Redis does not know it or does not answer."""
        try:
            value = self._redis.get(SWEPT)
        except RedisError:
            return None
        return datetime.fromisoformat(value.decode()) if isinstance(value, bytes) else None
