"""The web application on a real database and Redis, with a client that calls its webhooks."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from psycopg import sql
from werkzeug.test import TestResponse

from config.settings import Settings
from gateway.app import create_app
from mutuelle import clock
from sandbox.gsm7 import septets
from tests.support import people
from tests.support.people import CREDENTIALS, TOKEN
from tests.support.templates import Database

USSD, EVENTS = f"/ussd/africastalking/{TOKEN}", f"/ussd/africastalking/{TOKEN}/events"
SMS = f"/sms/africastalking/{TOKEN}"
WAVE, MTN = f"/momo/wave/{TOKEN}-SN/callback", f"/momo/mtn/{TOKEN}-RW/callback"
INSIDE = ("Traceback", "sqlalchemy", "psycopg", "SELECT ", "Error", "gateway/", "mutuelle_", TOKEN)


class WebWorld:
    """`create_app` behind Flask's client. No answer may show internals such as SQL or tokens."""

    def __init__(self, database: Database, redis_url: str) -> None:
        self.database, self.redis_url = database, redis_url
        people.connect(database.url)
        self.world = people.settle_in()
        keys = {"secret_key": "s" * 32, "phone_key": "p" * 32, "at_username": "sandbox", "at_api_key": "key"}
        settings = {
            "database_url": database.url,
            "redis_url": redis_url,
            "public_url": "http://127.0.0.1:8000",
            **keys,
        }
        self.client = create_app(Settings(**settings)).test_client()

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        answer = self.client.open(path, method=method, **options)
        shown = answer.get_data(as_text=True)
        assert not [word for word in INSIDE if word in shown], shown
        return answer

    def turn(self, text: str = "", session: str = "", **more: str | None) -> TestResponse:
        """Sends one USSD request, without the fields that are None. A screen in the answer must be valid."""
        session = session or f"ATUid_{uuid.uuid4().hex}"
        form = {"sessionId": session, "phoneNumber": phone_of(session), "networkCode": "99999",
                "serviceCode": "*384*55#", "text": text} | more  # fmt: skip
        answer = self.send(
            "POST", USSD, data={name: value for name, value in form.items() if value is not None}
        )
        if answer.status_code == 200:
            screen(answer)
        return answer

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query that ignores row-level security."""
        with self.database.superuser() as connection:
            return connection.execute(query, values).fetchall()

    def change(self, query: str, *values: object) -> None:
        with self.database.superuser() as connection:
            connection.execute(query, values)

    def cache(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url)

    @contextmanager
    def no_database(self) -> Iterator[None]:
        """PostgreSQL refuses connections until the end of the block."""
        order, name = "ALTER DATABASE {} ALLOW_CONNECTIONS {}", sql.Identifier(self.database.name)
        server = self.database.server
        cut = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}")
        server.execute(
            sql.SQL(order).format(name, sql.SQL("false")), cut.format(sql.Literal(self.database.name))
        )
        try:
            yield
        finally:
            server.execute(sql.SQL(order).format(name, sql.SQL("true")))


def phone_of(session: str) -> str:
    """A different phone for each session, so that no session resumes another one's dialogue."""
    return f"+22176{int.from_bytes(hashlib.sha256(session.encode()).digest()[:3]) % 10**7:07d}"


def screen(answer: TestResponse) -> str:
    """The text of a valid screen: 200, text/plain, the prefix, at most 160 septets of GSM-7, not stored."""
    shown = answer.get_data(as_text=True)
    assert answer.status_code == 200, shown
    assert answer.mimetype == "text/plain"
    assert answer.headers["Cache-Control"] == "no-store"
    assert shown.startswith(("CON ", "END ")), shown
    assert (septets(shown) or 999) <= 160, shown
    return shown


def signed(
    body: bytes, *, secret: str = CREDENTIALS["wave"]["signing_secrets"], age_s: int = 0
) -> dict[str, str]:
    """Wave's headers for `body`."""
    stamp = str(int(clock.now().timestamp()) - age_s)
    digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest()
    return {"Wave-Signature": f"t={stamp},v1={digest}", "Content-Type": "application/json"}


def event(**data: Any) -> bytes:
    """A Wave event about a session of ours, with a new id."""
    session = {
        "id": "cos-1",
        "client_reference": str(uuid.uuid4()),
        "checkout_status": "complete",
        "payment_status": "succeeded",
        "amount": "5000",
        "currency": "XOF",
        "transaction_id": "TCN4Y4ZC3FM",
    } | data
    return json.dumps(
        {"id": f"EV_{uuid.uuid4().hex[:12]}", "type": "checkout.session.completed", "data": session}
    ).encode()
