"""A message that can wait leaves between eight in the morning and eight in the evening, local time."""

from datetime import UTC, datetime

import pytest

from mutuelle.messaging import sending_hours


@pytest.mark.parametrize(
    ("zone", "moment", "leaves"),
    [
        ("Africa/Dakar", "2026-11-22T07:59:59", "2026-11-22T08:00:00"),
        ("Africa/Dakar", "2026-11-22T08:00:00", "2026-11-22T08:00:00"),
        ("Africa/Dakar", "2026-11-22T13:30:00", "2026-11-22T13:30:00"),
        ("Africa/Dakar", "2026-11-22T19:59:59", "2026-11-22T19:59:59"),
        ("Africa/Dakar", "2026-11-22T20:00:00", "2026-11-23T08:00:00"),
        ("Africa/Dakar", "2026-12-31T23:00:00", "2027-01-01T08:00:00"),
        ("Africa/Dakar", "2026-11-22T00:00:00", "2026-11-22T08:00:00"),
        ("Africa/Kigali", "2026-11-22T05:59:59", "2026-11-22T06:00:00"),
        ("Africa/Kigali", "2026-11-22T06:00:00", "2026-11-22T06:00:00"),
        ("Africa/Kigali", "2026-11-22T18:00:00", "2026-11-23T06:00:00"),
        ("Africa/Kigali", "2026-11-22T22:30:00", "2026-11-23T06:00:00"),  # already the 23rd in Kigali
    ],
)
def test_a_message_waits_for_the_next_morning_only_at_night(zone: str, moment: str, leaves: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert sending_hours.daylight(now, zone) == datetime.fromisoformat(leaves).replace(tzinfo=UTC)
