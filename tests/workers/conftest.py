"""A world for every worker test: its books are checked afterwards; no socket is used in a transaction."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from mutuelle import db
from proving.stage.servers import Redis
from tests.support.templates import Database
from tests.workers.world import SeededWeb, WorkerWorld, build_world, seeded_web


@pytest.fixture(autouse=True)
def _no_socket_inside_a_transaction() -> Iterator[None]:
    """Fails the test even where our code catches the error, as a batch does."""
    caught: list[str] = []

    def guarded(name: str) -> Any:
        real = getattr(socket.socket, name)

        def use(self: socket.socket, *args: Any, **kwargs: Any) -> Any:
            if db.in_transaction():
                caught.append(name)
                raise AssertionError(f"socket.{name} inside a transaction")
            return real(self, *args, **kwargs)

        return mock.patch.object(socket.socket, name, use)

    with guarded("connect"), guarded("send"), guarded("sendall"):
        yield
    assert caught == []


@pytest.fixture(scope="module")
def web(module_database: Database, redis_server: Redis) -> Iterator[SeededWeb]:
    """Our web application and the demo's three mutuelles, which each test finds as they were seeded."""
    with seeded_web(module_database, redis_server.url) as web:
        yield web


@pytest.fixture
def town(web: SeededWeb, redis_url: str, tmp_path: Path) -> Iterator[WorkerWorld]:
    """The demo's three mutuelles and a sandbox. Afterwards each movement of money is in the books, once."""
    with build_world(web, tmp_path) as town:
        yield town
        town.check_books()
