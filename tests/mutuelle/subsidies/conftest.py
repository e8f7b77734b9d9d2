"""Fixture: an office in the database of the test module, emptied before each test."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from tests.mutuelle.subsidies import world as offices
from tests.mutuelle.subsidies.world import ClaimsWorld
from tests.support.templates import Database


@pytest.fixture
def office(module_database: Database) -> Iterator[ClaimsWorld]:
    """A new office for every test."""
    module_database.empty()
    yield offices.opened(module_database.url)
    db.disconnect()
    clock.install(clock.Source())
