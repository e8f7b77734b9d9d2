"""The world of the worker tests: the demo's mutuelles, our web application, a worker, and a sandbox outside.

PostgreSQL, Redis and HTTP in both directions are real; only the processes are not: tests call the steps of a
worker as functions.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

from redis import Redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.serving import BaseWSGIServer, make_server

from config.settings import Settings
from gateway.app import create_app
from gateway.cli import true_movements
from gateway.doorbell import Doorbell
from mutuelle import clock, crypto, db
from mutuelle.audit import Flag
from mutuelle.enrolment import enrolment
from mutuelle.inbox import Notice
from mutuelle.messaging.messages import Message
from mutuelle.organisation import logins
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.outbox import Task
from mutuelle.payments import payments
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Allocation, Receipt
from mutuelle.verification import verify
from proving.demo import demo
from proving.stage.programs import free_port
from sandbox import http_client
from sandbox.server import QuietHandler, SandboxServer
from sandbox.settings import from_json
from tests.sandbox.world import LONG_S, Sandbox
from tests.support.people import AWA, IMANA
from tests.support.templates import Database
from workers import batch, callbacks, collect, deliver, incoming_sms, poll, transaction_lists
from workers.services import WorkerServices

PHONES = {"wave": AWA, "mtn": IMANA}
CATEGORY = {"wave": "general", "mtn": "level-3"}
PAST_FLIGHT_S = 90  # `verify` ignores what is younger than a minute, so that the check comes later


@dataclass(frozen=True)
class Home:
    """A household and the wallet of its mutuelle."""

    account: OperatorAccount
    id: UUID
    number: str
    phone: str


@dataclass
class WorkerWorld:
    """A method for each act of people and each step of a worker. `endpoints` are the demo's."""

    sandbox: Sandbox
    services: WorkerServices
    endpoints: dict[str, Any]
    database: Database
    check_truth: bool = True

    # --- people

    def account(self, operator: str) -> OperatorAccount:
        """The first wallet at `operator`."""
        with db.transaction(db.Role.AUDITOR) as session:
            query = (
                select(OperatorAccount)
                .where(OperatorAccount.operator == operator)
                .order_by(OperatorAccount.code.desc())
            )
            return session.scalars(query).first()  # type: ignore[return-value]

    def account_of(self, code: str) -> OperatorAccount:
        with db.transaction(db.Role.AUDITOR) as session:
            return session.scalars(select(OperatorAccount).where(OperatorAccount.code == code)).one()

    def joins(
        self,
        operator: str = "wave",
        phone: str = "",
        language: str = "fr",
        account: OperatorAccount | None = None,
    ) -> Home:
        """A household of three enrols; it owes 11,500 FCFA in Senegal, 15,000 RWF in Rwanda."""
        account, phone = account or self.account(operator), phone or PHONES[operator]
        with db.transaction(db.Role.APP, account.tenant_id) as session:
            home = enrolment.enrol(
                session,
                account.tenant_id,
                enrolment.NewHousehold(
                    phone=phone,
                    language=language,
                    category=CATEGORY[operator],
                    birth_years=[1985, 1990, 2015],
                    adults=2,
                    consent="1",
                    channel="ussd",
                ),
            )
        return Home(account, home.id, home.number, phone)

    def asks(self, home: Home, amount: int = 3_000, key: str = "first") -> Payment:
        """The household confirms a payment in the dialogue."""
        with db.transaction(db.Role.APP, home.account.tenant_id) as session:
            return payments.request(
                session,
                home.account.tenant_id,
                home.id,
                amount=amount,
                operator=home.account.operator,
                payer=home.phone,
                effect_key=f"{home.id}:{key}",
            )

    def prompts(self, home: Home) -> list[dict[str, Any]]:
        """The prompts that wait for the subscriber at the operator."""
        return self.sandbox.get(f"/phones/{home.phone}/prompts")  # type: ignore[no-any-return]

    def answers(self, home: Home, answer: str = "approve", quiet: bool = True) -> None:
        """The subscriber answers the one prompt that waits; `quiet` waits until every callback has come."""
        (prompt,) = self.prompts(home)
        self.sandbox.post(f"/phones/{home.phone}/prompts/{prompt['id']}", {"answer": answer})
        if quiet:
            self.sandbox.quiet()

    def pays_unasked(self, account: OperatorAccount, phone: str, amount: int) -> str:
        payload = {"from": phone, "to": account.code, "amount": amount}
        transaction: str = self.sandbox.post("/operators/wave/pay", payload)["transaction"]
        self.sandbox.quiet()
        return transaction

    def reverse(self, transaction: str) -> None:
        self.sandbox.post("/operators/wave/reverse", {"transaction": transaction})

    # --- the world

    def faults(self, **shares: float) -> None:
        self.sandbox.post("/faults", {"seed": 1, **shares})

    def truth(self) -> list[dict[str, Any]]:
        return self.sandbox.get("/truth")  # type: ignore[no-any-return]

    def pass_time(self, seconds: int) -> None:
        """Moves our clock and the sandbox's."""
        self.sandbox.pass_time(seconds)
        clock.install(clock.Source(shift_s=int(self.sandbox.get("/clock")["shift_s"])))

    def calls_back(
        self,
        operator: str,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        ref: str = "",
        code: str = "",
    ) -> int:
        """Posts to our callback URL. Returns the HTTP status."""
        code = code or self.account(operator).code
        url = self.endpoints["momo"][operator][code]["callback"] + (f"/{ref}" if ref else "")
        return self.sandbox.http.post(url, content=body, headers=headers).status_code

    # --- workers

    def collect(self) -> int:
        return collect.run(self.services)

    def read_callbacks(self) -> int:
        return callbacks.run(self.services)

    def poll(self) -> int:
        return poll.run(self.services)

    def pull(self) -> int:
        return transaction_lists.run(self.services)

    def deliver(self) -> int:
        return deliver.run(self.services)

    def read_incoming_sms(self) -> int:
        return incoming_sms.run(self.services)

    def work(self) -> None:
        """Does what is due in the queue `money`, once."""
        for step in (self.read_callbacks, self.collect, self.poll, self.pull):
            step()

    # --- outcomes

    def status(self, payment: Payment) -> str:
        with db.transaction(db.Role.AUDITOR) as session:
            return session.get_one(Payment, (payment.tenant_id, payment.id)).status

    def parts(self) -> dict[str, int]:
        """The sums of all received money by kind of allocation."""
        with db.transaction(db.Role.AUDITOR) as session:
            query = select(Allocation.kind, func.sum(Allocation.amount)).group_by(Allocation.kind)
            return {kind: int(units) for kind, units in session.execute(query) if units}

    def receipts(self) -> list[Receipt]:
        return self._all(select(Receipt).order_by(Receipt.recorded_at))

    def flags(self) -> list[str]:
        return self._all(select(Flag.kind).order_by(Flag.kind))

    def notices(self) -> list[Notice]:
        return self._all(select(Notice).order_by(Notice.received_at))

    def messages(self) -> list[Message]:
        return self._all(select(Message).order_by(Message.created_at))

    def sms(self) -> list[str]:
        """The kinds of SMS queued after the welcome."""
        return [message.kind for message in self.messages() if message.kind != "welcome"]

    def tasks(self, kind: str) -> list[Task]:
        return self._all(select(Task).where(Task.kind == kind).order_by(Task.created_at))

    def _all(self, query: Any) -> list[Any]:
        with db.transaction(db.Role.AUDITOR) as session:
            return list(session.scalars(query))

    def check_books(self) -> None:
        """Checks every invariant, and that our receipts are the sandbox's true movements."""
        movements = true_movements.read(f"{self.sandbox.running.url}/truth") if self.check_truth else None
        shift = int(self.sandbox.get("/clock")["shift_s"])
        clock.install(clock.Source(shift_s=shift + PAST_FLIGHT_S))
        with db.transaction(db.Role.AUDITOR) as session:
            report = verify.run(session, movements)
        clock.install(clock.Source(shift_s=shift))
        assert report.broken == [], report.broken


def as_worker(tenant_id: UUID, act: Callable[[Session], Any]) -> Any:
    """Calls `act` in one transaction of the worker."""
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        return act(session)


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Calls `act` `count` times at once. Returns what each call returned or raised."""
    start, outcomes = threading.Barrier(count), [None] * count

    def run(place: int) -> None:
        start.wait()
        try:
            outcomes[place] = act(place)
        except Exception as error:
            outcomes[place] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def settings_for(database: Database, redis_url: str, web_url: str, sandbox_url: str) -> Settings:
    return Settings(
        database_url=database.url,
        redis_url=redis_url,
        public_url=web_url,
        secret_key="s" * 32,
        phone_key="p" * 32,
        at_username="sandbox",
        at_api_key="at-key",
        at_base_url=f"{sandbox_url}/africastalking",
        mtn_base_url=f"{sandbox_url}/mtn",
        mtn_target_environment="mtnrwanda",
        wave_base_url=f"{sandbox_url}/wave",
    )


@dataclass
class SeededWeb:
    """The demo's mutuelles in a database, and our web application that serves them; for many tests."""

    database: Database
    settings: Settings
    seeded: dict[str, Any]


@contextmanager
def seeded_web(database: Database, redis_url: str) -> Iterator[SeededWeb]:
    """Seeds the demo and serves the web application."""
    web_port, sandbox_port = free_port(), free_port()
    web_url, sandbox_url = f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{sandbox_port}"
    settings = settings_for(database, redis_url, web_url, sandbox_url)
    env = {name.upper(): str(value) for name, value in settings.model_dump().items()}
    clock.install(clock.Source())
    database.empty()
    # No manager logs in here, and hashing a password takes half a second.
    with mock.patch.object(logins, "COST", 2):
        seeded = demo.seed(env, sandbox_url, web_url)
    db.disconnect()
    database.keep()
    server = make_server(
        "127.0.0.1", web_port, create_app(settings), threaded=True, request_handler=QuietHandler
    )
    with _serving(server):
        yield SeededWeb(database, settings, seeded | {"sandbox": seeded["sandbox"] | {"port": sandbox_port}})


@contextmanager
def build_world(web: SeededWeb, folder: Path) -> Iterator[WorkerWorld]:
    """Starts a sandbox beside the freshly seeded mutuelles; stops it afterwards."""
    settings = web.settings
    with ExitStack() as started:  # stops what was started, also after a failure on the way
        started.callback(clock.install, clock.Source())
        clock.install(clock.Source())
        crypto.use(settings.phone_key, settings.secret_key)
        web.database.restore()
        started.callback(db.disconnect)
        db.connect(web.database.url, pool=batch.CONNECTIONS, wait_s=30)
        journal = {"journal": str(folder / "sandbox.jsonl")}
        outside = SandboxServer(from_json(web.seeded["sandbox"] | journal))
        started.callback(outside.stop)
        http = started.enter_context(http_client.client(base_url=outside.url, timeout=LONG_S))
        redis = started.enter_context(Redis.from_url(settings.redis_url))
        yield WorkerWorld(
            Sandbox(outside, http),
            WorkerServices(settings, redis, Doorbell(redis)),
            web.seeded["endpoints"],
            web.database,
        )


@contextmanager
def _serving(web: BaseWSGIServer) -> Iterator[None]:
    serving = threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield
    finally:
        web.shutdown()
        serving.join()
        web.server_close()
