"""Virtual time: a queue of planned events."""

import heapq
import itertools
from collections.abc import Callable, Generator
from datetime import datetime, timedelta

Steps = Generator[float, None, None]  # a person's actions; each yield is a wait in seconds


class Timeline:
    """Orders events by time, then by the order of planning."""

    def __init__(self, start: datetime) -> None:
        self.start = self.now = start
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def seconds(self) -> float:
        """Returns virtual seconds since the start."""
        return (self.now - self.start).total_seconds()

    def at(self, when: datetime, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self.now), next(self._numbers), do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self.at(self.now + timedelta(seconds=seconds), do)

    def follow(self, steps: Steps) -> None:
        """Runs `steps` now, and goes on after each wait."""
        wait = next(steps, None)
        if wait is not None:
            self.after(wait, lambda: self.follow(steps))

    def next_at(self) -> datetime | None:
        """Returns when the next event is planned, or None."""
        return self._events[0][0] if self._events else None

    def take(self) -> Callable[[], None]:
        """Removes the next event, moves the clock to it, and returns its action."""
        when, _, do = heapq.heappop(self._events)
        self.now = max(self.now, when)
        return do

    def grid(self, when: datetime, every_s: int) -> datetime:
        """Returns the first multiple of `every_s` after the start that is at or after `when`."""
        beats = -((self.start - when) // timedelta(seconds=every_s))
        return self.start + beats * timedelta(seconds=every_s)
