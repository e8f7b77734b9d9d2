"""The people of a household as the rules of one member's rights read them: who, from when to when, pupils,
and classes."""

from collections import defaultdict
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle.cover.member_rights import DatedStatus, InsuredPerson
from mutuelle.db import Row
from mutuelle.households.households import Member


class MemberClass(Row):
    """That a member is of a class, such as `pregnant`: health information, read for rights and bills and for
    nothing else.

    It is in no message, log, figure, claim or trail. It is stored readable, behind row-level security; only
    its end is ever written later.
    """

    __tablename__ = "member_classes"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    member_id: Mapped[UUID]
    code: Mapped[str]
    evidence: Mapped[str]
    since: Mapped[date]
    until: Mapped[date | None]
    actor: Mapped[str]
    at: Mapped[datetime]


def of(session: Session, tenant_id: UUID, household_id: UUID) -> list[InsuredPerson]:
    """All who ever were of the household."""
    held: dict[UUID, list[DatedStatus]] = defaultdict(list)
    mine = (MemberClass.tenant_id == tenant_id, MemberClass.household_id == household_id)
    for one in session.scalars(select(MemberClass).where(*mine).order_by(MemberClass.since, MemberClass.id)):
        held[one.member_id].append(DatedStatus(one.code, one.since, one.until))
    rows = session.scalars(
        select(Member).where(Member.tenant_id == tenant_id, Member.household_id == household_id)
    )
    return [
        InsuredPerson(m.id, m.kind == "head", m.birth_year, m.since, m.until, m.student, tuple(held[m.id]))
        for m in rows
    ]
