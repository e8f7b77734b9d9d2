"""Keeps callbacks until the caller fetches and delivers them, for a sandbox with virtual time."""

import logging
from dataclasses import replace
from datetime import datetime

from sandbox.callback_sender import Callback, CallbackSender
from sandbox.clock import VirtualClock
from sandbox.fault_draws import Faults

log = logging.getLogger("sandbox.callback_queue")


class CallbackQueue(CallbackSender):
    """A sender with the same faults but without threads: the caller delivers one callback at a time."""

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults, senders=1)
        self._handed_out: Callback | None = None

    def start(self) -> None:
        self._running = True

    def next_due(self) -> datetime | None:
        """Returns when the next callback may be fetched."""
        return self._waiting[0][0] if self._waiting else None

    def record_answer(self, status: int) -> None:
        """Records the HTTP status of the callback fetched last (0: no answer), and queues its retry."""
        callback, self._handed_out = self._handed_out, None
        if callback is None:
            return
        self._in_flight -= 1
        self._conclude(callback, "delivered" if 200 <= status < 300 else "refused")

    def fetch(self) -> Callback | None:
        """Returns the next callback that is due. Callbacks with a drop fault are lost here."""
        while self._handed_out is None and self._due():
            callback = self._pop()
            if self._faults.strikes("drop", callback.subject, callback.attempt, callback.what):
                self._conclude(callback, "dropped")
                continue
            self._handed_out = callback
            self._in_flight += 1
            return callback
        return None

    def _conclude(self, callback: Callback, outcome: str) -> None:
        self._counts[outcome] += 1
        if outcome != "delivered":
            self._retry(callback)
        if callback.then is not None:
            self.post(replace(callback.then, since=None))
