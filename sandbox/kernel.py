"""Holds what all parts of the sandbox share: settings, clock, lock, journal, faults and callback sender."""

import random
import secrets
import threading
from dataclasses import dataclass, field

from flask import Response, request

from sandbox.callback_queue import CallbackQueue
from sandbox.callback_sender import CallbackSender
from sandbox.clock import Clock, VirtualClock
from sandbox.fault_draws import Faults, Subject
from sandbox.journal import Journal
from sandbox.settings import Settings


@dataclass
class Kernel:
    """Callers hold `lock` to read or change state, but never during a network call."""

    settings: Settings
    clock: Clock
    journal: Journal
    faults: Faults
    callbacks: CallbackSender
    lock: threading.RLock = field(default_factory=threading.RLock)
    closing: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, settings: Settings) -> "Kernel":
        faults, journal = Faults(), Journal(settings.journal)
        if settings.virtual is None:
            clock = Clock(settings.clock_shift_s)
            return cls(settings, clock, journal, faults, CallbackSender(clock, faults))
        use_randomness(random.Random(settings.virtual.seed))
        virtual_clock = VirtualClock(settings.virtual.now)
        return cls(settings, virtual_clock, journal, faults, CallbackQueue(virtual_clock, faults))

    def draw_fault(self, subject: Subject, operation: str) -> str | None:
        """Returns the fault for the current request. A `timeout_before` hangs up here, before any effect."""
        fault = self.faults.on_request(subject, operation)
        if fault == "timeout_before":
            self.hang_up()
        return fault

    def hang_up(self) -> None:
        """Holds the connection for the plan's `timeout_s`, then closes it without an answer."""
        self.closing.wait(self.faults.plan.timeout_s)
        connection = request.environ.get("werkzeug.socket")
        if connection is not None:
            try:
                connection.shutdown(2)
            except OSError:
                return  # The client gave up first.

    def no_answer(self) -> Response:
        """Returns a response for the closed connection after `hang_up`; no client receives it."""
        return Response(status=500)


_randomness: random.Random = secrets.SystemRandom()


def use_randomness(randomness: random.Random) -> None:
    """Makes `random_name` draw from `randomness` from now on, in this process."""
    global _randomness
    _randomness = randomness


def random_name(alphabet: str, length: int) -> str:
    """Returns a random string of `length` characters."""
    return "".join(_randomness.choice(alphabet) for _ in range(length))
