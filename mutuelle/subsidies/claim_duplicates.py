"""Says which members of a claim's households are likely or surely claimed as members of another household.

A person is claimed of the State or a commune once, whatever the mutuelle. A sponsor may help a person twice;
only one sponsor pays for nobody twice. Pairs and decisions are read as they were at the claim's moment.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from mutuelle.households import duplicate_decisions, duplicates
from mutuelle.households.duplicate_decisions import DuplicateVerdict
from mutuelle.households.duplicates import DuplicatePair
from mutuelle.subsidies.claim_lines import ClaimDuplicates, ClaimedDays

_CLAIMED = text("SELECT * FROM claimed_duplicates(:tenant, CAST(:homes AS uuid[]), :sponsor, :own, :at)")
_BILLED = text("""
SELECT DISTINCT b.household_id FROM bill_lines l
JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
WHERE l.tenant_id = :tenant AND l.payer = :payer AND l.sponsor_id IS NOT DISTINCT FROM CAST(:sponsor AS uuid)
""")


def find(session: Session, tenant_id: UUID, payer: str, sponsor_id: UUID | None) -> None:
    """Finds the likely duplicates of all households that this payer owes something for."""
    values = {"tenant": tenant_id, "payer": payer, "sponsor": sponsor_id}
    duplicates.find(session, tenant_id, session.scalars(_BILLED, values).all())


def read(
    session: Session,
    tenant_id: UUID,
    household_ids: Collection[UUID],
    at: datetime,
    *,
    payer: str,
    sponsor_id: UUID | None,
    own: UUID | None,
) -> dict[UUID, ClaimDuplicates]:
    """Returns the duplicates of these households by household, as they were at the moment `at`.

    `own` is the claim that is made again, if one is.
    """
    pairs = _pairs(session, tenant_id, household_ids, at)
    if sponsor_id is not None:
        pairs = _of_sponsor(session, tenant_id, payer, sponsor_id, pairs)
    decisions = duplicate_decisions.newest(session, pairs, at)
    held: dict[UUID, set[UUID]] = defaultdict(set)
    returned: dict[UUID, set[UUID]] = defaultdict(set)
    one_person = set()
    for pair in pairs:
        decision = decisions.get(pair.id)
        if decision is not None and decision.verdict == DuplicateVerdict.DIFFERENT:
            continue
        one_person.add((pair.tenant_id, pair.id))
        is_later_claimed = decision is not None and decision.verdict == DuplicateVerdict.SAME_LATER
        owner_id, household_id, member_id = (
            (pair.tenant_id, pair.household_id, pair.member_id)
            if is_later_claimed
            else (pair.later_tenant_id, pair.later_household_id, pair.later_member_id)
        )
        if owner_id == tenant_id:
            held[household_id].add(member_id)
            if decision is not None:
                returned[household_id].add(member_id)
    homes = {pair.member_id: pair.household_id for pair in pairs}
    homes |= {pair.later_member_id: pair.later_household_id for pair in pairs}
    elsewhere: dict[UUID, list[ClaimedDays]] = defaultdict(list)
    if one_person:
        values = {"tenant": tenant_id, "homes": list(household_ids), "sponsor": sponsor_id, "own": own}
        for row in session.execute(_CLAIMED, {**values, "at": at}):
            if (row.tenant_id, row.pair_id) in one_person:
                days = ClaimedDays(row.member_id, row.days_from, row.days_until)
                elsewhere[homes[row.member_id]].append(days)
    return {
        household_id: ClaimDuplicates(
            frozenset(held[household_id]),
            frozenset(returned[household_id]),
            tuple(sorted(elsewhere[household_id])),
        )
        for household_id in {*held, *elsewhere}
    }


def _pairs(
    session: Session, tenant_id: UUID, household_ids: Collection[UUID], at: datetime
) -> list[DuplicatePair]:
    ours = or_(
        (DuplicatePair.tenant_id == tenant_id) & DuplicatePair.household_id.in_(household_ids),
        (DuplicatePair.later_tenant_id == tenant_id) & DuplicatePair.later_household_id.in_(household_ids),
    )
    query = select(DuplicatePair).where(ours, DuplicatePair.found_at <= at)
    return list(session.scalars(query.order_by(DuplicatePair.tenant_id, DuplicatePair.id)))


def _of_sponsor(
    session: Session, tenant_id: UUID, payer: str, sponsor_id: UUID, pairs: Iterable[DuplicatePair]
) -> list[DuplicatePair]:
    """Returns the pairs whose households are both helped by the sponsor, which is one mutuelle's."""
    values = {"tenant": tenant_id, "payer": payer, "sponsor": sponsor_id}
    helped = set(session.scalars(_BILLED, values))
    return [
        pair
        for pair in pairs
        if pair.tenant_id == pair.later_tenant_id and {pair.household_id, pair.later_household_id} <= helped
    ]
