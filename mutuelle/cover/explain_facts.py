"""Cases: all that the rights of one household follow from, read in four questions to the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import pipeline
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.member_rights import DatedStatus, InsuredPerson


@dataclass(frozen=True)
class ChangeBasis:
    """One adjustment: what it was worked out from, for how many months, and by how much each payer's part
    changed."""

    on: date
    reason: str
    born: tuple[int, ...]
    category: str | None
    version: date
    months: int
    shares: Mapping[str, int]


@dataclass(frozen=True)
class BillBasis:
    """A bill as it was written: birth years, category, and each payer's part in whole units."""

    born: tuple[int, ...]
    category: str | None
    shares: Mapping[str, int]
    changes: tuple[ChangeBasis, ...] = ()


@dataclass(frozen=True)
class ExplainFacts:
    """A household: its books, how each bill came to be, whose receipt is which transaction, and its
    people."""

    number: str
    currency: str
    zone: str
    books: HouseholdBooks
    written: Mapping[UUID, BillBasis]
    transactions: Mapping[UUID, str] = field(default_factory=dict)
    people: Sequence[InsuredPerson] = ()


_HOME = """
SELECT h.tenant_id, h.id, h.number, t.currency, t.zone FROM households h JOIN tenants t ON t.id = h.tenant_id
WHERE h.number = %(number)s
"""
_WRITTEN = """
SELECT b.id, b.born, b.category,
    (SELECT coalesce(json_object_agg(l.payer, l.amount), '{}') FROM bill_lines l
        WHERE l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.adjustment_id IS NULL) AS shares,
    (SELECT coalesce(json_agg(j ORDER BY j.ordinal), '[]') FROM (
        SELECT a.ordinal, a.on_day, a.reason, a.born, a.category, a.version, a.months,
            (SELECT coalesce(json_object_agg(l.payer, l.amount), '{}') FROM bill_lines l
                WHERE l.tenant_id = a.tenant_id AND l.bill_id = a.bill_id AND l.adjustment_id = a.id) AS
                shares
        FROM adjustments a WHERE a.tenant_id = b.tenant_id AND a.bill_id = b.id) j) AS changes
FROM bills b WHERE b.tenant_id = %(tenant)s AND b.household_id = %(home)s
"""
_PEOPLE = """
SELECT id, kind = 'head' AS head, birth_year, since, until, student, (
    SELECT coalesce(json_agg(json_build_array(c.code, c.since, c.until) ORDER BY c.since, c.id), '[]') FROM
    member_classes c WHERE c.tenant_id = members.tenant_id AND c.member_id = members.id) AS classes
FROM members WHERE tenant_id = %(tenant)s AND household_id = %(home)s
"""
_NAMES = """
SELECT DISTINCT r.id, r.transaction FROM allocations a JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id =
a.receipt_id WHERE a.household_tenant_id = %(tenant)s AND a.household_id = %(home)s AND a.kind = 'bill'
"""


def read(session: Session, number: str) -> ExplainFacts | None:
    """The household with this member number, if the transaction may see it; five statements, in two round
    trips."""
    (homes,) = pipeline.query(session, (_HOME, {"number": number}))
    if not homes:
        return None
    (home,) = homes
    named = {"tenant": home.tenant_id, "home": home.id}
    books, bills, people, names = pipeline.query(
        session,
        cover_books.statement(home.tenant_id, home.id),
        (_WRITTEN, named),
        (_PEOPLE, named),
        (_NAMES, named),
    )
    return ExplainFacts(
        number=home.number,
        currency=home.currency,
        zone=home.zone,
        books=cover_books.read(pipeline.single_row(books)),
        written={row.id: _written(row) for row in bills},
        transactions={row.id: row.transaction for row in names},
        people=[_person(row) for row in people],
    )


def _person(row: Any) -> InsuredPerson:
    day = date.fromisoformat
    classes = tuple(
        DatedStatus(code, day(since), day(until) if until else None) for code, since, until in row.classes
    )
    return InsuredPerson(row.id, row.head, row.birth_year, row.since, row.until, row.student, classes)


def _written(row: Any) -> BillBasis:
    return BillBasis(tuple(row.born), row.category, row.shares, tuple(_changed(told) for told in row.changes))


def _changed(told: dict[str, Any]) -> ChangeBasis:
    day = date.fromisoformat
    return ChangeBasis(
        on=day(told["on_day"]),
        reason=told["reason"],
        born=tuple(told["born"]),
        category=told["category"],
        version=day(told["version"]),
        months=told["months"],
        shares=told["shares"],
    )
