"""Decide, repeatably, which request or callback goes wrong: every draw is a hash, so the same run fails the
same way."""

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sandbox.refusal import Refusal

SHARES = ("duplicate", "drop", "reorder", "timeout_before", "timeout_after", "http_500")
REQUEST_FAULTS = ("http_500", "timeout_before", "timeout_after")
TIMEOUT_MOST_S = 12.0
LATE_S = 60.0  # a callback that comes sooner has not struck anybody


@dataclass(frozen=True)
class Subject:
    """What a draw is about. `reference` only tells which of the payer's requests this is: it is not
    hashed."""

    operator: str
    account: str
    payer: str
    reference: str


@dataclass(frozen=True)
class Plan:
    """Shares from 0 to 1; `delay` is the share of callbacks that come late (all, unless said), `delay_s` the
    longest delay (each draws its part of it, uniformly); `timeout_s` is how long a timed-out request is held
    before its connection is closed (at most 12 s)."""

    seed: int = 0
    shares: dict[str, float] = field(default_factory=dict)
    delay: float = 1.0
    delay_s: float = 0.0
    timeout_s: float = 0.2


class Faults:
    """A draw is a hash of (seed, fault, operator, account, payer, ordinal of that payer's request, attempt).

    The fault's name is completed by `doing` (`mtn.request`, `checkout.session.completed`, …), so that the
    request and the callback of one payment do not share their luck. References are random and are never
    hashed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.set({})

    def set(self, said: dict[str, Any]) -> None:
        """Begin a new run: what is not named is off, ordinals and counts start again."""
        plan = _plan(said)
        with self._lock:
            self.plan = plan
            self._ordinals: dict[tuple[str, str, str], dict[str, int]] = {}
            self._attempts: Counter[tuple[Any, ...]] = Counter()
            self._drawn: Counter[str] = Counter()
            self._struck: dict[tuple[str, str, str], int] = {}

    def shown(self) -> dict[str, Any]:
        """The plan, and how often each fault was drawn since it was set."""
        with self._lock:
            drawn = {name: self._drawn[name] for name in (*SHARES, "delay")}
            shares = {name: self.plan.shares.get(name, 0) for name in SHARES}
            plan = self.plan
        return {
            "seed": plan.seed,
            **shares,
            "delay": plan.delay,
            "delay_s": plan.delay_s,
            "timeout_s": plan.timeout_s,
            "drawn": drawn,
        }

    def ordinal(self, subject: Subject) -> int:
        """Which of this payer's requests `reference` is, from 1; a repeat of the same reference keeps its
        number."""
        key = (subject.operator, subject.account, subject.payer)
        with self._lock:
            known = self._ordinals.setdefault(key, {})
            return known.setdefault(subject.reference, len(known) + 1)

    def attempt(self, subject: Subject, doing: str) -> int:
        """Count the attempts at one thing, from 1."""
        key = (*_hashed(subject, self.ordinal(subject)), doing)
        with self._lock:
            self._attempts[key] += 1
            return self._attempts[key]

    def strikes(self, fault: str, subject: Subject, attempt: int, doing: str = "") -> bool:
        """Whether `fault` happens to this attempt; counted when it does."""
        share = self.plan.shares.get(fault, 0)
        if share <= 0 or self._draw(fault, subject, attempt, doing) >= share:
            return False
        self._count(fault, subject)
        return True

    def _count(self, fault: str, subject: Subject, felt: bool = True) -> None:
        key = subject.operator, subject.reference, fault
        with self._lock:
            self._drawn[fault] += 1
            if felt:
                self._struck[key] = self._struck.get(key, 0) + 1

    def struck(self) -> list[dict[str, object]]:
        """What befell what since the plan was set: `{"operator","reference","fault","times"}`, in the order
        it first did."""
        with self._lock:
            return [dict(zip(("operator", "reference", "fault"), key, strict=True)) | {"times": n}
                    for key, n in self._struck.items()]  # fmt: skip

    def delay_s(self, subject: Subject, attempt: int, doing: str = "") -> float:
        """How late this callback goes out, in seconds."""
        plan = self.plan
        if plan.delay_s <= 0 or (
            plan.delay < 1 and self._draw("late", subject, attempt, doing) >= plan.delay
        ):
            return 0.0
        seconds = plan.delay_s * self._draw("delay", subject, attempt, doing)
        self._count("delay", subject, felt=seconds > LATE_S)
        return seconds

    def on_request(self, subject: Subject, doing: str) -> str | None:
        """The fault that befalls an API request we receive, if any."""
        if not any(self.plan.shares.get(fault) for fault in REQUEST_FAULTS):
            return None
        attempt = self.attempt(subject, doing)
        return next((fault for fault in REQUEST_FAULTS if self.strikes(fault, subject, attempt, doing)), None)

    def _draw(self, fault: str, subject: Subject, attempt: int, doing: str) -> float:
        told = (self.plan.seed, fault, *_hashed(subject, self.ordinal(subject)), doing, attempt)
        digest = hashlib.sha256(repr(told).encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


def _hashed(subject: Subject, ordinal: int) -> tuple[str, str, str, int]:
    return subject.operator, subject.account, subject.payer, ordinal


def _plan(said: dict[str, Any]) -> Plan:
    unknown = set(said) - {*SHARES, "seed", "delay", "delay_s", "timeout_s"}
    if unknown:
        raise Refusal(
            400,
            f"unknown fault {sorted(unknown)[0]!r}",
            f"use seed, delay, delay_s, timeout_s and {', '.join(SHARES)}",
        )
    seed = said.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise Refusal(400, "seed is not a whole number", 'send {"seed": 1, …}')
    shares = {name: _number(said, name, 0, 1) for name in SHARES}
    delay_s = _number(said, "delay_s", 0, 86_400)
    return Plan(
        seed,
        shares,
        _number(said, "delay", 0, 1, default=1),
        delay_s,
        _number(said, "timeout_s", 0, TIMEOUT_MOST_S, default=0.2),
    )


def _number(said: dict[str, Any], name: str, low: float, high: float, default: float = 0) -> float:
    value = said.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Refusal(400, f"{name} is {value!r}", f"give a number from {low} to {high}")
    return float(value)
