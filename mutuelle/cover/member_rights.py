"""Says which members a household's bills are for, and what one member may claim on a day. Pure.

A member has the household's rights from the day on which the money paid reached a stage of a share that
includes the member, and at once if the share is the same without this member. A member who joins on the day
of a bill is on that bill. The scheme may waive a member's waiting days. A member over its limit of people
or of age is not covered, nor is one who is not related to the head as the scheme asks. A child who is young
enough on the day of a bill is covered to the end of what that bill buys. A member who is covered at any age
because of a status is covered while the status holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple
from uuid import UUID

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import ADULT, age
from mutuelle.cover import household_rights, newcomers
from mutuelle.cover.cover_periods import DAY, BillPayment, CoverPeriod, VersionOf
from mutuelle.cover.household_rights import Interval, NextStep, RightsReason, RightsState
from mutuelle.cover.relationships import NotedRelationship, not_admitted, relationship_on
from mutuelle.schemes.money_rules import BillKind
from mutuelle.schemes.service_rules import Relationship
from mutuelle.schemes.version_rules import Version


@dataclass(frozen=True, slots=True)
class DatedStatus:
    """A status of a member, one of `MEMBER_STATUSES`, from the day it was noted to its last day."""

    code: str
    since: date
    until: date | None = None

    def holds(self, day: date) -> bool:
        """Whether the status counts on `day`."""
        return self.since <= day and (self.until is None or day <= self.until)


class InsuredPerson(NamedTuple):
    """A member for the rights rules: year of birth, first and last day in the household, dated statuses.

    `relationships` to the head are in the order in which they were noted.
    """

    id: UUID
    head: bool
    born: int
    since: date
    until: date | None = None
    student: bool = False
    statuses: tuple[DatedStatus, ...] = ()
    relationships: tuple[NotedRelationship, ...] = ()

    def in_household(self, day: date) -> bool:
        """Whether the person belongs to the household on `day`."""
        return self.since <= day and (self.until is None or day <= self.until)


def in_rank_order(people: Sequence[InsuredPerson]) -> list[InsuredPerson]:
    """Sorts people as a limit of people counts them: the head, then by day of joining, then the oldest."""
    return sorted(people, key=lambda person: (not person.head, person.since, person.born, person.id.int))


def too_old(version: Version, person: InsuredPerson, day: date) -> bool:
    """Whether a child is on `day` over the age up to which the scheme covers children.

    A dependant whose relationship was not noted by then is a child if it joined before it was 18, else a
    spouse or a parent: no age limit is known for them.
    """
    any_age = _statuses_without_age_limit(version, person)
    return over_age(version, person, day) and not any(status.holds(day) for status in any_age)


def over_age(version: Version, person: InsuredPerson, day: date) -> bool:
    """Like `too_old`, but ignores the statuses for which the scheme has no age limit."""
    rule = version.dependants
    below = rule.student_below if person.student and rule.student_below else rule.child_below
    if person.head or below is None:
        return False
    relationship = relationship_on(person.relationships, person.since, day)
    is_child = relationship == Relationship.CHILD
    if relationship is None:
        is_child = age(person.born, person.since) < ADULT
    return is_child and age(person.born, day) >= below


def _statuses_without_age_limit(version: Version, person: InsuredPerson) -> list[DatedStatus]:
    """The person's statuses for which the scheme covers a member at any age."""
    any_age = version.dependants.disabled_any_age
    return [status for status in person.statuses if any_age and status.code == "disabled"]


def on_bill(version: Version, people: Sequence[InsuredPerson], day: date, issued: date) -> list[int]:
    """The birth years that a bill issued on the day `issued` is priced for, with the members of `day`.

    A member whose last day is `day` does not count. Ages are those of the day of issue; a person born in a
    later year counts as new-born.
    """
    return [
        min(person.born, issued.year)
        for person in in_rank_order(people)
        if _goes_on(person, day)
        and not not_admitted(version, person, issued)
        and (
            not over_age(version, person, issued)
            or any(_goes_on(status, day) for status in _statuses_without_age_limit(version, person))
        )
    ]


def _goes_on(dated: InsuredPerson | DatedStatus, day: date) -> bool:
    return dated.since <= day and (dated.until is None or day < dated.until)


def waiting_waived_from(version: Version, person: InsuredPerson, first: date, since: date) -> date | None:
    """The first day, from `first` on, on which the scheme waives this person's waiting until `since`.

    None if it never does.
    """
    rule = version.waiting
    if age(person.born, first) < rule.waived_below:
        return first
    statuses = [
        (max(first, status.since), status) for status in person.statuses if status.code in rule.waived
    ]
    return min((day for day, status in statuses if status.holds(day) and day < since), default=None)


def timeline(
    version_of: VersionOf,
    bills: Sequence[BillState],
    paid: Sequence[BillPayment],
    people: Sequence[InsuredPerson],
    person: InsuredPerson,
) -> tuple[Interval, ...]:
    """The person's time line from the household's first bill on, without a gap; empty when there is no bill.

    `people` are all members, past and present, the person among them.
    """

    def view(periods: Sequence[CoverPeriod], money: Sequence[BillPayment]) -> tuple[CoverPeriod, ...]:
        return tuple(
            part for period in periods for part in own_periods(version_of, period, money, people, person)
        )

    shared = household_rights.intervals(version_of, bills, paid, view)
    if not shared:
        return ()
    dues = sorted((bill for bill in bills if bill.kind == BillKind.DUES), key=lambda bill: bill.issued)
    days = _days_to_judge(version_of, dues, people, person, shared)
    parts: list[Interval] = []
    for day in sorted(day for day in days if day >= shared[0].since):
        issued = (bill for bill in dues if bill.issued <= day)
        version = version_of(max(issued, key=lambda bill: bill.issued, default=dues[0]).version)
        part = _exception(version, household_rights.on(shared, day), people, person, day)
        if parts and (parts[-1].state, parts[-1].reason) == (part.state, part.reason):
            continue
        if parts:
            parts[-1] = replace(parts[-1], until=day - DAY)
        parts.append(replace(part, since=day, until=None))
    return tuple(parts)


def _days_to_judge(
    version_of: VersionOf,
    dues: Sequence[BillState],
    people: Sequence[InsuredPerson],
    person: InsuredPerson,
    shared: Sequence[Interval],
) -> set[date]:
    """Every day on which the person's state or its reason may change."""
    days = {part.since for part in shared}
    days |= {day for bill in dues for day in (bill.issued, date(bill.issued.year, 1, 1))}
    days |= {day for day, _ in person.relationships}
    dated: list[InsuredPerson | DatedStatus] = [*people, *person.statuses]
    days |= {day for item in dated for day in (item.since, item.until and item.until + DAY) if day}
    days |= {date(year, 1, 1) for year in range(person.since.year, max(days).year + 2)}
    rules = {version_of(bill.version).dependants for bill in dues}
    limits = {below for rule in rules for below in (rule.child_below, rule.student_below) if below}
    return days | {date(person.born + below, 1, 1) for below in limits}


def _exception(
    version: Version, part: Interval, people: Sequence[InsuredPerson], person: InsuredPerson, day: date
) -> Interval:
    """Returns the household's interval of `day`, changed if this person is not a member or not covered."""
    if day < person.since:
        return _never_interval(part, RightsReason.NOT_YET_MEMBER, NextStep.WAIT)
    if person.until is not None and day > person.until:
        return _never_interval(part, RightsReason.LEFT, NextStep.ASK_AGENT)
    rank = in_rank_order([other for other in people if other.in_household(day)]).index(person)
    if rank >= version.household.people_max:
        return _never_interval(part, RightsReason.OVER_LIMIT, NextStep.ASK_AGENT)
    if part.state in (RightsState.OPEN, RightsState.WAITING):
        return part
    if not_admitted(version, person, day):
        return _never_interval(part, RightsReason.NOT_ADMITTED, NextStep.ASK_AGENT)
    if too_old(version, person, day):
        return _never_interval(part, RightsReason.OVER_AGE, NextStep.ASK_AGENT)
    return part


def _never_interval(part: Interval, reason: RightsReason, next_step: NextStep) -> Interval:
    return replace(part, state=RightsState.NEVER, reason=reason, next_step=next_step)


def first_membership(people: Sequence[InsuredPerson], person: InsuredPerson) -> InsuredPerson:
    """The membership that this one goes on with; this one itself, if it is a new one.

    Who is removed and added again on one day was never away (I14): of those who joined on a day, as many as
    members of the same year of birth left on it take their places.
    """
    alike = [other for other in people if other.born == person.born]
    came = [other for other in alike if other.since == person.since and _goes_on(other, person.since)]
    left = [other for other in alike if other.since < person.since == other.until]
    in_order = (sorted(group, key=lambda other: other.id.int) for group in (came, left))
    places = dict(zip(*in_order, strict=False))
    return first_membership(people, places[person]) if person in places else person


def own_periods(
    version_of: VersionOf,
    period: CoverPeriod,
    money: Sequence[BillPayment],
    people: Sequence[InsuredPerson],
    person: InsuredPerson,
) -> tuple[CoverPeriod, ...]:
    """The household's cover as this person has it: from the day the share that includes the person was paid.

    `people` are all members, past and present.
    A member covered only because of a status gets one period for each period of that status, so that no day
    between two of them is covered.
    """
    version = version_of(period.bill.version)
    if not_admitted(version, person, period.bill.issued):
        return ()
    spans: list[tuple[date, date | None]] = [(first_membership(people, person).since, None)]
    if over_age(version, person, period.bill.issued):
        statuses = _statuses_without_age_limit(version, person)
        spans = [(max(person.since, status.since), status.until) for status in statuses]
    parts = (_part(version_of, period, money, people, person, since, until) for since, until in spans)
    return tuple(part for part in parts if part is not None)


def _part(
    version_of: VersionOf,
    period: CoverPeriod,
    money: Sequence[BillPayment],
    people: Sequence[InsuredPerson],
    person: InsuredPerson,
    first: date,
    until: date | None,
) -> CoverPeriod | None:
    """Returns the cover of a person covered by the rules from `first` to `until`; None if no day is left."""
    bill, last = period.bill, min(period.grace_until, until or period.grace_until)
    version = version_of(bill.version)
    known_since: date | None = max(period.known_since, first)
    if first > bill.issued and not costs_nothing(version_of, bill, people, person, first):
        known_since = newcomers.paid_for(version, period, money, first)
    if known_since is None:
        return None
    since = max(period.since, known_since)
    if bill.period_from is None:
        since = waiting_waived_from(version, person, known_since, since) or since
    if since > last:
        return None
    until = min(period.until, last)
    return replace(period, known_since=known_since, since=since, until=until, grace_until=last)


def costs_nothing(
    version_of: VersionOf,
    bill: BillState,
    people: Sequence[InsuredPerson],
    person: InsuredPerson,
    since: date,
) -> bool:
    """Whether a person who is on the bill from the day `since` on changes nothing of the member's share.

    That is so if the bill did not change on that day, or if it costs the same without this person, by the
    year of birth noted on that day. What changes on other days is for other people. `people` are all members.
    """
    bases = [change.basis for change in bill.changes if change.on == since]
    if not bases:
        return True
    if bases[-1] is None:
        return False
    first = first_membership(people, person)
    billed = first if first.since == since else person
    others = [
        min(other.born, bill.issued.year)
        for other in people
        if other.id != billed.id and _goes_on(other, since)
    ]
    born = min(person.born, bill.issued.year)
    return newcomers.costs_nothing(version_of, bill, bases[-1], born, others)
