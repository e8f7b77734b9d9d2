"""Sends callbacks to the product from background threads, with faults; no request waits for one."""

import heapq
import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import httpx

from sandbox import http_client
from sandbox.clock import Clock
from sandbox.fault_draws import Faults, Subject

ANSWER_WITHIN_S = 10.0
REORDER_S = 2.0
BACKOFF_FIRST_S = 1.0
BACKOFF_MOST_S = 3600.0

log = logging.getLogger("sandbox.callback_sender")


@dataclass(frozen=True)
class Callback:
    """One callback. `headers` is called at each attempt, so that a signature is fresh.

    With `retry_for_s` 0 it is sent once. `then` is sent after this one, whatever its outcome.
    """

    subject: Subject
    what: str
    url: str
    body: bytes
    headers: Callable[[bytes], Mapping[str, str]]
    method: str = "POST"
    retry_for_s: float = 0
    then: "Callback | None" = None
    attempt: int = 1
    since: datetime | None = None

    def as_json(self) -> dict[str, object]:
        """Returns what a caller needs to deliver it: `{"what","method","url","headers","body"}`."""
        headers = dict(self.headers(self.body))
        return {
            "what": self.what,
            "method": self.method,
            "url": self.url,
            "headers": headers,
            "body": self.body.decode(),
        }


class CallbackSender:
    """Callbacks wait in a heap ordered by the time they are due on the sandbox's clock."""

    def __init__(self, clock: Clock, faults: Faults, senders: int = 8) -> None:
        self._clock = clock
        self._faults = faults
        self._wake = threading.Condition()
        self._waiting: list[tuple[datetime, int, Callback]] = []
        self._held_back: dict[tuple[str, str], list[int]] = {}
        self._numbers = itertools.count()
        self._counts: Counter[str] = Counter()
        self._in_flight = 0
        self._running = False
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="sandbox-callbacks")
        self._http = http_client.client(timeout=ANSWER_WITHIN_S)
        self._thread = threading.Thread(target=self._run, name="sandbox-callbacks", daemon=True)
        clock.on_jump(self._on_clock_jump)

    def start(self) -> None:
        self._running = True
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._running = False
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    def counts(self) -> dict[str, int]:
        """Counts callbacks that wait, that are in flight, and that were delivered, refused or dropped."""
        with self._wake:
            outcomes = {name: self._counts[name] for name in ("delivered", "refused", "dropped")}
            return {"waiting": len(self._waiting), "in_flight": self._in_flight, **outcomes}

    def wait_quiet(self, within_s: float) -> bool:
        """Waits until no callback waits or is in flight. Returns False after `within_s`."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._waiting and not self._in_flight, within_s)

    def wait_for_counts(self, within_s: float, **at_least: int) -> bool:
        """Waits until each count named in `at_least` has reached its number."""
        with self._wake:
            return self._wake.wait_for(
                lambda: all(self._counts[name] >= n for name, n in at_least.items()), within_s
            )

    def post(self, callback: Callback) -> None:
        """Queues a callback; it leaves at once, late, twice or out of order, as the faults decide."""
        subject, attempt, what = callback.subject, callback.attempt, callback.what
        callback = callback if callback.since else replace(callback, since=self._clock.now())
        due = self._clock.now() + timedelta(seconds=self._faults.delay_s(subject, attempt, what))
        channel = (subject.operator, subject.account)
        held_back = self._faults.strikes("reorder", subject, attempt, what)
        duplicated = self._faults.strikes("duplicate", subject, attempt, what)
        with self._wake:
            if held_back:
                number = self._push(due + timedelta(seconds=REORDER_S), callback)
                self._held_back.setdefault(channel, []).append(number)
            else:
                self._push(due, callback)
                self._release(channel, due)
            if duplicated:
                self._push(due, replace(callback, then=None, retry_for_s=0))
            self._wake.notify_all()

    def _push(self, due: datetime, callback: Callback) -> int:
        number = next(self._numbers)
        heapq.heappush(self._waiting, (due, number, callback))
        return number

    def _pop(self) -> Callback:
        return heapq.heappop(self._waiting)[2]

    def _release(self, channel: tuple[str, str], due: datetime) -> None:
        """Sends held-back callbacks just after the next one of their channel: they swap places."""
        numbers = set(self._held_back.pop(channel, ()))
        if numbers:
            later = due + timedelta(seconds=0.1)
            self._waiting = [
                (min(at, later) if n in numbers else at, n, callback) for at, n, callback in self._waiting
            ]
            heapq.heapify(self._waiting)

    def _on_clock_jump(self) -> None:
        with self._wake:
            self._wake.notify_all()

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._running and not self._due():
                    self._wake.wait(self._seconds_to_wait())
                if not self._running:
                    return
                callback = self._pop()
                self._in_flight += 1
            self._pool.submit(self._carry, callback)

    def _due(self) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= self._clock.now()

    def _seconds_to_wait(self) -> float | None:
        if not self._waiting:
            return None
        return max(0.001, (self._waiting[0][0] - self._clock.now()).total_seconds())

    def _carry(self, callback: Callback) -> None:
        try:
            outcome = self._send(callback)
        except Exception:
            log.exception("a callback could not be sent")
            outcome = "refused"
        if outcome != "delivered":
            self._retry(callback)
        if callback.then is not None:
            self.post(callback.then)
        with self._wake:
            self._counts[outcome] += 1
            self._in_flight -= 1
            self._wake.notify_all()

    def _send(self, callback: Callback) -> str:
        if self._faults.strikes("drop", callback.subject, callback.attempt, callback.what):
            return "dropped"
        headers = dict(callback.headers(callback.body))
        try:
            answer = self._http.request(callback.method, callback.url, content=callback.body, headers=headers)
        except httpx.HTTPError as error:
            log.info("%s: %s", callback.what, type(error).__name__)
            return "refused"
        return "delivered" if answer.is_success else "refused"

    def _retry(self, callback: Callback) -> None:
        """Queues the next attempt after a doubling pause, unless `retry_for_s` is over."""
        now = self._clock.now()
        if callback.since is None or (now - callback.since).total_seconds() >= callback.retry_for_s:
            return
        pause = min(BACKOFF_FIRST_S * 2.0 ** (callback.attempt - 1), BACKOFF_MOST_S)
        with self._wake:
            self._push(
                now + timedelta(seconds=pause), replace(callback, attempt=callback.attempt + 1, then=None)
            )
            self._wake.notify_all()
