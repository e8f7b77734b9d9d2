"""The whole product as real processes, and people with phones in front of it. Everything is waited for,
nothing slept for."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
import redis

from proving.demo import demo
from proving.stage import server_files
from proving.stage.stage import Stage

TODAY = datetime(2026, 11, 22, 9, tzinfo=UTC)  # the dates on the screens are then known
WITHIN_S = 45.0  # two leases, a sweep, and a busy machine
SENEGAL, RWANDA, MALI = "*384*55#", "*384*56#", "*384*57#"
PREFIX = {SENEGAL: "+22177", RWANDA: "+25078", MALI: "+22370"}
DIGITS = {SENEGAL: 7, RWANDA: 7, MALI: 6}
QUICK = {"SWEEP_S": "1", "PULL_S": "3", "LEASE_S": "10"}

Found = TypeVar("Found")


def until(look: Callable[[], Found], within_s: float = WITHIN_S, what: str = "") -> Found:
    """The first thing `look` finds that is true; an AssertionError says what was there instead."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s for {what or 'it'}; there was {found!r}"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Screen:
    """What a phone shows; `open` while an answer is expected."""

    text: str
    open: bool
    session: str

    def __contains__(self, words: str) -> bool:
        return words in self.text


class StoryWorld:
    """The stage with its demo seed, and every way of looking at it from outside."""

    def __init__(self, stage: Stage, http: httpx.Client) -> None:
        self.stage, self.http = stage, http
        self._numbers = count(1)

    @property
    def endpoints(self) -> dict[str, Any]:
        return self.stage.seeded["endpoints"]

    @property
    def webhook(self) -> str:
        return str(self.endpoints["ussd"]["africastalking"]["url"])

    def phone(self, code: str) -> "Phone":
        """A phone nobody has used before, in the country of the code."""
        return Phone(self, PREFIX[code] + str(next(self._numbers)).zfill(DIGITS[code]), code)

    def sandbox(self, method: str, path: str, **said: Any) -> Any:
        """One call of the sandbox's control API."""
        answer = self.http.request(method, self.stage.sandbox_url + path, json=said or None)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def turn(self, phone: str, session: str, text: str, code: str = SENEGAL, **more: str) -> httpx.Response:
        """One hop posted to the product as the aggregator posts it."""
        form = {
            "sessionId": session,
            "phoneNumber": phone,
            "networkCode": "99999",
            "serviceCode": code,
            "text": text,
        }
        return self.http.post(self.webhook, data=form | more)

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the product's database, seen past row-level security."""
        with psycopg.connect(self.stage.postgres.superuser_url("mutuelle")) as connection:
            return connection.execute(query, values).fetchall()

    def wipe_cache(self) -> None:
        """Redis forgets everything: sessions, drafts, rings."""
        with redis.Redis.from_url(self.stage.redis.url) as client:
            client.flushall()

    def forget_sessions(self) -> None:
        """Redis forgets the open sessions only."""
        with redis.Redis.from_url(self.stage.redis.url) as client:
            for key in client.scan_iter("ussd:*"):
                client.delete(key)

    def mutuelle(self, *order: str) -> tuple[int, dict[str, Any]]:
        """Run the real command with `--json` and the product's environment."""
        command = [Path(sys.executable).with_name("mutuelle"), *order, "--json"]
        done = subprocess.run(
            command, env=self.stage.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def settled(self) -> bool:
        """Nothing waits to be asked or said, and every notice was understood."""
        waiting = "SELECT (SELECT count(*) FROM notices WHERE state = 'new') + (SELECT count(*) FROM outbox o WHERE state = 'waiting'"
        waiting += (
            " AND NOT EXISTS (SELECT FROM payments p WHERE p.id = o.subject_id AND p.status = 'pending'))"
        )
        return self.sql(waiting) == [(0,)]

    def verify(self) -> dict[str, Any]:
        """`mutuelle verify --against …/truth`, once what is on its way has arrived: not one franc lost,
        doubled or invented."""

        def arrived() -> dict[str, Any] | None:
            code, told = self.mutuelle("verify", "--against", f"{self.stage.sandbox_url}/truth")
            assert code == 0, told
            return told if not told["truth"]["in_flight"] else None

        until(self.settled, what="an empty inbox and outbox")
        told = until(arrived, what="the last movements")
        assert told["ok"]
        assert told["truth"]["matched"] == told["truth"]["movements"]
        return told

    def number_of(self, phone: "Phone") -> str:
        """The member number the welcome SMS told this phone."""
        return (
            phone.wait_sms("Numéro de membre", "Member number")
            .split("embre ")[-1]
            .split("ember number ")[-1][:10]
        )


class Phone:
    """A person's phone at the sandbox."""

    def __init__(self, world: StoryWorld, number: str, code: str) -> None:
        self.world, self.number, self.code = world, number, code

    def _act(self, what: str, **said: str) -> Screen:
        seen = self.world.sandbox("POST", f"/phones/{self.number}/{what}", **said)
        assert "error" not in seen, seen["error"]
        return Screen(seen["screen"], seen["open"], seen["session"])

    def dial(self, shortcut: str = "") -> Screen:
        """Dial the mutuelle's code, perhaps with more behind it: `2*1`."""
        code = f"{self.code.removesuffix('#')}*{shortcut}#" if shortcut else self.code
        return self._act("dial", code=code)

    def type(self, *inputs: str) -> Screen:
        """Answer screen after screen; the last one comes back."""
        for one in inputs:
            seen = self._act("reply", input=one)
        return seen

    def go(self, *inputs: str) -> Screen:
        """Dial and answer."""
        self.dial()
        return self.type(*inputs)

    def hang_up(self) -> None:
        self.world.sandbox("POST", f"/phones/{self.number}/hangup")

    def join(
        self, category: str = "1", adults: str = "2", children: str = "1", born: str = "808512"
    ) -> Screen:
        """Join as people do; a claimed category takes one screen more."""
        self.dial()
        seen = self.type("3", "1", category, adults, children, born)
        if "1. Continuer" in seen:
            seen = self.type("1")
        return self.type("1")

    @property
    def sms(self) -> list[str]:
        return [one["text"] for one in self.world.sandbox("GET", f"/phones/{self.number}/sms")]

    def wait_sms(self, *either: str) -> str:
        """The first SMS that holds one of these words."""
        return until(
            lambda: next((one for one in self.sms if any(words in one for words in either)), ""),
            what=f"an SMS with {either}; {self.sms}",
        )

    @property
    def prompts(self) -> list[dict[str, Any]]:
        return list(self.world.sandbox("GET", f"/phones/{self.number}/prompts"))

    def answer(self, answer: str = "approve") -> dict[str, Any]:
        """Answer the one prompt that waits, or will come."""
        (prompt,) = until(lambda: self.prompts, what="a prompt")
        self.world.sandbox("POST", f"/phones/{self.number}/prompts/{prompt['id']}", answer=answer)
        return dict(prompt)

    def pay(self, amount: str = "") -> str:
        """Pay all, or a sum, and approve; the receipt SMS."""
        before = len(self.sms)
        asked = self.go("2", "2", amount, "1") if amount else self.go("2", "1", "1")
        assert not asked.open, asked
        self.answer()
        return until(
            lambda: next((one for one in self.sms[before:] if "pay" in one and "réf" in one), ""),
            what="a receipt",
        )


@contextmanager
def running(state_dir: Path, **settings: str) -> Iterator[StoryWorld]:
    """Everything up, on 22 November 2026 at nine; at the end the logs have told nobody's secrets."""
    shift = int((TODAY - datetime.now(UTC)).total_seconds())
    try:
        with Stage(state_dir, settings={**QUICK, "CLOCK_SHIFT": str(shift), **settings}) as stage:
            stage.seed(demo.seed)
            stage.start()
            with httpx.Client(timeout=30, trust_env=False) as http:
                yield StoryWorld(stage, http)
    finally:
        server_files.forget(state_dir)


def logged(world: StoryWorld) -> dict[str, str]:
    """Every word of every log of the product itself, by program."""
    names = ("web", "worker-money", "worker-messages", "worker-daily", "scheduler", "release")
    logs = [world.stage.state_dir / "logs" / f"{name}.log" for name in names]
    return {
        name: log.read_text("utf-8", "replace") if log.exists() else ""
        for name, log in zip(names, logs, strict=True)
    }
