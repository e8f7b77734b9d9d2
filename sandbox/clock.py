"""The clock of the sandbox: real time with a shift, or a virtual time that the caller sets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sandbox.refusal import Refusal


class Clock:
    """Real time plus a shift in seconds that may be changed while running; times are aware UTC."""

    def __init__(self, shift_s: float = 0) -> None:
        self._shift = timedelta(seconds=shift_s)
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift

    @property
    def shift_s(self) -> float:
        return self._shift.total_seconds()

    def set_shift(self, shift_s: float) -> None:
        """Changes the shift and calls the listeners, so that what is now due happens at once."""
        self._shift = timedelta(seconds=shift_s)
        for listener in self._listeners:
            listener()

    def on_jump(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)


class VirtualClock(Clock):
    """A clock that stands still until `move` sets it; it never goes back."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def set_shift(self, shift_s: float) -> None:
        raise Refusal(409, "this world is told its time", 'send {"now": "2026-11-22T10:15:32+00:00"}')

    def move(self, now: datetime) -> None:
        self._now = max(self._now, now.astimezone(UTC))


def iso(at: datetime) -> str:
    """Formats as `2026-11-22T10:15:32Z`, as Wave and our control API do.

    >>> iso(datetime(2026, 11, 22, 10, 15, 32, tzinfo=UTC))
    '2026-11-22T10:15:32Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> datetime:
    """Parses the output of `iso`."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
