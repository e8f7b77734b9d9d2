"""The three mutuelles, whose clock stands at `days.START`; the books are checked after each test."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from tests.mutuelle.billing import days
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database


@pytest.fixture(scope="module")
def settled(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    days.on_day(0)
    yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


@pytest.fixture
def day_world(settled: World) -> Iterator[World]:
    days.on_day(0)
    with days.valid_books():
        yield settled
