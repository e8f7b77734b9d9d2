"""Drafts a subsidy claim: what may be claimed now, its number, lines, left-out amounts and hash."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mutuelle import clock, inserts, set_aside
from mutuelle.errors import Conflict, Refused
from mutuelle.households import duplicates, locks
from mutuelle.organisation import sponsors, tenants
from mutuelle.organisation.logins import Manager
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes import money_rules
from mutuelle.set_aside import Work
from mutuelle.subsidies import claim_amounts, claim_csv, claim_duplicates, claim_facts, claim_store
from mutuelle.subsidies.claim_csv import CsvLine
from mutuelle.subsidies.claim_facts import ClaimScope
from mutuelle.subsidies.claim_lines import ClaimState, DraftLine, LeftOutAmount, LeftOutReason, Period
from mutuelle.subsidies.claim_store import Claim, ClaimLeftOut, ClaimLine

PAYERS = {"state": "ETAT", "commune": "COMMUNE", "sponsor": "PARRAIN"}  # as a claim's number names them


def preview(
    session: Session,
    tenant: Tenant,
    payer: str,
    period: Period,
    *,
    sponsor_id: UUID | None = None,
    again: bool = False,
) -> tuple[list[DraftLine], list[LeftOutAmount]]:
    """Returns what a draft would claim of `payer` now, and what it would leave out."""
    scope = ClaimScope(tenant.id, tenant.zone, payer, clock.now(), sponsor_id=sponsor_id)
    return _judge(session, scope, period, again)


def _judge(
    session: Session, scope: ClaimScope, period: Period, again: bool
) -> tuple[list[DraftLine], list[LeftOutAmount]]:
    return claim_amounts.judge(claim_facts.read(session, scope, period), period, again=again)


def draft(
    session: Session,
    manager: Manager,
    payer: str,
    period: Period,
    *,
    sponsor: str | None = None,
    again: bool = False,
) -> Claim:
    """Writes a claim with everything that may be claimed of `payer` by the end of `period`.

    `again` claims rejected lines, too. `sponsor` is the code of the sponsor where the payer is one: each
    sponsor has claims of its own, with the households it helps. Refused: "claim.payer", "claim.sponsor" when
    no sponsor has this code or the payer is not a sponsor, "claim.period" when it ends before it begins,
    "claim.not-over" unless its last day is over (money and changes of that day may still come, and the claim
    could not be made again), "claim.nothing" without a line to claim, with the units left out by reason.
    """
    tenant = tenants.get(session, manager.tenant_id)
    if payer not in PAYERS:
        raise Refused("claim.payer")
    sponsor_id = _sponsor_id(session, tenant.id, payer, sponsor)
    if period.since > period.until:
        raise Refused("claim.period")
    if period.until >= tenant.today():
        raise Refused("claim.not-over")
    claim_store.lock_mutuelle(session, "claims", tenant.id)
    duplicates.freeze(session, tenant.id)
    claim_duplicates.find(session, tenant.id, payer, sponsor_id)
    scope = ClaimScope(tenant.id, tenant.zone, payer, clock.now(), sponsor_id=sponsor_id)
    lines, left_out = _judge(session, scope, period, again)
    for household_id in {part.household_id for part in left_out if part.reason == LeftOutReason.UNREADABLE}:
        unreadable = Conflict("its bills or its money cannot be read")
        set_aside.household(session, tenant.id, household_id, Work.CLAIM, unreadable)
    claimed = {line.household_id for line in lines}
    set_aside.close_recovered(session, tenant.id, Work.CLAIM, claimed.__contains__)
    if not lines:
        raise Refused("claim.nothing", left_out=_units_by_reason(left_out))
    # The database checks each household's lines under the household's lock.
    locks.lock_all(session, tenant.id, {line.household_id for line in lines})
    claim = _write(
        session, tenant, scope, period, lines, left_out, made_by=manager.id, sponsor=sponsor, again=again
    )
    claim_store.record(session, manager, "claim-drafted", claim)
    return claim


def _sponsor_id(session: Session, tenant_id: UUID, payer: str, code: str | None) -> UUID | None:
    """Returns the id of the sponsor with this code, None where the payer is no sponsor.

    Refused("claim.sponsor") when payer and code disagree, or no sponsor has the code.
    """
    sponsor = sponsors.by_code(session, tenant_id, code) if code is not None else None
    if (payer == money_rules.SPONSOR) != (code is not None) or (code is not None and sponsor is None):
        raise Refused("claim.sponsor")
    return sponsor.id if sponsor else None


def _units_by_reason(left_out: Iterable[LeftOutAmount]) -> dict[str, int]:
    units: dict[str, int] = {}
    for part in left_out:
        units[part.reason.value] = units.get(part.reason.value, 0) + part.amount
    return units


def _write(
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
        format=claim_csv.FORMAT,
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
