"""Crashes the process between two statements, around a commit, or around an HTTP request.

The places are hooks of the libraries (SQLAlchemy's events, httpx's event hooks), so that no code of ours is
replaced. A crash is a BaseException: our own `except Exception` does not catch it, like a power cut.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from gateway import http_client

CRASH_PLACES = ("statement", "before_commit", "after_commit", "before_ask", "after_ask")


class Crash(BaseException):
    """This process has crashed."""


class CrashPoints:
    """Counts how often a kind of place is passed since `arm`, and raises Crash at the drawn time."""

    def __init__(self) -> None:
        self.crashes: Counter[str] = Counter()
        self._place, self._left = "", 0

    def arm(self, place: str, times: int) -> None:
        """Crashes when `place` (one of CRASH_PLACES) is passed for the `times`-th time, 1 being the next."""
        self._place, self._left = place, times

    def disarm(self) -> None:
        """Crashes nowhere."""
        self._left = 0

    def pass_point(self, place: str) -> None:
        if self._left and place == self._place:
            self._left -= 1
            if not self._left:
                self.crashes[place] += 1
                raise Crash(place)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Installs the hooks for the block."""
        hooks = (
            (Engine, "before_cursor_execute", lambda *_: self.pass_point("statement")),
            (Engine, "commit", lambda *_: self.pass_point("before_commit")),
            (Session, "after_commit", lambda *_: self.pass_point("after_commit")),
        )
        http = http_client.shared_client()
        for target, name, hook in hooks:
            event.listen(target, name, hook)
        http.event_hooks = {"request": [self._before_request], "response": [self._after_response]}
        try:
            yield
        finally:
            self.disarm()
            http.event_hooks = {}
            for target, name, hook in hooks:
                event.remove(target, name, hook)

    def _before_request(self, _: httpx.Request) -> None:
        self.pass_point("before_ask")

    def _after_response(self, _: httpx.Response) -> None:
        self.pass_point("after_ask")
