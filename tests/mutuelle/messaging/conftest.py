"""Three mutuelles, the services of one worker, and a clock that the test sets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from redis import Redis
from sqlalchemy import select

from gateway.doorbell import Doorbell
from mutuelle import clock, db
from mutuelle.audit import Flag
from mutuelle.enrolment import enrolment
from mutuelle.messaging.messages import Message
from mutuelle.outbox import Task
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database
from tests.workers.world import settings_for
from workers.services import WorkerServices

NOWHERE = "http://127.0.0.1:9"
PREFIX = {"senegal": "+2217700", "rwanda": "+2507800", "mali": "+223700"}
DIGITS = {"senegal": 5, "rwanda": 5, "mali": 5}
CATEGORY = {"senegal": "general", "rwanda": "level-3", "mali": "general"}


@dataclass
class Day:
    """The mutuelles on one day, and queries of what is stored."""

    world: World
    hub: WorkerServices

    def at(self, moment: str) -> None:
        """Stops the clock at this moment, in UTC."""
        now = datetime.fromisoformat(f"{moment}+00:00")
        clock.install(clock.Source(now=lambda: now))

    def tenant(self, place: str) -> UUID:
        return getattr(self.world, place).tenant_id  # type: ignore[no-any-return]

    def joins(self, place: str, count: int = 1, first: int = 1, language: str = "fr") -> list[UUID]:
        """Enrols households of three, each with its own phone. Returns their ids."""
        household_ids = []
        for number in range(first, first + count):
            with db.transaction(db.Role.APP, self.tenant(place)) as session:
                household = enrolment.enrol(
                    session,
                    self.tenant(place),
                    enrolment.NewHousehold(
                        language=language,
                        category=CATEGORY[place],
                        phone=PREFIX[place] + str(number).zfill(DIGITS[place]),
                        birth_years=[1985, 1990, 2015],
                        adults=2,
                        consent="1",
                        channel="ussd",
                    ),
                )
                household_ids.append(household.id)
        return household_ids

    def reminders(self) -> list[Message]:
        return self.all(
            select(Message).where(Message.kind == "reminder").order_by(Message.created_at, Message.id)
        )

    def tasks(self) -> list[Task]:
        return self.all(select(Task).where(Task.kind == "remind").order_by(Task.due_at))

    def flags(self) -> list[str]:
        return self.all(select(Flag.kind))

    def all(self, query: Any) -> list[Any]:
        with db.transaction(db.Role.AUDITOR) as session:
            return list(session.scalars(query))


@pytest.fixture
def database(emptied_database: Database) -> Database:
    """Tests of this folder change rows only."""
    return emptied_database


@pytest.fixture
def new_day(redis_url: str) -> Iterator[Callable[[Database], Day]]:
    """Returns a function that begins a day in a database: 22 November 2026, ten o'clock."""
    with Redis.from_url(redis_url) as redis:

        def begin(database: Database) -> Day:
            people.connect(database.url)
            settings = settings_for(database, redis_url, NOWHERE, NOWHERE)
            day = Day(people.settle_in(), WorkerServices(settings, redis, Doorbell(redis)))
            day.at("2026-11-22T10:00")
            return day

        yield begin
    db.disconnect()
    clock.install(clock.Source())


@pytest.fixture
def day(database: Database, new_day: Callable[[Database], Day]) -> Day:
    return new_day(database)
