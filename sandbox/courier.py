"""Carry callbacks to the product from background threads, with the faults of the road; no request ever waits
for one."""

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

from sandbox.clock import Clock
from sandbox.faults import Faults, Subject

ANSWER_WITHIN_S = 10.0
REORDER_S = 2.0
BACKOFF_FIRST_S = 1.0
BACKOFF_MOST_S = 3600.0

log = logging.getLogger("sandbox.courier")


@dataclass(frozen=True)
class Letter:
    """One callback. `headers` is asked at each attempt, so that a signature is fresh; `retry_for_s` 0 means
    sent once.

    `then` goes out after this one, whatever became of it.
    """

    subject: Subject
    what: str
    url: str
    body: bytes
    headers: Callable[[bytes], Mapping[str, str]]
    method: str = "POST"
    retry_for_s: float = 0
    then: "Letter | None" = None
    attempt: int = 1
    since: datetime | None = None

    def shown(self) -> dict[str, object]:
        """What a teller needs to carry it: `{"what","method","url","headers","body"}`."""
        headers = dict(self.headers(self.body))
        return {
            "what": self.what,
            "method": self.method,
            "url": self.url,
            "headers": headers,
            "body": self.body.decode(),
        }


class Courier:
    """Letters wait in a heap ordered by the time they are due on the world's clock."""

    def __init__(self, clock: Clock, faults: Faults, senders: int = 8) -> None:
        self._clock = clock
        self._faults = faults
        self._wake = threading.Condition()
        self._waiting: list[tuple[datetime, int, Letter]] = []
        self._held: dict[tuple[str, str], list[int]] = {}
        self._numbers = itertools.count()
        self._counts: Counter[str] = Counter()
        self._in_flight = 0
        self._running = False
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="sandbox-courier")
        self._http = httpx.Client(timeout=ANSWER_WITHIN_S, trust_env=False)
        self._thread = threading.Thread(target=self._run, name="sandbox-courier", daemon=True)
        clock.on_jump(self._jumped)

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

    def shown(self) -> dict[str, int]:
        """What waits, what is on the way, and what became of the rest; quiet when the first two are 0."""
        with self._wake:
            became = {name: self._counts[name] for name in ("delivered", "refused", "dropped")}
            return {"waiting": len(self._waiting), "in_flight": self._in_flight, **became}

    def wait_quiet(self, within_s: float) -> bool:
        """Wait until nothing waits and nothing is on the way; False when that took longer."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._waiting and not self._in_flight, within_s)

    def wait_for_counts(self, within_s: float, **at_least: int) -> bool:
        """Wait until each of `delivered`, `refused`, `dropped` named has reached its number."""
        with self._wake:
            return self._wake.wait_for(
                lambda: all(self._counts[name] >= n for name, n in at_least.items()), within_s
            )

    def post(self, letter: Letter) -> None:
        """Take a letter; it leaves soon, late, twice or out of order, as the faults say."""
        subject, attempt, what = letter.subject, letter.attempt, letter.what
        letter = letter if letter.since else replace(letter, since=self._clock.now())
        due = self._clock.now() + timedelta(seconds=self._faults.delay_s(subject, attempt, what))
        channel = (subject.operator, subject.account)
        held = self._faults.strikes("reorder", subject, attempt, what)
        twice = self._faults.strikes("duplicate", subject, attempt, what)
        with self._wake:
            if held:
                number = self._push(due + timedelta(seconds=REORDER_S), letter)
                self._held.setdefault(channel, []).append(number)
            else:
                self._push(due, letter)
                self._release(channel, due)
            if twice:
                self._push(due, replace(letter, then=None, retry_for_s=0))
            self._wake.notify_all()

    def _push(self, due: datetime, letter: Letter) -> int:
        number = next(self._numbers)
        heapq.heappush(self._waiting, (due, number, letter))
        return number

    def _pop(self) -> Letter:
        return heapq.heappop(self._waiting)[2]

    def _release(self, channel: tuple[str, str], due: datetime) -> None:
        """A held letter leaves just after the next one of its channel: the two have changed places."""
        numbers = set(self._held.pop(channel, ()))
        if numbers:
            later = due + timedelta(seconds=0.1)
            self._waiting = [
                (min(at, later) if n in numbers else at, n, letter) for at, n, letter in self._waiting
            ]
            heapq.heapify(self._waiting)

    def _jumped(self) -> None:
        with self._wake:
            self._wake.notify_all()

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._running and not self._due():
                    self._wake.wait(self._seconds_to_wait())
                if not self._running:
                    return
                letter = self._pop()
                self._in_flight += 1
            self._pool.submit(self._carry, letter)

    def _due(self) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= self._clock.now()

    def _seconds_to_wait(self) -> float | None:
        if not self._waiting:
            return None
        return max(0.001, (self._waiting[0][0] - self._clock.now()).total_seconds())

    def _carry(self, letter: Letter) -> None:
        try:
            became = self._send(letter)
        except Exception:
            log.exception("a callback could not be carried")
            became = "refused"
        if became != "delivered":
            self._again(letter)
        if letter.then is not None:
            self.post(letter.then)
        with self._wake:
            self._counts[became] += 1
            self._in_flight -= 1
            self._wake.notify_all()

    def _send(self, letter: Letter) -> str:
        if self._faults.strikes("drop", letter.subject, letter.attempt, letter.what):
            return "dropped"
        headers = dict(letter.headers(letter.body))
        try:
            answer = self._http.request(letter.method, letter.url, content=letter.body, headers=headers)
        except httpx.HTTPError as error:
            log.info("%s: %s", letter.what, type(error).__name__)
            return "refused"
        return "delivered" if answer.is_success else "refused"

    def _again(self, letter: Letter) -> None:
        """Put a retried letter back with a doubling pause; one that is sent once is lost."""
        now = self._clock.now()
        if letter.since is None or (now - letter.since).total_seconds() >= letter.retry_for_s:
            return
        pause = min(BACKOFF_FIRST_S * 2.0 ** (letter.attempt - 1), BACKOFF_MOST_S)
        with self._wake:
            self._push(now + timedelta(seconds=pause), replace(letter, attempt=letter.attempt + 1, then=None))
            self._wake.notify_all()
