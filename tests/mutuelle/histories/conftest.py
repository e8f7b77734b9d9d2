"""Fixtures: the mutuelles of three countries, without a household."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from tests.mutuelle.histories import world
from tests.mutuelle.histories.world import Office
from tests.support.templates import Database


@pytest.fixture
def opened(module_database: Database) -> Iterator[dict[str, Office]]:
    """The mutuelle of each country, in a database that `restore` brings back to this state."""
    module_database.empty()
    offices = world.opened(module_database.url)
    module_database.keep()
    yield offices
    clock.install(clock.Source())
    db.disconnect()
