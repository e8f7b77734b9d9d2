"""Renewals: the bill of the next period, for every household whose cover calls for one. Written set by set, priced one by one.

In a rolling cycle the next bill comes before the days bought are over, early enough for the first reminder, and only once the
last one was paid in full: nobody is billed into debt for cover they never had. In a fixed year it comes with the days in which
the year to come is sold. No unpaid bill opens or closes a day, so rights are computed anew only where the member owes nothing
of it, or credit pays some of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import audit, bills, cover, placement, together, writes
from mutuelle.billing import Part
from mutuelle.errors import Refused
from mutuelle.memberrights import Class, Person, on_bill
from mutuelle.quotes import Dues, counting, dues
from mutuelle.rules import MEMBER
from mutuelle.schemes import Scheme
from mutuelle.versions import Version

NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Candidate:
    """A household that may be due a bill, with what its last one says; `open_until` is the last day of cover, with grace."""

    id: UUID
    issued: date
    version: date
    option: str
    billed: str | None
    open_until: date | None
    claimed: str | None
    standing: str | None
    people: tuple[Person, ...]
    credit: int


def lead(version: Version) -> int:
    """How many days before the end of rolling cover the next bill is written: a day before its first reminder."""
    return max(version.reminders.before, default=0) + 1 if version.reminders else 1


def candidates(session: Session, tenant_id: UUID, scheme: Scheme, today: date, part: Part, limit: int) -> list[Candidate]:
    """The next households of a part, in the order of their ids, each locked: those paid up whose days end soon, or not yet
    billed for the year that is sold. Coarser than `price`, never finer."""
    version = scheme.on(today)
    sold = version.period(today + timedelta(version.cycle.ahead_days))
    grace = max(each.lapse.grace_days for each in scheme.versions)
    most = max(lead(each) for each in scheme.versions)
    asked = {"tenant": tenant_id, "after": part.after, "last": part.last, "today": today, "limit": limit,
             "horizon": today + timedelta(most + grace), "year": sold[0] if sold else None}  # fmt: skip
    (rows,) = together.ask(session, (_YEAR if sold else _ROLLING, asked))
    named = {"tenant": tenant_id, "homes": [row.id for row in rows], "today": today}
    if not rows:
        return []
    _, found = together.ask(session, (_LOCK, named), (_CANDIDATES, named))
    return [_candidate(row, tenant_id) for row in sorted(found, key=lambda row: row.id)]


def price(scheme: Scheme, one: Candidate, today: date) -> tuple[Dues, list[int]] | None:
    """The household's next bill and the birth years it is for; None when it is not due one. Pure.

    Refused when nobody is left, or the rules have no price for the household.
    """
    last = scheme.version(one.version)
    covered_until = one.open_until - timedelta(last.lapse.grace_days) if one.open_until else None
    if last.cycle.kind == "rolling" and (covered_until is None or covered_until - timedelta(lead(last)) > today):
        return None
    version = scheme.on(max(today, covered_until + timedelta(1)) if covered_until else today)
    category = counting(version, one.claimed, one.standing, one.billed)
    if category.unpriced:
        raise Refused("category.no-price", code=category.code)
    if category.proof_first and (one.claimed, one.standing) != (category.code, "checked"):
        raise Refused("category.prove-first", code=category.code)  # what was proven once is over
    born = on_bill(version, one.people, today, today)
    option = next((each.code for each in version.options if each.code == one.option), version.options[0].code)
    return dues(scheme, version, category, born, option, on=today, covered_until=covered_until), born


def issue(session: Session, tenant_id: UUID, scheme: Scheme, found: Sequence[Candidate], today: date) -> list[UUID]:
    """Write the bills of those who are due one. Whom the rules refuse is shown to a person, the others go on.

    Returned are the households whose rights may change by it: credit waits, or nothing is theirs to pay. `pay` is for them,
    once whoever helps them has promised its part.
    """
    rows: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    again = []
    for one in found:
        try:
            priced = price(scheme, one, today) if one.issued < today else None
        except Refused as refused:
            audit.flag(session, tenant_id, "renewal", f"household:{one.id}", f"no bill could be written: {refused.key}")
            continue
        if priced is None:
            continue
        told, born = priced
        owed = bills.made(told, today, joining=one.open_until is not None)
        rows += [bills.row_of(tenant_id, one.id, bill, told, born) for bill in owed]
        lines += bills.lines_of(tenant_id, owed, told)
        if one.credit or not told.shares[MEMBER]:
            again.append(one.id)
    writes.many(session, bills.Bill, rows)
    writes.many(session, bills.BillLine, lines)
    return again


def pay(session: Session, tenant_id: UUID, homes: Iterable[UUID], today: date) -> None:
    """Credit pays what is owed now, and rights are computed anew."""
    for home_id in homes:
        if not placement.use_credit(session, (tenant_id, home_id), today):
            cover.recompute(session, tenant_id, home_id)


def _candidate(row: Any, tenant_id: UUID) -> Candidate:
    day = date.fromisoformat
    people: Iterable[list[Any]] | None = row.people
    return Candidate(
        id=row.id,
        issued=row.issued,
        version=row.version,
        option=row.option,
        billed=row.category,
        open_until=row.open_until,
        claimed=row.claim[0] if row.claim else None,
        standing=row.claim[1] if row.claim else None,
        people=tuple(
            Person(NOBODY, head, born, day(since), None, student, tuple(Class(code, day(since)) for code in classes or ()))
            for head, born, since, student, classes in people or ()
        ),
        credit=int(row.credit),
    )


_LOCK = "SELECT id FROM households WHERE tenant_id = %(tenant)s AND id = ANY(%(homes)s) ORDER BY id FOR NO KEY UPDATE"
_ROLLING = """
SELECT h.id FROM households h JOIN LATERAL (
    SELECT max(until) AS until FROM rights r
    WHERE r.tenant_id = h.tenant_id AND r.household_id = h.id AND r.state = 'open') r ON r.until <= %(horizon)s
JOIN LATERAL (
    SELECT b.id, b.issued FROM bills b WHERE b.tenant_id = h.tenant_id AND b.household_id = h.id AND b.kind = 'dues'
    ORDER BY b.issued DESC LIMIT 1) last ON last.issued < %(today)s
WHERE h.tenant_id = %(tenant)s AND h.id > %(after)s AND h.id <= %(last)s
AND (SELECT coalesce(sum(l.amount), 0) FROM bill_lines l
        WHERE l.tenant_id = h.tenant_id AND l.bill_id = last.id AND l.payer = 'member')
    <= (SELECT coalesce(sum(a.amount), 0) FROM allocations a
        JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id AND l.bill_id = last.id
        WHERE a.household_tenant_id = h.tenant_id AND a.household_id = h.id AND a.kind = 'bill')
ORDER BY h.id LIMIT %(limit)s
"""
_YEAR = """
SELECT h.id FROM households h WHERE h.tenant_id = %(tenant)s AND h.id > %(after)s AND h.id <= %(last)s
AND (SELECT max(b.period_from) FROM bills b WHERE b.tenant_id = h.tenant_id AND b.household_id = h.id AND b.kind = 'dues')
    < %(year)s
ORDER BY h.id LIMIT %(limit)s
"""
# Asked once the households are locked: whoever changed one of them meanwhile has committed.
_CANDIDATES = """
SELECT last.household_id AS id, last.issued, last.version, last.option, coalesce(j.category, last.category) AS category,
    r.open_until, c.claim, m.people, coalesce(a.credit, 0) AS credit
FROM (SELECT DISTINCT ON (household_id) id, household_id, issued, version, option, category FROM bills
    WHERE tenant_id = %(tenant)s AND household_id = ANY(%(homes)s) AND kind = 'dues' ORDER BY household_id, issued DESC) last
LEFT JOIN (SELECT DISTINCT ON (bill_id) bill_id, category FROM adjustments
    WHERE tenant_id = %(tenant)s AND household_id = ANY(%(homes)s) ORDER BY bill_id, ordinal DESC) j ON j.bill_id = last.id
LEFT JOIN (SELECT household_id, max(until) AS open_until FROM rights
    WHERE tenant_id = %(tenant)s AND household_id = ANY(%(homes)s) AND state = 'open' GROUP BY 1) r USING (household_id)
LEFT JOIN (SELECT DISTINCT ON (household_id) household_id, json_build_array(category,
        CASE WHEN standing = 'checked' AND until < %(today)s THEN 'claimed' ELSE standing END) AS claim FROM categories
    WHERE tenant_id = %(tenant)s AND household_id = ANY(%(homes)s) AND (until IS NULL OR until >= since)
    ORDER BY household_id, since DESC) c USING (household_id)
LEFT JOIN (SELECT household_id, json_agg(json_build_array(kind = 'head', birth_year, since, student, codes)) AS people
    FROM members LEFT JOIN (SELECT member_id, json_agg(code) AS codes FROM member_classes
        WHERE tenant_id = %(tenant)s AND household_id = ANY(%(homes)s) AND since <= %(today)s
        AND (until IS NULL OR until > %(today)s) GROUP BY 1) c ON c.member_id = members.id
    WHERE tenant_id = %(tenant)s AND household_id = ANY(%(homes)s) AND since <= %(today)s
    AND (until IS NULL OR until > %(today)s) GROUP BY 1) m USING (household_id)
LEFT JOIN (SELECT household_id, sum(amount) AS credit FROM allocations
    WHERE household_tenant_id = %(tenant)s AND household_id = ANY(%(homes)s) AND kind = 'credit' GROUP BY 1) a
    USING (household_id)
"""
