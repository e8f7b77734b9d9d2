"""Fixtures: a started sandbox on a free loopback port, and a server that records in place of the product."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import http_client
from sandbox.server import SandboxServer
from sandbox.settings import from_json
from tests.sandbox.world import LONG_S, Product, Sandbox, config


@pytest.fixture
def product() -> Iterator[Product]:
    product = Product()
    yield product
    product.stop()


@pytest.fixture
def start(product: Product, tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Starts a sandbox (again); `africastalking={…}` and the like change its configuration."""
    sandboxes: list[Sandbox] = []

    def begin(**changes: Any) -> Sandbox:
        values = config(product.url, tmp_path / "sandbox.jsonl")
        for name, value in changes.items():
            values[name] = {**values[name], **value} if isinstance(value, dict) else value
        server = SandboxServer(from_json(values))
        sandboxes.append(Sandbox(server, http_client.client(base_url=server.url, timeout=LONG_S)))
        return sandboxes[-1]

    yield begin
    for sandbox in sandboxes:
        sandbox.http.close()
        sandbox.running.stop()


@pytest.fixture
def sandbox(start: Callable[..., Sandbox]) -> Sandbox:
    return start()
