"""The doorbell: tells a worker that there is work. A ring carries nothing; losing one costs until the next sweep."""

import logging

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

QUEUES = {"money": "workers.queues.money", "messages": "workers.queues.messages"}
JOB_S = 120  # under the lease of what a job claims

log = logging.getLogger("gateway.doorbell")


class Doorbell:
    """Rings of one process."""

    def __init__(self, redis: Redis) -> None:
        self._queues = {name: Queue(name, connection=redis, serializer=JSONSerializer) for name in QUEUES}

    def ring(self, *names: str) -> bool:
        """Wake the worker of each queue, unless one ring already waits there. False when Redis does not answer."""
        try:
            for name in names:
                if self._queues[name].count == 0:
                    self._queues[name].enqueue(
                        QUEUES[name], job_timeout=JOB_S, result_ttl=0, failure_ttl=3600, description=name
                    )
        except RedisError as error:
            log.warning("doorbell silent: %s; the sweep will find the work", type(error).__name__)
            return False
        return True
