"""A town for the workers' tests: the demo's mutuelles, our web and one worker's hub, and the pretend world
outside.

Everything is real but the processes: PostgreSQL, Redis, HTTP both ways. Workers are called as functions, one
step at a time.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

import httpx
from redis import Redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.serving import BaseWSGIServer, make_server

from config.settings import Settings
from gateway.app import create_app
from gateway.cli import true_movements
from gateway.doorbell import Doorbell
from mutuelle import clock, db
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
from sandbox.server import QuietHandler, SandboxServer
from sandbox.settings import from_json
from tests.sandbox.world import LONG_S, Sandbox
from tests.support.people import AWA, IMANA
from tests.support.templates import Database
from workers import batch, callbacks, collect, deliver, poll, pull, sms_reports
from workers.services import WorkerServices

PHONES = {"wave": AWA, "mtn": IMANA}
CATEGORY = {"wave": "general", "mtn": "level-3"}
PAST_FLIGHT_S = 90  # what is younger than a minute counts as in flight: nothing may hide there


@dataclass(frozen=True)
class Home:
    """A household and the wallet its mutuelle collects on."""

    account: OperatorAccount
    id: UUID
    number: str
    phone: str


@dataclass
class WorkerWorld:
    """`told` are the demo's endpoints; every step of a worker has a method, and `clock` moves both worlds."""

    sandbox: Sandbox
    services: WorkerServices
    told: dict[str, Any]
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
        """A household of three signs up; it owes 11,500 FCFA in Senegal, 15,000 RWF in Rwanda."""
        account, phone = account or self.account(operator), phone or PHONES[operator]
        with db.transaction(db.Role.APP, account.tenant_id) as session:
            home = enrolment.enrol(
                session,
                account.tenant_id,
                phone=phone,
                language=language,
                category=CATEGORY[operator],
                born=[1985, 1990, 2015],
                adults=2,
                consent="1",
                channel="ussd",
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
        """What waits for the subscriber at the operator."""
        return self.sandbox.get(f"/phones/{home.phone}/prompts")  # type: ignore[no-any-return]

    def answers(self, home: Home, answer: str = "approve", quiet: bool = True) -> None:
        """The subscriber answers the one prompt that waits; `quiet` waits until every callback has come."""
        (prompt,) = self.prompts(home)
        self.sandbox.post(f"/phones/{home.phone}/prompts/{prompt['id']}", {"answer": answer})
        if quiet:
            self.sandbox.quiet()

    def pays_unasked(self, account: OperatorAccount, phone: str, amount: int) -> str:
        said = {"from": phone, "to": account.code, "amount": amount}
        transaction: str = self.sandbox.post("/operators/wave/pay", said)["transaction"]
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
        """Later, here and outside."""
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
        """Somebody posts to our callback address; the status we answer."""
        code = code or self.account(operator).code
        url = self.told["momo"][operator][code]["callback"] + (f"/{ref}" if ref else "")
        return httpx.post(url, content=body, headers=headers, trust_env=False).status_code

    # --- workers

    def collect(self) -> int:
        return collect.run(self.services)

    def reconcile(self) -> int:
        return callbacks.run(self.services)

    def poll(self) -> int:
        return poll.run(self.services)

    def pull(self) -> int:
        return pull.run(self.services)

    def deliver(self) -> int:
        return deliver.run(self.services)

    def hear(self) -> int:
        return sms_reports.run(self.services)

    def work(self) -> None:
        """Everything that is due in the queue `money`, once."""
        for step in (self.reconcile, self.collect, self.poll, self.pull):
            step()

    # --- what came of it

    def status(self, payment: Payment) -> str:
        with db.transaction(db.Role.AUDITOR) as session:
            return session.get_one(Payment, (payment.tenant_id, payment.id)).status

    def parts(self) -> dict[str, int]:
        """Where all money received is."""
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
        return [one.kind for one in self.messages() if one.kind != "welcome"]

    def tasks(self, kind: str) -> list[Task]:
        return self._all(select(Task).where(Task.kind == kind).order_by(Task.created_at))

    def _all(self, query: Any) -> list[Any]:
        with db.transaction(db.Role.AUDITOR) as session:
            return list(session.scalars(query))

    def check_books(self) -> None:
        """Nothing is lost, doubled or invented, and no invariant is broken, with nothing left in flight."""
        movements = true_movements.read(f"{self.sandbox.running.url}/truth") if self.check_truth else None
        shift = int(self.sandbox.get("/clock")["shift_s"])
        clock.install(clock.Source(shift_s=shift + PAST_FLIGHT_S))
        with db.transaction(db.Role.AUDITOR) as session:
            found = verify.run(session, movements)
        clock.install(clock.Source(shift_s=shift))
        assert found.broken == []


def as_worker(tenant_id: UUID, act: Callable[[Session], Any]) -> Any:
    """Do `act` in one transaction of the worker."""
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        return act(session)


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Do `act` `count` times at once; what each returned or raised."""
    start, came = threading.Barrier(count), [None] * count

    def one(place: int) -> None:
        start.wait()
        try:
            came[place] = act(place)
        except Exception as error:
            came[place] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=one, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


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


@contextmanager
def found(database: Database, redis_url: str, folder: Path) -> Iterator[WorkerWorld]:
    """Build the town; tear it down afterwards."""
    web_port, sandbox_port = free_port(), free_port()
    web_url, sandbox_url = f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{sandbox_port}"
    settings = settings_for(database, redis_url, web_url, sandbox_url)
    env = {name.upper(): str(value) for name, value in settings.model_dump().items()}
    with (
        ExitStack() as started
    ):  # whatever fails on the way, what was started is stopped: a thread left over never ends
        started.callback(clock.install, clock.Source())
        clock.install(clock.Source())
        with mock.patch.object(
            logins, "COST", 2
        ):  # no manager logs in here, and a good password costs half a second each
            told = demo.seed(env, sandbox_url, web_url)
        started.callback(db.disconnect)
        db.connect(database.url, pool=batch.THREADS + 2, wait_s=30)
        journal = {"port": sandbox_port, "journal": str(folder / "sandbox.jsonl")}
        outside = SandboxServer(from_json(told["sandbox"] | journal))
        started.callback(outside.stop)
        started.enter_context(_serving(make_server("127.0.0.1", web_port, create_app(settings), threaded=True,
                                                   request_handler=QuietHandler)))  # fmt: skip
        http = started.enter_context(httpx.Client(base_url=outside.url, timeout=LONG_S, trust_env=False))
        redis = started.enter_context(Redis.from_url(redis_url))
        yield WorkerWorld(
            Sandbox(outside, http),
            WorkerServices(settings, redis, Doorbell(redis)),
            told["endpoints"],
            database,
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
