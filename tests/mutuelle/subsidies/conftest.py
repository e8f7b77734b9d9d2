"""Fixtures: an office in the database of the test module, emptied before each test; books with a clause."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from tests.mutuelle.schemes import world
from tests.mutuelle.subsidies import world as offices
from tests.mutuelle.subsidies.world import ClaimsWorld
from tests.support.templates import Database


@pytest.fixture(scope="module")
def whole_periods() -> Iterator[None]:
    """Rule books that name a clause by which whole periods are claimed, in place of the shipped ones."""
    with world.whole_period_books():
        yield


@pytest.fixture
def days_office(module_database: Database) -> Iterator[ClaimsWorld]:
    """A new office for every test, under the shipped rule books: covered days are claimed."""
    module_database.empty()
    yield offices.opened(module_database.url)
    db.disconnect()
    clock.install(clock.Source())


@pytest.fixture
def office(whole_periods: None, days_office: ClaimsWorld) -> ClaimsWorld:
    """A new office for every test, under rule books by which whole periods are claimed."""
    return days_office
