"""Lists the receipts in suspense, oldest first, with the households that may own them and why."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle.cover import cover_books
from mutuelle.db import Row
from mutuelle.errors import UnreadableBooks
from mutuelle.households.households import Household
from mutuelle.organisation import tenants
from mutuelle.payments import open_dues, suspense_candidates
from mutuelle.payments.receipts import Receipt
from mutuelle.payments.suspense_candidates import CandidateSign, CandidateSigns, SuspenseCandidate

# Rows that an amount finds among the open dues: enough to see that too many households share it, even if
# some have several rows or are candidates by other signs.
DUES_ROWS_MAX = 8 * suspense_candidates.SHARED_AMOUNT_MAX
REQUEST_WINDOW = timedelta(days=3)  # at most between a request and the money that may answer it


class OpenSuspense(Row):
    """How many units of a receipt wait in suspense. The database keeps it at each INSERT of allocations."""

    __tablename__ = "open_suspense"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    receipt_id: Mapped[UUID] = mapped_column(primary_key=True)
    moved_at: Mapped[datetime]
    units: Mapped[int]


@dataclass(frozen=True)
class SuspenseItem:
    """One receipt, how many units of it wait, and the households that may own it."""

    receipt: Receipt
    units: int
    candidates: tuple[SuspenseCandidate, ...]


def of_tenant(session: Session, tenant_id: UUID, *, skip: int, limit: int) -> list[SuspenseItem]:
    """Returns what waits in suspense, oldest first."""
    query = (
        select(Receipt, OpenSuspense.units)
        .join(
            OpenSuspense,
            and_(OpenSuspense.tenant_id == Receipt.tenant_id, OpenSuspense.receipt_id == Receipt.id),
        )
        .where(OpenSuspense.tenant_id == tenant_id)
        .order_by(OpenSuspense.moved_at, OpenSuspense.receipt_id)
    )
    rows = session.execute(query.offset(skip).limit(limit)).all()
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
    _add_dues_signs(session, tenant_id, receipts, signs)
    for receipt in receipts:
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


def _add_dues_signs(
    session: Session,
    tenant_id: UUID,
    receipts: Sequence[Receipt],
    signs: dict[UUID, dict[UUID, set[CandidateSign]]],
) -> None:
    """Adds the signs that a household owes just the amount of a receipt, for one bill or in all."""
    amounts = sorted({receipt.amount for receipt in receipts})
    likely = {household_id for by_household in signs.values() for household_id in by_household}
    dues = open_dues.find(session, tenant_id, amounts, likely, most=DUES_ROWS_MAX)
    for receipt in receipts:
        for household_id, unpaid in dues.items():
            if receipt.amount in unpaid.per_bill:
                signs[receipt.id][household_id].add(CandidateSign.BILL)
            if receipt.amount == unpaid.total:
                signs[receipt.id][household_id].add(CandidateSign.OWED)


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
