"""The day book: one local day's money and where it is now, per operator account; the work open for staff."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, select, text
from sqlalchemy.orm import Session

from mutuelle import clock
from mutuelle.audit import Flag, FlagKind
from mutuelle.organisation.tenants import Tenant
from mutuelle.payments.receipts import PartKind

KINDS = tuple(PartKind)
FLAGS_A_PAGE = 50
# Cases in the order in which staff should see them: wrong money first, what a person can only note last.
URGENT_FLAGS = (
    FlagKind.CONFLICT,
    FlagKind.REFUND,
    FlagKind.OUTFLOW,
    FlagKind.CONTRADICTION,
    FlagKind.ATTRIBUTION,
    FlagKind.CURRENCY,
    FlagKind.REVERSAL,
    FlagKind.DOUBLE,
    FlagKind.AMOUNT,
)
LESSER_FLAGS = (FlagKind.LATE, FlagKind.FEE, FlagKind.SMS, FlagKind.REMINDERS)


@dataclass(frozen=True)
class AccountDay:
    """What an operator account received that day and where those units are now, which must add up (I1).

    `requests` and `requested_units` are the number and sum of our requests under way now.
    """

    operator: str
    code: str
    currency: str
    count: int
    received: int
    bill: int
    credit: int
    suspense: int
    refunded: int
    reversed: int
    requests: int
    requested_units: int

    @property
    def adds_up(self) -> bool:
        return self.received == self.bill + self.credit + self.suspense + self.refunded + self.reversed


@dataclass(frozen=True)
class OpenWork:
    """The work that waits for staff now, from any day."""

    receipts: int
    units: int
    oldest: datetime | None
    refunds_asked: int
    refunds_to_pay: int
    appeals: int
    appeals_overdue: int
    proofs: int
    claims_to_check: int
    claims_to_send: int
    duplicates: int


@dataclass(frozen=True)
class DayMovement:
    """One receipt in the list of the day; `kinds` tells where its money is."""

    id: UUID
    at: datetime
    operator: str
    transaction: str
    amount: int
    kinds: tuple[str, ...]


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """Returns the first moment of a local day, and of the next day."""
    at = ZoneInfo(zone)
    return datetime.combine(day, time(), at), datetime.combine(day + timedelta(days=1), time(), at)


_ACCOUNT_DAYS = text("""
WITH mine AS (
    SELECT r.tenant_id, r.id, r.account_id, r.amount FROM receipts r
    WHERE r.tenant_id = :tenant AND r.moved_at >= :since AND r.moved_at < :until
), parts AS (
    SELECT m.account_id, a.kind, sum(a.amount) AS units FROM mine m
    JOIN allocations a ON a.tenant_id = m.tenant_id AND a.receipt_id = m.id GROUP BY 1, 2
), live AS (
    SELECT account_id, count(*) AS asked, sum(amount) AS units FROM payments
    WHERE tenant_id = :tenant AND status IN ('requested', 'unknown', 'pending') GROUP BY 1
)
SELECT o.operator, o.code, o.currency,
    (SELECT count(*) FROM mine m WHERE m.account_id = o.id) AS payments,
    (SELECT coalesce(sum(amount), 0) FROM mine m WHERE m.account_id = o.id) AS received,
    (SELECT coalesce(json_object_agg(kind, units), '{}') FROM parts p WHERE p.account_id = o.id) AS kinds,
    coalesce((SELECT asked FROM live l WHERE l.account_id = o.id), 0) AS asked,
    coalesce((SELECT units FROM live l WHERE l.account_id = o.id), 0) AS asked_units
FROM operator_accounts o WHERE o.tenant_id = :tenant ORDER BY o.operator, o.code
""")


def account_days(session: Session, tenant: Tenant, day: date) -> list[AccountDay]:
    """Returns the day's money, one entry per operator account."""
    since, until = day_bounds(day, tenant.zone)
    rows = session.execute(_ACCOUNT_DAYS, {"tenant": tenant.id, "since": since, "until": until})
    return [_account_day(row) for row in rows]


def _account_day(row: Any) -> AccountDay:
    numbers = [
        row.payments,
        row.received,
        *(row.kinds.get(kind, 0) for kind in KINDS),
        row.asked,
        row.asked_units,
    ]
    return AccountDay(row.operator, row.code, row.currency, *map(int, numbers))


def total(accounts: list[AccountDay], currency: str) -> AccountDay:
    """Returns the sum of all accounts; a mutuelle has one currency."""
    sums = [
        sum(getattr(account, name) for account in accounts)
        for name in ("count", "received", *KINDS, "requests", "requested_units")
    ]
    return AccountDay("", "", currency, *sums)


_OPEN_WORK = text("""
SELECT (SELECT count(*) FROM refunds WHERE tenant_id = :tenant AND status = 'asked') AS asked,
       (SELECT count(*) FROM refunds WHERE tenant_id = :tenant AND status = 'approved') AS to_pay,
       (SELECT count(*) FROM tickets WHERE tenant_id = :tenant AND state = 'open') AS appeals,
       (SELECT count(*) FROM tickets k
           JOIN tenants t ON t.id = k.tenant_id
           WHERE k.tenant_id = :tenant AND k.state = 'open'
           AND k.deadline < (CAST(:now AS timestamptz) AT TIME ZONE t.zone)::date) AS overdue,
       (SELECT count(*) FROM registry_proposals WHERE tenant_id = :tenant AND state = 'open') AS proofs,
       (SELECT count(*) FROM subsidy_claims
           WHERE tenant_id = :tenant AND state = 'drafted') AS claims_to_check,
       (SELECT count(*) FROM subsidy_claims
           WHERE tenant_id = :tenant AND state = 'checked') AS claims_to_send,
       (SELECT count(*) FROM (
           SELECT DISTINCT p.tenant_id, p.household_id, p.later_tenant_id, p.later_household_id
           FROM duplicate_pairs p WHERE :tenant IN (p.tenant_id, p.later_tenant_id) AND NOT EXISTS (
               SELECT FROM duplicate_decisions d WHERE d.tenant_id = p.tenant_id AND d.pair_id = p.id)
       ) undecided) AS duplicates,
       count(*) AS receipts, coalesce(sum(units), 0) AS units, min(moved_at) AS oldest
FROM open_suspense WHERE tenant_id = :tenant
""")


def open_work(session: Session, tenant_id: UUID) -> OpenWork:
    """Counts what is to be matched, approved, paid out or answered now."""
    row = session.execute(_OPEN_WORK, {"tenant": tenant_id, "now": clock.now()}).one()
    money = (row.receipts, int(row.units), row.oldest, row.asked, row.to_pay)
    return OpenWork(
        *money, row.appeals, row.overdue, row.proofs, row.claims_to_check, row.claims_to_send, row.duplicates
    )


_LATEST = text("""
SELECT r.id, r.moved_at, o.operator, r.transaction, r.amount,
    (SELECT array_agg(kind ORDER BY kind) FROM (
        SELECT a.kind FROM allocations a
        WHERE a.tenant_id = r.tenant_id AND a.receipt_id = r.id
        GROUP BY a.kind HAVING sum(a.amount) <> 0) k) AS kinds
FROM receipts r
JOIN operator_accounts o ON o.tenant_id = r.tenant_id AND o.id = r.account_id
WHERE r.tenant_id = :tenant AND r.moved_at >= :since AND r.moved_at < :until
ORDER BY r.moved_at DESC, r.id LIMIT :limit
""")


def latest_receipts(session: Session, tenant: Tenant, day: date, limit: int = 20) -> list[DayMovement]:
    """Returns the day's last receipts, newest first."""
    since, until = day_bounds(day, tenant.zone)
    rows = session.execute(_LATEST, {"tenant": tenant.id, "since": since, "until": until, "limit": limit})
    return [
        DayMovement(row.id, row.moved_at, row.operator, row.transaction, row.amount, tuple(row.kinds or ()))
        for row in rows
    ]


def flags(session: Session, tenant_id: UUID, page: int = 1) -> Sequence[Flag]:
    """Returns a page of the open cases, the most urgent kinds first, then oldest first.

    Without those of money in suspense, which has its own page.
    """
    rank = case(
        {kind: place for place, kind in enumerate(URGENT_FLAGS)}, value=Flag.kind, else_=len(URGENT_FLAGS)
    )
    order = (Flag.kind.in_(LESSER_FLAGS), rank, Flag.opened_at, Flag.id)
    query = select(Flag).where(*_open_flags(tenant_id)).order_by(*order)
    return session.scalars(query.offset((page - 1) * FLAGS_A_PAGE).limit(FLAGS_A_PAGE)).all()


def open_flags(session: Session, tenant_id: UUID) -> int:
    """Returns how many cases `flags` pages through."""
    return session.scalar(select(func.count()).select_from(Flag).where(*_open_flags(tenant_id))) or 0


def _open_flags(tenant_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return Flag.tenant_id == tenant_id, Flag.closed_at.is_(None), Flag.kind != FlagKind.SUSPENSE


def close_flag(session: Session, tenant_id: UUID, flag_id: UUID) -> Flag | None:
    """Closes an open case that staff have looked at. Returns None if there is none of this id."""
    row = session.get(Flag, (tenant_id, flag_id))
    if row is None or row.closed_at:
        return None
    row.closed_at = clock.now()
    return row
