"""Keeps bills that have opened nothing as if they were issued today, and ends them with their year.

Such a bill has given no day of cover, so its household pays the price of a household that joins today. After
the last day of its fixed year the bill is reduced to 0 for every payer, and money that was allocated to it
becomes credit, which pays the next bill.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mutuelle import audit, set_aside
from mutuelle.audit import FlagKind, Subject
from mutuelle.billing import adjustment_writer, adjustments, day_basis
from mutuelle.billing.billing_runs import RunPart
from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.contributions.bills import Bill
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import DAY, left_after_reversals, periods_bought
from mutuelle.errors import Conflict, Refused
from mutuelle.households import locks
from mutuelle.households.locks import HouseholdKey
from mutuelle.payments import allocation
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import SPONSOR
from mutuelle.schemes.schemes import Scheme
from mutuelle.set_aside import Work


def update(session: Session, tenant_id: UUID, scheme: Scheme, today: date, part: RunPart) -> int:
    """Ends or reprices the unopened bills of a part of the households. Returns how many it looked at.

    Where the rules refuse a household, or our code fails on it, its changes alone are undone and a case is
    opened for staff.
    """
    household_ids = _candidates(session, tenant_id, scheme, today, part)
    locks.lock_all(session, tenant_id, household_ids)
    for household_id in household_ids:
        subject = audit.about(Subject.HOUSEHOLD, household_id)
        try:
            with session.begin_nested():
                _end_expired(session, (tenant_id, household_id), today)
                adjustments.apply_todays_rules(session, tenant_id, household_id, today)
                session.execute(_CHECK_NOW)  # refuses here, for this household alone
                session.execute(_CHECK_LATER)
        except (Refused, Conflict, IntegrityError) as error:
            why = error.key if isinstance(error, Refused) else type(error).__name__
            audit.open_case(
                session,
                tenant_id,
                FlagKind.RULE,
                subject,
                f"an unpaid bill could not follow the rules: {why}",
            )
        except Exception as error:  # of any kind: the other households go on
            set_aside.household(session, tenant_id, household_id, Work.BILLS, error)
    return len(household_ids)


def _candidates(
    session: Session, tenant_id: UUID, scheme: Scheme, today: date, part: RunPart
) -> Sequence[UUID]:
    """Returns the households of a part that may have such a bill. A prefilter: none is missed."""
    values = {
        "tenant": tenant_id,
        "after": part.after,
        "last": part.last,
        "today": today,
        "versions": [version.since for version in scheme.versions],
    }
    return session.scalars(_UNOPENED, values).all()


def _opened_once(books: HouseholdBooks, today: date) -> set[UUID]:
    """The bills that have opened cover, also cover that a reversal ended on a later day."""
    taken_back = {payment.on - DAY for payment in books.paid if payment.amount < 0 and not payment.freed}
    opened = set[UUID]()
    for day in {today, *taken_back}:
        books_then = books.known_on(day)
        money = left_after_reversals(books_then.paid, day)
        periods = periods_bought(books_then.version_of, books_then.bills, money)
        opened |= {period.bill.bill_id for period in periods}
    return opened


def _end_expired(session: Session, household: HouseholdKey, today: date) -> None:
    """Reduces to 0 every dues bill whose year is over and that has opened nothing."""
    books = cover_books.load(session, *household)
    opened = _opened_once(books, today)
    ended: list[tuple[dict[str, Any], dict[str, int]]] = []
    for bill_state in books.bills:
        bill = session.get_one(Bill, (household[0], bill_state.bill_id))
        if bill.period_until is None or bill.period_until >= today or bill.id in opened:
            continue
        parts = session.execute(_PARTS, {"tenant": household[0], "bill": bill.id}).all()
        if not parts:
            continue
        shares, promises = dict[str, int](), dict[UUID, int]()
        for payer, sponsor_id, units in parts:
            shares[payer] = shares.get(payer, 0) - int(units)
            if payer == SPONSOR:
                promises[sponsor_id] = -int(units)
        day = day_basis.load(session, bill, today)
        row = adjustment_writer.row_of(bill, day.ordinal + 1, today, AdjustmentReason.EXPIRED, day.last) | {
            "months": schemes.get(bill.scheme).version(bill.version).option(bill.option).months,
            "total": sum(shares.values()),
        }
        rule = f"{bill.scheme}/{day.last.version}/{day.last.category}"
        adjustment_writer.write(session, row, shares, promises, rule)
        ended.append((row, shares))
    for row, shares in ended:
        adjustment_writer.settle(session, household, row, shares, today)
    if ended and not allocation.use_credit(session, household, today):
        cover_books.recompute(session, *household)


_CHECK_NOW, _CHECK_LATER = text("SET CONSTRAINTS ALL IMMEDIATE"), text("SET CONSTRAINTS ALL DEFERRED")
_PARTS = text("""
SELECT payer, sponsor_id, sum(amount) AS units FROM bill_lines
WHERE tenant_id = :tenant AND bill_id = :bill GROUP BY 1, 2 HAVING sum(amount) <> 0
""")
_UNOPENED = text("""
SELECT DISTINCT b.household_id FROM open_dues d
JOIN bills b ON b.tenant_id = d.tenant_id AND b.id = d.bill_id
LEFT JOIN LATERAL (SELECT version FROM adjustments WHERE tenant_id = b.tenant_id AND bill_id = b.id
    ORDER BY ordinal DESC LIMIT 1) j ON true
CROSS JOIN LATERAL (SELECT bool_or(a.amount < 0) AS taken_back FROM allocations a
    JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id
    WHERE a.household_tenant_id = b.tenant_id AND a.household_id = b.household_id
    AND a.kind = 'bill' AND l.bill_id = b.id AND l.payer = 'member') a
WHERE d.tenant_id = :tenant AND d.household_id > :after AND d.household_id <= :last AND d.units > 0
AND b.kind = 'dues'
AND NOT EXISTS (SELECT FROM rights r WHERE r.tenant_id = b.tenant_id AND r.household_id = b.household_id
    AND r.state = 'open' AND r.since >= coalesce(b.period_from, b.issued)
    AND r.since <= coalesce(b.period_until, r.since) AND NOT coalesce(a.taken_back, false))
AND (b.period_until < :today
    OR a.taken_back AND j.version IS NOT NULL
    OR EXISTS (SELECT FROM unnest(CAST(:versions AS date[])) since
        WHERE since > coalesce(j.version, b.version) AND since <= greatest(:today, b.period_from)))
ORDER BY 1
""")
