"""Households: finding one by phone or number, its members, its language and its wish for messages."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, crypto, inserts
from mutuelle.db import Row
from mutuelle.messaging import messages


class Household(Row):
    """Who is covered together. `number` is the member number said on card, SMS and USSD."""

    __tablename__ = "households"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    language: Mapped[str]
    channel: Mapped[str]
    joined_at: Mapped[datetime]
    effect_key: Mapped[
        str | None
    ]  # of the form or the line of a list that signed it up: the same one again is no news


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

    `until` is the last day it holds: that of its evidence, or the eve of the row that came after it. One that
    was replaced on its first day ends before it began, and held on no day.
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


def by_phone(session: Session, phone: str) -> list[tuple[UUID, UUID]]:
    """(tenant, household) of every household this phone is registered to now, in any mutuelle."""
    rows = session.execute(
        text("SELECT tenant_id, household_id FROM who(:i)"), {"i": crypto.blind_index(phone)}
    )
    return sorted((row.tenant_id, row.household_id) for row in rows)


def get(session: Session, tenant_id: UUID, household_id: UUID) -> Household:
    return session.get_one(Household, (tenant_id, household_id))


def by_number(session: Session, number: str) -> Household | None:
    """The household with this member number, if the transaction may see it."""
    return session.scalar(select(Household).where(Household.number == number))


def members_of(session: Session, tenant_id: UUID, household_id: UUID) -> list[Member]:
    """Those covered now, head first, then by age."""
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
    actor: str = "agent",
) -> UUID:
    """Somebody more is of the household from `on` on, provisional without a `name`. The caller then adjusts
    its bills.

    Who is over a limit is taken in all the same: the rights of one member tell why they are not covered.
    """
    member_id = clock.new_id()
    row = {"tenant_id": tenant_id, "id": member_id, "household_id": household_id, "kind": "dependant"}
    told = {"birth_year": born, "name": name, "provisional": name is None, "since": on}
    inserts.add(session, Member, {**row, **told})
    audit.record(
        session,
        tenant_id,
        actor,
        "member-added",
        f"household:{household_id}",
        member=str(member_id),
        born=born,
    )
    return member_id


def remove_member(
    session: Session, tenant_id: UUID, member_id: UUID, *, on: date, actor: str = "agent"
) -> None:
    """The member's last day in the household is `on`. The caller then adjusts its bills."""
    member = session.get_one(Member, (tenant_id, member_id))
    member.until = on
    session.flush()
    audit.record(
        session, tenant_id, actor, "member-left", f"household:{member.household_id}", member=str(member_id)
    )


def phone_of(session: Session, tenant_id: UUID, household_id: UUID) -> str | None:
    """The phone that was registered last and still is."""
    mine = (Phone.tenant_id == tenant_id, Phone.household_id == household_id, Phone.until.is_(None))
    row = session.scalar(select(Phone).where(*mine).order_by(Phone.since.desc()).limit(1))
    return crypto.open_phone(row.cipher) if row else None


def claim_of(session: Session, tenant_id: UUID, household_id: UUID) -> CategoryClaim | None:
    """The category claimed or checked last, whatever its standing; None where the scheme does not ask.

    Its evidence may be over (`until`): `categories.in_force` says what counts on a day.
    """
    mine = (CategoryClaim.tenant_id == tenant_id, CategoryClaim.household_id == household_id)
    held = or_(CategoryClaim.until.is_(None), CategoryClaim.until >= CategoryClaim.since)
    last = select(CategoryClaim).where(*mine, held).order_by(CategoryClaim.since.desc()).limit(1)
    return session.scalar(last.execution_options(populate_existing=True))


def set_language(session: Session, tenant_id: UUID, household_id: UUID, language: str) -> None:
    """Speak `language` to this household from now on."""
    home = get(session, tenant_id, household_id)
    home.language = language
    audit.record(session, tenant_id, "member", "language", f"household:{household_id}", language=language)


def set_reminders(session: Session, tenant_id: UUID, household_id: UUID, wanted: bool) -> None:
    """Switch SMS to this household's phones on or off, as `STOP` by SMS does."""
    home = get(session, tenant_id, household_id)
    mine = (Phone.tenant_id == tenant_id, Phone.household_id == household_id, Phone.until.is_(None))
    for index in session.scalars(select(Phone.blind_index).where(*mine)):
        messages.start(session, tenant_id, index) if wanted else messages.stop(session, tenant_id, index)
    agreed = {"text_version": "menu", "language": home.language, "channel": "ussd", "at": clock.now()}
    shared = {"tenant_id": tenant_id, "id": clock.new_id(), "household_id": household_id}
    inserts.add(session, Consent, {**shared, "kind": "sms", "given": wanted, **agreed})
