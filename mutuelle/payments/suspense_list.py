"""Lists the receipts in suspense, oldest first, with the households that may own them and why."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mutuelle.cover import cover_books
from mutuelle.errors import UnreadableBooks
from mutuelle.households.households import Household
from mutuelle.organisation import tenants
from mutuelle.payments import suspense_candidates
from mutuelle.payments.receipts import Allocation, PartKind, Receipt
from mutuelle.payments.suspense_candidates import CandidateSign, CandidateSigns, SuspenseCandidate

REQUEST_WINDOW = timedelta(days=3)  # at most between a request and the money that may answer it


@dataclass(frozen=True)
class SuspenseItem:
    """One receipt, how many units of it wait, and the households that may own it."""

    receipt: Receipt
    units: int
    candidates: tuple[SuspenseCandidate, ...]


def of_tenant(session: Session, tenant_id: UUID, *, skip: int, limit: int) -> list[SuspenseItem]:
    """Returns what waits in suspense, oldest first."""
    waits = (
        select(Allocation.receipt_id, func.sum(Allocation.amount).label("units"))
        .where(Allocation.tenant_id == tenant_id, Allocation.kind == PartKind.SUSPENSE)
        .group_by(Allocation.receipt_id)
        .having(func.sum(Allocation.amount) > 0)
        .subquery()
    )
    query = (
        select(Receipt, waits.c.units)
        .join(waits, waits.c.receipt_id == Receipt.id)
        .where(Receipt.tenant_id == tenant_id)
    )
    rows = session.execute(query.order_by(Receipt.moved_at, Receipt.id).offset(skip).limit(limit)).all()
    candidates = candidates_of(session, tenant_id, [row.Receipt for row in rows])
    return [SuspenseItem(row.Receipt, int(row.units), tuple(candidates[row.Receipt.id])) for row in rows]


_SIGNS = text("""
SELECT r.id AS receipt, p.household_id AS home,
    CASE WHEN p.until IS NULL THEN 'phone' ELSE 'former-phone' END AS sign
    FROM receipts r JOIN phones p ON p.tenant_id = r.tenant_id AND p.blind_index = r.payer_index
    WHERE r.tenant_id = :tenant AND r.id = ANY(:ids)
UNION SELECT r.id, p.household_id, 'asked-phone'
    FROM receipts r JOIN payments p ON p.tenant_id = r.tenant_id AND p.payer_index = r.payer_index
    WHERE r.tenant_id = :tenant AND r.id = ANY(:ids) AND p.household_tenant_id = :tenant
UNION SELECT r.id, a.household_id, 'paid-before'
    FROM receipts r
    JOIN receipts o ON o.tenant_id = r.tenant_id AND o.payer_index = r.payer_index AND o.id <> r.id
    JOIN allocations a ON a.tenant_id = o.tenant_id AND a.receipt_id = o.id
        AND a.household_tenant_id = :tenant
    WHERE r.tenant_id = :tenant AND r.id = ANY(:ids)
    GROUP BY r.id, a.household_id HAVING sum(a.amount) > 0
UNION SELECT r.id, p.household_id, 'request'
    FROM receipts r JOIN payments p
        ON p.tenant_id = r.tenant_id AND p.account_id = r.account_id AND p.amount = r.amount
    WHERE r.tenant_id = :tenant AND r.id = ANY(:ids) AND p.household_tenant_id = :tenant
        AND p.status NOT IN ('confirmed', 'reversed')
        AND p.created_at BETWEEN r.moved_at - :near AND r.moved_at + :near
""")

# What members still owe, per bill and in all, where it is one of these amounts.
_OWED = text("""
WITH given AS (
    SELECT bill_line_id, sum(amount) AS units FROM allocations
    WHERE household_tenant_id = :tenant AND kind = 'bill' GROUP BY 1
), rest AS (
    SELECT b.household_id, b.id, sum(l.amount - coalesce(g.units, 0)) AS units FROM bills b
    JOIN bill_lines l ON l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.payer = 'member'
    LEFT JOIN given g ON g.bill_line_id = l.id
    WHERE b.tenant_id = :tenant GROUP BY b.tenant_id, b.household_id, b.id
)
SELECT household_id AS home, units, 'bill' AS sign FROM rest WHERE units = ANY(:amounts)
UNION SELECT household_id, sum(units), 'owed' FROM rest
    GROUP BY household_id HAVING sum(units) = ANY(:amounts)
""")


def candidates_of(
    session: Session, tenant_id: UUID, receipts: Sequence[Receipt]
) -> dict[UUID, list[SuspenseCandidate]]:
    """Returns the candidates of each receipt, with a handful of queries for a whole page of receipts."""
    if not receipts:
        return {}
    signs: dict[UUID, dict[UUID, set[CandidateSign]]] = {receipt.id: defaultdict(set) for receipt in receipts}
    values = {"tenant": tenant_id, "ids": list(signs), "near": REQUEST_WINDOW}
    for row in session.execute(_SIGNS, values):
        signs[row.receipt][row.home].add(CandidateSign(row.sign))
    _add_number_signs(session, receipts, signs)
    amounts = sorted({receipt.amount for receipt in receipts})
    owed = session.execute(_OWED, {"tenant": tenant_id, "amounts": amounts}).all()
    for receipt in receipts:
        for row in owed:
            if row.units == receipt.amount:
                signs[receipt.id][row.home].add(CandidateSign(row.sign))
        _add_opening_sign(session, tenant_id, receipt, signs[receipt.id])
    return {
        receipt_id: suspense_candidates.rank(
            CandidateSigns(household_id, frozenset(names)) for household_id, names in by_household.items()
        )
        for receipt_id, by_household in signs.items()
    }


def _add_number_signs(
    session: Session, receipts: Sequence[Receipt], signs: dict[UUID, dict[UUID, set[CandidateSign]]]
) -> None:
    """Adds the signs of member numbers that payers typed, exactly or with one typing error."""
    typed = {receipt.id: suspense_candidates.typed_numbers(receipt.reference) for receipt in receipts}
    near = {text: suspense_candidates.neighbours(text) for texts in typed.values() for text in texts}
    numbers = {number for text, slips in near.items() for number in (text, *slips)}
    if not numbers:
        return
    query = select(Household.number, Household.id).where(Household.number.in_(numbers))
    rows = session.execute(query).all()
    for receipt_id, texts in typed.items():
        for number, household_id in rows:
            if number in texts:
                signs[receipt_id][household_id].add(CandidateSign.NUMBER)
            elif any(number in near[text] for text in texts):
                signs[receipt_id][household_id].add(CandidateSign.NUMBER_NEAR)


def _add_opening_sign(
    session: Session, tenant_id: UUID, receipt: Receipt, signs: dict[UUID, set[CandidateSign]]
) -> None:
    """Adds the sign that the amount is just what would open rights, for households with an identity sign."""
    today = tenants.today(session, tenant_id)
    likely = [
        household_id
        for household_id, names in signs.items()
        if names & suspense_candidates.IDENTITY_WEIGHTS.keys()
    ]
    for household_id in likely[: suspense_candidates.CANDIDATES_MAX]:
        try:
            position = cover_books.position(session, tenant_id, household_id, today)
        except UnreadableBooks:  # it stays a candidate by its other signs
            continue
        if position.next_opening.left_to_open == receipt.amount:
            signs[household_id].add(CandidateSign.OPENS)
