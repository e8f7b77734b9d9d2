"""What every part of the pretend world leans on: settings, clock, one lock, the journal, faults and the
courier."""

import random
import secrets
import threading
from dataclasses import dataclass, field

from flask import Response, request

from sandbox.clock import Clock, ToldClock
from sandbox.counter import Counter
from sandbox.courier import Courier
from sandbox.faults import Faults, Subject
from sandbox.journal import Journal
from sandbox.settings import Settings


@dataclass
class Kernel:
    """Hold `lock` to read or change state; never while speaking to the network."""

    settings: Settings
    clock: Clock
    journal: Journal
    faults: Faults
    courier: Courier
    lock: threading.RLock = field(default_factory=threading.RLock)
    closing: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, settings: Settings) -> "Kernel":
        faults, journal = Faults(), Journal(settings.journal)
        if settings.virtual is None:
            clock = Clock(settings.clock_shift_s)
            return cls(settings, clock, journal, faults, Courier(clock, faults))
        draw_from(random.Random(settings.virtual.seed))
        told = ToldClock(settings.virtual.now)
        return cls(settings, told, journal, faults, Counter(told, faults))

    def struck(self, subject: Subject, doing: str) -> str | None:
        """The fault that befalls the request being served. A timeout before is carried out here, before any
        effect."""
        fault = self.faults.on_request(subject, doing)
        if fault == "timeout_before":
            self.hang_up()
        return fault

    def hang_up(self) -> None:
        """Hold the connection for the plan's `timeout_s`, then close it: the client never gets an answer."""
        self.closing.wait(self.faults.plan.timeout_s)
        connection = request.environ.get("werkzeug.socket")
        if connection is not None:
            try:
                connection.shutdown(2)
            except OSError:
                return  # The client gave up first.

    def silence(self) -> Response:
        """The answer nobody receives, after `hang_up`."""
        return Response(status=500)


_chance: random.Random = secrets.SystemRandom()


def draw_from(chance: random.Random) -> None:
    """Make names up from `chance` from now on, in this process."""
    global _chance
    _chance = chance


def made_up(alphabet: str, length: int) -> str:
    """A random name of `length` characters."""
    return "".join(_chance.choice(alphabet) for _ in range(length))
