"""The hours of the day in which a message that can wait may reach a phone: local time of the mutuelle. Pure:
no clock."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(8), time(20)  # local time of the mutuelle; no zone of the region changes its clocks
DAY = timedelta(1)


@dataclass(frozen=True)
class Hours:
    """The hours of one local day in which a phone may ring, as moments."""

    day: date
    opens: datetime
    closes: datetime


def hours(now: datetime, zone: str) -> Hours | None:
    """The hours in which `now` falls; None while it is night in `zone`."""
    place = ZoneInfo(zone)
    local = now.astimezone(place)
    if not OPENS <= local.time() < CLOSES:
        return None
    opens, closes = (datetime.combine(local.date(), hour, place).astimezone(UTC) for hour in (OPENS, CLOSES))
    return Hours(local.date(), opens, closes)


def daylight(now: datetime, zone: str) -> datetime:
    """`now` by day in `zone`, else the moment the next day's hours begin.

    >>> daylight(datetime(2026, 11, 22, 21, 30, tzinfo=UTC), "Africa/Dakar").isoformat()
    '2026-11-23T08:00:00+00:00'
    """
    place = ZoneInfo(zone)
    local = now.astimezone(place)
    if OPENS <= local.time() < CLOSES:
        return now
    day = local.date() if local.time() < OPENS else local.date() + DAY
    return datetime.combine(day, OPENS, place).astimezone(UTC)
