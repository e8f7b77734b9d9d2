"""Suspense: the receipts nobody could attribute yet, oldest first, with the households that may own them and
why."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mutuelle import clock
from mutuelle.cover import cover_books
from mutuelle.households.households import Household
from mutuelle.organisation import tenants
from mutuelle.payments import suspense_candidates
from mutuelle.payments.receipts import Allocation, Receipt
from mutuelle.payments.suspense_candidates import CandidateSigns, SuspenseCandidate

REQUEST_WINDOW = timedelta(days=3)  # between a request and the money that may answer it


@dataclass(frozen=True)
class SuspenseItem:
    """One receipt, how much of it waits and since when, and who may own it."""

    receipt: Receipt
    units: int
    candidates: tuple[SuspenseCandidate, ...]


def of_tenant(session: Session, tenant_id: UUID, *, skip: int, limit: int) -> list[SuspenseItem]:
    """What waits, oldest first."""
    waits = (
        select(Allocation.receipt_id, func.sum(Allocation.amount).label("units"))
        .where(Allocation.tenant_id == tenant_id, Allocation.kind == "suspense")
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
    found = candidates_of(session, tenant_id, [row.Receipt for row in rows])
    return [SuspenseItem(row.Receipt, int(row.units), tuple(found[row.Receipt.id])) for row in rows]


_SIGNS = text("""
SELECT r.id AS receipt, p.household_id AS home, CASE WHEN p.until IS NULL THEN 'phone' ELSE 'former-phone' END
AS sign
    FROM receipts r JOIN phones p ON p.tenant_id = r.tenant_id AND p.blind_index = r.payer_index
    WHERE r.tenant_id = :tenant AND r.id = ANY(:ids)
UNION SELECT r.id, p.household_id, 'asked-phone'
    FROM receipts r JOIN payments p ON p.tenant_id = r.tenant_id AND p.payer_index = r.payer_index
    WHERE r.tenant_id = :tenant AND r.id = ANY(:ids) AND p.household_tenant_id = :tenant
UNION SELECT r.id, a.household_id, 'paid-before'
    FROM receipts r JOIN receipts o ON o.tenant_id = r.tenant_id AND o.payer_index = r.payer_index AND o.id <>
    r.id JOIN allocations a ON a.tenant_id = o.tenant_id AND a.receipt_id = o.id AND a.household_tenant_id =
    :tenant WHERE r.tenant_id = :tenant AND r.id = ANY(:ids) GROUP BY r.id, a.household_id HAVING
    sum(a.amount) > 0
UNION SELECT r.id, p.household_id, 'request'
    FROM receipts r JOIN payments p ON p.tenant_id = r.tenant_id AND p.account_id = r.account_id AND p.amount
    = r.amount WHERE r.tenant_id = :tenant AND r.id = ANY(:ids) AND p.household_tenant_id = :tenant
        AND p.status NOT IN ('confirmed', 'reversed') AND p.created_at BETWEEN r.moved_at - :near AND
        r.moved_at + :near
""")

# What the member still owes, per bill and in all, where it is one of these sums.
_OWED = text("""
WITH given AS (
    SELECT bill_line_id, sum(amount) AS units FROM allocations
    WHERE household_tenant_id = :tenant AND kind = 'bill' GROUP BY 1
), rest AS (
    SELECT b.household_id, b.id, sum(l.amount - coalesce(g.units, 0)) AS units FROM bills b
    JOIN bill_lines l ON l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.payer = 'member'
    LEFT JOIN given g ON g.bill_line_id = l.id WHERE b.tenant_id = :tenant GROUP BY b.tenant_id,
    b.household_id, b.id
)
SELECT household_id AS home, units, 'bill' AS sign FROM rest WHERE units = ANY(:amounts)
UNION SELECT household_id, sum(units), 'owed' FROM rest GROUP BY household_id HAVING sum(units) =
ANY(:amounts)
""")


def candidates_of(
    session: Session, tenant_id: UUID, rows: Sequence[Receipt]
) -> dict[UUID, list[SuspenseCandidate]]:
    """The candidates of each receipt: a handful of questions for a whole page of them."""
    signs: dict[UUID, dict[UUID, set[str]]] = {row.id: defaultdict(set) for row in rows}
    if not rows:
        return {}
    asked: dict[str, Any] = {"tenant": tenant_id, "ids": [row.id for row in rows], "near": REQUEST_WINDOW}
    for found in session.execute(_SIGNS, asked):
        signs[found.receipt][found.home].add(found.sign)
    _add_number_signs(session, rows, signs)
    owed = session.execute(
        _OWED, {"tenant": tenant_id, "amounts": sorted({row.amount for row in rows})}
    ).all()
    for row in rows:
        for found in owed:
            if found.units == row.amount:
                signs[row.id][found.home].add(found.sign)
        _add_opening_sign(session, tenant_id, row, signs[row.id])
    return {
        of: suspense_candidates.rank(CandidateSigns(home, frozenset(why)) for home, why in homes.items())
        for of, homes in signs.items()
    }


def _add_number_signs(
    session: Session, rows: Sequence[Receipt], signs: dict[UUID, dict[UUID, set[str]]]
) -> None:
    typed = {row.id: suspense_candidates.typed_numbers(row.reference) for row in rows}
    near = {text: suspense_candidates.neighbours(text) for texts in typed.values() for text in texts}
    wanted = {number for text, slips in near.items() for number in (text, *slips)}
    if not wanted:
        return
    homes = session.execute(select(Household.number, Household.id).where(Household.number.in_(wanted))).all()
    for receipt_id, texts in typed.items():
        for number, home in homes:
            if number in texts:
                signs[receipt_id][home].add("number")
            elif any(number in near[one] for one in texts):
                signs[receipt_id][home].add("number-near")


def _add_opening_sign(session: Session, tenant_id: UUID, row: Receipt, homes: dict[UUID, set[str]]) -> None:
    """Whether it is just what would open rights: asked only of households something else points at."""
    today = clock.today(tenants.get(session, tenant_id).zone)
    pointed = [home for home, why in homes.items() if why & suspense_candidates.IDENTITY_WEIGHTS.keys()]
    for home in pointed[: suspense_candidates.CANDIDATES_MAX]:
        if cover_books.position(session, tenant_id, home, today).ahead.left_to_open == row.amount:
            homes[home].add("opens")
