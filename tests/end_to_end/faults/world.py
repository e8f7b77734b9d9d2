"""Real processes to break: two workers of each kind behind taps on their wire to PostgreSQL, and households
that pay.

Nothing is slept for: what must become true is waited for, and `Ground.must_be_true` compares the books with
what really moved.
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
from tests.end_to_end.faults.voices import signed
from tests.end_to_end.stories.world import RWANDA, SENEGAL, TODAY, Phone, StoryWorld, until

PACE = {"SWEEP_S": "1", "PULL_S": "2", "LEASE_S": "2"}  # full lengths: make chaos
SECONDS = {
    f"{name}-2": PROGRAMS[name] for name in ("worker-money", "worker-messages", "worker-daily", "scheduler")
}
MONEY, MESSAGES = ("worker-money", "worker-money-2"), ("worker-messages", "worker-messages-2")
DAILY = ("worker-daily", "worker-daily-2")
SCHEDULERS = ("scheduler", "scheduler-2")
PAST_FLIGHT_S = 90  # what is younger than a minute counts as in flight: nothing may hide there
CODES = {"wave": SENEGAL, "mtn": RWANDA}
JOIN = {SENEGAL: "3*1*1*2*1*808512", RWANDA: "3*1*3*2*1*808512"}


@dataclass(frozen=True)
class Request:
    """A payment under way: our reference, and the household that asked."""

    ref: str
    phone: Phone
    operator: str


@dataclass(frozen=True)
class Told:
    """One notice, with its words."""

    state: str
    outcome: str | None
    times: int
    received_at: datetime
    words: bytes


class FaultWorld(StoryWorld):
    """The world of the stories, with a tap on each program's wire to PostgreSQL, and on the money workers' to
    operators."""

    def __init__(
        self, stage: Stage, http: httpx.Client, taps: dict[str, Tap], operators: dict[str, Tap]
    ) -> None:
        super().__init__(stage, http)
        self.taps, self.operators = taps, operators

    # --- people

    def joins(self, operator: str = "wave") -> Phone:
        """A household that has just joined."""
        phone = self.phone(CODES[operator])
        phone.dial(JOIN[phone.code])
        said = phone.type("1")
        assert "Bienvenue" in said, said
        return phone

    def asks(self, phone: Phone) -> Request:
        """The household confirms that it wants to pay all it owes."""
        phone.dial("2*1")
        said = phone.type("1")
        assert not said.open, said
        query = "SELECT ref::text FROM payments WHERE payer_index = %s ORDER BY created_at DESC LIMIT 1"
        ((ref,),) = self.sql(query, crypto.blind_index(phone.number))
        return Request(ref, phone, "wave" if phone.code == SENEGAL else "mtn")

    def request(self, operator: str = "wave") -> Request:
        """A new household asks to pay."""
        return self.asks(self.joins(operator))

    # --- operators

    def faults(self, **shares: float) -> None:
        """What goes wrong outside from now on; nothing when nothing is named."""
        self.sandbox("POST", "/faults", seed=1, **shares)

    def drawn(self, fault: str) -> int:
        return int(self.sandbox("GET", "/faults")["drawn"][fault])

    def callback(self, operator: str, body: bytes, *, age_s: int = 0, secret: str = "", ref: str = "") -> int:
        """Somebody posts to our callback address, signed with the operator's secret or another one; the
        status we answer."""
        ((code, told),) = [
            one for one in self.endpoints["momo"][operator].items() if one[0] in ("SN-DIENDER", "RW-HUYE")
        ]
        (theirs,) = [one for one in self.stage.seeded["sandbox"][operator] if one["account"] == code]
        headers = (
            signed(body, secret or theirs["signing_secret"], self.now(), age_s) if operator == "wave" else {}
        )
        return self.http.post(
            told["callback"] + (f"/{ref}" if ref else ""), content=body, headers=headers
        ).status_code

    def answers(self, request: Request, prompt: str, answer: str) -> None:
        """The payer answers this prompt, also one that was put away before."""
        self.sandbox("POST", f"/phones/{request.phone.number}/prompts/{prompt}", answer=answer)

    @contextmanager
    def later_outside(self, seconds: int) -> Iterator[None]:
        """Outside it is later, for a while: what was to come then comes now."""
        shift = self.sandbox("GET", "/clock")["shift_s"]
        self.sandbox("POST", "/clock", shift_s=shift + seconds)
        try:
            yield
        finally:
            self.sandbox("POST", "/clock", shift_s=shift)

    def now(self) -> datetime:
        """The time outside."""
        return clock.parse(self.sandbox("GET", "/clock")["now"])

    # --- what came of it

    def status(self, request: Request) -> str:
        ((status,),) = self.sql("SELECT status FROM payments WHERE ref::text = %s", request.ref)
        return str(status)

    def notices(self, request: Request) -> list[Told]:
        """What came about this request, oldest first."""
        query = "SELECT state, outcome, times, received_at, body FROM notices WHERE named_ref::text = %s ORDER BY received_at"
        return [Told(*row[:4], crypto.open_words(row[4])) for row in self.sql(query, request.ref)]

    def rejected(self) -> int:
        """How many messages are kept as rejected."""
        return int(self.sql("SELECT count(*) FROM notices WHERE state = 'rejected'")[0][0])

    def flags(self, request: Request) -> list[str]:
        query = "SELECT kind FROM flags WHERE subject = %s ORDER BY kind"
        return [kind for (kind,) in self.sql(query, f"payment:{request.ref}")]

    def moved(self, phone: Phone) -> int:
        """How many payments of this phone really moved."""
        return sum(one["payer"] == phone.number for one in self.sandbox("GET", "/truth"))

    def receipts(self, request: Request) -> int:
        return int(self.sql("SELECT count(*) FROM receipts WHERE reference = %s", request.ref)[0][0])

    def paid_once(self, request: Request, status: str = "confirmed", *, hurried: bool = False) -> None:
        """The money moved once, and has one receipt, and the household one SMS about it. `hurried` spares the
        pauses."""

        def settled() -> bool:
            self.hurry() if hurried else None
            return self.status(request) == status and self.receipts(request) > 0

        until(settled, what=f"{status}: {self.status(request)}")
        request.phone.wait_sms("réf")
        assert (self.moved(request.phone), self.receipts(request)) == (1, 1)
        assert [text for text in request.phone.sms if "réf" in text] == [request.phone.wait_sms("réf")]

    def settles(self, request: Request, *, status: str = "confirmed") -> None:
        """The payer agrees; then as `paid_once`."""
        request.phone.answer()
        self.paid_once(request, status)

    def must_be_true(self) -> None:
        """Once nothing waits any more: every invariant holds, and not one franc is lost, doubled or
        invented."""
        self.hurry()
        until(lambda: not self.waiting(), what="everything asked, understood and said")

        def found() -> verify.VerifyReport | None:
            movements = true_movements.read(f"{self.stage.sandbox_url}/truth")
            with db.transaction(db.Role.AUDITOR) as session:
                told = verify.run(session, movements)
            broken[:] = told.broken
            return None if told.broken else told

        broken: list[str] = []
        with self.as_one_of_us(seconds=PAST_FLIGHT_S):
            try:
                told = until(found).totals["truth"]
            except AssertionError:
                raise AssertionError(broken) from None
        assert told["matched"] == told["movements"]

    def waiting(self) -> list[tuple[Any, ...]]:
        """What has no end yet. A poll goes on for as long as a request is under way, and looks once more
        after that; a report about an SMS whose sender died waits two minutes for whose it is."""
        tasks = "SELECT kind, outcome, attempts FROM outbox WHERE state = 'waiting' AND kind <> 'poll'"
        return self.sql(
            f"{tasks} UNION ALL SELECT door, outcome, attempts FROM notices WHERE state = 'new' AND door = 'momo'"
        )

    @contextmanager
    def as_one_of_us(self, *, days: int = 0, seconds: int = 0) -> Iterator[None]:
        """This process looks into the product's database as one of its own, at another time than theirs."""
        clock.install(clock.Source(shift_s=int(self.stage.env["CLOCK_SHIFT"]) + 86_400 * days + seconds))
        db.connect(self.stage.env["DATABASE_URL"])
        try:
            yield
        finally:
            db.disconnect()
            clock.install(clock.Source())

    def blocked(self) -> int:
        """How many of the product's statements wait for a lock."""
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mutuelle' AND wait_event_type = 'Lock'"
        )
        return int(self.sql(query)[0][0])

    # --- breaking

    def trap(
        self,
        programs: Sequence[str],
        *,
        at: str = "COMMIT",
        after: Sequence[str] = (),
        moment: Moment = "before",
    ) -> Trap:
        """Armed at the wire of each of these programs; the first who comes there is held."""
        trap = Trap(at=at, after=after, moment=moment)
        for name in programs:
            self.taps[name].arm(trap)
        return trap

    def trap_answer(self, request: str) -> Trap:
        """Armed at the money workers' wires to operators: holds the answer to a request that begins with
        these words."""
        trap = Trap(at=request, moment="after")
        for tap in self.operators.values():
            tap.arm(trap)
        return trap

    def do(self, order: str, *values: object) -> None:
        """Change the product's database behind its back, past row-level security."""
        with psycopg.connect(self.stage.postgres.superuser_url("mutuelle")) as connection:
            connection.execute(order, values)

    def hurry(self) -> None:
        """What is to be asked, understood or said later is to be so now: nobody waits here for a pause
        between two tries."""
        past = f"now() + interval '{self.stage.env['CLOCK_SHIFT']} s' - interval '1 minute'"
        self.do(
            f"UPDATE outbox SET due_at = {past} WHERE state = 'waiting' AND kind <> 'remind' AND due_at > {past}"
        )
        self.do(
            f"UPDATE notices SET due_at = {past} WHERE state = 'new' AND door = 'momo' AND due_at > {past}"
        )

    def mend(self) -> None:
        """Whatever fell is started again, as `make run` would."""
        for name in self.stage.fallen():
            self.stage.restart(name)


@contextmanager
def broken_ground(state_dir: Path) -> Iterator[FaultWorld]:
    """Everything up but the second scheduler, on 22 November 2026 at nine."""
    shift = int((TODAY - datetime.now(UTC)).total_seconds())
    try:
        with Stage(
            state_dir, programs={**PROGRAMS, **SECONDS}, settings={**PACE, "CLOCK_SHIFT": str(shift)}
        ) as stage:
            stage.seed(demo.seed)
            crypto.use(stage.env["PHONE_KEY"], stage.env["SECRET_KEY"])
            taps, operators = tapped(stage)
            stage.start(*(name for name in stage.programs if name != "scheduler-2"))
            with httpx.Client(timeout=30, trust_env=False) as http:
                yield FaultWorld(stage, http, taps, operators)
            for tap in (*taps.values(), *operators.values()):
                tap.close()
    finally:
        server_files.forget(state_dir)


def tapped(stage: Stage) -> tuple[dict[str, Tap], dict[str, Tap]]:
    """A tap on each program's wire to PostgreSQL, and on each money worker's to the operators."""
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
