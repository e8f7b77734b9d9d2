"""Stores subsidy claims: the claim, its lines, what it left out, its payer's answers and payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, text
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from mutuelle import audit
from mutuelle.audit import Subject
from mutuelle.db import Row
from mutuelle.organisation.logins import Manager
from mutuelle.subsidies import claim_csv
from mutuelle.subsidies.claim_csv import CsvLine
from mutuelle.subsidies.claim_lines import DraftLine


class Claim(Row):
    """What we ask of one payer for the days of a period.

    After the draft only its state changes, with the person and the moment of each change. `format` is the
    version of its CSV file.
    """

    __tablename__ = "subsidy_claims"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    payer: Mapped[str]
    sponsor_id: Mapped[UUID | None]
    year: Mapped[int]
    ordinal: Mapped[int]
    period_from: Mapped[date]
    period_until: Mapped[date]
    again: Mapped[bool]
    currency: Mapped[str]
    lines: Mapped[int]
    total: Mapped[int]
    lines_hash: Mapped[bytes]
    state: Mapped[str]
    made_by: Mapped[UUID]
    made_at: Mapped[datetime]
    checked_by: Mapped[UUID | None]
    checked_at: Mapped[datetime | None]
    sent_by: Mapped[UUID | None]
    sent_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]
    format: Mapped[int]


class ClaimLine(Row):
    """One member's part of one bill line, frozen with the names and evidence of the draft."""

    __tablename__ = "claim_lines"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    claim_id: Mapped[UUID]
    position: Mapped[int]
    household_id: Mapped[UUID]
    number: Mapped[str]
    member_id: Mapped[UUID]
    name: Mapped[str]
    born: Mapped[int]
    category: Mapped[str]
    scheme: Mapped[str]
    version: Mapped[date]
    rule: Mapped[str]
    evidence: Mapped[str]
    days_from: Mapped[date]
    days_until: Mapped[date]
    on_day: Mapped[date]
    amount: Mapped[int]
    bill_line_id: Mapped[UUID]
    corrects: Mapped[UUID | None]
    days: Mapped[int | None]
    registry_number: Mapped[str | None]
    member_paid: Mapped[int | None]
    receipts: Mapped[str | None]
    household_size: Mapped[int | None]
    place: Mapped[str | None]


class ClaimLeftOut(Row):
    """Units of a bill line that the claim did not ask for, and why."""

    __tablename__ = "claim_left_out"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    claim_id: Mapped[UUID]
    household_id: Mapped[UUID]
    bill_line_id: Mapped[UUID]
    amount: Mapped[int]
    reason: Mapped[str]


class ClaimAnswer(Row):
    """The payer's answer to one line."""

    __tablename__ = "claim_answers"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    answer: Mapped[str]
    reason: Mapped[str | None]
    noted_by: Mapped[UUID]
    noted_at: Mapped[datetime]


class ClaimPayment(Row):
    """Money of the payer that came to the bank, under the bank's reference; below 0 it went back."""

    __tablename__ = "claim_payments"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    claim_id: Mapped[UUID]
    amount: Mapped[int]
    reference: Mapped[str]
    on_day: Mapped[date]
    noted_by: Mapped[UUID]
    noted_at: Mapped[datetime]


@dataclass(frozen=True)
class AnsweredLine:
    """A line with its payer's answer, if there is one."""

    csv_line: CsvLine
    line_id: UUID
    answer: str | None
    reason: str | None


def belongs_to(table: Any, claim: Claim) -> ColumnElement[bool]:
    """Returns the condition that a row of `table` is of this claim."""
    return and_(table.tenant_id == claim.tenant_id, table.claim_id == claim.id)


def by_number(session: Session, number: str) -> Claim | None:
    """Returns the claim with this number, if the transaction may see it."""
    return session.scalar(select(Claim).where(Claim.number == number))


def newest(session: Session, tenant_id: UUID, limit: int = 30, offset: int = 0) -> Sequence[Claim]:
    """Returns the claims of a mutuelle, newest first."""
    query = select(Claim).where(Claim.tenant_id == tenant_id)
    query = query.order_by(Claim.made_at.desc(), Claim.number.desc())
    return session.scalars(query.limit(limit).offset(offset)).all()


def lines(session: Session, claim: Claim, limit: int | None = None, offset: int = 0) -> list[AnsweredLine]:
    """Returns the lines of a claim in their order."""
    corrected, corrected_claim = aliased(ClaimLine), aliased(Claim)
    query = (
        select(ClaimLine, ClaimAnswer.answer, ClaimAnswer.reason, corrected_claim.number, corrected.position)
        .join(
            ClaimAnswer,
            (ClaimAnswer.tenant_id == ClaimLine.tenant_id) & (ClaimAnswer.line_id == ClaimLine.id),
            isouter=True,
        )
        .join(
            corrected,
            (corrected.tenant_id == ClaimLine.tenant_id) & (corrected.id == ClaimLine.corrects),
            isouter=True,
        )
        .join(
            corrected_claim,
            (corrected_claim.tenant_id == corrected.tenant_id) & (corrected_claim.id == corrected.claim_id),
            isouter=True,
        )
        .where(belongs_to(ClaimLine, claim))
        .order_by(ClaimLine.position)
    )
    rows = session.execute(query.limit(limit).offset(offset))
    return [
        AnsweredLine(
            CsvLine(row.position, DraftLine.of(row), f"{number} {position}" if number else ""),
            row.id,
            answer,
            reason,
        )
        for row, answer, reason, number, position in rows
    ]


def file(session: Session, claim: Claim) -> bytes:
    """Returns the CSV file of the claim's lines, whose SHA-256 is the claim's hash."""
    csv_lines = [line.csv_line for line in lines(session, claim)]
    return claim_csv.csv(claim.number, claim.currency, csv_lines, claim.format)


def payments(session: Session, claim: Claim) -> Sequence[ClaimPayment]:
    """Returns the payments of the claim's payer, oldest first."""
    query = select(ClaimPayment).where(belongs_to(ClaimPayment, claim))
    return session.scalars(query.order_by(ClaimPayment.noted_at)).all()


_PAID_UNDER = text("""
SELECT s.number FROM claim_payments p
JOIN subsidy_claims s ON s.tenant_id = p.tenant_id AND s.id = p.claim_id
WHERE p.tenant_id = :tenant AND replace(lower(p.reference), ' ', '') = replace(lower(:reference), ' ', '')
LIMIT 1
""")


def paid_under(session: Session, tenant_id: UUID, reference: str) -> str | None:
    """Returns the number of the claim paid under this bank reference; spaces and case do not matter."""
    number: str | None = session.scalar(_PAID_UNDER, {"tenant": tenant_id, "reference": reference})
    return number


def left_out(
    session: Session, claim: Claim, limit: int | None = None, offset: int = 0
) -> list[tuple[str, ClaimLeftOut]]:
    """Returns what the claim leaves out, each with the member number of its household."""
    query = text(
        "SELECT h.number, o.id FROM claim_left_out o"
        " JOIN households h ON h.tenant_id = o.tenant_id AND h.id = o.household_id"
        " WHERE o.tenant_id = :tenant AND o.claim_id = :claim"
        " ORDER BY o.reason, h.number, o.id LIMIT :limit OFFSET :offset"
    )
    values = {"tenant": claim.tenant_id, "claim": claim.id, "limit": limit, "offset": offset}
    numbers = {row.id: row.number for row in session.execute(query, values)}
    rows = session.scalars(
        select(ClaimLeftOut).where(ClaimLeftOut.tenant_id == claim.tenant_id, ClaimLeftOut.id.in_(numbers))
    )
    by_id = {row.id: row for row in rows}
    return [(number, by_id[row_id]) for row_id, number in numbers.items()]


def lock_mutuelle(session: Session, action: str, tenant_id: UUID) -> None:
    """Locks an action on the claims of a mutuelle until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{action}:{tenant_id}", 0))))


def record(session: Session, manager: Manager, action: str, claim: Claim, **facts: object) -> None:
    """Notes a step of a claim in the audit trail."""
    facts = {"number": claim.number, "total": claim.total, **facts}
    audit.record(
        session, claim.tenant_id, manager.actor, action, audit.about(Subject.CLAIM, claim.id), **facts
    )
