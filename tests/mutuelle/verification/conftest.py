"""The books that the tests of `verify` read: written once for a file, each test breaks its own copy."""

from collections.abc import Iterator

import pytest

from mutuelle import db
from tests.support import books, people
from tests.support.books import Books
from tests.support.templates import Database


@pytest.fixture(scope="module")
def books_of_the_module(module_database: Database) -> Iterator[Books]:
    people.connect(module_database.url)
    yield books.fill(people.settle_in())
    db.disconnect()


@pytest.fixture
def filled_books(books_of_the_module: Books, module_database: Database) -> Books:
    people.connect(module_database.url)
    return books_of_the_module
