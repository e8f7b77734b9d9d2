"""Fixtures: a sandbox on loopback, and Wave's API at the root of a port of its own.

The public client cuts the path off its base URL. Only HTTP stands between it and the sandbox.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from sandbox import http_client
from sandbox.server import QuietHandler, SandboxServer, app_of
from sandbox.settings import from_json
from tests.sandbox.world import LONG_S, Product, Sandbox, config


@pytest.fixture
def product() -> Iterator[Product]:
    """The server that receives the webhooks."""
    product = Product()
    yield product
    product.stop()


@pytest.fixture
def sandbox(product: Product, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose second MTN account sends reasons as objects."""
    values = config(product.url, tmp_path / "sandbox.jsonl")
    values["mtn"][1]["reason_form"] = "object"
    server = SandboxServer(from_json(values))
    sandbox = Sandbox(server, http_client.client(base_url=server.url, timeout=LONG_S))
    yield sandbox
    sandbox.http.close()
    server.stop()


@pytest.fixture
def wave_url(sandbox: Sandbox) -> Iterator[str]:
    """The URL with Wave's API at its root."""
    inner = app_of(sandbox.running.world)

    def at_the_root(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        return inner(environ | {"PATH_INFO": "/wave" + environ["PATH_INFO"]}, start)

    server = make_server("127.0.0.1", 0, at_the_root, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
