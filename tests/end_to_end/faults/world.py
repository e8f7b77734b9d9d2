"""Real processes to break: two workers of each kind behind taps on their wire to PostgreSQL, and households.

Tests poll and never sleep; `FaultWorld.must_be_true` compares the books with the true movements of money.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg

from gateway.cli import true_movements
from mutuelle import clock, crypto, db
from mutuelle.verification import verify
from proving.demo import demo
from proving.stage import server_files
from proving.stage.stage import PROGRAMS, Stage
from proving.stage.wire_tap import HttpRequests, Moment, Tap, Trap
from sandbox import http_client
from tests.end_to_end.faults.operator_callbacks import signed
from tests.end_to_end.stories.world import RWANDA, SENEGAL, TODAY, Phone, StoryWorld, until

PACE = {"SWEEP_S": "1", "PULL_S": "6", "LEASE_S": "2"}  # full lengths: make chaos
SECONDS = {
    f"{name}-2": PROGRAMS[name] for name in ("worker-money", "worker-messages", "worker-daily", "scheduler")
}
MONEY, MESSAGES = ("worker-money", "worker-money-2"), ("worker-messages", "worker-messages-2")
DAILY = ("worker-daily", "worker-daily-2")
SCHEDULERS = ("scheduler", "scheduler-2")
PAST_FLIGHT_S = 90  # verify counts what is younger than a minute as in flight: look later than that
CODES = {"wave": SENEGAL, "mtn": RWANDA}
JOIN = {SENEGAL: "3*1*1*2*1*808512", RWANDA: "3*1*3*2*1*808512"}


@dataclass(frozen=True)
class Request:
    """A request to pay: our reference, the household's phone and its operator."""

    ref: str
    phone: Phone
    operator: str


@dataclass(frozen=True)
class ReceivedNotice:
    """A stored notice, decrypted."""

    state: str
    outcome: str | None
    times: int
    received_at: datetime
    body: bytes


class FaultWorld(StoryWorld):
    """The stories' world, with taps on the wires to PostgreSQL and to the operators."""

    def __init__(
        self, stage: Stage, http: httpx.Client, taps: dict[str, Tap], operators: dict[str, Tap]
    ) -> None:
        super().__init__(stage, http)
        self.taps, self.operators = taps, operators

    # --- people

    def joins(self, operator: str = "wave") -> Phone:
        """Joins as a new household. Returns its phone."""
        phone = self.phone(CODES[operator])
        phone.dial(JOIN[phone.code])
        screen = phone.type("1")
        assert "Bienvenue" in screen, screen
        return phone

    def asks(self, phone: Phone) -> Request:
        """Confirms that the household pays all it owes. Returns the request."""
        phone.dial("2*1")
        screen = phone.type("1")
        assert not screen.open, screen
        query = "SELECT ref::text FROM payments WHERE payer_index = %s ORDER BY created_at DESC LIMIT 1"
        ((ref,),) = self.sql(query, crypto.blind_index(phone.number))
        return Request(ref, phone, "wave" if phone.code == SENEGAL else "mtn")

    def request(self, operator: str = "wave") -> Request:
        """Joins as a new household and asks to pay."""
        return self.asks(self.joins(operator))

    # --- operators

    def faults(self, **shares: float) -> None:
        """Sets the faults of the sandbox from now on; without arguments, none."""
        self.sandbox("POST", "/faults", seed=1, **shares)

    def drawn(self, fault: str) -> int:
        return int(self.sandbox("GET", "/faults")["drawn"][fault])

    def callback(self, operator: str, body: bytes, *, age_s: int = 0, secret: str = "", ref: str = "") -> int:
        """Posts a callback, signed with the operator's or another secret. Returns the HTTP status."""
        ((code, address),) = [
            (code, address)
            for code, address in self.endpoints["momo"][operator].items()
            if code in ("SN-DIENDER", "RW-HUYE")
        ]
        (account,) = [row for row in self.stage.seeded["sandbox"][operator] if row["account"] == code]
        headers = (
            signed(body, secret or account["signing_secret"], self.now(), age_s) if operator == "wave" else {}
        )
        return self.http.post(
            address["callback"] + (f"/{ref}" if ref else ""), content=body, headers=headers
        ).status_code

    def answers(self, request: Request, prompt: str, answer: str) -> None:
        """Answers this prompt as the payer, also one that was declined before."""
        self.sandbox("POST", f"/phones/{request.phone.number}/prompts/{prompt}", answer=answer)

    @contextmanager
    def later_outside(self, seconds: int) -> Iterator[None]:
        """Sets the sandbox's clock ahead for the time of the block: delayed callbacks come now."""
        shift = self.sandbox("GET", "/clock")["shift_s"]
        self.sandbox("POST", "/clock", shift_s=shift + seconds)
        try:
            yield
        finally:
            self.sandbox("POST", "/clock", shift_s=shift)

    def now(self) -> datetime:
        """Returns the sandbox's time."""
        return clock.parse(self.sandbox("GET", "/clock")["now"])

    # --- results

    def status(self, request: Request) -> str:
        ((status,),) = self.sql("SELECT status FROM payments WHERE ref::text = %s", request.ref)
        return str(status)

    def notices(self, request: Request) -> list[ReceivedNotice]:
        """Returns the notices about this request, oldest first."""
        query = (
            "SELECT state, outcome, times, received_at, body FROM notices"
            " WHERE named_ref::text = %s ORDER BY received_at"
        )
        return [ReceivedNotice(*row[:4], crypto.open_words(row[4])) for row in self.sql(query, request.ref)]

    def rejected(self) -> int:
        """Returns how many notices are stored as rejected."""
        return int(self.sql("SELECT count(*) FROM notices WHERE state = 'rejected'")[0][0])

    def flags(self, request: Request) -> list[str]:
        query = "SELECT kind FROM flags WHERE subject = %s ORDER BY kind"
        return [kind for (kind,) in self.sql(query, f"payment:{request.ref}")]

    def moved(self, phone: Phone) -> int:
        """Returns how many payments of this phone the operators carried out."""
        return sum(row["payer"] == phone.number for row in self.sandbox("GET", "/truth"))

    def receipts(self, request: Request) -> int:
        return int(self.sql("SELECT count(*) FROM receipts WHERE reference = %s", request.ref)[0][0])

    def paid_once(self, request: Request, status: str = "confirmed", *, hurried: bool = False) -> None:
        """Checks that the money moved once, with one receipt and SMS. `hurried` skips retry pauses."""

        def settled() -> bool:
            self.hurry() if hurried else None
            return self.status(request) == status and self.receipts(request) > 0

        until(settled, what=f"{status}: {self.status(request)}")
        request.phone.wait_sms("réf")
        assert (self.moved(request.phone), self.receipts(request)) == (1, 1)
        assert [text for text in request.phone.sms if "réf" in text] == [request.phone.wait_sms("réf")]

    def settles(self, request: Request, *, status: str = "confirmed") -> None:
        """Approves as the payer; then checks as `paid_once`."""
        request.phone.answer()
        self.paid_once(request, status)

    def must_be_true(self) -> None:
        """Waits until nothing is waiting, then checks every invariant and the true movements."""
        self.hurry()
        until(lambda: not self.waiting(), what="an empty inbox and outbox")

        def verified() -> verify.VerifyReport | None:
            movements = true_movements.read(f"{self.stage.sandbox_url}/truth")
            with db.transaction(db.Role.AUDITOR) as session:
                report = verify.run(session, movements)
            broken[:] = report.broken
            return None if report.broken else report

        broken: list[str] = []
        with self.as_one_of_us(seconds=PAST_FLIGHT_S):
            try:
                truth = until(verified).totals["truth"]
            except AssertionError:
                raise AssertionError(broken) from None
        assert truth["matched"] == truth["movements"]

    def waiting(self) -> list[tuple[Any, ...]]:
        """Returns the tasks and notices that wait. Polls last as long as their request, so they do not count;
        nor does a delivery report that waits two minutes for the SMS of a killed worker."""
        tasks = "SELECT kind, outcome, attempts FROM outbox WHERE state = 'waiting' AND kind <> 'poll'"
        notices = "SELECT door, outcome, attempts FROM notices WHERE state = 'new' AND door = 'momo'"
        return self.sql(f"{tasks} UNION ALL {notices}")

    @contextmanager
    def as_one_of_us(self, *, days: int = 0, seconds: int = 0) -> Iterator[None]:
        """Connects this process to the product's database, at another time than the product's."""
        clock.install(clock.Source(shift_s=int(self.stage.env["CLOCK_SHIFT"]) + 86_400 * days + seconds))
        db.connect(self.stage.env["DATABASE_URL"])
        try:
            yield
        finally:
            db.disconnect()
            clock.install(clock.Source())

    def blocked(self) -> int:
        """Returns how many of the product's statements wait for a lock."""
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mutuelle' AND wait_event_type = 'Lock'"
        )
        return int(self.sql(query)[0][0])

    # --- faults of our own processes

    def trap(
        self,
        programs: Sequence[str],
        *,
        at: str = "COMMIT",
        after: Sequence[str] = (),
        moment: Moment = "before",
    ) -> Trap:
        """Arms a trap at the wire of each of these programs; it holds the first that reaches it."""
        trap = Trap(at=at, after=after, moment=moment)
        for name in programs:
            self.taps[name].arm(trap)
        return trap

    def trap_answer(self, request: str) -> Trap:
        """Arms a trap that holds the operators' answer to a request that begins with these words."""
        trap = Trap(at=request, moment="after")
        for tap in self.operators.values():
            tap.arm(trap)
        return trap

    def do(self, order: str, *values: object) -> None:
        """Changes the product's database directly, past row-level security."""
        with psycopg.connect(self.stage.postgres.superuser_url("mutuelle")) as connection:
            connection.execute(order, values)

    def hurry(self) -> None:
        """Makes all waiting tasks and notices due now: no test waits for a retry pause."""
        past = f"now() + interval '{self.stage.env['CLOCK_SHIFT']} s' - interval '1 minute'"
        self.do(
            f"UPDATE outbox SET due_at = {past}"
            f" WHERE state = 'waiting' AND kind <> 'remind' AND due_at > {past}"
        )
        self.do(
            f"UPDATE notices SET due_at = {past} WHERE state = 'new' AND door = 'momo' AND due_at > {past}"
        )

    def mend(self) -> None:
        """Restarts what fell, as `make run` does."""
        for name in self.stage.fallen():
            self.stage.restart(name)


@contextmanager
def fault_world(state_dir: Path) -> Iterator[FaultWorld]:
    """Starts everything but the second scheduler, on 22 November 2026 at nine."""
    shift = int((TODAY - datetime.now(UTC)).total_seconds())
    try:
        with Stage(
            state_dir, programs={**PROGRAMS, **SECONDS}, settings={**PACE, "CLOCK_SHIFT": str(shift)}
        ) as stage:
            stage.seed(demo.seed)
            crypto.use(stage.env["PHONE_KEY"], stage.env["SECRET_KEY"])
            taps, operators = tapped(stage)
            stage.start(*(name for name in stage.programs if name != "scheduler-2"))
            with http_client.client(timeout=30) as http:
                yield FaultWorld(stage, http, taps, operators)
            for tap in (*taps.values(), *operators.values()):
                tap.close()
    finally:
        server_files.forget(state_dir)


def tapped(stage: Stage) -> tuple[dict[str, Tap], dict[str, Tap]]:
    """Puts a tap on each wire to PostgreSQL, and on each money worker's wire to the operators."""
    taps = {
        name: Tap(name, lambda: stage.postgres.port)
        for name in ("web", *MONEY, *MESSAGES, *DAILY, *SCHEDULERS)
    }
    operators = {name: Tap(name, lambda: stage.sandbox_port, protocol=HttpRequests) for name in MONEY}
    for name, tap in taps.items():
        stage.give(
            name,
            {"DATABASE_URL": stage.env["DATABASE_URL"].replace(f":{stage.postgres.port}/", f":{tap.port}/")},
        )
    for name, tap in operators.items():
        wallets = ("MTN_BASE_URL", "WAVE_BASE_URL")
        stage.give(
            name, {key: stage.env[key].replace(f":{stage.sandbox_port}/", f":{tap.port}/") for key in wallets}
        )
    return taps, operators
