"""The pretend world put together: every part, the order they start in, and the things that happen by
themselves."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.clock import ToldClock
from sandbox.counter import Counter
from sandbox.courier import Letter
from sandbox.kernel import Kernel
from sandbox.mtn_book import MtnBook
from sandbox.phones import Phones
from sandbox.refusal import Refusal
from sandbox.settings import Settings
from sandbox.sms import Sms
from sandbox.truth import Truth
from sandbox.ussd import Ussd
from sandbox.wave_book import WaveBook

TICK_S = 0.5


@dataclass
class World:
    """Start it, use its parts, stop it. What passes with time (expiry, sessions too long) is looked at twice
    a second."""

    kernel: Kernel
    phones: Phones
    truth: Truth
    ussd: Ussd
    sms: Sms
    wave: WaveBook
    mtn: MtnBook
    _wake: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @classmethod
    def of(cls, settings: Settings) -> "World":
        kernel = Kernel.of(settings)
        phones, truth = Phones(kernel), Truth(kernel)
        wave, mtn = WaveBook(kernel, phones, truth), MtnBook(kernel, phones, truth)
        return cls(kernel, phones, truth, Ussd(kernel), Sms(kernel, phones), wave, mtn)

    def start(self) -> None:
        """Replay the journal, then let time pass and callbacks go out."""
        self.kernel.journal.open()
        self.kernel.courier.start()
        if self.kernel.settings.virtual is not None:
            return
        self.kernel.clock.on_jump(self._wake.set)
        self._thread = threading.Thread(target=self._tick, name="sandbox-time", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.kernel.closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.kernel.courier.stop()
        self.ussd.close()
        with self.kernel.lock:
            self.kernel.journal.close()

    def advance(self, until: datetime, answered: int | None) -> Letter | None:
        """In a world that is told its time: go on to the next letter that is due by `until`, or to `until`.

        `answered` is the HTTP status the letter before was answered with (0: by nobody).
        """
        clock, counter = self._told_clock(), self.kernel.courier
        assert isinstance(counter, Counter)
        with self.kernel.lock:
            if answered is not None:
                counter.answered(answered)
            while True:
                due = counter.next_due()
                clock.move(min(due, until) if due else until)
                self._age()
                letter = counter.fetch()
                if letter is not None or clock.now() >= until:
                    return letter

    def next_letter_at(self) -> datetime | None:
        """When the next letter is due, as far as is known by now."""
        counter = self.kernel.courier
        with self.kernel.lock:
            return counter.next_due() if isinstance(counter, Counter) else None

    def tell(self, now: datetime) -> None:
        """It is `now`, in a world that is told its time. What became due waits to be fetched."""
        with self.kernel.lock:
            self._told_clock().move(now)
            self._age()

    def _told_clock(self) -> ToldClock:
        if not isinstance(self.kernel.clock, ToldClock):
            raise Refusal(
                409, "this world has its own clock and carries its own letters", "configure it with `virtual`"
            )
        return self.kernel.clock

    def _tick(self) -> None:
        while not self.kernel.closing.is_set():
            self._age()
            self._wake.wait(TICK_S)
            self._wake.clear()

    def _age(self) -> None:
        """Whatever is over by now ends."""
        self.ussd.end_late_sessions()
        self.wave.expire_due()
        self.mtn.expire_due()
