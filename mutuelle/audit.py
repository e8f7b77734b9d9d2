"""The audit trail (append-only: who did what), and the cases that staff must look at."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, inserts
from mutuelle.db import Row


class FlagKind(StrEnum):
    """The kinds of cases for staff. The console words each of them (`gateway/console/words.py`)."""

    ADJUSTMENT = "adjustment"
    AMOUNT = "amount"
    ATTRIBUTION = "attribution"
    CONFLICT = "conflict"
    CONTRADICTION = "contradiction"
    CURRENCY = "currency"
    DOCUMENT_TWICE = "document-twice"
    DOUBLE = "double"
    DUPLICATE = "duplicate"
    FEE = "fee"
    LATE = "late"
    LIST = "list"
    NO_ANSWER = "no-answer"
    OUTFLOW = "outflow"
    PROOF = "proof"
    REFUND = "refund"
    REMINDERS = "reminders"
    RENEWAL = "renewal"
    REVERSAL = "reversal"
    RULE = "rule"
    SET_ASIDE = "set-aside"
    SMS = "sms"
    STUCK = "stuck"
    SUSPENSE = "suspense"
    UNREADABLE = "unreadable"


class Subject(StrEnum):
    """What an entry of the trail or a case is about."""

    ACCOUNT = "account"
    BILL = "bill"
    CLAIM = "claim"
    DAY = "day"
    HOUSEHOLD = "household"
    LOGIN = "login"
    MESSAGE = "message"
    MUTUELLE = "mutuelle"
    NOTICE = "notice"
    PAYMENT = "payment"
    RECEIPT = "receipt"
    SPONSOR = "sponsor"
    TRANSACTION = "transaction"


def about(subject: Subject, identifier: object) -> str:
    """Returns the `subject` of an audit entry or a case, such as `payment:` and our reference."""
    return f"{subject}:{identifier}"


class AuditEntry(Row):
    """One line of the audit trail that was not archived yet; `TrailEntry` shows the whole trail.

    `facts` hold ids and figures, never a phone number or a name.
    """

    __tablename__ = "audit"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)


class TrailEntry(Row):
    """One line of the whole trail, in the working table or in its archive. To read; `record` writes."""

    __tablename__ = "whole_audit"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Flag(Row):
    """A case for staff; at most one is open per kind and subject."""

    __tablename__ = "flags"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    reason: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


def record(session: Session, tenant_id: UUID, actor: str, action: str, subject: str, **facts: Any) -> None:
    """Writes one line of the audit trail."""
    row = {"tenant_id": tenant_id, "id": clock.new_id(), "at": clock.now(), "actor": actor, "action": action}
    inserts.add(session, AuditEntry, {**row, "subject": subject, "facts": facts})


def open_case(session: Session, tenant_id: UUID, kind: FlagKind, subject: str, reason: str) -> None:
    """Opens a case for staff, unless one of this kind is already open for the subject."""
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


def close_case(session: Session, tenant_id: UUID, kind: FlagKind, subject: str) -> None:
    """Closes the open case of this kind about the subject, if there is one."""
    condition = (
        Flag.tenant_id == tenant_id,
        Flag.kind == kind,
        Flag.subject == subject,
        Flag.closed_at.is_(None),
    )
    session.execute(update(Flag).where(*condition).values(closed_at=clock.now()))


def close_cases(
    session: Session, tenant_id: UUID, kinds: Collection[FlagKind], subjects: Collection[str]
) -> None:
    """Closes the open cases of these kinds about any of the subjects, in one statement."""
    if not subjects:
        return
    condition = (
        Flag.tenant_id == tenant_id,
        Flag.kind.in_(kinds),
        Flag.subject.in_(subjects),
        Flag.closed_at.is_(None),
    )
    session.execute(update(Flag).where(*condition).values(closed_at=clock.now()))
