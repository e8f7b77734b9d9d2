"""Subsidy claims: drafted from the books, checked by a second person, sent, answered line by line, paid.

Nothing of a claim is edited: a draft that is no longer right is cancelled and drafted anew, what changes
later comes as lines of the next claim. The ledger hears of a claim when it is sent, of lines when they are
rejected, of money when it came.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, inserts, phone
from mutuelle.errors import Refused
from mutuelle.households import locks
from mutuelle.money import Money
from mutuelle.organisation import sponsors, tenants
from mutuelle.organisation.logins import Manager
from mutuelle.organisation.tenants import Tenant
from mutuelle.payments import ledger
from mutuelle.payments.ledger import Move
from mutuelle.schemes import money_rules
from mutuelle.subsidies import claim_checks, claim_csv, claim_facts, claim_store, claimable
from mutuelle.subsidies.claim_csv import CsvLine
from mutuelle.subsidies.claim_facts import ClaimScope
from mutuelle.subsidies.claim_lines import DraftLine, LeftOutAmount, Period
from mutuelle.subsidies.claim_store import (
    AnsweredLine,
    Claim,
    ClaimAnswer,
    ClaimLeftOut,
    ClaimLine,
    ClaimPayment,
)

PAYERS = {"state": "ETAT", "commune": "COMMUNE", "sponsor": "PARRAIN"}  # as a claim's number names them
MOVES = {
    "drafted": {"checked", "cancelled"},
    "checked": {"sent", "cancelled"},
    "sent": {"paid"},
    "paid": set(),
    "cancelled": set(),
}


@dataclass(frozen=True)
class PayerAnswer:
    """What the payer said of the line at `position`; a rejection has a reason."""

    position: int
    accepted: bool
    reason: str = ""


def look(
    session: Session,
    tenant: Tenant,
    payer: str,
    period: Period,
    *,
    sponsor_id: UUID | None = None,
    again: bool = False,
) -> tuple[list[DraftLine], list[LeftOutAmount]]:
    """What a draft would claim of `payer` now, and what it would leave out."""
    known = ClaimScope(tenant.id, tenant.zone, payer, clock.now(), sponsor_id=sponsor_id)
    return claimable.judge(claim_facts.read(session, known, period), period, again=again)


def draft(
    session: Session,
    person: Manager,
    payer: str,
    period: Period,
    *,
    sponsor: str | None = None,
    again: bool = False,
) -> Claim:
    """Write a claim with everything that may be claimed of `payer` by the end of `period`; `again`: rejected
    lines too.

    `sponsor` is the code of a sponsor, when one is asked: each has claims of its own, which name nobody
    helped by another. Refused: "claim.payer", "claim.sponsor" when no sponsor has this code or another payer
    is asked, "claim.period" when it ends before it begins, "claim.not-over" unless its last day is over
    (money and changes of that day may still come, and the claim could not be made again), "claim.nothing"
    when there is nothing to claim, with the units left out by reason.
    """
    tenant = tenants.get(session, person.tenant_id)
    if payer not in PAYERS:
        raise Refused("claim.payer")
    sponsor_id = _asked(session, tenant.id, payer, sponsor)
    if period.since > period.until:
        raise Refused("claim.period")
    if period.until >= clock.today(tenant.zone):
        raise Refused("claim.not-over")
    _alone(session, "claims", tenant.id)
    at = clock.now()
    found = claim_facts.read(
        session, ClaimScope(tenant.id, tenant.zone, payer, at, sponsor_id=sponsor_id), period
    )
    lines, left = claimable.judge(found, period, again=again)
    if not lines:
        raise Refused("claim.nothing", left_out=_by_reason(left))
    locks.lock_all(
        session, tenant.id, {line.household_id for line in lines}
    )  # the database looks at each under its lock
    ordinal = _next(session, tenant.id, payer, sponsor_id, period.until.year)
    number = (
        f"{tenant.code}/{PAYERS[payer]}{f'-{sponsor}' if sponsor else ''}/{period.until.year}/{ordinal:03d}"
    )
    named = _named(session, tenant.id, lines)
    written = [CsvLine(place, line, named.get(line.corrects, "")) for place, line in enumerate(lines, 1)]
    claim = Claim(
        tenant_id=tenant.id,
        id=clock.new_id(),
        number=number,
        payer=payer,
        sponsor_id=sponsor_id,
        year=period.until.year,
        ordinal=ordinal,
        period_from=period.since,
        period_until=period.until,
        again=again,
        currency=tenant.currency,
        lines=len(lines),
        total=sum(line.amount for line in lines),
        lines_hash=claim_csv.digest(claim_csv.csv(number, tenant.currency, written)),
        state="drafted",
        made_by=person.id,
        made_at=at,
    )
    session.add(claim)
    session.flush()
    of_it = {"tenant_id": tenant.id, "claim_id": claim.id}
    inserts.add(
        session,
        ClaimLine,
        *({**of_it, "id": clock.new_id(), "position": w.position, **vars(w.line)} for w in written),
    )
    inserts.add(session, ClaimLeftOut, *({**of_it, "id": clock.new_id(), **vars(one)} for one in left))
    _note(session, person, "claim-drafted", claim)
    return claim


def _alone(session: Session, what: str, tenant_id: UUID) -> None:
    """Until this transaction ends nobody else does the same with claims of this mutuelle."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{what}:{tenant_id}", 0))))


def _asked(session: Session, tenant_id: UUID, payer: str, code: str | None) -> UUID | None:
    """The sponsor of this code where the payer is one, nobody where it is not. Refused("claim.sponsor") when
    these disagree."""
    found = sponsors.by_code(session, tenant_id, code) if code is not None else None
    if (payer == money_rules.SPONSOR) != (code is not None) or (code is not None and found is None):
        raise Refused("claim.sponsor")
    return found.id if found else None


def _by_reason(left: Iterable[LeftOutAmount]) -> dict[str, int]:
    told: dict[str, int] = {}
    for one in left:
        told[one.reason] = told.get(one.reason, 0) + one.amount
    return told


def _next(session: Session, tenant_id: UUID, payer: str, sponsor_id: UUID | None, year: int) -> int:
    whose = Claim.sponsor_id.is_not_distinct_from(sponsor_id)
    mine = (Claim.tenant_id == tenant_id, Claim.payer == payer, whose, Claim.year == year)
    return (session.scalar(select(func.max(Claim.ordinal)).where(*mine)) or 0) + 1


def _named(session: Session, tenant_id: UUID, lines: Iterable[DraftLine]) -> dict[UUID | None, str]:
    """How the lines that these correct are called."""
    wanted = [line.corrects for line in lines if line.corrects]
    query = select(ClaimLine.id, Claim.number, ClaimLine.position).join(
        Claim, (Claim.tenant_id == ClaimLine.tenant_id) & (Claim.id == ClaimLine.claim_id)
    )
    rows = session.execute(query.where(ClaimLine.tenant_id == tenant_id, ClaimLine.id.in_(wanted)))
    return {line_id: f"{number} {position}" for line_id, number, position in rows}


def check(session: Session, person: Manager, claim: Claim) -> None:
    """A second person agrees, and the claim is still what the books say.

    Refused: "claim.moved" when it is no draft any more, "claim.four-eyes" for who drafted it, "claim.stale"
    with the first difference when it must be drafted anew.
    """
    claim = _locked(session, claim, "checked")
    if claim.made_by == person.id:
        raise Refused("claim.four-eyes")
    if different := claim_checks.remake(session, claim).differences:
        raise Refused("claim.stale", first=different[0])
    claim.state, claim.checked_by, claim.checked_at = "checked", person.id, clock.now()
    _note(session, person, "claim-checked", claim)


def cancel(session: Session, person: Manager, claim: Claim) -> None:
    """It is not sent; its lines may be claimed by another one. Refused("claim.moved") when it was sent or
    cancelled before."""
    claim = _locked(session, claim, "cancelled")
    claim.state, claim.ended_by, claim.ended_at = "cancelled", person.id, clock.now()
    _note(session, person, "claim-cancelled", claim)


def send(session: Session, person: Manager, claim: Claim) -> None:
    """It went to its payer, who owes it from now on. Refused("claim.moved") unless it was checked."""
    claim = _locked(session, claim, "sent")
    claim.state, claim.sent_by, claim.sent_at = "sent", person.id, clock.now()
    mine = (ClaimLine.tenant_id == claim.tenant_id, ClaimLine.claim_id == claim.id)
    _post(session, claim, f"claim:{claim.id}", session.scalars(select(ClaimLine.amount).where(*mine)))
    _note(session, person, "claim-sent", claim)


def answer(session: Session, person: Manager, claim: Claim, answers: Sequence[PayerAnswer]) -> int:
    """Note what the payer said of lines; how many answers were new. What it rejects is not owed any more.

    Refused: "claim.not-sent", "claim.no-line", "claim.answered" when it said otherwise of a line before,
    "claim.reason".
    """
    claim = _locked(session, claim)
    if claim.state not in ("sent", "paid"):
        raise Refused("claim.not-sent")
    told = {one.written.position: one for one in claim_store.lines(session, claim)}
    fresh: dict[int, PayerAnswer] = {}
    for one in answers:
        if one.position not in told:
            raise Refused("claim.no-line", line=one.position)
        before = _said(told[one.position]) or fresh.get(one.position)
        if before is not None and before != one:
            raise Refused("claim.answered", line=one.position)
        if not one.accepted and not _is_reason(one.reason):
            raise Refused("claim.reason", line=one.position)
        if before is None:
            fresh[one.position] = one
    if fresh:
        _note_answers(session, person, claim, [(told[one.position], one) for one in fresh.values()])
    return len(fresh)


def _note_answers(
    session: Session, person: Manager, claim: Claim, fresh: Sequence[tuple[AnsweredLine, PayerAnswer]]
) -> None:
    shared = {"tenant_id": claim.tenant_id, "noted_by": person.id, "noted_at": clock.now()}
    rows = (
        {
            **shared,
            "line_id": line.line_id,
            "id": clock.new_id(),
            "answer": "accepted" if said.accepted else "rejected",
            "reason": said.reason or None,
        }
        for line, said in fresh
    )
    inserts.add(session, ClaimAnswer, *rows)
    refused = [-line.written.line.amount for line, said in fresh if not said.accepted]
    if refused:
        _post(session, claim, f"claim-answer:{clock.new_id()}", refused)
    _note(session, person, "claim-answered", claim, lines=len(fresh), rejected=-sum(refused))
    _end(session, person, claim)


def accept_rest(session: Session, person: Manager, claim: Claim) -> int:
    """The payer accepts every line that has no answer; how many there were. Refused("claim.not-sent")."""
    waiting = [told.written.position for told in claim_store.lines(session, claim) if told.answer is None]
    return answer(session, person, claim, [PayerAnswer(position, True) for position in waiting])


def pay(session: Session, person: Manager, claim: Claim, amount: int, reference: str, on: date) -> None:
    """Money came to the bank on the day `on`, under the bank's reference; below 0 it went back to the payer.

    Refused: "claim.not-sent", "claim.amount" when it is more than is to come, or go back, "claim.reference"
    when no reference is told, "claim.reference-known" with the claim's number when this one is noted already,
    of whichever claim.
    """
    _alone(session, "claim-payments", claim.tenant_id)
    claim = _locked(session, claim)
    if claim.state != "sent":
        raise Refused("claim.not-sent")
    rest = claim_store.sums(session, claim).rest
    if not amount or amount * rest <= 0 or abs(amount) > abs(rest):
        raise Refused("claim.amount", rest=rest)
    if not 3 <= len(reference) <= 80 or not reference.isprintable() or reference.startswith("+"):
        raise Refused("claim.reference")
    if known := claim_store.paid_under(session, claim.tenant_id, reference):
        raise Refused("claim.reference-known", number=known)
    payment = {"id": clock.new_id(), "amount": amount, "reference": reference, "on_day": on}
    noted = {
        "tenant_id": claim.tenant_id,
        "claim_id": claim.id,
        "noted_by": person.id,
        "noted_at": clock.now(),
    }
    inserts.add(session, ClaimPayment, {**noted, **payment})
    bank, receivable = (
        ledger.bank_of(claim.tenant_id),
        ledger.receivable_of(claim.tenant_id, claim.payer, claim.sponsor_id),
    )
    came = Move(bank, receivable, Money(abs(amount), claim.currency))
    moves = [came] if amount > 0 else ledger.reverse([came])
    ledger.post(session, claim.tenant_id, f"claim-payment:{payment['id']}", clock.now(), moves)
    _note(session, person, "claim-paid", claim, paid=amount)
    _end(session, person, claim)


def _end(session: Session, person: Manager, claim: Claim) -> None:
    """It ends with the last answer or the last franc."""
    if claim_store.sums(session, claim).settled:
        claim.state, claim.ended_by, claim.ended_at = "paid", person.id, clock.now()


def _post(session: Session, claim: Claim, reference: str, amounts: Iterable[int]) -> None:
    """What the payer owes more, and with a minus less."""
    amounts = list(amounts)
    more, less = sum(units for units in amounts if units > 0), -sum(units for units in amounts if units < 0)
    receivable, fund = (
        ledger.receivable_of(claim.tenant_id, claim.payer, claim.sponsor_id),
        ledger.fund_of(claim.tenant_id),
    )
    moves = [
        Move(receivable, fund, Money(more, claim.currency)),
        Move(fund, receivable, Money(less, claim.currency)),
    ]
    ledger.post(session, claim.tenant_id, reference, clock.now(), moves)


def _said(told: AnsweredLine) -> PayerAnswer | None:
    return (
        PayerAnswer(told.written.position, told.answer == "accepted", told.reason or "")
        if told.answer
        else None
    )


def _is_reason(told: str) -> bool:
    """Words, and no phone number among them, grouped or not."""
    return 3 <= len(told) <= 200 and told.isprintable() and not phone.PATTERN.search(told)


def _locked(session: Session, claim: Claim, state: str | None = None) -> Claim:
    """The claim as it is now, for this transaction alone. Refused("claim.moved") when it cannot become
    `state`."""
    where = (Claim.tenant_id == claim.tenant_id, Claim.id == claim.id)
    claim = session.scalars(
        select(Claim).where(*where).with_for_update().execution_options(populate_existing=True)
    ).one()
    if state is not None and state not in MOVES[claim.state]:
        raise Refused("claim.moved", state=claim.state)
    return claim


def _note(session: Session, person: Manager, what: str, claim: Claim, **facts: object) -> None:
    told = {"number": claim.number, "total": claim.total, **facts}
    audit.record(session, claim.tenant_id, person.actor, what, f"claim:{claim.id}", **told)
