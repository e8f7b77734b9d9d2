"""One person of a household: who is on its bills, and what that person may claim on a day. Pure: no session, no clock.

A person has the household's rights, from the money that reached a stage under a share which included this person; who comes
on the very day of a bill counts as on it. Whom the scheme spares the waiting days does not wait; who is over its limit of
people or of age is not covered. A child who was young enough on the day of a bill is covered to the end of what it buys.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple
from uuid import UUID

from mutuelle import rights
from mutuelle.grants import DAY, Due, Grant, Paid, VersionOf, reached
from mutuelle.quotes import ADULT, age
from mutuelle.rights import Interval
from mutuelle.versions import Version


class Person(NamedTuple):
    """What is known of somebody: year of birth, first and last day in the household; `classes` such as `pregnant`."""

    id: UUID
    head: bool
    born: int
    since: date
    until: date | None = None
    student: bool = False
    classes: tuple[str, ...] = ()

    def there(self, day: date) -> bool:
        """Whether the person is of the household on `day`."""
        return self.since <= day and (self.until is None or day <= self.until)


def ranked(people: Sequence[Person]) -> list[Person]:
    """In the order a limit of people counts them: the head, then who came first, the oldest first among those."""
    return sorted(people, key=lambda one: (not one.head, one.since, one.born, one.id.int))


def too_old(version: Version, person: Person, day: date) -> bool:
    """Whether somebody who came as a child is on `day` over the age up to which the scheme covers one.

    A dependant who came as an adult is a spouse or a parent: no age limit is known for them.
    """
    rule = version.dependants
    below = rule.student_below if person.student and rule.student_below else rule.child_below
    if person.head or below is None or age(person.born, person.since) >= ADULT:
        return False
    return age(person.born, day) >= below


def on_bill(version: Version, people: Sequence[Person], day: date, issued: date) -> list[int]:
    """The birth years a bill `issued` on a day is priced for, as the household is on `day`; who leaves on it has left.

    Ages are those of the day it was issued on: who was born in a later year counts as new-born.
    """
    there = [one for one in ranked(people) if one.since <= day and (one.until is None or day < one.until)]
    return [min(one.born, issued.year) for one in there if not too_old(version, one, issued)]


def spared(version: Version, person: Person, day: date) -> bool:
    """Whether the scheme spares this person the waiting days on `day`."""
    rule = version.waiting
    return age(person.born, day) < rule.waived_below or not set(rule.waived).isdisjoint(person.classes)


def timeline(
    version_of: VersionOf, dues: Sequence[Due], paid: Sequence[Paid], people: Sequence[Person], person: Person
) -> tuple[Interval, ...]:
    """The person's time line from the household's first bill on: no gap, no overlap; empty when there is no bill.

    `people` are all who ever were of the household, the person among them.
    """

    def seen(grants: Sequence[Grant], money: Sequence[Paid]) -> tuple[Grant, ...]:
        own = [_own(version_of, grant, money, person) for grant in grants]
        return tuple(grant for grant in own if grant is not None)

    found = rights.intervals(version_of, dues, paid, seen)
    if not found:
        return ()
    bills = sorted((due for due in dues if due.kind == "dues"), key=lambda due: due.issued)
    days = {part.since for part in found} | {due.issued for due in bills} | {date(due.issued.year, 1, 1) for due in bills}
    days |= {day for one in people for day in (one.since, one.until and one.until + DAY) if day}
    days |= {date(year, 1, 1) for year in range(person.since.year, max(days).year + 2)}
    limits = {version_of(due.version).dependants for due in bills}
    days |= {date(person.born + below, 1, 1) for r in limits for below in (r.child_below, r.student_below) if below}
    told: list[Interval] = []
    for day in sorted(day for day in days if day >= found[0].since):
        version = version_of(max((due for due in bills if due.issued <= day), key=lambda d: d.issued, default=bills[0]).version)
        part = _exception(version, rights.on(found, day), people, person, day)
        if told and (told[-1].state, told[-1].reason) == (part.state, part.reason):
            told[-1] = replace(told[-1], next_step=part.next_step)
        else:
            if told:
                told[-1] = replace(told[-1], until=day - DAY)
            told.append(replace(part, since=day, until=None))
    return tuple(told)


def _exception(version: Version, part: Interval, people: Sequence[Person], person: Person, day: date) -> Interval:
    """The household's part of `day` as this person has it."""
    if day < person.since:
        return replace(part, state="never", reason="rights.not-yet-member", next_step="rights.wait")
    if person.until is not None and day > person.until:
        return replace(part, state="never", reason="rights.left", next_step="rights.ask-agent")
    place = ranked([one for one in people if one.there(day)]).index(person)
    if place >= version.household.people_max:
        return replace(part, state="never", reason="rights.over-limit", next_step="rights.ask-agent")
    if part.state not in ("open", "waiting") and too_old(version, person, day):
        return replace(part, state="never", reason="rights.over-age", next_step="rights.ask-agent")
    return part


def _own(version_of: VersionOf, grant: Grant, money: Sequence[Paid], person: Person) -> Grant | None:
    """The household's cover as this person has it: from the day the share that includes the person was paid."""
    due = grant.due
    version = version_of(due.version)
    if too_old(version, person, due.issued):
        return None
    known = _paid_for(version, grant, money, person.since) if person.since > due.issued else grant.known
    if known is None:
        return None
    begins = known if due.period_from is None and spared(version, person, known) else max(grant.since, known)
    return replace(grant, known=known, since=begins) if begins <= grant.lasts else None


def _paid_for(version: Version, grant: Grant, money: Sequence[Paid], since: date) -> date | None:
    """The day from which the stage's cover includes somebody who came on `since`; None while it does not.

    What made the bill larger on that day or after it is in the share; where nothing did, the person costs nothing.
    """
    due = grant.due
    later = [change for change in due.changes if change.on >= since]
    if not later:
        return max(grant.known, since)
    first = later[0].on
    before = [change for change in due.changes if change.on <= first]
    share = due.member_share + sum(change.member for change in before)
    total = due.total + sum(change.total for change in before)
    own = replace(due, issued=max(first, due.issued), member_share=share, total=total,
                  changes=tuple(change for change in due.changes if change.on > first))  # fmt: skip
    for stage, _, day in reached(version, own, money):
        if stage.months >= grant.stage.months:
            return max(day, grant.known)
    return None
