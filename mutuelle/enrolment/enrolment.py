"""Enrols a household: its members, phone, category, consents, first bills, rights and welcome SMS, in one
transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import audit, clock, crypto, inserts, pipeline
from mutuelle.contributions import bills
from mutuelle.contributions.quotes import quote, require_possible_years
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.member_rights import newcomers, on_bill
from mutuelle.cover.rights import Interval
from mutuelle.errors import Refused
from mutuelle.households import member_numbers
from mutuelle.households.evidence import Proof, columns, holds_until
from mutuelle.households.households import CategoryClaim, Consent, Household, Member, Phone
from mutuelle.messaging import messages
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import Category


@dataclass(frozen=True)
class Enrolment:
    """A household that was just signed up, or `again` when the same form had done it."""

    id: UUID
    number: str
    again: bool = False


def enrol(
    session: Session,
    tenant_id: UUID,
    *,
    phone: str,
    language: str,
    category: str | None,
    option: str | None = None,
    born: Sequence[int],
    adults: int,
    consent: str,
    channel: str,
    sms: bool = True,
    proof: Proof | None = None,
    names: Sequence[str | None] = (),
    students: Collection[int] = (),
    by: str | None = None,
    effect_key: str | None = None,
) -> Enrolment:
    """Sign a household up, at most once for an `effect_key`: category claimed, consent recorded, bills
    issued, welcome queued.

    `born` are birth years, the head's first; `names`, where known, and the places of `students` tell of the
    same people, and who has no name is provisional. Who is over a limit of age or of people is taken in, and
    is on no bill. `option` is the period chosen, the usual one when None; `consent` the version of the words
    agreed to. With a `proof` the category is checked at once by `by`, who has seen it. Refused before
    anything is written: "enrol.already", and as `quote` does.
    """
    index = crypto.blind_index(phone)
    (rows,) = pipeline.query(session, (_JOINED, {"tenant": tenant_id, "phone": index}))
    if (place := pipeline.single_row(rows)).already is not None:
        raise Refused("enrol.already", number=place.already)
    moment, day, scheme = clock.now(), clock.today(place.zone), schemes.in_use(place.scheme)
    require_possible_years(born, day)
    billed = on_bill(scheme.on(day), newcomers(born, day, students), day, day)
    price = quote(scheme, billed, on=day, category=category, checked=proof is not None, option=option)
    told = _standing(scheme.on(day).category(category), proof, by or channel, day)
    # The UNIQUE key decides whether a number is free, across tenants; when it is taken, the turn is taken
    # again.
    home = Enrolment(clock.new_id(), member_numbers.new(clock.digits))
    shared, spoken = (
        {"tenant_id": tenant_id, "household_id": home.id},
        {"language": language, "channel": channel},
    )
    joined = {
        "tenant_id": tenant_id,
        "id": home.id,
        "number": home.number,
        "joined_at": moment,
        "effect_key": effect_key,
    }
    inserts.add(session, Household, {**joined, **spoken})
    reached = {"blind_index": index, "cipher": crypto.seal_phone(phone), "since": moment}
    inserts.add(session, Phone, {**shared, "id": clock.new_id(), **reached})
    inserts.add(
        session,
        Member,
        *(
            {**shared, **_member(at, year, names[at] if names else None, at in students, day)}
            for at, year in enumerate(born)
        ),
    )
    agreed = {**shared, **spoken, "text_version": consent, "at": moment}
    inserts.add(session, Consent, *({**agreed, "id": clock.new_id(), "kind": kind, "given": given}
                                   for kind, given in (("membership", True), ("sms", sms))))  # fmt: skip
    claimed = {**shared, "id": clock.new_id(), "category": category, "since": day, **told}
    inserts.add(session, CategoryClaim, *([claimed] if category is not None else []))
    owed = bills.issue(session, tenant_id, home.id, price, born=billed, on=day)
    cover_books.write(
        session, tenant_id, home.id, timeline := cover_books.timeline_of(HouseholdBooks(tuple(owed)))
    )
    facts = {"people": len(born), "adults": adults, "category": category}
    audit.record(
        session, tenant_id, by or channel, "enrol", f"household:{home.id}", **facts, standing=told["standing"]
    )
    if sms:
        said = {"number": home.number, **_owed(sum(one.member_share for one in owed), timeline)}
        messages.queue(
            session,
            tenant_id,
            phone=phone,
            household_id=home.id,
            language=language,
            kind="welcome",
            facts=said,
            stopped=place.stopped,
        )
    return home


def _owed(units: int, timeline: Sequence[Interval]) -> dict[str, Any]:
    """What a household is told it owes; when it is nothing, the days it is covered."""
    days = next(((part.since, part.until) for part in timeline if part.state == "open" and part.until), None)
    if units or days is None:
        return {"owed": units}
    return {"owed": units, "covered_from": days[0].isoformat(), "covered_until": days[1].isoformat()}


_JOINED = """
SELECT t.scheme, t.zone, h.number AS already,
    EXISTS (SELECT FROM sms_stops s WHERE s.tenant_id = t.id AND s.blind_index = %(phone)s) AS stopped
FROM tenants t
LEFT JOIN phones p ON p.tenant_id = t.id AND p.blind_index = %(phone)s AND p.until IS NULL
LEFT JOIN households h ON h.tenant_id = p.tenant_id AND h.id = p.household_id
WHERE t.id = %(tenant)s
"""


def _member(place: int, year: int, name: str | None, student: bool, day: date) -> dict[str, Any]:
    kind = "head" if place == 0 else "dependant"
    told = {
        "kind": kind,
        "birth_year": year,
        "name": name,
        "provisional": name is None,
        "since": day,
        "student": student,
    }
    return {"id": clock.new_id(), **told}


def _standing(rule: Category, proof: Proof | None, by: str, day: date) -> dict[str, Any]:
    """What the first row of a category says besides its name."""
    if proof is None:
        return {"standing": "claimed"}
    until = holds_until(rule, proof.since or day, proof.until, day)
    return {"standing": "checked", "actor": by, "at": clock.now(), "until": until, **columns(proof.evidence)}
