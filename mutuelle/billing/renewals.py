"""Writes the bill of the next period for every household whose cover calls for one.

Households are read and bills are written many at a time; each is priced by itself. In a rolling cycle the
next bill comes before the paid days are over, early enough for the first reminder, and only once the last one
was paid in full, so that no household owes for cover it never had. In a fixed year it comes with the days in
which the next year is sold. An unpaid bill opens and closes no day, so rights are computed anew only where
the member owes nothing of it, or credit pays some of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import audit, pipeline, set_aside
from mutuelle.audit import FlagKind, Subject
from mutuelle.billing.billing_runs import RunPart
from mutuelle.contributions.bill_writer import BillBatch, NewBill, new_bills
from mutuelle.contributions.price_cache import PriceCache
from mutuelle.contributions.quotes import PeriodQuote, billed_category
from mutuelle.cover import cover_books
from mutuelle.cover.member_rights import DatedStatus, InsuredPerson, on_bill
from mutuelle.errors import Refused
from mutuelle.payments import allocation
from mutuelle.schemes.money_rules import MEMBER, MEMBER_STATUSES, CategoryState
from mutuelle.schemes.schemes import Scheme
from mutuelle.schemes.service_rules import Relationship
from mutuelle.schemes.version_rules import Version
from mutuelle.set_aside import Work

NO_MEMBER_ID = UUID(int=0)
RELATIONSHIPS = tuple(Relationship)


@dataclass(slots=True)
class RenewalCandidate:
    """A household that may be due a bill, with what its last one says.

    `open_until` is the last day of cover, with grace. `people` are its members of today. `unpaid` is what
    the member still owes of its last bill, in whole units.
    """

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
    unpaid: int = 0


def lead_days(version: Version) -> int:
    """Returns how many days before the end of rolling cover the next bill is written.

    It is written a day before its first reminder.
    """
    return max(version.reminders.before, default=0) + 1 if version.reminders else 1


def candidates(
    session: Session, tenant_id: UUID, scheme: Scheme, today: date, part: RunPart
) -> list[RenewalCandidate]:
    """Locks and returns households of a part, in the order of their ids, that may be due a bill.

    In a rolling cycle these are households whose last bill is paid and whose cover ends soon, else those not
    yet billed for the year that is sold. A prefilter: `price` may then drop some, but none is missed.
    """
    version = scheme.on(today)
    sold = version.period(today + timedelta(version.cycle.ahead_days))
    grace_days = max(each.lapse.grace_days for each in scheme.versions)
    most_days = max(lead_days(each) for each in scheme.versions) + grace_days
    values = {"tenant": tenant_id, "after": part.after, "last": part.last, "today": today,
              "horizon": today + timedelta(most_days), "year": sold[0] if sold else None}  # fmt: skip
    (ids,) = pipeline.query(session, (_YEAR if sold else _ROLLING, values), binary=True)
    if not ids:
        return []
    # Read only once the households are locked: a transaction that changed one of them has committed by then.
    values = {
        "tenant": tenant_id,
        "household_ids": pipeline.array(row.id.hex for row in ids),
        "today": today,
        "related": pipeline.array(RELATIONSHIPS),
        "noted": pipeline.array(
            MEMBER_STATUSES if any(each.member_statuses for each in scheme.versions) else ()
        ),
    }
    (rows,) = pipeline.query(session, (_CANDIDATES, values), binary=True)
    return [_candidate(row) for row in rows]


def price(
    scheme: Scheme, candidate: RenewalCandidate, today: date, prices: PriceCache | None = None
) -> tuple[PeriodQuote, list[int]] | None:
    """Returns the household's next bill and the birth years it is for; None if none is due. Pure.

    Households of one day may share the cache `prices`. Refused if no member is left, or if the rules have no
    price for the household.
    """
    last = scheme.version(candidate.version)
    grace = timedelta(last.lapse.grace_days)
    covered_until = candidate.open_until - grace if candidate.open_until else None
    if last.cycle.kind == "rolling" and (
        covered_until is None
        or covered_until - timedelta(lead_days(last)) > today
        or candidate.unpaid > 0  # its money was taken back before it was locked
    ):
        return None
    version = scheme.on(max(today, covered_until + timedelta(1)) if covered_until else today)
    category = billed_category(version, candidate.claimed, candidate.standing, candidate.billed)
    if category.unpriced:
        raise Refused("category.no-price", code=category.code)
    proven = (category.code, CategoryState.CHECKED)
    if category.proof_first and (candidate.claimed, candidate.standing) != proven:
        raise Refused("category.prove-first", code=category.code)  # the evidence of its last category is over
    born = on_bill(version, candidate.people, today, today)
    codes = [option.code for option in version.options]
    option = candidate.option if candidate.option in codes else codes[0]
    tariff = (prices or PriceCache(scheme, today)).of(version, category, option, covered_until)
    return tariff.quote(born), born


def issue(
    session: Session, tenant_id: UUID, scheme: Scheme, candidates: Sequence[RenewalCandidate], today: date
) -> list[UUID]:
    """Writes the bills of those candidates that are due one. A refusal or failure opens a case, no more.

    Returns the households whose rights may change by it: they have credit, or the member's share is nothing.
    Call `pay` for them once their sponsors have promised their part.
    """
    batch, prices = BillBatch(), PriceCache(scheme, today)
    bills_by_price: dict[tuple[int, bool], tuple[NewBill, ...]] = {}
    to_pay = []
    for candidate in candidates:
        try:
            priced = price(scheme, candidate, today, prices) if candidate.issued < today else None
        except Refused as refused:
            reason = f"no bill could be written: {refused.key}"
            audit.open_case(
                session, tenant_id, FlagKind.RENEWAL, audit.about(Subject.HOUSEHOLD, candidate.id), reason
            )
            continue
        except Exception as error:  # of any kind, such as a rule version that is gone: the others are billed
            set_aside.household(session, tenant_id, candidate.id, Work.BILLS, error)
            continue
        if priced is None:
            continue
        dues, born = priced
        joining = candidate.open_until is not None
        if (key := (id(dues), joining)) not in bills_by_price:
            bills_by_price[key] = new_bills(dues, today, joining=joining)
        for bill in bills_by_price[key]:
            batch.add(candidate.id, bill, born)
        if candidate.credit or not dues.shares[MEMBER]:
            to_pay.append(candidate.id)
    batch.write(session, tenant_id)
    return to_pay


def pay(session: Session, tenant_id: UUID, household_ids: Iterable[UUID], today: date) -> None:
    """Pays what these households owe from their credit, and computes their rights anew."""
    for household_id in household_ids:
        if not allocation.use_credit(session, (tenant_id, household_id), today):
            cover_books.recompute(session, tenant_id, household_id)


def _person(head: int, born: int, since: int, student: int, status_bits: int, related: int) -> InsuredPerson:
    """Makes a member from numbers: `since` is a day's ordinal, `status_bits` follows MEMBER_STATUSES.

    `related` is the place of the relationship in RELATIONSHIPS, from 1 on, 0 if none is noted.
    """
    first = date.fromordinal(since)
    statuses: tuple[DatedStatus, ...] = ()
    if status_bits:
        codes = [code for bit, code in enumerate(MEMBER_STATUSES) if status_bits >> bit & 1]
        statuses = tuple([DatedStatus(code, first) for code in codes])
    relationships = ((first, RELATIONSHIPS[related - 1]),) if related else ()
    return InsuredPerson(NO_MEMBER_ID, head == 1, born, first, None, student == 1, statuses, relationships)


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
        people=tuple([_person(*numbers) for numbers in row.people or ()]),
        credit=int(row.credit),
        unpaid=int(row.unpaid),
    )


# Each table is read for one household after the other: PostgreSQL cannot estimate how many rows a range of
# ids has.
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
    WHERE household_tenant_id = h.tenant_id AND household_id = h.id
    AND kind = 'bill' AND bill_line_id = ANY(l.ids))
ORDER BY h.id FOR NO KEY UPDATE OF h
"""
_YEAR = """
SELECT h.id FROM households h
WHERE h.tenant_id = %(tenant)s AND h.id > %(after)s AND h.id <= %(last)s
AND (SELECT max(period_from) FROM bills
    WHERE tenant_id = h.tenant_id AND household_id = h.id AND kind = 'dues') < %(year)s
ORDER BY h.id FOR NO KEY UPDATE OF h
"""
_CANDIDATES = """
SELECT home.id, last.issued, last.version, last.option,
    coalesce((SELECT category FROM adjustments WHERE tenant_id = %(tenant)s AND bill_id = last.id
        ORDER BY ordinal DESC LIMIT 1), last.category) AS category,
    (SELECT max(until) FROM rights
        WHERE tenant_id = %(tenant)s AND household_id = home.id AND state = 'open') AS open_until,
    (SELECT json_build_array(category,
            CASE WHEN standing = 'checked' AND until < %(today)s THEN 'claimed' ELSE standing END)
        FROM categories
        WHERE tenant_id = %(tenant)s AND household_id = home.id AND (until IS NULL OR until >= since)
        ORDER BY since DESC LIMIT 1) AS claim,
    (SELECT array_agg(ARRAY[(kind = 'head')::int, birth_year, since - date '0001-01-01' + 1, student::int,
         CASE WHEN %(noted)s::text[] = '{}' THEN 0 ELSE (
             SELECT coalesce(bit_or(1 << array_position(%(noted)s::text[], code) - 1), 0) FROM member_classes
             WHERE tenant_id = %(tenant)s AND household_id = home.id AND member_id = members.id
             AND since <= %(today)s AND (until IS NULL OR until > %(today)s)) END,
         coalesce(array_position(%(related)s::text[], relationships->-1->>1), 0)]) FROM members
        WHERE tenant_id = %(tenant)s AND household_id = home.id AND since <= %(today)s
        AND (until IS NULL OR until > %(today)s)) AS people,
    (SELECT coalesce(sum(amount), 0)::bigint FROM allocations
        WHERE household_tenant_id = %(tenant)s AND household_id = home.id AND kind = 'credit') AS credit,
    (SELECT coalesce(sum(amount), 0) - (SELECT coalesce(sum(amount), 0) FROM allocations
            WHERE household_tenant_id = %(tenant)s AND household_id = home.id
            AND kind = 'bill' AND bill_line_id = ANY(array_agg(l.id)))
        FROM bill_lines l
        WHERE tenant_id = %(tenant)s AND bill_id = last.id AND payer = 'member')::bigint AS unpaid
FROM unnest(%(household_ids)s::uuid[]) AS home (id)
CROSS JOIN LATERAL (SELECT id, issued, version, option, category FROM bills
    WHERE tenant_id = %(tenant)s AND household_id = home.id AND kind = 'dues'
    ORDER BY issued DESC LIMIT 1) last
ORDER BY home.id
"""
