"""Subsidy claims as they are stored: the claim, its lines, what was left out of it, what its payer answered
and paid."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from mutuelle.db import Row
from mutuelle.subsidies import claim_csv
from mutuelle.subsidies.claim_csv import CsvLine
from mutuelle.subsidies.claim_lines import DraftLine


class Claim(Row):
    """What we ask of one payer for the days of a period. Only who moved it on, and when, is written after its
    draft."""

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
    """What the payer said of one line."""

    __tablename__ = "claim_answers"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    answer: Mapped[str]
    reason: Mapped[str | None]
    noted_by: Mapped[UUID]
    noted_at: Mapped[datetime]


class ClaimPayment(Row):
    """Money of the payer that came to the bank, under the bank's reference; with a minus, what went back."""

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
    """A line with what its payer said of it, if anything."""

    written: CsvLine
    line_id: UUID
    answer: str | None
    reason: str | None


@dataclass(frozen=True)
class ClaimSubtotal:
    """Lines or bill lines of one category or reason: how many households, how many lines, how many units."""

    name: str
    households: int
    lines: int
    units: int


@dataclass(frozen=True)
class ClaimTotals:
    """A claim in whole units: what was asked, what of it was accepted and rejected, how many lines wait, what
    was paid."""

    asked: int
    accepted: int
    rejected: int
    waiting: int
    paid: int

    @property
    def rest(self) -> int:
        """What is still to come; below 0 it is to go back."""
        return self.asked - self.rejected - self.paid

    @property
    def settled(self) -> bool:
        """Every line is answered and what was accepted is paid."""
        return not self.waiting and not self.rest


def by_number(session: Session, number: str) -> Claim | None:
    """The claim of this number, if the transaction may see it."""
    return session.scalar(select(Claim).where(Claim.number == number))


def newest(session: Session, tenant_id: UUID, limit: int = 30, offset: int = 0) -> Sequence[Claim]:
    """The claims of a mutuelle, newest first."""
    query = (
        select(Claim).where(Claim.tenant_id == tenant_id).order_by(Claim.made_at.desc(), Claim.number.desc())
    )
    return session.scalars(query.limit(limit).offset(offset)).all()


def of(row: ClaimLine) -> DraftLine:
    """The plain value of a stored line."""
    return DraftLine(**{name: getattr(row, name) for name in DraftLine.__dataclass_fields__})


def lines(session: Session, claim: Claim, limit: int | None = None, offset: int = 0) -> list[AnsweredLine]:
    """The lines of a claim in their order."""
    earlier, its_claim = aliased(ClaimLine), aliased(Claim)
    query = (
        select(ClaimLine, ClaimAnswer.answer, ClaimAnswer.reason, its_claim.number, earlier.position)
        .join(
            ClaimAnswer,
            (ClaimAnswer.tenant_id == ClaimLine.tenant_id) & (ClaimAnswer.line_id == ClaimLine.id),
            isouter=True,
        )
        .join(
            earlier,
            (earlier.tenant_id == ClaimLine.tenant_id) & (earlier.id == ClaimLine.corrects),
            isouter=True,
        )
        .join(
            its_claim,
            (its_claim.tenant_id == earlier.tenant_id) & (its_claim.id == earlier.claim_id),
            isouter=True,
        )
        .where(ClaimLine.tenant_id == claim.tenant_id, ClaimLine.claim_id == claim.id)
        .order_by(ClaimLine.position)
    )
    rows = session.execute(query.limit(limit).offset(offset))
    return [
        AnsweredLine(
            CsvLine(row.position, of(row), f"{number} {position}" if number else ""), row.id, answer, reason
        )
        for row, answer, reason, number, position in rows
    ]


def file(session: Session, claim: Claim) -> bytes:
    """The CSV of the claim's lines, whose SHA-256 is its hash."""
    return claim_csv.csv(claim.number, claim.currency, [told.written for told in lines(session, claim)])


def payments(session: Session, claim: Claim) -> Sequence[ClaimPayment]:
    """What its payer paid, oldest first."""
    mine = (ClaimPayment.tenant_id == claim.tenant_id, ClaimPayment.claim_id == claim.id)
    return session.scalars(select(ClaimPayment).where(*mine).order_by(ClaimPayment.noted_at)).all()


_PAID_UNDER = text("""
SELECT s.number FROM claim_payments p JOIN subsidy_claims s ON s.tenant_id = p.tenant_id AND s.id = p.claim_id
WHERE p.tenant_id = :tenant AND replace(lower(p.reference), ' ', '') = replace(lower(:reference), ' ', '')
LIMIT 1
""")


def paid_under(session: Session, tenant_id: UUID, reference: str) -> str | None:
    """The number of the claim whose money came under this reference of the bank, however it is spaced or
    capitalised."""
    found: str | None = session.scalar(_PAID_UNDER, {"tenant": tenant_id, "reference": reference})
    return found


_SUMS = text("""
SELECT coalesce(sum(c.amount), 0) AS asked, count(*) FILTER (WHERE a.answer IS NULL) AS waiting,
    coalesce(sum(c.amount) FILTER (WHERE a.answer = 'accepted'), 0) AS accepted,
    coalesce(sum(c.amount) FILTER (WHERE a.answer = 'rejected'), 0) AS rejected,
    (SELECT coalesce(sum(p.amount), 0) FROM claim_payments p WHERE p.tenant_id = :tenant AND p.claim_id =
    :claim) AS paid
FROM claim_lines c LEFT JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
WHERE c.tenant_id = :tenant AND c.claim_id = :claim
""")


def sums(session: Session, claim: Claim) -> ClaimTotals:
    """How the claim stands."""
    row = session.execute(_SUMS, {"tenant": claim.tenant_id, "claim": claim.id}).one()
    return ClaimTotals(int(row.asked), int(row.accepted), int(row.rejected), row.waiting, int(row.paid))


def rests(session: Session, claims: Sequence[Claim]) -> dict[UUID, int]:
    """What is still to come of each of these claims that was sent and is not settled; below 0 it is to go
    back."""
    rows = session.execute(_RESTS, {"claims": [claim.id for claim in claims]})
    return {row.claim_id: int(row.rest) for row in rows}


_RESTS = text("""
SELECT s.id AS claim_id, s.total
    - (SELECT coalesce(sum(c.amount), 0) FROM claim_lines c
        JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
        WHERE c.tenant_id = s.tenant_id AND c.claim_id = s.id AND a.answer = 'rejected')
    - (SELECT coalesce(sum(p.amount), 0) FROM claim_payments p WHERE p.tenant_id = s.tenant_id AND p.claim_id
      = s.id) AS rest FROM subsidy_claims s WHERE s.id = ANY(:claims) AND s.state = 'sent'
""")


def by_category(session: Session, claim: Claim) -> list[ClaimSubtotal]:
    """Its lines by category."""
    return _grouped(session, ClaimLine, ClaimLine.category, claim)


def by_reason(session: Session, claim: Claim) -> list[ClaimSubtotal]:
    """What it leaves out, by reason."""
    return _grouped(session, ClaimLeftOut, ClaimLeftOut.reason, claim)


def people(session: Session, claim: Claim) -> tuple[int, int]:
    """How many households and how many members its lines name."""
    counted = select(
        func.count(ClaimLine.household_id.distinct()), func.count(ClaimLine.member_id.distinct())
    )
    row = session.execute(
        counted.where(ClaimLine.tenant_id == claim.tenant_id, ClaimLine.claim_id == claim.id)
    ).one()
    return row[0], row[1]


def _grouped(session: Session, table: Any, name: Any, claim: Claim) -> list[ClaimSubtotal]:
    counted = select(name, func.count(table.household_id.distinct()), func.count(), func.sum(table.amount))
    mine = (table.tenant_id == claim.tenant_id, table.claim_id == claim.id)
    rows = session.execute(counted.where(*mine).group_by(name).order_by(name))
    return [ClaimSubtotal(called, homes, count, int(units)) for called, homes, count, units in rows]


def left_out(
    session: Session, claim: Claim, limit: int | None = None, offset: int = 0
) -> list[tuple[str, ClaimLeftOut]]:
    """What it leaves out, with the member number of the household."""
    query = text(
        "SELECT h.number, o.id FROM claim_left_out o JOIN households h ON h.tenant_id = o.tenant_id AND h.id = o.household_id"
        " WHERE o.tenant_id = :tenant AND o.claim_id = :claim ORDER BY o.reason, h.number, o.id LIMIT :limit OFFSET :offset"
    )
    values = {"tenant": claim.tenant_id, "claim": claim.id, "limit": limit, "offset": offset}
    found = {row.id: row.number for row in session.execute(query, values)}
    rows = session.scalars(
        select(ClaimLeftOut).where(ClaimLeftOut.tenant_id == claim.tenant_id, ClaimLeftOut.id.in_(found))
    )
    by_id = {row.id: row for row in rows}
    return [(number, by_id[one]) for one, number in found.items()]
