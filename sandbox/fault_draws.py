"""Decides which request or callback fails. Every draw is a hash, so that a run repeats its faults."""

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sandbox.refusal import Refusal

SHARES = (
    "duplicate",
    "drop",
    "reorder",
    "timeout_before",
    "timeout_after",
    "http_500",
    "unreadable",
    "misordered",
)
REQUEST_FAULTS = ("http_500", "timeout_before", "timeout_after")
ONLY = ("", "wave", "mtn")
TIMEOUT_MOST_S = 12.0
LATE_S = 60.0  # a shorter delay is not counted as a strike


@dataclass(frozen=True)
class Subject:
    """The object of a draw. `reference` only gives the ordinal of the payer's request; it is not hashed."""

    operator: str
    account: str
    payer: str
    reference: str


@dataclass(frozen=True)
class FaultPlan:
    """Shares of faults, each from 0 to 1.

    `delay` is the share of late callbacks (default: all), `delay_s` the longest delay (drawn uniformly below
    it), `timeout_s` how long a timed-out request is held before its connection is closed (at most 12 s).
    `unreadable` is the share of lines that a transaction list shows broken in their first hours, `misordered`
    the share of its pages whose lines come in another order. Only the operator `only` has faults, if set.
    """

    seed: int = 0
    shares: dict[str, float] = field(default_factory=dict)
    delay: float = 1.0
    delay_s: float = 0.0
    timeout_s: float = 0.2
    only: str = ""


class Faults:
    """A draw is a hash of (seed, fault, operator, account, payer, ordinal of that payer's request, attempt).

    The fault's name is completed by `operation` (`mtn.request`, `checkout.session.completed`, …), so that the
    request and the callback of one payment draw separately. References are random and are never hashed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.set({})

    def set(self, payload: dict[str, Any]) -> None:
        """Starts a new run: faults that are not named are off, ordinals and counts start at zero."""
        plan = _plan(payload)
        with self._lock:
            self.plan = plan
            self._ordinals: dict[tuple[str, str, str], dict[str, int]] = {}
            self._attempts: Counter[tuple[Any, ...]] = Counter()
            self._drawn: Counter[str] = Counter()
            self._strikes: dict[tuple[str, str, str], int] = {}

    def as_json(self) -> dict[str, Any]:
        """Returns the plan, and how often each fault was drawn since it was set."""
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
        """Returns the ordinal of `reference` among the payer's requests, from 1; a repeat keeps it."""
        key = (subject.operator, subject.account, subject.payer)
        with self._lock:
            ordinals = self._ordinals.setdefault(key, {})
            return ordinals.setdefault(subject.reference, len(ordinals) + 1)

    def attempt(self, subject: Subject, operation: str) -> int:
        """Counts the attempts at one operation. Returns the number of this one, from 1."""
        key = (*_hashed_parts(subject, self.ordinal(subject)), operation)
        with self._lock:
            self._attempts[key] += 1
            return self._attempts[key]

    def strikes(self, fault: str, subject: Subject, attempt: int, operation: str = "") -> bool:
        """Returns whether `fault` hits this attempt, and counts it."""
        share = self.plan.shares.get(fault, 0) if self._is_hit(subject) else 0
        if share <= 0 or self._draw(fault, subject, attempt, operation) >= share:
            return False
        self._count(fault, subject)
        return True

    def _is_hit(self, subject: Subject) -> bool:
        return self.plan.only in ("", subject.operator)

    def _count(self, fault: str, subject: Subject, noticeable: bool = True) -> None:
        key = subject.operator, subject.reference, fault
        with self._lock:
            self._drawn[fault] += 1
            if noticeable:
                self._strikes[key] = self._strikes.get(key, 0) + 1

    def strike_counts(self) -> list[dict[str, object]]:
        """Returns `{"operator","reference","fault","times"}` since the plan was set, first strike first."""
        with self._lock:
            return [dict(zip(("operator", "reference", "fault"), key, strict=True)) | {"times": n}
                    for key, n in self._strikes.items()]  # fmt: skip

    def delay_s(self, subject: Subject, attempt: int, operation: str = "") -> float:
        """Returns the delay of this callback in seconds."""
        plan = self.plan
        if plan.delay_s <= 0 or not self._is_hit(subject):
            return 0.0
        if plan.delay < 1 and self._draw("late", subject, attempt, operation) >= plan.delay:
            return 0.0
        seconds = plan.delay_s * self._draw("delay", subject, attempt, operation)
        self._count("delay", subject, noticeable=seconds > LATE_S)
        return seconds

    def on_request(self, subject: Subject, operation: str) -> str | None:
        """Returns the fault that hits an incoming API request, or None."""
        if not any(self.plan.shares.get(fault) for fault in REQUEST_FAULTS):
            return None
        attempt = self.attempt(subject, operation)
        struck = (fault for fault in REQUEST_FAULTS if self.strikes(fault, subject, attempt, operation))
        return next(struck, None)

    def _draw(self, fault: str, subject: Subject, attempt: int, operation: str) -> float:
        hashed = (self.plan.seed, fault, *_hashed_parts(subject, self.ordinal(subject)), operation, attempt)
        digest = hashlib.sha256(repr(hashed).encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


def _hashed_parts(subject: Subject, ordinal: int) -> tuple[str, str, str, int]:
    return subject.operator, subject.account, subject.payer, ordinal


def _plan(payload: dict[str, Any]) -> FaultPlan:
    unknown = set(payload) - {*SHARES, "seed", "delay", "delay_s", "timeout_s", "only"}
    if unknown:
        raise Refusal(
            400,
            f"unknown fault {sorted(unknown)[0]!r}",
            f"use seed, delay, delay_s, timeout_s, only and {', '.join(SHARES)}",
        )
    seed, only = payload.get("seed", 0), payload.get("only", "")
    if only not in ONLY:
        raise Refusal(400, f"only is {only!r}", "name one operator, wave or mtn")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise Refusal(400, "seed is not a whole number", 'send {"seed": 1, …}')
    shares = {name: _number(payload, name, 0, 1) for name in SHARES}
    delay_s = _number(payload, "delay_s", 0, 86_400)
    return FaultPlan(
        seed,
        shares,
        _number(payload, "delay", 0, 1, default=1),
        delay_s,
        _number(payload, "timeout_s", 0, TIMEOUT_MOST_S, default=0.2),
        only,
    )


def _number(payload: dict[str, Any], name: str, low: float, high: float, default: float = 0) -> float:
    value = payload.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Refusal(400, f"{name} is {value!r}", f"give a number from {low} to {high}")
    return float(value)
