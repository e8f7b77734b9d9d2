"""The hours, in the local time of a mutuelle, in which a message that can wait may be sent. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(8), time(20)  # local time of the mutuelle; no zone of the region changes its clocks
DAY = timedelta(1)


@dataclass(frozen=True)
class Hours:
    """The sending hours of one local day, as UTC moments."""

    day: date
    opens: datetime
    closes: datetime


def hours(now: datetime, zone: str) -> Hours | None:
    """Returns the sending hours that contain `now`, or None while it is night in `zone`."""
    local_zone = ZoneInfo(zone)
    local = now.astimezone(local_zone)
    if not OPENS <= local.time() < CLOSES:
        return None
    opens, closes = (
        datetime.combine(local.date(), hour, local_zone).astimezone(UTC) for hour in (OPENS, CLOSES)
    )
    return Hours(local.date(), opens, closes)


def daylight(now: datetime, zone: str) -> datetime:
    """Returns `now` if it is within the sending hours of `zone`, else the start of the next ones.

    >>> daylight(datetime(2026, 11, 22, 21, 30, tzinfo=UTC), "Africa/Dakar").isoformat()
    '2026-11-23T08:00:00+00:00'
    """
    local_zone = ZoneInfo(zone)
    local = now.astimezone(local_zone)
    if OPENS <= local.time() < CLOSES:
        return now
    day = local.date() if local.time() < OPENS else local.date() + DAY
    return datetime.combine(day, OPENS, local_zone).astimezone(UTC)
