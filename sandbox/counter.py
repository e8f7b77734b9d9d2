"""Letters that wait at a counter until they are fetched: in a world that is told its time, its teller carries
them."""

import logging
from dataclasses import replace
from datetime import datetime

from sandbox.clock import ToldClock
from sandbox.courier import Courier, Letter
from sandbox.faults import Faults

log = logging.getLogger("sandbox.counter")


class Counter(Courier):
    """The same road with the same faults, but no thread: one letter at a time is in the teller's hands."""

    def __init__(self, clock: ToldClock, faults: Faults) -> None:
        super().__init__(clock, faults, senders=1)
        self._in_hand: Letter | None = None

    def start(self) -> None:
        self._running = True

    def next_due(self) -> datetime | None:
        """When the next letter may be fetched."""
        return self._waiting[0][0] if self._waiting else None

    def answered(self, status: int) -> None:
        """What the letter handed out last was answered with; 0 when nobody answered. A retried letter comes
        again."""
        letter, self._in_hand = self._in_hand, None
        if letter is None:
            return
        self._in_flight -= 1
        self._conclude(letter, "delivered" if 200 <= status < 300 else "refused")

    def fetch(self) -> Letter | None:
        """The next letter that is due. Dropped ones are lost here, where the road would lose them."""
        while self._in_hand is None and self._due():
            letter = self._pop()
            if self._faults.strikes("drop", letter.subject, letter.attempt, letter.what):
                self._conclude(letter, "dropped")
                continue
            self._in_hand = letter
            self._in_flight += 1
            return letter
        return None

    def _conclude(self, letter: Letter, became: str) -> None:
        self._counts[became] += 1
        if became != "delivered":
            self._again(letter)
        if letter.then is not None:
            self.post(replace(letter.then, since=None))
