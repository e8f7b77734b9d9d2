"""Enrolments: somebody of the mutuelle signs a household up, on a page or from a list, with what proves its
category.

Everything comes as it was typed, and whatever is wrong is refused by the name of its field. The same form,
and the same line of a list, sign a household up once. A number of a social registry is looked up in its
lists: the line is then the proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle import clock, crypto, phone
from mutuelle.contributions.quotes import ADULT, age
from mutuelle.enrolment import enrolment, office_lists
from mutuelle.enrolment.enrolment import Enrolment, NewHousehold
from mutuelle.enrolment.office_lists import RowError
from mutuelle.enrolment.registry import RegistryEntry
from mutuelle.errors import Malformed, Refused
from mutuelle.households import evidence, evidence_numbers
from mutuelle.households.evidence import Evidence, Proof, number_of
from mutuelle.households.households import Household, Phone
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes import schemes

MOST = 40  # people; more are a mistake of typing under any scheme
_ONE_AT_A_TIME = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0)), pg_advisory_xact_lock(hashtextextended(:phone, 0))"
)


@dataclass(frozen=True)
class TypedPerson:
    """A person as typed: year of birth, name or nothing, and whether the person goes to school or learns a
    trade."""

    born: str
    name: str = ""
    student: bool = False


@dataclass(frozen=True)
class TypedHousehold:
    """A household as typed, its head first; `kind`, `number`, `since` and `until` tell of the evidence, if
    there is any.

    `language` is one we speak, else empty; `consent` the version of the words its head agreed to, empty when
    nobody says so.
    """

    phone: str
    language: str
    category: str
    option: str
    people: Sequence[TypedPerson]
    consent: str
    kind: str = ""
    number: str = ""
    since: str = ""
    until: str = ""


@dataclass
class RehearsalState:
    """What the lines of a list would have taken that were signed up one by one and taken back."""

    made: dict[str, Enrolment] = field(default_factory=dict)
    phones: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)

    def then(self, tenant: Tenant, told: TypedHousehold, home: Enrolment) -> Enrolment:
        """What becomes of the next line, whose household would be `home`: `again` when it says what an
        earlier line did.

        Refused: "enrol.already", "evidence.taken", by an earlier line.
        """
        key, called = row_key(told), _called(told.phone, tenant)
        if key in self.made:
            return replace(self.made[key], again=True)
        numbers = {number_of(told.number)} if told.kind == "registry-number" else set()
        if numbers & self.numbers:
            raise Refused("evidence.taken")
        if called in self.phones:
            raise Refused("enrol.already")
        self.made[key] = home
        self.phones.add(called)
        self.numbers |= numbers
        return home


def enrol(session: Session, tenant: Tenant, told: TypedHousehold, *, key: str, by: str) -> Enrolment:
    """Sign the household up; `key` is the form's own, and the same one again returns the household it made.

    Refused: "enrol.consent", "enrol.phone", "enrol.already", "enrol.language", "enrol.category", "enrol.year"
    and "enrol.name" with the `place` of the person, "enrol.head-age", "enrol.many", "enrol.listed-otherwise",
    "enrol.other-form" when the form has made a household with another phone, "evidence.kind",
    "evidence.number", "evidence.day", "evidence.taken", and as `enrolment.enrol` refuses. Nothing is then
    changed.
    """
    today = clock.today(tenant.zone)
    called = _called(told.phone, tenant)
    # The same form twice at once, or two forms with one phone: the second sees what the first has done.
    session.execute(_ONE_AT_A_TIME, {"key": f"{tenant.id}:{key}", "phone": called})
    if (made := _made(session, tenant, key, called)) is not None:
        return made
    if not told.consent:
        raise Refused("enrol.consent")
    if not told.language:
        raise Refused("enrol.language")
    version = schemes.get(tenant.scheme).on(today)
    if version.asks_category and not told.category:
        raise Refused("enrol.category")
    born, names = _people(told.people, today)
    proof = _proof(session, tenant, told, today)
    twice = proof is not None and evidence_numbers.taken(session, tenant.id, proof.evidence, today)
    applicant = NewHousehold(
        phone=called, language=told.language, category=told.category or None, option=told.option or None,
        birth_years=born, adults=sum(age(year, today) >= ADULT for year in born), consent=told.consent,
        channel="agent", proof=proof, names=names,
        students={index for index, person in enumerate(told.people) if person.student},
    )  # fmt: skip
    home = enrolment.enrol(session, tenant.id, applicant, by=by, effect_key=key)
    if twice:
        evidence_numbers.show(session, tenant.id, home.id)
    return home


def _made(session: Session, tenant: Tenant, key: str, called: str) -> Enrolment | None:
    """The household that this form has made already."""
    made = session.scalar(
        select(Household).where(Household.tenant_id == tenant.id, Household.effect_key == key)
    )
    if made is None:
        return None
    its = (
        Phone.tenant_id == tenant.id,
        Phone.household_id == made.id,
        Phone.blind_index == crypto.blind_index(called),
    )
    if session.scalar(select(Phone.id).where(*its).limit(1)) is None:
        raise Refused("enrol.other-form")
    return Enrolment(made.id, made.number, again=True)


def row_key(told: TypedHousehold) -> str:
    """The key of a line of a list: the same words again have the same, and nobody reads the phone out of
    it."""
    people = [f"{one.born}/{one.name}/{one.student}" for one in told.people]
    words = [
        told.phone,
        told.language,
        told.category,
        told.option,
        *people,
        told.kind,
        told.number,
        told.since,
        told.until,
    ]
    return f"list:{crypto.number_index('|'.join(words)).hex()}"


def _called(typed: str, tenant: Tenant) -> str:
    try:
        return phone.normalize(typed, tenant.country)
    except Malformed:
        raise Refused("enrol.phone") from None


def _people(told: Sequence[TypedPerson], today: date) -> tuple[list[int], list[str | None]]:
    """Years of birth and names, in the order they were told."""
    if len(told) > MOST:
        raise Refused("enrol.many", most=MOST)
    born: list[int] = []
    names: list[str | None] = []
    for place, one in enumerate(told, 1):
        try:
            born.append(office_lists.year(one.born.strip(), today))
        except RowError:
            raise Refused("enrol.year", place=place) from None
        if place == 1 and age(born[0], today) < ADULT:
            raise Refused("enrol.head-age", place=place)
        try:
            names.append(office_lists.person_name(" ".join(one.name.split())) if one.name.strip() else None)
        except RowError:
            raise Refused("enrol.name", place=place) from None
    return born, names


def _proof(session: Session, tenant: Tenant, told: TypedHousehold, today: date) -> Proof | None:
    """What was seen; None when nothing was."""
    if not told.kind:
        if told.number.strip():
            raise Refused("evidence.kind")
        return None
    proof = Proof(evidence.typed(told.kind, told.number), _day(told.since), _day(told.until))
    if told.kind != "registry-number":
        return proof
    mine = (
        RegistryEntry.tenant_id == tenant.id,
        RegistryEntry.number_index == crypto.number_index(number_of(told.number)),
    )
    line = session.scalar(select(RegistryEntry).where(*mine))
    if line is None:  # on no list we have: who signs the household up has seen it elsewhere
        return proof
    if line.category != told.category:
        raise Refused("enrol.listed-otherwise", category=line.category)
    return replace(proof, evidence=Evidence("list", told.number), until=line.valid_until)


def _day(typed: str) -> date | None:
    try:
        return office_lists.day(typed.strip(), "day") if typed.strip() else None
    except RowError:
        raise Refused("evidence.day") from None
