"""Writes the draft of a subsidy claim: its number, lines and left-out amounts, and the hash of its file."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mutuelle import clock, inserts
from mutuelle.organisation.tenants import Tenant
from mutuelle.subsidies import claim_csv
from mutuelle.subsidies.claim_csv import CsvLine
from mutuelle.subsidies.claim_facts import ClaimScope
from mutuelle.subsidies.claim_lines import ClaimState, DraftLine, LeftOutAmount, Period
from mutuelle.subsidies.claim_store import Claim, ClaimLeftOut, ClaimLine

PAYERS = {"state": "ETAT", "commune": "COMMUNE", "sponsor": "PARRAIN"}  # as a claim's number names them


def write(
    session: Session,
    tenant: Tenant,
    scope: ClaimScope,
    period: Period,
    lines: Sequence[DraftLine],
    left_out: Iterable[LeftOutAmount],
    *,
    made_by: UUID,
    sponsor: str | None,
    again: bool,
) -> Claim:
    """Writes the draft and returns it; `sponsor` is the code of the sponsor that is asked.

    The caller holds the lock that keeps two drafts from getting the same number.
    """
    year = period.until.year
    ordinal = _next_ordinal(session, scope, year)
    payer = PAYERS[scope.payer] + (f"-{sponsor}" if sponsor else "")
    number = f"{tenant.code}/{payer}/{year}/{ordinal:03d}"
    names = _names_of_corrected(session, tenant.id, lines)
    csv_lines = [
        CsvLine(position, line, names.get(line.corrects, "")) for position, line in enumerate(lines, 1)
    ]
    claim = Claim(
        tenant_id=tenant.id,
        id=clock.new_id(),
        number=number,
        payer=scope.payer,
        sponsor_id=scope.sponsor_id,
        year=year,
        ordinal=ordinal,
        period_from=period.since,
        period_until=period.until,
        again=again,
        currency=tenant.currency,
        lines=len(lines),
        total=sum(line.amount for line in lines),
        lines_hash=claim_csv.lines_hash(number, tenant.currency, csv_lines),
        state=ClaimState.DRAFTED,
        made_by=made_by,
        made_at=scope.at,
    )
    session.add(claim)
    session.flush()
    keys = {"tenant_id": tenant.id, "claim_id": claim.id}
    line_rows = (
        {**keys, "id": clock.new_id(), "position": csv_line.position, **vars(csv_line.line)}
        for csv_line in csv_lines
    )
    inserts.add(session, ClaimLine, *line_rows)
    inserts.add(session, ClaimLeftOut, *({**keys, "id": clock.new_id(), **vars(part)} for part in left_out))
    return claim


def _next_ordinal(session: Session, scope: ClaimScope, year: int) -> int:
    """Returns the number of the payer's next claim of the year; each sponsor has its own series."""
    query = select(func.max(Claim.ordinal)).where(
        Claim.tenant_id == scope.tenant_id,
        Claim.payer == scope.payer,
        Claim.sponsor_id.is_not_distinct_from(scope.sponsor_id),
        Claim.year == year,
    )
    return (session.scalar(query) or 0) + 1


def _names_of_corrected(
    session: Session, tenant_id: UUID, lines: Iterable[DraftLine]
) -> dict[UUID | None, str]:
    """Returns the earlier lines that these correct, as `NUMBER position`, by id."""
    corrected = [line.corrects for line in lines if line.corrects]
    query = select(ClaimLine.id, Claim.number, ClaimLine.position).join(
        Claim, (Claim.tenant_id == ClaimLine.tenant_id) & (Claim.id == ClaimLine.claim_id)
    )
    rows = session.execute(query.where(ClaimLine.tenant_id == tenant_id, ClaimLine.id.in_(corrected)))
    return {line_id: f"{number} {position}" for line_id, number, position in rows}
