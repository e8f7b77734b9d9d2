"""Renewals: the bill of the next period, for every household whose cover calls for one. Written set by set,
priced one by one.

In a rolling cycle the next bill comes before the days bought are over, early enough for the first reminder,
and only once the last one was paid in full: nobody is billed into debt for cover they never had. In a fixed
year it comes with the days in which the year to come is sold. No unpaid bill opens or closes a day, so rights
are computed anew only where the member owes nothing of it, or credit pays some of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import audit, pipeline
from mutuelle.billing.billing_runs import RunPart
from mutuelle.contributions.bill_writer import BillBatch, NewBill, new_bills
from mutuelle.contributions.price_cache import PriceCache
from mutuelle.contributions.quotes import PeriodQuote, billed_category
from mutuelle.cover import cover_books
from mutuelle.cover.member_rights import DatedStatus, InsuredPerson, on_bill
from mutuelle.errors import Refused
from mutuelle.payments import allocation
from mutuelle.schemes.money_rules import CLASSES, MEMBER
from mutuelle.schemes.schemes import Scheme
from mutuelle.schemes.versions import Version

NO_MEMBER_ID = UUID(int=0)


@dataclass(slots=True)
class RenewalCandidate:
    """A household that may be due a bill, with what its last one says; `open_until` is the last day of cover,
    with grace."""

    id: UUID
    issued: date
    version: date
    option: str
    billed: str | None
    open_until: date | None
    claimed: str | None
    standing: str | None
    people: tuple[InsuredPerson, ...]
    credit: int


def lead_days(version: Version) -> int:
    """How many days before the end of rolling cover the next bill is written: a day before its first
    reminder."""
    return max(version.reminders.before, default=0) + 1 if version.reminders else 1


def candidates(
    session: Session, tenant_id: UUID, scheme: Scheme, today: date, part: RunPart
) -> list[RenewalCandidate]:
    """The households of a part, in the order of their ids, each locked: those paid up whose days end soon, or
    not yet billed for the year that is sold. Coarser than `price`, never finer."""
    version = scheme.on(today)
    sold = version.period(today + timedelta(version.cycle.ahead_days))
    grace = max(each.lapse.grace_days for each in scheme.versions)
    most = max(lead_days(each) for each in scheme.versions)
    asked = {"tenant": tenant_id, "after": part.after, "last": part.last, "today": today,
             "horizon": today + timedelta(most + grace), "year": sold[0] if sold else None}  # fmt: skip
    (rows,) = pipeline.query(session, (_YEAR if sold else _ROLLING, asked), binary=True)
    if not rows:
        return []
    # Asked once the households are locked: whoever changed one of them meanwhile has committed.
    named = {
        "tenant": tenant_id,
        "homes": pipeline.array(row.id.hex for row in rows),
        "today": today,
        "noted": pipeline.array(CLASSES if any(each.member_statuses for each in scheme.versions) else ()),
    }
    (found,) = pipeline.query(session, (_CANDIDATES, named), binary=True)
    return [_candidate(row) for row in found]


def price(
    scheme: Scheme, one: RenewalCandidate, today: date, tariffs: PriceCache | None = None
) -> tuple[PeriodQuote, list[int]] | None:
    """The household's next bill and the birth years it is for; None when it is not due one. Pure; `tariffs`
    of this day may be shared by many households.

    Refused when nobody is left, or the rules have no price for the household.
    """
    last = scheme.version(one.version)
    covered_until = one.open_until - timedelta(last.lapse.grace_days) if one.open_until else None
    if last.cycle.kind == "rolling" and (
        covered_until is None or covered_until - timedelta(lead_days(last)) > today
    ):
        return None
    version = scheme.on(max(today, covered_until + timedelta(1)) if covered_until else today)
    category = billed_category(version, one.claimed, one.standing, one.billed)
    if category.unpriced:
        raise Refused("category.no-price", code=category.code)
    if category.proof_first and (one.claimed, one.standing) != (category.code, "checked"):
        raise Refused("category.prove-first", code=category.code)  # what was proven once is over
    born = on_bill(version, one.people, today, today)
    option = next((each.code for each in version.options if each.code == one.option), version.options[0].code)
    tariff = (tariffs or PriceCache(scheme, today)).of(version, category, option, covered_until)
    return tariff.quote(born), born


def issue(
    session: Session, tenant_id: UUID, scheme: Scheme, found: Sequence[RenewalCandidate], today: date
) -> list[UUID]:
    """Write the bills of those who are due one. Whom the rules refuse is shown to a person, the others go on.

    Returned are the households whose rights may change by it: credit waits, or nothing is theirs to pay.
    `pay` is for them, once whoever helps them has promised its part.
    """
    pile, tariffs = BillBatch(), PriceCache(scheme, today)
    known: dict[tuple[int, bool], tuple[NewBill, ...]] = {}
    again = []
    for one in found:
        try:
            priced = price(scheme, one, today, tariffs) if one.issued < today else None
        except Refused as refused:
            audit.open_case(
                session,
                tenant_id,
                "renewal",
                f"household:{one.id}",
                f"no bill could be written: {refused.key}",
            )
            continue
        if priced is None:
            continue
        told, born = priced
        joining = one.open_until is not None
        if (key := (id(told), joining)) not in known:
            known[key] = new_bills(told, today, joining=joining)
        for terms in known[key]:
            pile.add(one.id, terms, born)
        if one.credit or not told.shares[MEMBER]:
            again.append(one.id)
    pile.write(session, tenant_id)
    return again


def pay(session: Session, tenant_id: UUID, homes: Iterable[UUID], today: date) -> None:
    """Credit pays what is owed now, and rights are computed anew."""
    for home_id in homes:
        if not allocation.use_credit(session, (tenant_id, home_id), today):
            cover_books.recompute(session, tenant_id, home_id)


def _person(head: int, born: int, since: int, pupil: int, classes: int) -> InsuredPerson:
    """One person of a candidate, as numbers: the days are counted from the first, the classes are a bit
    each."""
    first = date.fromordinal(since)
    noted = (
        tuple([DatedStatus(code, first) for bit, code in enumerate(CLASSES) if classes >> bit & 1])
        if classes
        else ()
    )
    return InsuredPerson(NO_MEMBER_ID, head == 1, born, first, None, pupil == 1, noted)


def _candidate(row: Any) -> RenewalCandidate:
    return RenewalCandidate(
        id=row.id,
        issued=row.issued,
        version=row.version,
        option=row.option,
        billed=row.category,
        open_until=row.open_until,
        claimed=row.claim[0] if row.claim else None,
        standing=row.claim[1] if row.claim else None,
        people=tuple([_person(*one) for one in row.people or ()]),
        credit=int(row.credit),
    )


# Each table is asked for one household after the other: of a stretch of ids PostgreSQL cannot tell how many
# rows it has.
_ROLLING = """
SELECT h.id FROM households h
CROSS JOIN LATERAL (SELECT max(until) AS until FROM rights
    WHERE tenant_id = h.tenant_id AND household_id = h.id AND state = 'open') r
CROSS JOIN LATERAL (SELECT id, issued FROM bills
    WHERE tenant_id = h.tenant_id AND household_id = h.id AND kind = 'dues' ORDER BY issued DESC LIMIT 1) last
CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS owed, array_agg(id) AS ids FROM bill_lines
    WHERE tenant_id = h.tenant_id AND bill_id = last.id AND payer = 'member') l
WHERE h.tenant_id = %(tenant)s AND h.id > %(after)s AND h.id <= %(last)s
AND r.until <= %(horizon)s AND last.issued < %(today)s
AND l.owed <= (SELECT coalesce(sum(amount), 0) FROM allocations
    WHERE household_tenant_id = h.tenant_id AND household_id = h.id AND kind = 'bill' AND bill_line_id =
    ANY(l.ids))
ORDER BY h.id FOR NO KEY UPDATE OF h
"""
_YEAR = """
SELECT h.id FROM households h
WHERE h.tenant_id = %(tenant)s AND h.id > %(after)s AND h.id <= %(last)s
AND (SELECT max(period_from) FROM bills WHERE tenant_id = h.tenant_id AND household_id = h.id AND kind =
'dues') < %(year)s ORDER BY h.id FOR NO KEY UPDATE OF h
"""
_CANDIDATES = """
SELECT home.id, last.issued, last.version, last.option,
    coalesce((SELECT category FROM adjustments WHERE tenant_id = %(tenant)s AND bill_id = last.id
        ORDER BY ordinal DESC LIMIT 1), last.category) AS category,
    (SELECT max(until) FROM rights
        WHERE tenant_id = %(tenant)s AND household_id = home.id AND state = 'open') AS open_until,
    (SELECT json_build_array(category, CASE WHEN standing = 'checked' AND until < %(today)s THEN 'claimed'
    ELSE standing END)
        FROM categories WHERE tenant_id = %(tenant)s AND household_id = home.id AND (until IS NULL OR until >=
        since) ORDER BY since DESC LIMIT 1) AS claim,
    (SELECT array_agg(ARRAY[(kind = 'head')::int, birth_year, since - date '0001-01-01' + 1, student::int,
         CASE WHEN %(noted)s::text[] = '{}' THEN 0 ELSE (
             SELECT coalesce(bit_or(1 << array_position(%(noted)s::text[], code) - 1), 0) FROM member_classes
             WHERE tenant_id = %(tenant)s AND household_id = home.id AND member_id = members.id
             AND since <= %(today)s AND (until IS NULL OR until > %(today)s)) END]) FROM members
        WHERE tenant_id = %(tenant)s AND household_id = home.id AND since <= %(today)s
        AND (until IS NULL OR until > %(today)s)) AS people,
    (SELECT coalesce(sum(amount), 0)::bigint FROM allocations
        WHERE household_tenant_id = %(tenant)s AND household_id = home.id AND kind = 'credit') AS credit
FROM unnest(%(homes)s::uuid[]) AS home (id)
CROSS JOIN LATERAL (SELECT id, issued, version, option, category FROM bills
    WHERE tenant_id = %(tenant)s AND household_id = home.id AND kind = 'dues' ORDER BY issued DESC LIMIT 1)
    last
ORDER BY home.id
"""
