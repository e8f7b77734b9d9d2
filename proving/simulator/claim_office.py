"""Simulates subsidy claims: duplicates decided, claims drafted, checked, sent, answered in part, and paid."""

import random
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle.households import duplicate_decisions
from mutuelle.households.duplicate_decisions import DuplicateEvidence, DuplicateVerdict
from mutuelle.subsidies import claim_drafts, claim_steps, claim_store, claim_totals
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_steps import PayerAnswer
from mutuelle.subsidies.claim_store import Claim
from proving.simulator.staff import Office
from proving.simulator.timeline import Steps

REJECTED = 0.2  # share of the lines that the payer rejects
DAYS_S = (3600.0, 150_000.0)  # between the steps of a claim
UNDECIDED = """
SELECT id, later_household_id FROM duplicate_pairs p
WHERE (tenant_id = %s OR later_tenant_id = %s)
AND NOT EXISTS (SELECT FROM duplicate_decisions d WHERE d.tenant_id = p.tenant_id AND d.pair_id = p.id)
ORDER BY number, later_number, id
"""
LAST_DAY = "SELECT max(period_until) FROM subsidy_claims WHERE tenant_id = %s AND state <> 'cancelled'"


def decide_duplicates(office: Office, chance: random.Random) -> Steps:
    """Decides about the pairs of one household that is likely a duplicate."""
    pairs = office.query(UNDECIDED, office.tenant_id, office.tenant_id)
    if not pairs:
        return
    _, household_id = chance.choice(pairs)
    pair_ids = [UUID(str(pair_id)) for pair_id, of_household in pairs if of_household == household_id]
    verdict, why = chance.choice(list(DuplicateVerdict)), chance.choice(list(DuplicateEvidence))

    def decide(session: Session) -> bool:
        duplicate_decisions.decide(session, office.second, pair_ids, verdict=verdict, why=why)
        return True

    if office.act(decide):
        office.world.counts["decided"] += 1
    yield 0


def claim(office: Office, chance: random.Random) -> Steps:
    """Claims what the State owes since the last claim, and follows the claim until it is paid."""
    ((last,),) = office.query(LAST_DAY, office.tenant_id)
    until = office.today() - timedelta(days=1)
    since = last + timedelta(days=1) if last else until - timedelta(days=30)
    again = chance.random() < 0.3

    def draft(session: Session) -> UUID:
        return claim_drafts.draft(session, office.first, "state", Period(since, until), again=again).id

    claim_id = office.act(draft) if since <= until else None
    if claim_id is None:
        return
    office.world.counts["claimed"] += 1
    yield chance.uniform(*DAYS_S)

    def check(session: Session) -> bool:
        claim_steps.check(session, office.second, _claim(session, office, claim_id))
        return True

    def cancel(session: Session) -> bool:
        claim_steps.cancel(session, office.first, _claim(session, office, claim_id))
        return True

    if not office.act(check):  # it is no longer what the books say, or the process crashed
        yield from office.repeat(cancel, times=4)
        return
    yield from _send(office, claim_id, chance)


def _send(office: Office, claim_id: UUID, chance: random.Random) -> Steps:
    """Sends a checked claim; the payer answers and pays."""

    def send(session: Session) -> bool:
        claim_steps.send(session, office.first, _claim(session, office, claim_id))
        return True

    def answer(session: Session) -> int:
        row = _claim(session, office, claim_id)
        positions = [line.csv_line.position for line in claim_store.lines(session, row)]
        answers = [
            PayerAnswer(position, False, "pièce manquante")
            for position in positions
            if chance.random() < REJECTED
        ]
        claim_steps.answer(session, office.first, row, answers)
        return claim_steps.accept_rest(session, office.first, row)

    def pay(session: Session) -> bool:
        row = _claim(session, office, claim_id)
        due = claim_totals.sums(session, row).rest
        if due:
            reference = f"VIR {row.number}"
            claim_steps.pay(session, office.first, row, due, reference, office.today())
        return True

    yield chance.uniform(*DAYS_S)
    if not office.act(send):
        return
    for step in (answer, pay):
        yield chance.uniform(*DAYS_S)
        office.act(step)


def _claim(session: Session, office: Office, claim_id: UUID) -> Claim:
    return session.get_one(Claim, (office.tenant_id, claim_id))
