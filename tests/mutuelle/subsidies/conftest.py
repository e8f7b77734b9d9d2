"""An office in a database of its own, or one for a whole module that is emptied before each test."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from tests.mutuelle.subsidies import world as offices
from tests.mutuelle.subsidies.world import ClaimsWorld
from tests.support.templates import Database


@pytest.fixture
def office(module_database: Database) -> Iterator[ClaimsWorld]:
    """Begins anew for every test."""
    module_database.empty()
    yield offices.opened(module_database.url)
    db.disconnect()
    clock.install(clock.Source())
