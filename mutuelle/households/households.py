"""Stores households, members, phones, categories and consents; finds a household by phone or number."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, crypto, inserts
from mutuelle.audit import Subject
from mutuelle.db import Row
from mutuelle.households.locks import HouseholdKey
from mutuelle.messaging import messages
from mutuelle.schemes.money_rules import CategoryState


class MemberKind(StrEnum):
    """A member's place in the household, as stored."""

    HEAD = "head"
    DEPENDANT = "dependant"


class Household(Row):
    """People who are covered together. `number` is the member number on card, SMS and USSD."""

    __tablename__ = "households"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    language: Mapped[str]
    channel: Mapped[str]
    joined_at: Mapped[datetime]
    # Of the form or the line of an office list that enrolled it: the same one again changes nothing.
    effect_key: Mapped[str | None]


class Member(Row):
    """The head or a dependant; `provisional` until named."""

    __tablename__ = "members"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    kind: Mapped[str]
    birth_year: Mapped[int]
    name: Mapped[str | None]
    # Finds likely duplicates (`duplicates`): None until it is computed, and again when the name changes.
    name_key: Mapped[bytes | None]
    provisional: Mapped[bool]
    since: Mapped[date]
    until: Mapped[date | None]
    student: Mapped[bool] = mapped_column(default=False)
    # How the member is related to the head: [[day noted, Relationship or None], ...], the last one counts.
    relationships: Mapped[list[list[str | None]]] = mapped_column(JSONB, default=list)

    @property
    def relationship(self) -> str | None:
        """How this dependant is related to the head; None if that is not noted."""
        return self.relationships[-1][1] if self.relationships else None


class Phone(Row):
    """A phone registered to a household, encrypted and found by its blind index."""

    __tablename__ = "phones"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    blind_index: Mapped[bytes]
    cipher: Mapped[bytes]
    since: Mapped[datetime]
    until: Mapped[datetime | None]


EXPIRY = "expiry"  # the actor of a row that was written because a proof had run out


class CategoryClaim(Row):
    """A category a household says it is in (`claimed`) until its evidence is `checked` or it is `refused`.

    `until` is the last day it holds: that of its evidence, or the eve of the row that came after it. A row
    that was replaced on its first day ends before it began, and holds on no day.
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
        """Returns its state on a day: a checked category whose evidence is over is claimed again."""
        is_over = self.until is not None and self.until < day
        return CategoryState.CLAIMED if self.standing == CategoryState.CHECKED and is_over else self.standing

    def was_proven_on(self, day: date) -> bool:
        """Whether the category was checked on `day`, or its proof has only run out after that day.

        False once it was refused or another one was claimed: then nothing is left of the proof.
        """
        if self.actor == EXPIRY and self.standing == CategoryState.CLAIMED:
            return day < self.since
        return self.standing == CategoryState.CHECKED and (self.until is None or day <= self.until)


class Consent(Row):
    """What the head agreed to or refused, in which words and language, how and when."""

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


def by_phone(session: Session, phone: str) -> list[HouseholdKey]:
    """Returns every household this phone is registered to now, in any mutuelle."""
    rows = session.execute(
        text("SELECT tenant_id, household_id FROM who(:i)"), {"i": crypto.blind_index(phone)}
    )
    return sorted((row.tenant_id, row.household_id) for row in rows)


def get(session: Session, tenant_id: UUID, household_id: UUID) -> Household:
    """Returns one household. NoResultFound if it does not exist."""
    return session.get_one(Household, (tenant_id, household_id))


def by_number(session: Session, number: str) -> Household | None:
    """Returns the household with this member number, if the transaction may see it."""
    return session.scalar(select(Household).where(Household.number == number))


def members_of(session: Session, tenant_id: UUID, household_id: UUID) -> list[Member]:
    """Returns the members of today, head first, then by age."""
    query = select(Member).where(
        Member.tenant_id == tenant_id, Member.household_id == household_id, Member.until.is_(None)
    )
    return list(session.scalars(query.order_by(Member.kind.desc(), Member.birth_year, Member.id)))


def add_member(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    *,
    born: int,
    on: date,
    name: str | None = None,
    relationship: str | None = None,
    actor: str = "agent",
) -> UUID:
    """Adds a member from `on`, provisional without a `name`. The caller must then adjust the bills.

    A member beyond the scheme's limit is added, too: the rights of one member say why they are not covered.
    """
    member_id = clock.new_id()
    row = {
        "tenant_id": tenant_id,
        "id": member_id,
        "household_id": household_id,
        "kind": MemberKind.DEPENDANT,
        "birth_year": born,
        "name": name,
        "provisional": name is None,
        "since": on,
        "relationships": Jsonb(noted(relationship, on)),
    }
    inserts.add(session, Member, row)
    subject = audit.about(Subject.HOUSEHOLD, household_id)
    facts = {
        "member": str(member_id),
        "born": born,
        "since": on.isoformat(),
        "relationship": relationship,
    }
    audit.record(session, tenant_id, actor, "member-added", subject, **facts)
    return member_id


def noted(relationship: str | None, on: date) -> list[list[str | None]]:
    """Returns the first entry of a member's relationships, if one is known."""
    return [[on.isoformat(), relationship]] if relationship else []


def remove_member(
    session: Session, tenant_id: UUID, member_id: UUID, *, on: date, actor: str = "agent"
) -> None:
    """Ends a membership: `on` is its last day. The caller must then adjust the bills."""
    member = session.get_one(Member, (tenant_id, member_id))
    member.until = on
    session.flush()
    subject = audit.about(Subject.HOUSEHOLD, member.household_id)
    facts = {"member": str(member_id), "until": on.isoformat()}
    audit.record(session, tenant_id, actor, "member-left", subject, **facts)


def phone_of(session: Session, tenant_id: UUID, household_id: UUID) -> str | None:
    """Returns the household's current phone, the last one registered if there are several."""
    query = select(Phone).where(*_current_phones(tenant_id, household_id))
    row = session.scalar(query.order_by(Phone.since.desc()).limit(1))
    return crypto.open_phone(row.cipher) if row else None


def claim_of(session: Session, tenant_id: UUID, household_id: UUID) -> CategoryClaim | None:
    """Returns the household's last category, in any state; None where the scheme does not ask for one.

    Its evidence may be over (`until`): `categories.in_force` returns what counts on a day.
    """
    query = select(CategoryClaim).where(
        CategoryClaim.tenant_id == tenant_id,
        CategoryClaim.household_id == household_id,
        or_(CategoryClaim.until.is_(None), CategoryClaim.until >= CategoryClaim.since),
    )
    last = query.order_by(CategoryClaim.since.desc()).limit(1)
    return session.scalar(last.execution_options(populate_existing=True))


def set_language(session: Session, tenant_id: UUID, household_id: UUID, language: str) -> None:
    """Changes the language of the household's screens and messages."""
    household = get(session, tenant_id, household_id)
    household.language = language
    audit.record(
        session,
        tenant_id,
        "member",
        "language",
        audit.about(Subject.HOUSEHOLD, household_id),
        language=language,
    )


def set_reminders(session: Session, tenant_id: UUID, household_id: UUID, enabled: bool) -> None:
    """Switches SMS to the household's phones on or off, as OUI and STOP by SMS do. Records the consent."""
    household = get(session, tenant_id, household_id)
    indexes = session.scalars(select(Phone.blind_index).where(*_current_phones(tenant_id, household_id)))
    for index in indexes:
        messages.start(session, tenant_id, index) if enabled else messages.stop(session, tenant_id, index)
    row = {
        "tenant_id": tenant_id,
        "id": clock.new_id(),
        "household_id": household_id,
        "kind": "sms",
        "given": enabled,
        "text_version": "menu",
        "language": household.language,
        "channel": "ussd",
        "at": clock.now(),
    }
    inserts.add(session, Consent, row)


def _current_phones(tenant_id: UUID, household_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (Phone.tenant_id == tenant_id, Phone.household_id == household_id, Phone.until.is_(None))
