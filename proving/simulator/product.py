"""The product in this process: its web application and its two workers, on virtual time. Either may fall and
come back."""

import random
import time
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import psycopg
from flask.testing import FlaskClient
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from config.settings import Settings
from gateway.app import create_app
from gateway.doorbell import Doorbell, QueueName
from gateway.session_cache import Sessions
from mutuelle import db
from proving.simulator.crashes import Crash, Seams
from proving.simulator.outside import Letter, Outside
from proving.simulator.timeline import Timeline
from workers import queues, schedule, services

JOBS = {"money": queues.money, "messages": queues.messages, "daily": queues.daily}
BUSY_S = {
    "money": (0.2, 15.0),
    "messages": (0.5, 30.0),
    "daily": (0.5, 30.0),
}  # how soon a worker comes to a ring
RESTART_S = 10
PLACES_IN_A_JOB, PLACES_IN_A_REQUEST = (
    60,
    12,
)  # a fall is drawn among so many seams; shorter work is over before

EARLIEST = """
SELECT min(at) FROM (
  SELECT greatest(due_at, lease_until + interval '1 microsecond') AS at FROM outbox WHERE state = 'waiting'
  UNION ALL
  SELECT greatest(due_at, lease_until + interval '1 microsecond') FROM notices WHERE state = 'new') waiting
"""

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
CUT_OFF, LEFT = f"SELECT pg_terminate_backend(pid) {OTHERS}", f"SELECT count(*) {OTHERS}"


class Product:
    """Web, workers and scheduler. `falls` is the share of jobs, and a tenth of it of requests, in which their
    process falls."""

    def __init__(
        self,
        settings: Settings,
        timeline: Timeline,
        outside: Outside,
        chance: random.Random,
        watch_url: str,
        falls: float,
    ) -> None:
        self.settings, self._timeline, self._outside = settings, timeline, outside
        self._chance, self._falls = chance, falls
        self.seams = Seams()
        self._redis = Redis.from_url(settings.redis_url, socket_timeout=30)
        self._queues = {
            name: Queue(name, connection=self._redis, serializer=JSONSerializer) for name in QueueName
        }
        self._away_until = dict.fromkeys(QueueName, timeline.start)
        self._redis.flushall()
        self._watch = psycopg.connect(watch_url, autocommit=True)
        self._sweeping: datetime | None = None
        self._stirred = False  # whether a row may wait that nobody looked at since
        db.connect(settings.database_url, pool=2, wait_s=30)
        self._web = self._start_web()
        self._start_worker()

    def close(self) -> None:
        self._watch.close()
        db.disconnect()

    def _start_web(self) -> FlaskClient:
        """A web process of its own, patient with Redis: a busy machine must not change what happens."""
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
        self._hub = services.WorkerServices(self.settings, self._redis, Doorbell(self._redis))
        services.install(self._hub)

    # --- the web

    def post(
        self, method: str, url: str, *, body: str | dict[str, str], headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """One request from outside; (0, "") when the process fell over it."""
        self._stirred = True
        self._draw_fall(self._falls / 10, PLACES_IN_A_REQUEST)
        try:
            answer = self._web.open(urlsplit(url).path, method=method, data=body, headers=headers)
            return answer.status_code, answer.get_data(as_text=True)
        except Crash:
            self._bury()
            self._web = self._start_web()
            return 0, ""
        finally:
            self.seams.arm(0)

    def carry(self, letter: Letter) -> int:
        """Bring a callback; what it was answered with."""
        return self.post(letter.method, letter.url, body=letter.body, headers=letter.headers)[0]

    # --- the workers

    def look(self) -> None:
        """Plan what follows from what just happened: a ring wakes its worker, a row that waits is swept
        up."""
        if not self._stirred:
            return
        self._stirred = False
        for name, queue in self._queues.items():
            if self._away_until[name] <= self._timeline.now and queue.count:
                self._away_until[name] = self._timeline.now + timedelta(
                    seconds=self._chance.uniform(*BUSY_S[name])
                )
                self._timeline.at(self._away_until[name], partial(self._work, name))
        self.sweep_at(self._timeline.now + timedelta(seconds=1))

    def sweep_at(self, when: datetime) -> None:
        """Plan the scheduler's next beat that matters: one that finds nothing due changes nothing, and is
        left out."""
        beat = self._timeline.grid(when, self.settings.sweep_s)
        if self._sweeping is None or beat < self._sweeping:
            self._sweeping = beat
            self._timeline.at(beat, lambda: self._sweep(beat))

    def _sweep(self, beat: datetime) -> None:
        if self._sweeping != beat:
            return
        self._sweeping = None
        row = self._watch.execute(EARLIEST).fetchone()
        earliest = row[0] if row else None
        if earliest is None:
            return
        if earliest <= self._timeline.now:
            self._stirred = True
            schedule.sweep(self._hub)
            earliest = self._timeline.now + timedelta(seconds=1)
        self.sweep_at(earliest)

    def ring(self) -> None:
        """The scheduler's ring for the transaction lists."""
        self._stirred = True
        self._hub.doorbell.ring(QueueName.MONEY)

    def _work(self, name: QueueName) -> None:
        """What a worker does with one ring. When it falls, its ring is lost and its claims are held until
        their lease ends."""
        if self._queues[name].is_empty():  # Redis forgot it meanwhile
            return
        self._redis.delete(f"rq:job:{self._queues[name].pop_job_id()}")
        self._stirred = True
        self._outside.tell()
        self._draw_fall(self._falls, PLACES_IN_A_JOB)
        try:
            JOBS[name]()
        except Crash:
            self._bury()
            self._start_worker()
            self._away_until[name] = self._timeline.now + timedelta(seconds=RESTART_S)
            self._timeline.at(self._away_until[name], self._stir)
        finally:
            self.seams.arm(0)

    def _bury(self) -> None:
        """What a fallen process held goes with it: PostgreSQL rolls back what was open, and its locks are
        free."""
        db.disconnect()
        self._watch.execute(CUT_OFF)
        while (row := self._watch.execute(LEFT).fetchone()) and row[0]:
            time.sleep(0.001)

    def _stir(self) -> None:
        """A worker is back, and looks whether a ring waits."""
        self._stirred = True

    def _draw_fall(self, share: float, places: int) -> None:
        self.seams.arm(self._chance.randint(1, places) if self._chance.random() < share else 0)

    def calm(self) -> None:
        """No falls from now on."""
        self._falls = 0.0

    def empty_redis(self) -> None:
        """It restarts with nothing: rings, open sessions and drafts are gone."""
        self._redis.flushall()
