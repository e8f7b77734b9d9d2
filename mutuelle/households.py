"""Households: signing one up, finding it by phone or number, its language and its wish for messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, bills, clock, cover, messages, numbers, schemes, secrets, together, writes
from mutuelle.cover import Books
from mutuelle.db import Row
from mutuelle.errors import Refused
from mutuelle.evidence import Proof, holds_until, sealed
from mutuelle.memberrights import newcomers, on_bill
from mutuelle.quotes import possible, quote
from mutuelle.rights import Interval
from mutuelle.rules import Category


class Household(Row):
    """Who is covered together. `number` is the member number said on card, SMS and USSD."""

    __tablename__ = "households"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    language: Mapped[str]
    channel: Mapped[str]
    joined_at: Mapped[datetime]
    effect_key: Mapped[str | None]  # of the form or the line of a list that signed it up: the same one again is no news


class Member(Row):
    """The head or a dependant; `provisional` until somebody has named them."""

    __tablename__ = "members"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    kind: Mapped[str]
    birth_year: Mapped[int]
    name: Mapped[str | None]
    provisional: Mapped[bool]
    since: Mapped[date]
    until: Mapped[date | None]
    student: Mapped[bool] = mapped_column(default=False)


class Phone(Row):
    """A phone registered to a household: encrypted, found by its blind index."""

    __tablename__ = "phones"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    blind_index: Mapped[bytes]
    cipher: Mapped[bytes]
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class CategoryClaim(Row):
    """A category a household says it is in (`claimed`) until its evidence is `checked` or it is `refused`.

    `until` is the last day it holds: that of its evidence, or the eve of the row that came after it. One that was replaced on
    its first day ends before it began, and held on no day.
    """

    __tablename__ = "categories"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    category: Mapped[str]
    standing: Mapped[str]
    evidence: Mapped[str | None]
    since: Mapped[date]
    until: Mapped[date | None]
    reference_index: Mapped[bytes | None]
    reference_cipher: Mapped[bytes | None]
    actor: Mapped[str | None]
    at: Mapped[datetime | None]
    why: Mapped[str | None]

    def standing_on(self, day: date) -> str:
        """Its standing on a day: a proof that is over is a claim again."""
        over = self.until is not None and self.until < day
        return "claimed" if self.standing == "checked" and over else self.standing


class Consent(Row):
    """What the head agreed to, in which words and language, how and when."""

    __tablename__ = "consents"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    kind: Mapped[str]
    given: Mapped[bool]
    text_version: Mapped[str]
    language: Mapped[str]
    channel: Mapped[str]
    at: Mapped[datetime]


@dataclass(frozen=True)
class Enrolled:
    """A household that was just signed up, or `again` when the same form had done it."""

    id: UUID
    number: str
    again: bool = False


def who(session: Session, phone: str) -> list[tuple[UUID, UUID]]:
    """(tenant, household) of every household this phone is registered to now, in any mutuelle."""
    rows = session.execute(text("SELECT tenant_id, household_id FROM who(:i)"), {"i": secrets.blind_index(phone)})
    return sorted((row.tenant_id, row.household_id) for row in rows)


def get(session: Session, tenant_id: UUID, household_id: UUID) -> Household:
    return session.get_one(Household, (tenant_id, household_id))


def by_number(session: Session, number: str) -> Household | None:
    """The household with this member number, if the transaction may see it."""
    return session.scalar(select(Household).where(Household.number == number))


def members_of(session: Session, tenant_id: UUID, household_id: UUID) -> list[Member]:
    """Those covered now, head first, then by age."""
    query = select(Member).where(Member.tenant_id == tenant_id, Member.household_id == household_id, Member.until.is_(None))
    return list(session.scalars(query.order_by(Member.kind.desc(), Member.birth_year, Member.id)))


def add_member(
    session: Session, tenant_id: UUID, household_id: UUID, *, born: int, on: date, name: str | None = None, actor: str = "agent"
) -> UUID:
    """Somebody more is of the household from `on` on, provisional without a `name`. The caller then adjusts its bills.

    Who is over a limit is taken in all the same: the rights of one member tell why they are not covered.
    """
    member_id = clock.new_id()
    row = {"tenant_id": tenant_id, "id": member_id, "household_id": household_id, "kind": "dependant"}
    told = {"birth_year": born, "name": name, "provisional": name is None, "since": on}
    writes.add(session, Member, {**row, **told})
    audit.note(session, tenant_id, actor, "member-added", f"household:{household_id}", member=str(member_id), born=born)
    return member_id


def remove_member(session: Session, tenant_id: UUID, member_id: UUID, *, on: date, actor: str = "agent") -> None:
    """The member's last day in the household is `on`. The caller then adjusts its bills."""
    member = session.get_one(Member, (tenant_id, member_id))
    member.until = on
    session.flush()
    audit.note(session, tenant_id, actor, "member-left", f"household:{member.household_id}", member=str(member_id))


def phone_of(session: Session, tenant_id: UUID, household_id: UUID) -> str | None:
    """The phone that was registered last and still is."""
    mine = (Phone.tenant_id == tenant_id, Phone.household_id == household_id, Phone.until.is_(None))
    row = session.scalar(select(Phone).where(*mine).order_by(Phone.since.desc()).limit(1))
    return secrets.open_phone(row.cipher) if row else None


def claim_of(session: Session, tenant_id: UUID, household_id: UUID) -> CategoryClaim | None:
    """The category claimed or checked last, whatever its standing; None where the scheme does not ask.

    Its evidence may be over (`until`): `categories.in_force` says what counts on a day.
    """
    mine = (CategoryClaim.tenant_id == tenant_id, CategoryClaim.household_id == household_id)
    held = or_(CategoryClaim.until.is_(None), CategoryClaim.until >= CategoryClaim.since)
    last = select(CategoryClaim).where(*mine, held).order_by(CategoryClaim.since.desc()).limit(1)
    return session.scalar(last.execution_options(populate_existing=True))


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
) -> Enrolled:
    """Sign a household up, at most once for an `effect_key`: category claimed, consent recorded, bills issued, welcome queued.

    `born` are birth years, the head's first; `names`, where known, and the places of `students` tell of the same people, and
    who has no name is provisional. Who is over a limit of age or of people is taken in, and is on no bill. `option` is the
    period chosen, the usual one when None; `consent` the version of the words agreed to. With a `proof` the category is
    checked at once by `by`, who has seen it. Refused before anything is written: "enrol.already", and as `quote` does.
    """
    index = secrets.blind_index(phone)
    (rows,) = together.ask(session, (_JOINED, {"tenant": tenant_id, "phone": index}))
    if (place := together.one(rows)).already is not None:
        raise Refused("enrol.already", number=place.already)
    moment, day, scheme = clock.now(), clock.today(place.zone), schemes.in_use(place.scheme)
    possible(born, day)
    billed = on_bill(scheme.on(day), newcomers(born, day, students), day, day)
    price = quote(scheme, billed, on=day, category=category, checked=proof is not None, option=option)
    told = _standing(scheme.on(day).category(category), proof, by or channel, day)
    # The UNIQUE key decides whether a number is free, across tenants; when it is taken, the turn is taken again.
    home = Enrolled(clock.new_id(), numbers.new(clock.digits))
    shared, spoken = {"tenant_id": tenant_id, "household_id": home.id}, {"language": language, "channel": channel}
    joined = {"tenant_id": tenant_id, "id": home.id, "number": home.number, "joined_at": moment, "effect_key": effect_key}
    writes.add(session, Household, {**joined, **spoken})
    reached = {"blind_index": index, "cipher": secrets.seal_phone(phone), "since": moment}
    writes.add(session, Phone, {**shared, "id": clock.new_id(), **reached})
    writes.add(session, Member, *({**shared, **_member(at, year, names[at] if names else None, at in students, day)}
                                  for at, year in enumerate(born)))  # fmt: skip
    agreed = {**shared, **spoken, "text_version": consent, "at": moment}
    writes.add(session, Consent, *({**agreed, "id": clock.new_id(), "kind": kind, "given": given}
                                   for kind, given in (("membership", True), ("sms", sms))))  # fmt: skip
    claimed = {**shared, "id": clock.new_id(), "category": category, "since": day, **told}
    writes.add(session, CategoryClaim, *([claimed] if category is not None else []))
    owed = bills.issue(session, tenant_id, home.id, price, born=billed, on=day)
    cover.write(session, tenant_id, home.id, timeline := cover.timeline_of(Books(tuple(owed))))
    facts = {"people": len(born), "adults": adults, "category": category}
    audit.note(session, tenant_id, by or channel, "enrol", f"household:{home.id}", **facts, standing=told["standing"])
    if sms:
        said = {"number": home.number, **_owed(sum(one.member for one in owed), timeline)}
        messages.queue(session, tenant_id, phone=phone, household_id=home.id, language=language, kind="welcome", facts=said,
                       stopped=place.stopped)  # fmt: skip
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
    told = {"kind": kind, "birth_year": year, "name": name, "provisional": name is None, "since": day, "student": student}
    return {"id": clock.new_id(), **told}


def _standing(rule: Category, proof: Proof | None, by: str, day: date) -> dict[str, Any]:
    """What the first row of a category says besides its name."""
    if proof is None:
        return {"standing": "claimed"}
    until = holds_until(rule, proof.since or day, proof.until, day)
    return {"standing": "checked", "actor": by, "at": clock.now(), "until": until, **sealed(proof.evidence)}


def set_language(session: Session, tenant_id: UUID, household_id: UUID, language: str) -> None:
    """Speak `language` to this household from now on."""
    home = get(session, tenant_id, household_id)
    home.language = language
    audit.note(session, tenant_id, "member", "language", f"household:{household_id}", language=language)


def set_reminders(session: Session, tenant_id: UUID, household_id: UUID, wanted: bool) -> None:
    """Switch SMS to this household's phones on or off, as `STOP` by SMS does."""
    home = get(session, tenant_id, household_id)
    mine = (Phone.tenant_id == tenant_id, Phone.household_id == household_id, Phone.until.is_(None))
    for index in session.scalars(select(Phone.blind_index).where(*mine)):
        messages.start(session, tenant_id, index) if wanted else messages.stop(session, tenant_id, index)
    agreed = {"text_version": "menu", "language": home.language, "channel": "ussd", "at": clock.now()}
    shared = {"tenant_id": tenant_id, "id": clock.new_id(), "household_id": household_id}
    writes.add(session, Consent, {**shared, "kind": "sms", "given": wanted, **agreed})
