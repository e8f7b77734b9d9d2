"""Books with payments, and a terminal on them, for the tests of commands that read."""

from collections.abc import Iterator

import pytest

from mutuelle import db
from tests.gateway.cli.world import Terminal, opened
from tests.support import books, people
from tests.support.books import Books
from tests.support.templates import Database


@pytest.fixture(scope="module")
def filled_books(module_database: Database) -> Iterator[Books]:
    people.connect(module_database.url)
    yield books.fill(people.settle_in())
    db.disconnect()


@pytest.fixture
def shell(filled_books: Books, module_database: Database) -> Iterator[Terminal]:
    with opened(module_database) as terminal:
        yield terminal
