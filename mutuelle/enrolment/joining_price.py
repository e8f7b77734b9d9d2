"""Prices a household that joins: the members on its bill, the members left out, the refusals. Pure.

The bill of an enrolment, the screens of the dialogue and `mutuelle schemes quote` all take their price here,
so that a quote equals the bill of the same household on the same day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from mutuelle.contributions.quotes import ADULT, Quote, age, quote, require_possible_years, with_sponsor
from mutuelle.cover.member_rights import DatedStatus, InsuredPerson, in_rank_order, on_bill, too_old
from mutuelle.cover.relationships import not_admitted
from mutuelle.errors import Refused
from mutuelle.schemes.schemes import Scheme
from mutuelle.schemes.service_rules import Relationship
from mutuelle.schemes.version_rules import Version


@dataclass(frozen=True)
class JoiningHousehold:
    """What the price of joining follows from; `birth_years` has one year per member, the head's first.

    `students` and `statuses` (codes of `MEMBER_STATUSES`) name members by their index in `birth_years`;
    `relationships` to the head (None for the head, and where it is not known) has as many entries or none.
    `proven` says that the evidence of the category was seen; without a category nothing is. A sponsor pays
    `sponsor_percent` of the member's share.
    """

    birth_years: Sequence[int]
    category: str | None = None
    proven: bool = False
    option: str | None = None
    students: frozenset[int] = frozenset()
    statuses: Mapping[int, Sequence[str]] = field(default_factory=dict)
    relationships: Sequence[str | None] = ()
    sponsor_percent: int = 0

    @property
    def related(self) -> list[str | None]:
        """Returns the relationship of each member to the head. A pupil without a relationship is a child."""
        relationships = self.relationships or [None] * len(self.birth_years)
        return [
            relationship or (Relationship.CHILD if index in self.students and index else None)
            for index, relationship in enumerate(relationships)
        ]

    def people(self, on: date) -> list[InsuredPerson]:
        """The members as the rules see them on the day `on`, on which all of them join."""
        return [
            InsuredPerson(
                UUID(int=index),
                index == 0,
                year,
                on,
                student=index in self.students,
                statuses=tuple(DatedStatus(code, on) for code in self.statuses.get(index, ())),
                relationships=((on, relationship),) if relationship else (),
            )
            for index, (year, relationship) in enumerate(zip(self.birth_years, self.related, strict=True))
        ]


@dataclass(frozen=True)
class JoiningPrice:
    """The price of joining, and the birth years that the bill is for, in its order.

    `quote.not_covered` names every member who is left out, as `reason:year of birth`.
    """

    quote: Quote
    billed: tuple[int, ...]


def price(scheme: Scheme, household: JoiningHousehold, on: date) -> JoiningPrice:
    """Returns the price of joining on the local date `on`.

    Refused: "quote.nobody", "born.impossible", "enrol.head-age" when the head is not an adult, and all that
    `quote` refuses.
    """
    version = scheme.on(on)
    require_possible_years(household.birth_years, on)
    require_adult_head(household.birth_years, on)
    people = household.people(on)
    billed = tuple(on_bill(version, people, on, on))
    priced = quote(
        scheme,
        billed,
        on=on,
        category=household.category,
        checked=household.proven and household.category is not None,
        option=household.option,
    )
    left_out = _left_out(version, people, on)
    priced = replace(priced, not_covered=(*left_out, *priced.not_covered))
    if household.sponsor_percent:
        priced = with_sponsor(scheme, priced, household.sponsor_percent, on)
    return JoiningPrice(priced, billed)


def require_adult_head(birth_years: Sequence[int], on: date) -> None:
    """Raises Refused("enrol.head-age") when the head, the first of the household, is not an adult."""
    if age(birth_years[0], on) < ADULT:
        raise Refused("enrol.head-age", place=1)


def _left_out(version: Version, people: Sequence[InsuredPerson], on: date) -> list[str]:
    """Returns the members that the rules leave off the bill, each as `reason:year of birth`."""
    return [
        f"{'not-admitted' if not_admitted(version, person, on) else 'over-age'}:{person.born}"
        for person in in_rank_order(people)
        if not_admitted(version, person, on) or too_old(version, person, on)
    ]
