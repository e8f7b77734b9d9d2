"""Runs the console as a real HTTP server over a real database, for browsers with or without a login."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from config.settings import Settings
from gateway.app import create_app
from mutuelle import db
from mutuelle.organisation import logins
from proving.stage.programs import free_port
from sandbox import http_client
from tests.gateway.console import world as scenes
from tests.gateway.console.world import ConsoleWorld
from tests.support.templates import Database

TOKEN = re.compile(r'name="jeton" value="(\w+)"')


@dataclass
class Visitor:
    """An HTTP client of one person; `post` sends the form token, as a page's form does."""

    http: httpx.Client

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def token(self) -> str:
        answer = self.http.get("/console/entrer")
        match = TOKEN.search(answer.text)
        assert match, answer.text
        return match[1]

    def post(self, path: str, **fields: Any) -> httpx.Response:
        return self.http.post(path, data={"jeton": self.token(), **fields})


@dataclass
class Site:
    """The address of the console, and clients for it."""

    url: str
    app: Any
    scene: ConsoleWorld
    port: int
    visitors: list[httpx.Client] = field(default_factory=list)

    @property
    def cookie(self) -> str:
        return f"gestion-{self.port}"

    def session_of(self, login: str) -> str:
        """Begins a session as the login form does. Returns its cookie."""
        person = self.scene.managers[login]
        with db.transaction(db.Role.CONSOLE, person.tenant_id) as session:
            return logins.begin_session(session, person.tenant_id, person.id)

    def visitor(self, login: str | None = None) -> Visitor:
        client = http_client.client(base_url=self.url, timeout=20)
        self.visitors.append(client)
        if login:
            client.cookies.set(self.cookie, self.session_of(login), domain="127.0.0.1", path="/")
        return Visitor(client)

    @contextmanager
    def page(
        self, browser: Browser, login: str | None = None, width: int = 360, height: int = 740
    ) -> Iterator[Page]:
        """Opens a page without JavaScript, on a small phone."""
        context = browser.new_context(
            java_script_enabled=False, viewport={"width": width, "height": height}, base_url=self.url
        )
        if login:
            context.add_cookies([{"name": self.cookie, "value": self.session_of(login), "url": self.url}])
        try:
            yield context.new_page()
        finally:
            context.close()


@pytest.fixture
def database(emptied_database: Database) -> Database:
    """Tests of this folder change rows only."""
    return emptied_database


@pytest.fixture
def scene(database: Database) -> Iterator[ConsoleWorld]:
    yield scenes.open_world(database.url)
    db.disconnect()


@pytest.fixture
def site(scene: ConsoleWorld, redis_url: str, database: Database) -> Iterator[Site]:
    with serve(scene, redis_url, database.url) as console:
        yield console


@contextmanager
def serve(scene: ConsoleWorld, redis_url: str, url: str) -> Iterator[Site]:
    """Serves the console of `scene`, whose database is at `url`."""
    port = free_port()
    settings = Settings(
        database_url=url,
        redis_url=redis_url,
        public_url=f"http://127.0.0.1:{port}",
        secret_key="s" * 32,
        phone_key="p" * 32,
        at_username="sandbox",
        at_api_key="key",
    )
    app = create_app(settings)
    server = make_server("127.0.0.1", port, app, threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    site = Site(f"http://127.0.0.1:{port}", app, scene, port)
    yield site
    for client in site.visitors:
        client.close()
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["mutuelle"].redis.close()
