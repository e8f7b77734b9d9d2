"""Holds the dated statuses of members; `cover.insured_people` reads them for the rights rules."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from mutuelle.db import Row


class MemberClass(Row):
    """A period in which a member has a status, such as `pregnant`: health information.

    It is read for rights and bills only. It is in no message, log, metric, claim or audit entry. It is stored
    readable, behind row-level security; only its end is ever written later.
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
