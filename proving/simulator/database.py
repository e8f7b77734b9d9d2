"""Starts a PostgreSQL and a Redis, and makes one seeded database that each seed gets a copy of."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.migrations.migrate import migrate
from mutuelle.organisation import logins
from mutuelle.organisation.tenants import Tenant
from proving.demo import demo
from proving.demo.demo import PLACES
from proving.simulator import randomness
from proving.simulator.plan import START
from proving.stage import server_files
from proving.stage.programs import found_postgres
from proving.stage.server_files import CannotStart
from proving.stage.servers import Postgres, Redis

TEMPLATE = "ground"
PUBLIC_URL = "http://mutuelle.simulated"  # in callback URLs; callbacks go through the test client
KEYS = {"SECRET_KEY": "simulator-" * 4, "PHONE_KEY": "telephone-" * 4}
# Intervals are twice the real ones: a beat without work is skipped anyway.
SETTINGS = KEYS | {
    "PUBLIC_URL": PUBLIC_URL,
    "AT_USERNAME": "sandbox",
    "AT_API_KEY": "simulated",
    "MTN_TARGET_ENVIRONMENT": "mtnrwanda",
    "PULL_S": "600",
    "SWEEP_S": "60",
    "LOG_LEVEL": "ERROR",
}


@dataclass(frozen=True)
class SeedDatabase:
    """The database of one seed, with its settings and folder; `seeded` is the result of `demo.seed`."""

    superuser_url: str
    settings: dict[str, str]
    state_dir: Path
    seeded: dict[str, Any]


class DatabaseCopies:
    """Makes copies of the seeded database."""

    def __init__(self, postgres: Postgres, redis: Redis, state_dir: Path) -> None:
        self._postgres, self._redis, self._state_dir = postgres, redis, state_dir
        self._numbers = count(1)
        ids = partial(randomness.new_id, randomness.of("ground", 0))
        clock.install(clock.Source(now=lambda: START, ids=ids, chance=randomness.of("ground", 1)))
        postgres.create_database(TEMPLATE)
        migrate(postgres.url(TEMPLATE))
        self._seeded = demo.seed(self._settings(TEMPLATE), "", PUBLIC_URL)
        add_second_managers(self._settings(TEMPLATE))

    @property
    def template_url(self) -> str:
        """The seeded database that every seed gets a copy of, for a superuser."""
        return self._postgres.superuser_url(TEMPLATE)

    @contextmanager
    def copy(self) -> Iterator[SeedDatabase]:
        """Makes a database for one seed, and drops it afterwards."""
        name = f"seed_{next(self._numbers)}"
        self._postgres.create_database(name, TEMPLATE)
        try:
            yield SeedDatabase(
                self._postgres.superuser_url(name), self._settings(name), self._state_dir, self._seeded
            )
        finally:
            self._postgres.drop_database(name)

    def _settings(self, database: str) -> dict[str, str]:
        urls = {"DATABASE_URL": self._postgres.url(database), "REDIS_URL": self._redis.url}
        return SETTINGS | urls | {"STATE_DIR": str(self._state_dir)}


def add_second_managers(settings: dict[str, str]) -> None:
    """Adds a manager to each mutuelle: refunds and claims take two."""
    db.connect(settings["DATABASE_URL"])
    with db.transaction(db.Role.LOGIN) as session:
        for place in PLACES:
            tenant = session.scalars(select(Tenant).where(Tenant.code == place.code)).one()
            login, password = f"second-{place.short_code}", logins.new_password()
            logins.add(session, tenant.id, login=login, name="Khady", password=password)
    db.disconnect()


@contextmanager
def start_servers() -> Iterator[DatabaseCopies]:
    """Starts the servers and seeds the database; deletes everything at the end."""
    with tempfile.TemporaryDirectory(prefix="mutuelle-simulate-") as folder:
        state_dir = server_files.make_state_dir(Path(folder))
        program = max(found_postgres(), key=lambda candidate: candidate.major, default=None)
        if program is None:
            raise CannotStart("No PostgreSQL 15 or newer was found, and pip brought none for this machine.")
        password = KEYS["SECRET_KEY"]
        postgres = Postgres(
            program, state_dir, superuser_password=password, login_password=password, durable=False
        )
        redis = Redis(state_dir)
        try:
            postgres.start()
            redis.start()
            yield DatabaseCopies(postgres, redis, state_dir)
        finally:
            redis.stop()
            postgres.stop()
            server_files.forget(state_dir)
