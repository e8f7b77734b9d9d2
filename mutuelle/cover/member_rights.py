"""One person of a household: who is on its bills, and what that person may claim on a day. Pure: no session,
no clock.

A person has the household's rights, from the money that reached a stage under a share which included this
person; who comes on the very day of a bill counts as on it. Whom the scheme spares the waiting days does not
wait; who is over its limit of people or of age is not covered. A child who was young enough on the day of a
bill is covered to the end of what it buys; one whom the scheme covers at any age, because of a class, is
covered as long as it is of that class.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple
from uuid import UUID

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import ADULT, age
from mutuelle.cover import rights
from mutuelle.cover.cover_periods import DAY, BillPayment, CoverPeriod, VersionOf, stages_reached
from mutuelle.cover.rights import Interval
from mutuelle.schemes.money_rules import BillKind
from mutuelle.schemes.versions import Version


@dataclass(frozen=True, slots=True)
class DatedStatus:
    """That somebody is `pregnant`, or of another of `CLASSES`, from the day it was noted to the last day it
    holds."""

    code: str
    since: date
    until: date | None = None

    def holds(self, day: date) -> bool:
        """Whether it counts on `day`."""
        return self.since <= day and (self.until is None or day <= self.until)


class InsuredPerson(NamedTuple):
    """What is known of somebody: year of birth, first and last day in the household, and `classes` with their
    days."""

    id: UUID
    head: bool
    born: int
    since: date
    until: date | None = None
    student: bool = False
    classes: tuple[DatedStatus, ...] = ()

    def there(self, day: date) -> bool:
        """Whether the person is of the household on `day`."""
        return self.since <= day and (self.until is None or day <= self.until)


def newcomers(born: Sequence[int], day: date, students: Collection[int] = ()) -> list[InsuredPerson]:
    """Those born in the years `born`, the head first, who join together on `day`; `students` are places among
    them."""
    return [
        InsuredPerson(UUID(int=at), at == 0, year, day, student=at in students)
        for at, year in enumerate(born)
    ]


def in_rank_order(people: Sequence[InsuredPerson]) -> list[InsuredPerson]:
    """In the order a limit of people counts them: the head, then who came first, the oldest first among
    those."""
    return sorted(people, key=lambda one: (not one.head, one.since, one.born, one.id.int))


def too_old(version: Version, person: InsuredPerson, day: date) -> bool:
    """Whether somebody who came as a child is on `day` over the age up to which the scheme covers one.

    A dependant who came as an adult is a spouse or a parent: no age limit is known for them.
    """
    return over_age(version, person, day) and not any(one.holds(day) for one in _at_any_age(version, person))


def over_age(version: Version, person: InsuredPerson, day: date) -> bool:
    """The same, had the person no class for which the scheme looks at no age."""
    rule = version.dependants
    below = rule.student_below if person.student and rule.student_below else rule.child_below
    if person.head or below is None or age(person.born, person.since) >= ADULT:
        return False
    return age(person.born, day) >= below


def _at_any_age(version: Version, person: InsuredPerson) -> list[DatedStatus]:
    """The classes for which the scheme covers this person at any age."""
    return [one for one in person.classes if version.dependants.disabled_any_age and one.code == "disabled"]


def on_bill(version: Version, people: Sequence[InsuredPerson], day: date, issued: date) -> list[int]:
    """The birth years a bill `issued` on a day is priced for, as the household is on `day`; who leaves on it
    has left.

    Ages are those of the day it was issued on: who was born in a later year counts as new-born.
    """
    there = [one for one in in_rank_order(people) if _still(one, day)]
    return [
        min(one.born, issued.year)
        for one in there
        if not over_age(version, one, issued) or any(_still(held, day) for held in _at_any_age(version, one))
    ]


def _still(one: InsuredPerson | DatedStatus, day: date) -> bool:
    return one.since <= day and (one.until is None or day < one.until)


def waiting_waived_from(version: Version, person: InsuredPerson, known: date, since: date) -> date | None:
    """The first day from `known` on which the scheme spares this person the waiting that ends on `since`;
    None if never."""
    rule = version.waiting
    if age(person.born, known) < rule.waived_below:
        return known
    mine = [(max(known, one.since), one) for one in person.classes if one.code in rule.waived]
    return min((day for day, one in mine if one.holds(day) and day < since), default=None)


def timeline(
    version_of: VersionOf,
    bills: Sequence[BillState],
    paid: Sequence[BillPayment],
    people: Sequence[InsuredPerson],
    person: InsuredPerson,
) -> tuple[Interval, ...]:
    """The person's time line from the household's first bill on: no gap, no overlap; empty when there is no
    bill.

    `people` are all who ever were of the household, the person among them.
    """

    def seen(grants: Sequence[CoverPeriod], money: Sequence[BillPayment]) -> tuple[CoverPeriod, ...]:
        return tuple(mine for grant in grants for mine in own_periods(version_of, grant, money, person))

    found = rights.intervals(version_of, bills, paid, seen)
    if not found:
        return ()
    dues = sorted((bill for bill in bills if bill.kind == BillKind.DUES), key=lambda bill: bill.issued)
    days = (
        {part.since for part in found}
        | {bill.issued for bill in dues}
        | {date(bill.issued.year, 1, 1) for bill in dues}
    )
    dated: list[InsuredPerson | DatedStatus] = [*people, *person.classes]
    days |= {day for one in dated for day in (one.since, one.until and one.until + DAY) if day}
    days |= {date(year, 1, 1) for year in range(person.since.year, max(days).year + 2)}
    limits = {version_of(bill.version).dependants for bill in dues}
    days |= {
        date(person.born + below, 1, 1) for r in limits for below in (r.child_below, r.student_below) if below
    }
    told: list[Interval] = []
    for day in sorted(day for day in days if day >= found[0].since):
        version = version_of(
            max(
                (bill for bill in dues if bill.issued <= day), key=lambda d: d.issued, default=dues[0]
            ).version
        )
        part = _exception(version, rights.on(found, day), people, person, day)
        if told and (told[-1].state, told[-1].reason) == (part.state, part.reason):
            told[-1] = replace(told[-1], next_step=part.next_step)
        else:
            if told:
                told[-1] = replace(told[-1], until=day - DAY)
            told.append(replace(part, since=day, until=None))
    return tuple(told)


def _exception(
    version: Version, part: Interval, people: Sequence[InsuredPerson], person: InsuredPerson, day: date
) -> Interval:
    """The household's part of `day` as this person has it."""
    if day < person.since:
        return replace(part, state="never", reason="rights.not-yet-member", next_step="rights.wait")
    if person.until is not None and day > person.until:
        return replace(part, state="never", reason="rights.left", next_step="rights.ask-agent")
    place = in_rank_order([one for one in people if one.there(day)]).index(person)
    if place >= version.household.people_max:
        return replace(part, state="never", reason="rights.over-limit", next_step="rights.ask-agent")
    if part.state not in ("open", "waiting") and too_old(version, person, day):
        return replace(part, state="never", reason="rights.over-age", next_step="rights.ask-agent")
    return part


def own_periods(
    version_of: VersionOf, grant: CoverPeriod, money: Sequence[BillPayment], person: InsuredPerson
) -> tuple[CoverPeriod, ...]:
    """The household's cover as this person has it: from the day the share that includes the person was paid.

    Whom only a class covers has a part for each time it was noted, each with its own first and last day, so
    that noting it again covers no day between.
    """
    version = version_of(grant.bill.version)
    times: list[tuple[date, date | None]] = [(person.since, None)]
    if over_age(version, person, grant.bill.issued):
        times = [(max(person.since, one.since), one.until) for one in _at_any_age(version, person)]
    parts = (_part(version, grant, money, person, since, until) for since, until in times)
    return tuple(part for part in parts if part is not None)


def _part(
    version: Version,
    grant: CoverPeriod,
    money: Sequence[BillPayment],
    person: InsuredPerson,
    came: date,
    until: date | None,
) -> CoverPeriod | None:
    """The cover of somebody whom the rules cover from the day `came` to `until`, if any is left of it."""
    bill, lasts = grant.bill, min(grant.lasts, until or grant.lasts)
    known = _paid_for(version, grant, money, came) if came > bill.issued else grant.known
    if known is None:
        return None
    begins = max(grant.since, known)
    if bill.period_from is None:
        begins = waiting_waived_from(version, person, known, begins) or begins
    if begins > lasts:
        return None
    return replace(grant, known=known, since=begins, until=min(grant.until, lasts), lasts=lasts)


def _paid_for(version: Version, grant: CoverPeriod, money: Sequence[BillPayment], since: date) -> date | None:
    """The day from which the stage's cover includes somebody who came on `since`; None while it does not.

    What made the bill larger on that day or after it is in the share; where nothing did, the person costs
    nothing.
    """
    bill = grant.bill
    later = [change for change in bill.changes if change.on >= since]
    if not later:
        return max(grant.known, since)
    first = later[0].on
    before = [change for change in bill.changes if change.on <= first]
    share = bill.issued_share + sum(change.member for change in before)
    total = bill.issued_total + sum(change.total for change in before)
    own = replace(bill, issued=max(first, bill.issued), issued_share=share, issued_total=total,
                  changes=tuple(change for change in bill.changes if change.on > first))  # fmt: skip
    for stage, _, day in stages_reached(version, own, money):
        if stage.months >= grant.stage.months:
            return max(day, grant.known)
    return None
