"""Runs the whole product as real processes, with phones in front of it. Tests poll, and never sleep."""

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
from sandbox import http_client

TODAY = datetime(2026, 11, 22, 9, tzinfo=UTC)  # fixes the dates on the screens
WITHIN_S = 45.0  # two leases, a sweep, and a busy machine
SENEGAL, RWANDA, MALI = "*384*55#", "*384*56#", "*384*57#"
PREFIX = {SENEGAL: "+22177", RWANDA: "+25078", MALI: "+22370"}
DIGITS = {SENEGAL: 7, RWANDA: 7, MALI: 6}
QUICK = {"SWEEP_S": "1", "PULL_S": "3", "LEASE_S": "10"}

Value = TypeVar("Value")


def until(look: Callable[[], Value], within_s: float = WITHIN_S, what: str = "") -> Value:
    """Calls `look` until it returns a true value, and returns that; fails after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (value := look()):
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s for {what or 'it'}; there was {value!r}"
        time.sleep(0.05)
    return value


@dataclass(frozen=True)
class Screen:
    """What a phone shows; `open` while an answer is expected."""

    text: str
    open: bool
    session: str

    def __contains__(self, words: str) -> bool:
        return words in self.text


class StoryWorld:
    """The stage with its demo seed, and the ways to act on it and read it from outside."""

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
        """Returns a phone with a new number, in the country of the code."""
        return Phone(self, PREFIX[code] + str(next(self._numbers)).zfill(DIGITS[code]), code)

    def sandbox(self, method: str, path: str, **payload: Any) -> Any:
        """Calls the sandbox's control API. Returns its JSON."""
        answer = self.http.request(method, self.stage.sandbox_url + path, json=payload or None)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def turn(self, phone: str, session: str, text: str, code: str = SENEGAL, **more: str) -> httpx.Response:
        """Posts one turn to the product as the aggregator does."""
        form = {
            "sessionId": session,
            "phoneNumber": phone,
            "networkCode": "99999",
            "serviceCode": code,
            "text": text,
        }
        return self.http.post(self.webhook, data=form | more)

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Returns rows of the product's database, past row-level security."""
        with psycopg.connect(self.stage.postgres.superuser_url("mutuelle")) as connection:
            return connection.execute(query, values).fetchall()

    def wipe_cache(self) -> None:
        """Empties Redis: sessions, drafts and rings."""
        with redis.Redis.from_url(self.stage.redis.url) as client:
            client.flushall()

    def forget_sessions(self) -> None:
        """Removes only the open sessions from Redis."""
        with redis.Redis.from_url(self.stage.redis.url) as client:
            for key in client.scan_iter("ussd:*"):
                client.delete(key)

    def mutuelle(self, *order: str) -> tuple[int, dict[str, Any]]:
        """Runs the real command with `--json`. Returns its exit code and its JSON."""
        command = [Path(sys.executable).with_name("mutuelle"), *order, "--json"]
        done = subprocess.run(
            command, env=self.stage.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def settled(self) -> bool:
        """Returns whether no notice is new, and only tasks about pending payments wait."""
        waiting = (
            "SELECT (SELECT count(*) FROM notices WHERE state = 'new')"
            " + (SELECT count(*) FROM outbox o WHERE state = 'waiting'"
            " AND NOT EXISTS (SELECT FROM payments p WHERE p.id = o.subject_id AND p.status = 'pending'))"
        )
        return self.sql(waiting) == [(0,)]

    def verify(self) -> dict[str, Any]:
        """Runs `mutuelle verify --against …/truth` with no money in flight, and checks the result."""

        def arrived() -> dict[str, Any] | None:
            code, report = self.mutuelle("verify", "--against", f"{self.stage.sandbox_url}/truth")
            assert code == 0, report
            return report if not report["truth"]["in_flight"] else None

        until(self.settled, what="an empty inbox and outbox")
        report = until(arrived, what="the last movements")
        assert report["ok"]
        assert report["truth"]["matched"] == report["truth"]["movements"]
        return report

    def number_of(self, phone: "Phone") -> str:
        """Returns the member number in the phone's welcome SMS."""
        return (
            phone.wait_sms("Numéro de membre", "Member number")
            .split("embre ")[-1]
            .split("ember number ")[-1][:10]
        )


class Phone:
    """A person's phone at the sandbox."""

    def __init__(self, world: StoryWorld, number: str, code: str) -> None:
        self.world, self.number, self.code = world, number, code

    def _act(self, what: str, **payload: str) -> Screen:
        answer = self.world.sandbox("POST", f"/phones/{self.number}/{what}", **payload)
        assert "error" not in answer, answer["error"]
        return Screen(answer["screen"], answer["open"], answer["session"])

    def dial(self, shortcut: str = "") -> Screen:
        """Dials the mutuelle's code, with a shortcut such as `2*1` behind it if given."""
        code = f"{self.code.removesuffix('#')}*{shortcut}#" if shortcut else self.code
        return self._act("dial", code=code)

    def type(self, *inputs: str) -> Screen:
        """Answers screen after screen. Returns the last screen."""
        for text in inputs:
            screen = self._act("reply", input=text)
        return screen

    def go(self, *inputs: str) -> Screen:
        """Dials and answers. Returns the last screen."""
        self.dial()
        return self.type(*inputs)

    def hang_up(self) -> None:
        self.world.sandbox("POST", f"/phones/{self.number}/hangup")

    def join(
        self, category: str = "1", adults: str = "2", children: str = "1", born: str = "808512"
    ) -> Screen:
        """Joins by the menu; a claimed category shows one screen more. Returns the last screen."""
        self.dial()
        screen = self.type("3", "1", category, adults, children, born)
        if "1. Continuer" in screen:
            screen = self.type("1")
        return self.type("1")

    @property
    def sms(self) -> list[str]:
        return [message["text"] for message in self.world.sandbox("GET", f"/phones/{self.number}/sms")]

    def wait_sms(self, *either: str) -> str:
        """Waits for an SMS that holds one of these phrases. Returns its text."""
        return until(
            lambda: next((text for text in self.sms if any(words in text for words in either)), ""),
            what=f"an SMS with {either}; {self.sms}",
        )

    @property
    def prompts(self) -> list[dict[str, Any]]:
        return list(self.world.sandbox("GET", f"/phones/{self.number}/prompts"))

    def answer(self, answer: str = "approve") -> dict[str, Any]:
        """Waits for the phone's only prompt and answers it. Returns the prompt."""
        (prompt,) = until(lambda: self.prompts, what="a prompt")
        self.world.sandbox("POST", f"/phones/{self.number}/prompts/{prompt['id']}", answer=answer)
        return dict(prompt)

    def pay(self, amount: str = "") -> str:
        """Pays all, or a sum, and approves. Returns the receipt SMS."""
        before = len(self.sms)
        screen = self.go("2", "2", amount, "1") if amount else self.go("2", "1", "1")
        assert not screen.open, screen
        self.answer()
        return until(
            lambda: next((text for text in self.sms[before:] if "pay" in text and "réf" in text), ""),
            what="a receipt",
        )


@contextmanager
def running(state_dir: Path, **settings: str) -> Iterator[StoryWorld]:
    """Starts everything, on 22 November 2026 at nine, and removes it afterwards."""
    shift = int((TODAY - datetime.now(UTC)).total_seconds())
    try:
        with Stage(state_dir, settings={**QUICK, "CLOCK_SHIFT": str(shift), **settings}) as stage:
            stage.seed(demo.seed)
            stage.start()
            with http_client.client(timeout=30) as http:
                yield StoryWorld(stage, http)
    finally:
        server_files.forget(state_dir)


def logged(world: StoryWorld) -> dict[str, str]:
    """Returns the text of the logs of the product itself, by program."""
    names = ("web", "worker-money", "worker-messages", "worker-daily", "scheduler", "release")
    logs = [world.stage.state_dir / "logs" / f"{name}.log" for name in names]
    return {
        name: log.read_text("utf-8", "replace") if log.exists() else ""
        for name, log in zip(names, logs, strict=True)
    }
