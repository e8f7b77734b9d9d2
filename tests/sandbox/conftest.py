"""A started sandbox on a free loopback port, and a tiny recording server that plays the product."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.server import Running
from sandbox.settings import from_json
from tests.sandbox.world import LONG_S, Product, Sandbox, config


@pytest.fixture
def product() -> Iterator[Product]:
    product = Product()
    yield product
    product.stop()


@pytest.fixture
def start(product: Product, tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Start a sandbox (again); `africastalking={…}` and the like change its configuration."""
    begun: list[Sandbox] = []

    def begin(**changes: Any) -> Sandbox:
        said = config(product.url, tmp_path / "sandbox.jsonl")
        for name, value in changes.items():
            said[name] = {**said[name], **value} if isinstance(value, dict) else value
        running = Running(from_json(said))
        begun.append(Sandbox(running, httpx.Client(base_url=running.url, timeout=LONG_S, trust_env=False)))
        return begun[-1]

    yield begin
    for sandbox in begun:
        sandbox.http.close()
        sandbox.running.stop()


@pytest.fixture
def sandbox(start: Callable[..., Sandbox]) -> Sandbox:
    return start()
