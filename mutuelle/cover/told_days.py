"""Finds days that were told as open and are not open any more (I13). Pure.

What a household or a member was told on a day follows from what the books knew at the end of that day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from mutuelle.cover import household_rights, member_rights
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import DAY
from mutuelle.cover.household_rights import Interval, RightsState
from mutuelle.cover.member_rights import DatedStatus, InsuredPerson


def taken_back(
    books: HouseholdBooks, people: Sequence[InsuredPerson], today: date
) -> Iterator[tuple[UUID | None, date]]:
    """Yields the first day up to `today` that was open once and no longer is, with the member's id.

    The id is None for the household itself. `people` are all members, past and present.
    """
    days = _days_of_news(books, people, today)
    ends = [day - DAY for day in days[1:]] + [today]
    for person in (None, *people):
        now = _timeline(books, people, person)
        for day, last in zip(days, ends, strict=False):
            then = _timeline(books.known_on(day), _known_on(people, day), person)
            if (lost := _first_lost(then, now, day, last)) is not None:
                yield (person.id if person else None), lost
                break


def _days_of_news(books: HouseholdBooks, people: Sequence[InsuredPerson], today: date) -> list[date]:
    """The days on which the books learned something, in order, up to `today`."""
    days = {payment.on for payment in books.paid}
    for bill in books.bills:
        days |= {bill.issued, *(change.on for change in bill.changes)}
    dated: list[InsuredPerson | DatedStatus] = [*people]
    dated += [status for person in people for status in person.statuses]
    days |= {day for item in dated for day in (item.since, item.until) if day}
    return sorted(day for day in days if day <= today)


def _known_on(people: Sequence[InsuredPerson], day: date) -> list[InsuredPerson]:
    """The people as they were known on `day`: without those who came later, and before anybody left later."""
    return [
        person._replace(
            until=None if person.until and person.until > day else person.until,
            statuses=tuple(
                replace(status, until=None) if status.until and status.until > day else status
                for status in person.statuses
                if status.since <= day
            ),
        )
        for person in people
        if person.since <= day
    ]


def _timeline(
    books: HouseholdBooks, people: Sequence[InsuredPerson], person: InsuredPerson | None
) -> Sequence[Interval]:
    """The time line of the household (None) or of a person; empty if the person is not among `people`."""
    if person is None:
        return household_rights.intervals(books.version_of, books.bills, books.paid)
    member = next((other for other in people if other.id == person.id), None)
    if member is None:
        return ()
    return member_rights.timeline(books.version_of, books.bills, books.paid, people, member)


def _first_lost(then: Sequence[Interval], now: Sequence[Interval], first: date, last: date) -> date | None:
    """The first day from `first` to `last` that was open by the time line `then` and is not open now."""
    day = first
    while day <= last:
        old, new = household_rights.on(then, day), household_rights.on(now, day)
        if old.state == RightsState.OPEN and new.state != RightsState.OPEN:
            return day
        ends = [part.until for part in (old, new) if part.until]
        day = min(ends, default=last) + DAY
    return None
