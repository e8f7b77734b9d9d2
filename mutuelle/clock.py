"""Reads the time, makes ids and draws random digits. No other module does: a simulator replaces them."""

import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from mutuelle.errors import Malformed


class Source:
    """The sources of time, ids and random numbers; by default the machine's, its clock moved by `shift_s`.

    `ticks` are monotonic seconds, for deadlines and caches. A change of the clock does not affect them.
    """

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        ids: Callable[[], uuid.UUID] = uuid.uuid4,
        chance: random.Random | None = None,
        shift_s: int = 0,
        ticks: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._now, self.ids, self.chance = now, ids, chance or random.SystemRandom()
        self.shift, self.ticks = timedelta(seconds=shift_s), ticks
        # A simulator with ticks of its own must not be held up by the machine's clock.
        self.pause = pause or (time.sleep if ticks is time.monotonic else lambda seconds: None)

    def now(self) -> datetime:
        return self._now() + self.shift


_source = Source()


def install(source: Source) -> None:
    """Makes `source` the source of this process."""
    global _source
    _source = source


def now() -> datetime:
    """Returns the present moment, aware, in UTC."""
    return _source.now()


def ticks() -> float:
    """Returns monotonic seconds, for measuring durations."""
    return _source.ticks()


def pause(seconds: float) -> None:
    """Sleeps, to keep a pace. A simulated clock may not pass meanwhile, so nothing may depend on the time."""
    if seconds > 0:
        _source.pause(seconds)


def today(zone: str) -> date:
    """The local date in `zone`, e.g. `Africa/Bamako`: coverage dates are local dates of the mutuelle."""
    return _source.now().astimezone(ZoneInfo(zone)).date()


def local_date(at: datetime, zone: str) -> date:
    """The date `at` fell on in `zone`."""
    return at.astimezone(ZoneInfo(zone)).date()


def new_id() -> uuid.UUID:
    """Returns a random UUID4, for row keys and for the references that we give to operators."""
    return _source.ids()


def digits(count: int) -> str:
    """`count` random digits, the first not 0."""
    return str(_source.chance.randrange(10 ** (count - 1), 10**count))


def parse(text: object) -> datetime:
    """Reads an ISO 8601 moment with a zone. Raises Malformed when it is not one."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        if at is not None and at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed("not an ISO 8601 moment") from error
    raise Malformed("a moment needs a date, a time and a zone")
