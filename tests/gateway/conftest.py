"""A stranger on loopback: an HTTP server whose answers the test writes, and which records all requests."""

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
class ReceivedRequest:
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
    requests: list[ReceivedRequest] = field(default_factory=list)
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: ReceivedRequest) -> Any:
        self.requests.append(request)
        answer = self.answers.get((request.method, request.path), (404, {"code": "RESOURCE_NOT_FOUND"}))
        return answer.pop(0) if isinstance(answer, list) else answer

    def requests_to(self, method: str, path: str) -> list[ReceivedRequest]:
        return [request for request in self.requests if (request.method, request.path) == (method, path)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        stranger: Stranger = self.server.stranger  # type: ignore[attr-defined]
        request = ReceivedRequest(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
        answer = stranger.answer(request)
        if answer in ("hang", "drop"):
            if answer == "hang":
                stranger.over.wait(20)
            self.close_connection = True
            return
        status, content, *more = answer
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
    # Some tests need a client that leaves early.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.stranger = stranger = Stranger(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield stranger
    stranger.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def clients() -> Iterator[dict[bool, httpx.Client]]:
    """A client with a long time-out, and one with a short one for a stranger that hangs."""
    with (
        httpx.Client(timeout=10, trust_env=False) as patient,
        httpx.Client(timeout=0.3, trust_env=False) as hasty,
    ):
        yield {False: patient, True: hasty}


@pytest.fixture
def http(request: pytest.FixtureRequest, clients: dict[bool, httpx.Client]) -> httpx.Client:
    """Like the adapters' client. Its time-out is short only if the test's parameter `answer` is `hang`."""
    callspec = getattr(request.node, "callspec", None)
    return clients[callspec is not None and callspec.params.get("answer") == "hang"]


@pytest.fixture
def unreachable_url() -> str:
    """An address where nothing listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    port = server.server_port
    server.server_close()
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def web(module_database: Database, redis_server: Redis) -> Iterator[WebWorld]:
    """The product's webhooks on a database and a Redis of this module."""
    world = WebWorld(module_database, redis_server.url)
    with world.cache() as cache:
        cache.flushall()
    yield world
    db.disconnect()
