"""The trail: who did what (append-only), and the list of what a person must look at."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, inserts
from mutuelle.db import Row


class AuditEntry(Row):
    """One line of the trail. `facts` hold ids and figures, never a phone number or a name."""

    __tablename__ = "audit"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Flag(Row):
    """Something a person must look at; one open flag per kind and subject."""

    __tablename__ = "flags"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    reason: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


def record(session: Session, tenant_id: UUID, actor: str, action: str, subject: str, **facts: Any) -> None:
    """Write one line of the trail."""
    row = {"tenant_id": tenant_id, "id": clock.new_id(), "at": clock.now(), "actor": actor, "action": action}
    inserts.add(session, AuditEntry, {**row, "subject": subject, "facts": facts})


def open_case(session: Session, tenant_id: UUID, kind: str, subject: str, reason: str) -> None:
    """Wake a person, once while the flag stays open."""
    row = {
        "tenant_id": tenant_id,
        "id": clock.new_id(),
        "kind": kind,
        "subject": subject,
        "reason": reason,
        "opened_at": clock.now(),
    }
    open_only = text("closed_at IS NULL")
    session.execute(
        insert(Flag)
        .values(row)
        .on_conflict_do_nothing(index_elements=["tenant_id", "kind", "subject"], index_where=open_only)
    )


def close_case(session: Session, tenant_id: UUID, kind: str, subject: str) -> None:
    """What was to be looked at is settled."""
    mine = (Flag.tenant_id == tenant_id, Flag.kind == kind, Flag.subject == subject, Flag.closed_at.is_(None))
    session.execute(update(Flag).where(*mine).values(closed_at=clock.now()))
