"""Enrolments: somebody of the mutuelle signs a household up, on a page or from a list, with what proves its category.

Everything comes as it was typed, and whatever is wrong is refused by the name of its field. The same form, and the same line of
a list, sign a household up once. A number of a social registry is looked up in its lists: the line is then the proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from mutuelle import clock, households, lists, phone, schemes, secrets
from mutuelle.errors import Malformed, Refused
from mutuelle.evidence import Evidence, Proof, number_of
from mutuelle.households import CategoryClaim, Enrolled
from mutuelle.lists import Wrong
from mutuelle.quotes import ADULT, age
from mutuelle.registry import RegistryEntry
from mutuelle.tenants import Tenant

MOST = 40  # people; more are a mistake of typing under any scheme


@dataclass(frozen=True)
class Somebody:
    """A person as typed: year of birth, name or nothing, and whether the person goes to school or learns a trade."""

    born: str
    name: str = ""
    student: bool = False


@dataclass(frozen=True)
class Told:
    """A household as typed, its head first; `kind`, `number`, `since` and `until` tell of the evidence, if there is any.

    `language` is one we speak, else empty; `consent` the version of the words its head agreed to, empty when nobody says so.
    """

    phone: str
    language: str
    category: str
    option: str
    people: Sequence[Somebody]
    consent: str
    kind: str = ""
    number: str = ""
    since: str = ""
    until: str = ""


def enrol(session: Session, tenant: Tenant, told: Told, *, key: str, by: str) -> Enrolled:
    """Sign the household up; `key` is the form's own, and the same one again returns the household it made.

    Refused: "enrol.consent", "enrol.phone", "enrol.already", "enrol.language", "enrol.category", "enrol.year" and "enrol.name"
    with the `place` of the person, "enrol.many", "enrol.listed-otherwise", "enrol.number-taken", "evidence.kind",
    "evidence.number", "evidence.day", and as `households.enrol` refuses. Nothing is then changed.
    """
    today = clock.today(tenant.zone)
    called = _called(told.phone, tenant)
    # Two forms with one phone at once: the second sees what the first has done.
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:phone, 0))"), {"phone": called})
    if not told.consent:
        raise Refused("enrol.consent")
    if not told.language:
        raise Refused("enrol.language")
    version = schemes.get(tenant.scheme).on(today)
    if version.asks_category and not told.category:
        raise Refused("enrol.category")
    born, names = _people(told.people, today)
    return households.enrol(
        session,
        tenant.id,
        phone=called,
        language=told.language,
        category=told.category or None,
        option=told.option or None,
        born=born,
        adults=sum(age(year, today) >= ADULT for year in born),
        consent=told.consent,
        channel="agent",
        proof=_proof(session, tenant, told, today),
        names=names,
        students={at for at, one in enumerate(told.people) if one.student},
        by=by,
        effect_key=key,
    )


def key_of(told: Told) -> str:
    """The key of a line of a list: the same words again have the same, and nobody reads the phone out of it."""
    people = [f"{one.born}/{one.name}/{one.student}" for one in told.people]
    words = [told.phone, told.language, told.category, told.option, *people, told.kind, told.number, told.since, told.until]
    return f"list:{secrets.number_index('|'.join(words)).hex()}"


def _called(typed: str, tenant: Tenant) -> str:
    try:
        return phone.normal(typed, tenant.country)
    except Malformed:
        raise Refused("enrol.phone") from None


def _people(told: Sequence[Somebody], today: date) -> tuple[list[int], list[str | None]]:
    """Years of birth and names, in the order they were told."""
    if len(told) > MOST:
        raise Refused("enrol.many", most=MOST)
    born: list[int] = []
    names: list[str | None] = []
    for place, one in enumerate(told, 1):
        try:
            born.append(lists.year(one.born.strip(), today))
        except Wrong:
            raise Refused("enrol.year", place=place) from None
        try:
            names.append(lists.person(" ".join(one.name.split())) if one.name.strip() else None)
        except Wrong:
            raise Refused("enrol.name", place=place) from None
    return born, names


def _proof(session: Session, tenant: Tenant, told: Told, today: date) -> Proof | None:
    """What was seen; None when nothing was."""
    if not told.kind:
        if told.number.strip():
            raise Refused("evidence.kind")
        return None
    proof = Proof(Evidence(told.kind, told.number), _day(told.since), _day(told.until))
    if told.kind != "registry-number":
        return proof
    index = secrets.number_index(number_of(told.number))
    _nobody_elses(session, tenant.id, index, today)
    mine = (RegistryEntry.tenant_id == tenant.id, RegistryEntry.number_index == index)
    line = session.scalar(select(RegistryEntry).where(*mine))
    if line is None:  # on no list we have: who signs the household up has seen it elsewhere
        return proof
    if line.category != told.category:
        raise Refused("enrol.listed-otherwise", category=line.category)
    return replace(proof, evidence=Evidence("list", told.number), until=line.valid_until)


def _day(typed: str) -> date | None:
    try:
        return lists.day(typed.strip(), "day") if typed.strip() else None
    except Wrong:
        raise Refused("evidence.day") from None


def _nobody_elses(session: Session, tenant_id: UUID, index: bytes, today: date) -> None:
    """A number of a registry is one household's."""
    same = (CategoryClaim.tenant_id == tenant_id, CategoryClaim.reference_index == index, CategoryClaim.standing == "checked")
    held = or_(CategoryClaim.until.is_(None), CategoryClaim.until >= today)
    kinds = CategoryClaim.evidence.in_(("registry-number", "list"))
    if session.scalar(select(CategoryClaim.id).where(*same, held, kinds).limit(1)):
        raise Refused("enrol.number-taken")
