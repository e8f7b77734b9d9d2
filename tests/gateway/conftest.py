"""A stranger on loopback: real HTTP, answers written by the test, everything said to it kept."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from mutuelle import db
from proving.stage.servers import Redis
from tests.gateway.hooks.world import WebWorld
from tests.support.templates import Database


@dataclass
class Heard:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Stranger:
    """`answers[(method, path)]` is (status, body[, headers]), or a list of such answers used up one by one.

    `"hang"` never answers; `"drop"` closes the connection without an answer.
    """

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, heard: Heard) -> Any:
        self.heard.append(heard)
        said = self.answers.get((heard.method, heard.path), (404, {"code": "RESOURCE_NOT_FOUND"}))
        if isinstance(said, list):
            said = said.pop(0)
        return said

    def asked(self, method: str, path: str) -> list[Heard]:
        return [heard for heard in self.heard if (heard.method, heard.path) == (method, path)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        where = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        stranger: Stranger = self.server.stranger  # type: ignore[attr-defined]
        said = stranger.answer(Heard(self.command, where.path, dict(parse_qsl(where.query)), headers, body))
        if said in ("hang", "drop"):
            if said == "hang":
                stranger.over.wait(20)
            self.close_connection = True
            return
        status, content, *more = said
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": stranger.content_type, **(more[0] if more else {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that left early is what some tests want
    server.stranger = one = Stranger(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield one
    one.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def clients() -> Iterator[dict[bool, httpx.Client]]:
    """A patient client, and one that soon gives up on a stranger who hangs."""
    with (
        httpx.Client(timeout=10, trust_env=False) as patient,
        httpx.Client(timeout=0.3, trust_env=False) as hasty,
    ):
        yield {False: patient, True: hasty}


@pytest.fixture
def http(request: pytest.FixtureRequest, clients: dict[bool, httpx.Client]) -> httpx.Client:
    """Like the adapters' own client; hasty only where the test's own parameter is that the stranger hangs."""
    given = getattr(request.node, "callspec", None)
    return clients[given is not None and given.params.get("answer") == "hang"]


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    port = server.server_port
    server.server_close()
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def web(module_database: Database, redis_server: Redis) -> Iterator[WebWorld]:
    """The doors of the product on a database and a Redis of this module."""
    one = WebWorld(module_database, redis_server.url)
    with one.cache() as cache:
        cache.flushall()
    yield one
    db.disconnect()
