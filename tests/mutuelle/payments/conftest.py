"""The tests of payments share one database a module."""

import pytest

from tests.support.templates import Database


@pytest.fixture
def database(emptied_database: Database) -> Database:
    """Tests of this folder change rows only."""
    return emptied_database
