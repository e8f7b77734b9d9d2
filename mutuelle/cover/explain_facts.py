"""Loads everything that `explain` needs for one household (bills, adjustments, payments, members)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import pipeline
from mutuelle.cover import cover_books, insured_people
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.member_rights import InsuredPerson


@dataclass(frozen=True)
class ChangeBasis:
    """What one adjustment was computed from, for how many months, and the change of each payer's part."""

    on: date
    reason: str
    born: tuple[int, ...]
    category: str | None
    version: date
    months: int
    shares: Mapping[str, int]


@dataclass(frozen=True)
class BillBasis:
    """What a bill was computed from: birth years and category; and each payer's part, in whole units."""

    born: tuple[int, ...]
    category: str | None
    shares: Mapping[str, int]
    changes: tuple[ChangeBasis, ...] = ()


@dataclass(frozen=True)
class ExplainFacts:
    """A household: its books, the basis of each bill, the transaction id of each receipt, and its members."""

    number: str
    currency: str
    zone: str
    books: HouseholdBooks
    bases: Mapping[UUID, BillBasis]
    transactions: Mapping[UUID, str] = field(default_factory=dict)
    people: Sequence[InsuredPerson] = ()


_HOUSEHOLD = """
SELECT h.tenant_id, h.id, h.number, t.currency, t.zone
FROM households h
JOIN tenants t ON t.id = h.tenant_id
WHERE h.number = %(number)s
"""
_BASES = """
SELECT b.id, b.born, b.category,
    (SELECT coalesce(json_object_agg(l.payer, l.amount), '{}') FROM bill_lines l
        WHERE l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.adjustment_id IS NULL) AS shares,
    (SELECT coalesce(json_agg(j ORDER BY j.ordinal), '[]') FROM (
        SELECT a.ordinal, a.on_day, a.reason, a.born, a.category, a.version, a.months,
            (SELECT coalesce(json_object_agg(l.payer, l.amount), '{}') FROM bill_lines l
                WHERE l.tenant_id = a.tenant_id AND l.bill_id = a.bill_id
                AND l.adjustment_id = a.id) AS shares
        FROM adjustments a WHERE a.tenant_id = b.tenant_id AND a.bill_id = b.id) j) AS changes
FROM bills b WHERE b.tenant_id = %(tenant)s AND b.household_id = %(home)s
"""
_TRANSACTIONS = """
SELECT DISTINCT r.id, r.transaction FROM allocations a
JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id
WHERE a.household_tenant_id = %(tenant)s AND a.household_id = %(home)s AND a.kind = 'bill'
"""


def read(session: Session, number: str) -> ExplainFacts | None:
    """The facts of the household with this member number; None if the transaction may not see one.

    Sends five statements, in two round trips.
    """
    (households,) = pipeline.query(session, (_HOUSEHOLD, {"number": number}))
    if not households:
        return None
    (household,) = households
    values = {"tenant": household.tenant_id, "home": household.id}
    books, bills, people, transactions = pipeline.query(
        session,
        cover_books.statement(household.tenant_id, household.id),
        (_BASES, values),
        insured_people.statement(household.tenant_id, household.id),
        (_TRANSACTIONS, values),
    )
    return ExplainFacts(
        number=household.number,
        currency=household.currency,
        zone=household.zone,
        books=cover_books.read(pipeline.single_row(books)),
        bases={row.id: _bill_basis(row) for row in bills},
        transactions={row.id: row.transaction for row in transactions},
        people=insured_people.read(people),
    )


def _bill_basis(row: Any) -> BillBasis:
    changes = tuple(_change_basis(change) for change in row.changes)
    return BillBasis(tuple(row.born), row.category, row.shares, changes)


def _change_basis(change: dict[str, Any]) -> ChangeBasis:
    day = date.fromisoformat
    return ChangeBasis(
        on=day(change["on_day"]),
        reason=change["reason"],
        born=tuple(change["born"]),
        category=change["category"],
        version=day(change["version"]),
        months=change["months"],
        shares=change["shares"],
    )
