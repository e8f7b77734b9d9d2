"""The tests of payments share one database a module, and a mutuelle with two managers and Awa."""

from collections.abc import Iterator

import pytest

from mutuelle import clock
from tests.gateway.console.world import ConsoleWorld
from tests.mutuelle.payments.world import opened
from tests.support.templates import Database


@pytest.fixture
def database(emptied_database: Database) -> Database:
    """Tests of this folder change rows only."""
    return emptied_database


@pytest.fixture
def world(database: Database) -> Iterator[ConsoleWorld]:
    """Returns the mutuelle; a clock that a test moved is the machine's again afterwards."""
    with opened(database) as world:
        yield world
    clock.install(clock.Source())
