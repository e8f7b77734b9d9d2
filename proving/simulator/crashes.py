"""Falls of a process: between any two statements, around a commit, around a question to an outsider.

The places are the libraries' own hooks (SQLAlchemy's events, httpx's event hooks), so that nothing of ours is
replaced. A fall is a BaseException: our own `except Exception` does not see it, as it would not see a power
cut.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from gateway import http_client

PLACES_TO_FALL = ("statement", "before_commit", "after_commit", "before_ask", "after_ask")


class Crash(BaseException):
    """This process is gone."""


class Seams:
    """Counts the places passed since it was armed, and falls at the one that was drawn."""

    def __init__(self) -> None:
        self.fallen: Counter[str] = Counter()
        self._left = 0

    def arm(self, places: int) -> None:
        """Fall at that place, the next one being 1; 0: do not fall."""
        self._left = places

    def passing(self, place: str) -> None:
        if self._left:
            self._left -= 1
            if not self._left:
                self.fallen[place] += 1
                raise Crash(place)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While it holds, this process may fall."""
        hooks = (
            (Engine, "before_cursor_execute", lambda *_: self.passing("statement")),
            (Engine, "commit", lambda *_: self.passing("before_commit")),
            (Session, "after_commit", lambda *_: self.passing("after_commit")),
        )
        http = http_client.shared_client()
        for target, name, hook in hooks:
            event.listen(target, name, hook)
        http.event_hooks = {"request": [self._asking], "response": [self._asked]}
        try:
            yield
        finally:
            self.arm(0)
            http.event_hooks = {}
            for target, name, hook in hooks:
                event.remove(target, name, hook)

    def _asking(self, _: httpx.Request) -> None:
        self.passing("before_ask")

    def _asked(self, _: httpx.Response) -> None:
        self.passing("after_ask")
