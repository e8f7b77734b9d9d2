"""Enrols a household from an agent's form or from a line of an office list, with its evidence.

Values come as typed; a wrong value is refused under the name of its field. The same form or list line enrols
a household once. A registry number that stands on a loaded list is proven by its line of that list. Likely
duplicates are not refused: they are found, for staff to decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle import crypto, phone
from mutuelle.contributions.quotes import ADULT, age
from mutuelle.enrolment import enrolment, joining_price, office_list_csv
from mutuelle.enrolment.enrolment import Enrolment, NewHousehold
from mutuelle.enrolment.office_list_csv import RowError
from mutuelle.enrolment.social_registry import RegistryEntry
from mutuelle.errors import Malformed, Refused
from mutuelle.households import duplicates, evidence, unique_evidence
from mutuelle.households.evidence import Evidence, EvidenceKind, Proof, number_of
from mutuelle.households.households import Household, Phone
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes import schemes
from mutuelle.schemes.service_rules import Relationship

MOST = 40  # people in a household; more are a typing mistake under every scheme
_LOCK_FORM_AND_PHONE = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0)),"
    " pg_advisory_xact_lock(hashtextextended(:phone, 0))"
)


@dataclass(frozen=True)
class TypedPerson:
    """A person as typed: year of birth, name or nothing, and whether the person is a pupil or apprentice.

    `relationship` to the head is one of `Relationship`, empty for the head and where it is not known.
    """

    born: str
    name: str = ""
    student: bool = False
    relationship: str = ""


@dataclass(frozen=True)
class TypedHousehold:
    """A household as typed, its head first; `kind`, `number`, `since` and `until` describe its evidence.

    `language` is one of the product's languages, else empty; `consent` is the version of the text that the
    head agreed to, empty without consent.
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
    """What the earlier lines of a list would have enrolled: a dry run rolls each line back."""

    enrolments: dict[str, Enrolment] = field(default_factory=dict)
    phones: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)

    def outcome(self, tenant: Tenant, typed: TypedHousehold, enrolment: Enrolment) -> Enrolment:
        """Returns what the next line would do after the lines above: `again` if it repeats one of them.

        Refused: "enrol.already" or "evidence.taken" if a line above has the same phone or registry number.
        """
        key, phone_number = row_key(typed), _phone(typed.phone, tenant)
        if key in self.enrolments:
            return replace(self.enrolments[key], again=True)
        numbers = {number_of(typed.number)} if typed.kind == EvidenceKind.REGISTRY_NUMBER else set()
        if numbers & self.numbers:
            raise Refused("evidence.taken")
        if phone_number in self.phones:
            raise Refused("enrol.already")
        self.enrolments[key] = enrolment
        self.phones.add(phone_number)
        self.numbers |= numbers
        return enrolment


def enrol(session: Session, tenant: Tenant, typed: TypedHousehold, *, key: str, by: str) -> Enrolment:
    """Enrols the household. The same form `key` again returns the household that it created.

    Refused, with nothing changed: "enrol.consent", "enrol.phone", "enrol.already", "enrol.language",
    "enrol.category", "enrol.year", "enrol.name" and "enrol.relationship" with the `place` of the person,
    "enrol.head-age",
    "enrol.many", "enrol.listed-otherwise", "enrol.other-form" if the form created a household with another
    phone, "evidence.kind", "evidence.number", "evidence.day", "evidence.taken", and all reasons for which
    `enrolment.enrol` refuses.
    """
    today = tenant.today()
    phone_number = _phone(typed.phone, tenant)
    # A repeat of this form, and another form with this phone, wait here until this transaction has ended.
    session.execute(_LOCK_FORM_AND_PHONE, {"key": f"{tenant.id}:{key}", "phone": phone_number})
    if (earlier := _earlier(session, tenant, key, phone_number)) is not None:
        return earlier
    if not typed.consent:
        raise Refused("enrol.consent")
    if not typed.language:
        raise Refused("enrol.language")
    version = schemes.get(tenant.scheme).on(today)
    if version.asks_category and not typed.category:
        raise Refused("enrol.category")
    born, names = _people(typed.people, today)
    relationships = [_relationship(place, person) for place, person in enumerate(typed.people)]
    proof = _proof(session, tenant, typed)
    is_shared = proof is not None and unique_evidence.proves_another(
        session, tenant.id, proof.evidence, today
    )
    applicant = NewHousehold(
        phone=phone_number,
        language=typed.language,
        category=typed.category or None,
        option=typed.option or None,
        birth_years=born,
        adults=sum(age(year, today) >= ADULT for year in born),
        consent=typed.consent,
        channel="agent",
        proof=proof,
        names=names,
        students={index for index, person in enumerate(typed.people) if person.student},
        relationships=relationships,
    )
    household = enrolment.enrol(session, tenant.id, applicant, by=by, effect_key=key)
    if is_shared:
        unique_evidence.open_case(session, tenant.id, household.id)
    duplicates.find(session, tenant.id, [household.id])
    return household


def _earlier(session: Session, tenant: Tenant, key: str, phone_number: str) -> Enrolment | None:
    """The household that this form created before. Refused("enrol.other-form") if its phone is another."""
    of_form = (Household.tenant_id == tenant.id, Household.effect_key == key)
    household = session.scalar(select(Household).where(*of_form))
    if household is None:
        return None
    of_household = (
        Phone.tenant_id == tenant.id,
        Phone.household_id == household.id,
        Phone.blind_index == crypto.blind_index(phone_number),
    )
    if session.scalar(select(Phone.id).where(*of_household).limit(1)) is None:
        raise Refused("enrol.other-form")
    return Enrolment(household.id, household.number, again=True)


def row_key(typed: TypedHousehold) -> str:
    """The form key of a line of a list: equal for the same values, and the phone cannot be read out of it."""
    # Without a relationship the key is that of lists from before relationships were noted.
    people = [
        f"{person.born}/{person.name}/{person.student}"
        + (f"/{person.relationship}" if person.relationship else "")
        for person in typed.people
    ]
    values = [
        typed.phone,
        typed.language,
        typed.category,
        typed.option,
        *people,
        typed.kind,
        typed.number,
        typed.since,
        typed.until,
    ]
    return f"list:{crypto.number_index('|'.join(values)).hex()}"


def _relationship(place: int, person: TypedPerson) -> str | None:
    """How a person is related to the head, None for the head and where it is not known."""
    if place == 0:
        return None
    if person.relationship not in ("", *Relationship):
        raise Refused("enrol.relationship", place=place + 1)
    return person.relationship or None


def _phone(typed: str, tenant: Tenant) -> str:
    try:
        return phone.normalize(typed, tenant.country)
    except Malformed:
        raise Refused("enrol.phone") from None


def _people(people: Sequence[TypedPerson], today: date) -> tuple[list[int], list[str | None]]:
    """Returns the years of birth and the names, in the order typed."""
    if len(people) > MOST:
        raise Refused("enrol.many", most=MOST)
    born: list[int] = []
    names: list[str | None] = []
    for place, person in enumerate(people, 1):
        try:
            born.append(office_list_csv.year(person.born.strip(), today))
        except RowError:
            raise Refused("enrol.year", place=place) from None
        if place == 1:
            joining_price.require_adult_head(born, today)
        name = " ".join(person.name.split())
        try:
            names.append(office_list_csv.person_name(name) if name else None)
        except RowError:
            raise Refused("enrol.name", place=place) from None
    return born, names


def _proof(session: Session, tenant: Tenant, typed: TypedHousehold) -> Proof | None:
    """The evidence that the agent saw; None without any. A registry number on a list proves by its line."""
    if not typed.kind:
        if typed.number.strip():
            raise Refused("evidence.kind")
        return None
    proof = Proof(evidence.manual_evidence(typed.kind, typed.number), _day(typed.since), _day(typed.until))
    if typed.kind != EvidenceKind.REGISTRY_NUMBER:
        return proof
    number_index = crypto.number_index(number_of(typed.number))
    of_number = (RegistryEntry.tenant_id == tenant.id, RegistryEntry.number_index == number_index)
    line = session.scalar(select(RegistryEntry).where(*of_number))
    if line is None:  # not on a loaded list: the agent saw the number elsewhere
        return proof
    if line.category != typed.category:
        raise Refused("enrol.listed-otherwise", category=line.category)
    return replace(proof, evidence=Evidence(EvidenceKind.LIST, typed.number), until=line.valid_until)


def _day(typed: str) -> date | None:
    try:
        return office_list_csv.day(typed.strip(), "day") if typed.strip() else None
    except RowError:
        raise Refused("evidence.day") from None
