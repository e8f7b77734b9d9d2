"""Builds the town once for all tests of a module."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from tests.gateway.conftest import stranger  # noqa: F401  # a fixture
from tests.mutuelle.reports import world as towns
from tests.mutuelle.reports.world import ReportsWorld
from tests.support.templates import Database


@pytest.fixture(scope="module")
def settled(module_database: Database) -> Iterator[ReportsWorld]:
    yield towns.settle(module_database)
    db.disconnect()
    clock.install(clock.Source())
