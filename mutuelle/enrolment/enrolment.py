"""Enrols a household in one transaction: members, phone, category, consents, bills, rights, welcome SMS."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mutuelle import audit, clock, crypto, inserts, pipeline
from mutuelle.audit import Subject
from mutuelle.contributions import bills
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.household_rights import Interval, RightsState
from mutuelle.enrolment import joining_price
from mutuelle.enrolment.joining_price import JoiningHousehold
from mutuelle.errors import Refused
from mutuelle.households import member_numbers
from mutuelle.households.evidence import Proof, columns, holds_until
from mutuelle.households.households import (
    CategoryClaim,
    Consent,
    Household,
    Member,
    MemberKind,
    Phone,
    noted,
)
from mutuelle.messaging import messages
from mutuelle.messaging.messages import MessageKind
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import Category, CategoryState


@dataclass(frozen=True)
class Enrolment:
    """The household that an enrolment created, or `again` the one that the same form created before."""

    id: UUID
    number: str
    again: bool = False


@dataclass(frozen=True)
class NewHousehold:
    """What a household states about itself when it joins.

    `birth_years` has one year per member, the head's first; `names` has as many entries or none at all, and
    `students` holds the indices of members who go to school or learn a trade. `relationships` to the head has
    one entry per member (None for the head, and where it is not known) or none at all. `consent` is the
    version of the text agreed to; `option` is the chosen period, the scheme's usual one when None; `proof` is
    the evidence that the person who enrols the household saw. `sms` is False when the household wants no SMS.
    """

    phone: str
    language: str
    category: str | None
    birth_years: Sequence[int]
    adults: int
    consent: str
    channel: str
    option: str | None = None
    sms: bool = True
    proof: Proof | None = None
    names: Sequence[str | None] = ()
    students: Collection[int] = ()
    relationships: Sequence[str | None] = ()

    @property
    def priced(self) -> JoiningHousehold:
        """What the price of joining follows from."""
        return JoiningHousehold(
            birth_years=self.birth_years,
            category=self.category,
            proven=self.proof is not None,
            option=self.option,
            students=frozenset(self.students),
            relationships=self.relationships,
        )


def enrol(
    session: Session,
    tenant_id: UUID,
    applicant: NewHousehold,
    *,
    by: str | None = None,
    effect_key: str | None = None,
) -> Enrolment:
    """Enrols a household, at most once for an `effect_key`: category, consents, bills, rights, welcome SMS.

    Members without a name are provisional. Members over a limit of age or number are stored but not billed.
    With a proof, the category counts as checked by `by`, without one as claimed. Raises
    Refused("enrol.already") and what `joining_price.price` refuses, before anything is written.
    """
    index, actor = crypto.blind_index(applicant.phone), by or applicant.channel
    (rows,) = pipeline.query(session, (_PLACE, {"tenant": tenant_id, "phone": index}))
    if (place := pipeline.single_row(rows)).already is not None:
        raise Refused("enrol.already", number=place.already)
    day, scheme = clock.today(place.zone), schemes.in_use(place.scheme)
    category, birth_years = applicant.category, applicant.birth_years
    joining = joining_price.price(scheme, applicant.priced, day)
    standing = _category_columns(scheme.on(day).category(category), applicant.proof, actor, day)
    # A UNIQUE key across tenants decides whether the number is free. If it is taken, the turn runs again.
    household = Enrolment(clock.new_id(), member_numbers.new(clock.digits))
    _insert_rows(session, tenant_id, household, applicant, day, effect_key)
    if category is not None:
        row = {"tenant_id": tenant_id, "household_id": household.id, "id": clock.new_id()}
        inserts.add(session, CategoryClaim, {**row, "category": category, "since": day, **standing})
    bill_states = bills.issue(session, tenant_id, household.id, joining.quote, born=joining.billed, on=day)
    timeline = cover_books.timeline_of(HouseholdBooks(tuple(bill_states)))
    cover_books.write(session, tenant_id, household.id, timeline)
    facts = {"people": len(birth_years), "adults": applicant.adults, "category": category}
    audit.record(session, tenant_id, actor, "enrol", audit.about(Subject.HOUSEHOLD, household.id), **facts,
                 standing=standing["standing"])  # fmt: skip
    if applicant.sms:
        amounts = _amounts(sum(bill.member_share for bill in bill_states), timeline)
        messages.queue(session, tenant_id, phone=applicant.phone, household_id=household.id,
                       language=applicant.language, kind=MessageKind.WELCOME,
                       facts={"number": household.number, **amounts}, stopped=place.stopped)  # fmt: skip
    return household


def _insert_rows(
    session: Session,
    tenant_id: UUID,
    household: Enrolment,
    applicant: NewHousehold,
    day: date,
    effect_key: str | None,
) -> None:
    """Queues the rows of the household, its phone, its members and its consents."""
    moment = clock.now()
    shared = {"tenant_id": tenant_id, "household_id": household.id}
    spoken_on = {"language": applicant.language, "channel": applicant.channel}
    inserts.add(session, Household, {"tenant_id": tenant_id, "id": household.id, "number": household.number,
                                     "joined_at": moment, "effect_key": effect_key, **spoken_on})  # fmt: skip
    sealed_phone = {"blind_index": crypto.blind_index(applicant.phone),
                    "cipher": crypto.seal_phone(applicant.phone), "since": moment}  # fmt: skip
    inserts.add(session, Phone, {**shared, "id": clock.new_id(), **sealed_phone})
    names = applicant.names or [None] * len(applicant.birth_years)
    people = zip(applicant.birth_years, names, applicant.priced.related, strict=True)
    members = (_member(index, year, name, relationship, index in applicant.students, day)
               for index, (year, name, relationship) in enumerate(people))  # fmt: skip
    inserts.add(session, Member, *({**shared, **member} for member in members))
    agreement = {**shared, **spoken_on, "text_version": applicant.consent, "at": moment}
    for kind, agrees in (("membership", True), ("sms", applicant.sms)):
        inserts.add(session, Consent, {**agreement, "id": clock.new_id(), "kind": kind, "given": agrees})


def _amounts(units: int, timeline: Sequence[Interval]) -> dict[str, Any]:
    """Facts of the welcome SMS: the amount owed; when it is 0, also the days of cover."""
    days = next(
        ((part.since, part.until) for part in timeline if part.state == RightsState.OPEN and part.until), None
    )
    if units or days is None:
        return {"owed": units}
    return {"owed": units, "covered_from": days[0].isoformat(), "covered_until": days[1].isoformat()}


_PLACE = """
SELECT t.scheme, t.zone, h.number AS already,
    EXISTS (SELECT FROM sms_stops s WHERE s.tenant_id = t.id AND s.blind_index = %(phone)s) AS stopped
FROM tenants t
LEFT JOIN phones p ON p.tenant_id = t.id AND p.blind_index = %(phone)s AND p.until IS NULL
LEFT JOIN households h ON h.tenant_id = p.tenant_id AND h.id = p.household_id
WHERE t.id = %(tenant)s
"""


def _member(
    index: int, year: int, name: str | None, relationship: str | None, student: bool, day: date
) -> dict[str, Any]:
    """The row of one member; the first is the head."""
    kind = MemberKind.HEAD if index == 0 else MemberKind.DEPENDANT
    return {"id": clock.new_id(), "kind": kind, "birth_year": year, "name": name,
            "provisional": name is None, "since": day, "student": student,
            "relationships": Jsonb(noted(relationship, day))}  # fmt: skip


def _category_columns(rule: Category, proof: Proof | None, by: str, day: date) -> dict[str, Any]:
    """The columns of the household's first category row besides the category."""
    if proof is None:
        return {"standing": CategoryState.CLAIMED}
    until = holds_until(rule, proof.since or day, proof.until, day)
    proven = {"standing": CategoryState.CHECKED, "actor": by, "at": clock.now(), "until": until}
    return proven | columns(proof.evidence)
