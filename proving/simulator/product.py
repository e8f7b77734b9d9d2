"""Runs the product in this process on virtual time; web and workers may crash and restart."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, LiteralString, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from flask.testing import FlaskClient
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.orm import Session

from config.settings import Settings
from gateway.app import create_app
from gateway.doorbell import Doorbell, QueueName
from gateway.session_cache import Sessions
from mutuelle import db
from proving.simulator.crashes import Crash, CrashPoints
from proving.simulator.outside import OutgoingCallback, SandboxProcess
from proving.simulator.timeline import Timeline
from workers import queues, schedule, services

Result = TypeVar("Result")
JOBS = {"money": queues.money, "messages": queues.messages, "daily": queues.daily}
# How long a worker takes to come to a ring.
BUSY_S = {"money": (0.2, 15.0), "messages": (0.5, 30.0), "daily": (0.5, 30.0)}
RESTART_S = 10
# The kind of place is drawn first, because statements outnumber the others by far; then how often it is
# passed before the crash, at most so many times. Shorter work ends before it.
PASSES_IN_A_JOB = {"statement": 50, "before_commit": 5, "after_commit": 5, "before_ask": 2, "after_ask": 2}
PASSES_IN_A_REQUEST = {"statement": 10, "before_commit": 2, "after_commit": 2}

EARLIEST = """
SELECT min(at) FROM (
  SELECT greatest(due_at, lease_until + interval '1 microsecond') AS at FROM outbox WHERE state = 'waiting'
  UNION ALL
  SELECT greatest(due_at, lease_until + interval '1 microsecond') FROM notices WHERE state = 'new') waiting
"""

OTHER_CONNECTIONS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
TERMINATE_OTHERS, COUNT_OTHERS = (
    f"SELECT pg_terminate_backend(pid) {OTHER_CONNECTIONS}",
    f"SELECT count(*) {OTHER_CONNECTIONS}",
)


class Product:
    """Web, workers and scheduler. `falls` is the share of jobs that crash; of requests, a tenth of it."""

    def __init__(
        self,
        settings: Settings,
        timeline: Timeline,
        outside: SandboxProcess,
        chance: random.Random,
        watch_url: str,
        falls: float,
    ) -> None:
        self.settings, self._timeline, self._outside = settings, timeline, outside
        self._chance, self._crash_share = chance, falls
        self.crash_points = CrashPoints()
        self._redis = Redis.from_url(settings.redis_url, socket_timeout=30)
        self._queues = {
            name: Queue(name, connection=self._redis, serializer=JSONSerializer) for name in QueueName
        }
        self._busy_until = dict.fromkeys(QueueName, timeline.start)
        self._redis.flushall()
        self._watch = psycopg.connect(watch_url, autocommit=True)
        self._next_sweep: datetime | None = None
        self._has_work = False  # whether a row may wait that `plan_work` has not seen
        db.connect(settings.database_url, pool=2, wait_s=30)
        self._web = self._start_web()
        self._start_worker()

    def close(self) -> None:
        self._watch.close()
        db.disconnect()

    def _start_web(self) -> FlaskClient:
        """Starts the web with long Redis time-outs: a busy machine must not change what happens."""
        app = create_app(self.settings)
        services = app.extensions["mutuelle"]
        sessions = Sessions(
            self._redis, session_s=self.settings.ussd_session_s, draft_s=self.settings.draft_s
        )
        app.extensions["mutuelle"] = replace(
            services, redis=self._redis, sessions=sessions, doorbell=Doorbell(self._redis)
        )
        return app.test_client(use_cookies=False)

    def _start_worker(self) -> None:
        self._services = services.WorkerServices(self.settings, self._redis, Doorbell(self._redis))
        services.install(self._services)

    # --- the web

    def post(
        self, method: str, url: str, *, body: str | dict[str, str], headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Sends one request. Returns status and body, (0, "") when the process crashed."""
        self._has_work = True
        self._draw_crash(self._crash_share / 10, PASSES_IN_A_REQUEST)
        try:
            answer = self._web.open(urlsplit(url).path, method=method, data=body, headers=headers)
            return answer.status_code, answer.get_data(as_text=True)
        except Crash:
            self._end_connections()
            self._web = self._start_web()
            return 0, ""
        finally:
            self.crash_points.disarm()

    def carry(self, callback: OutgoingCallback) -> int:
        """Delivers a callback. Returns the HTTP status."""
        return self.post(callback.method, callback.url, body=callback.body, headers=callback.headers)[0]

    # --- the staff

    def act(self, tenant_id: UUID, do: Callable[[Session], Result]) -> Result | None:
        """Does what a manager does in one transaction. Returns None when the process crashed.

        Raises what the domain raises.
        """
        self._has_work = True
        self._draw_crash(self._crash_share / 10, PASSES_IN_A_REQUEST)
        try:
            with db.transaction(db.Role.CONSOLE, tenant_id, within_s=60) as session:
                return do(session)
        except Crash:
            self._end_connections()
            self._web = self._start_web()
            return None
        finally:
            self.crash_points.disarm()

    def observe(self, sql: LiteralString, values: Sequence[Any]) -> list[Any]:
        """Returns rows of the whole database, outside the product."""
        return self._watch.execute(sql, values).fetchall()

    # --- the workers

    def plan_work(self) -> None:
        """Plans the work that is now possible: workers for waiting jobs, a sweep for waiting rows."""
        if not self._has_work:
            return
        self._has_work = False
        for name, queue in self._queues.items():
            if self._busy_until[name] <= self._timeline.now and queue.count:
                self._busy_until[name] = self._timeline.now + timedelta(
                    seconds=self._chance.uniform(*BUSY_S[name])
                )
                self._timeline.at(self._busy_until[name], partial(self._work, name))
        self.sweep_at(self._timeline.now + timedelta(seconds=1))

    def sweep_at(self, when: datetime) -> None:
        """Plans the scheduler's next beat with work; beats that find nothing due are skipped."""
        beat = self._timeline.grid(when, self.settings.sweep_s)
        if self._next_sweep is None or beat < self._next_sweep:
            self._next_sweep = beat
            self._timeline.at(beat, lambda: self._sweep(beat))

    def _sweep(self, beat: datetime) -> None:
        if self._next_sweep != beat:
            return
        self._next_sweep = None
        row = self._watch.execute(EARLIEST).fetchone()
        earliest = row[0] if row else None
        if earliest is None:
            return
        if earliest <= self._timeline.now:
            self._has_work = True
            schedule.sweep(self._services)
            earliest = self._timeline.now + timedelta(seconds=1)
        self.sweep_at(earliest)

    def ring(self, name: QueueName = QueueName.MONEY) -> None:
        """Rings as the scheduler does for the transaction lists, and every hour for daily work."""
        self._has_work = True
        self._services.doorbell.ring(name)

    def _work(self, name: QueueName) -> None:
        """Does one job. After a crash the job is lost and leased rows wait for their lease to end."""
        if self._queues[name].is_empty():  # Redis was emptied meanwhile
            return
        self._redis.delete(f"rq:job:{self._queues[name].pop_job_id()}")
        self._has_work = True
        self._outside.sync_clock()
        self._draw_crash(self._crash_share, PASSES_IN_A_JOB)
        try:
            JOBS[name]()
        except Crash:
            self._end_connections()
            self._start_worker()
            self._busy_until[name] = self._timeline.now + timedelta(seconds=RESTART_S)
            self._timeline.at(self._busy_until[name], self._mark_work)
        finally:
            self.crash_points.disarm()

    def _end_connections(self) -> None:
        """Cuts the crashed process's connections: PostgreSQL rolls back and releases its locks."""
        db.disconnect()
        self._watch.execute(TERMINATE_OTHERS)
        while (row := self._watch.execute(COUNT_OTHERS).fetchone()) and row[0]:
            time.sleep(0.001)

    def _mark_work(self) -> None:
        """A worker has restarted and looks for jobs."""
        self._has_work = True

    def _draw_crash(self, share: float, passes: dict[str, int]) -> None:
        self.crash_points.disarm()
        if self._chance.random() < share:
            place = self._chance.choice(list(passes))
            self.crash_points.arm(place, self._chance.randint(1, passes[place]))

    def stop_crashes(self) -> None:
        """Stops crashes from now on."""
        self._crash_share = 0.0

    def empty_redis(self) -> None:
        """Empties Redis: jobs, open sessions and drafts are lost."""
        self._redis.flushall()
