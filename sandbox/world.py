"""Assembles the parts of the sandbox, starts and stops them, and ends what has expired."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.callback_queue import CallbackQueue
from sandbox.callback_sender import Callback
from sandbox.clock import VirtualClock
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
    """All parts of one sandbox. Expired requests and overlong sessions are ended twice a second."""

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
        """Replays the journal, then starts the callbacks and the expiry thread."""
        self.kernel.journal.open()
        self.kernel.callbacks.start()
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
        self.kernel.callbacks.stop()
        self.ussd.close()
        with self.kernel.lock:
            self.kernel.journal.close()

    def advance(self, until: datetime, status: int | None) -> Callback | None:
        """Moves the virtual clock to the next callback due by `until` and returns it, or to `until`.

        `status` is the HTTP status that the callback before it got (0: no answer).
        """
        clock, queue = self._virtual_clock(), self.kernel.callbacks
        assert isinstance(queue, CallbackQueue)
        with self.kernel.lock:
            if status is not None:
                queue.record_answer(status)
            while True:
                due = queue.next_due()
                clock.move(min(due, until) if due else until)
                self._expire_due()
                callback = queue.fetch()
                if callback is not None or clock.now() >= until:
                    return callback

    def next_callback_at(self) -> datetime | None:
        """Returns when the next waiting callback is due."""
        queue = self.kernel.callbacks
        with self.kernel.lock:
            return queue.next_due() if isinstance(queue, CallbackQueue) else None

    def set_time(self, now: datetime) -> None:
        """Sets the virtual clock to `now`. Callbacks that became due wait for `advance`."""
        with self.kernel.lock:
            self._virtual_clock().move(now)
            self._expire_due()

    def _virtual_clock(self) -> VirtualClock:
        if not isinstance(self.kernel.clock, VirtualClock):
            raise Refusal(
                409, "this world has its own clock and carries its own letters", "configure it with `virtual`"
            )
        return self.kernel.clock

    def _tick(self) -> None:
        while not self.kernel.closing.is_set():
            self._expire_due()
            self._wake.wait(TICK_S)
            self._wake.clear()

    def _expire_due(self) -> None:
        self.ussd.end_late_sessions()
        self.wave.expire_due()
        self.mtn.expire_due()
