"""The day book: the money of one local day and where it is now, per operator account; what waits for a
person."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle import clock
from mutuelle.audit import Flag
from mutuelle.organisation.tenants import Tenant

KINDS = ("bill", "credit", "suspense", "refunded", "reversed")
MOST_FLAGS = 50


@dataclass(frozen=True)
class AccountDay:
    """One operator account: what it received that day and where those units are now, which always adds up
    (I1).

    `asked` and `asked_units` are our requests under way at this moment.
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
    asked: int
    asked_units: int

    @property
    def adds_up(self) -> bool:
        return self.received == self.bill + self.credit + self.suspense + self.refunded + self.reversed


@dataclass(frozen=True)
class OpenWork:
    """What waits at this moment, whatever day it is from."""

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


@dataclass(frozen=True)
class DayMovement:
    """One payment or receipt in a list of the day."""

    id: UUID
    at: datetime
    operator: str
    transaction: str
    amount: int
    kinds: tuple[str, ...]


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """The first moment of a local day, and of the next one."""
    at = ZoneInfo(zone)
    return datetime.combine(day, time(), at), datetime.combine(day + timedelta(days=1), time(), at)


_LINES = text("""
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
    """The day's money per operator account."""
    since, until = day_bounds(day, tenant.zone)
    rows = session.execute(_LINES, {"tenant": tenant.id, "since": since, "until": until})
    return [_line(row) for row in rows]


def _line(row: Any) -> AccountDay:
    numbers = [
        row.payments,
        row.received,
        *(row.kinds.get(kind, 0) for kind in KINDS),
        row.asked,
        row.asked_units,
    ]
    return AccountDay(row.operator, row.code, row.currency, *map(int, numbers))


def total(told: list[AccountDay], currency: str) -> AccountDay:
    """All accounts together: one mutuelle has one currency."""
    sums = [
        sum(getattr(line, name) for line in told)
        for name in ("count", "received", *KINDS, "asked", "asked_units")
    ]
    return AccountDay("", "", currency, *sums)


_WAITING = text("""
SELECT (SELECT count(*) FROM refunds WHERE tenant_id = :tenant AND status = 'asked') AS asked,
       (SELECT count(*) FROM refunds WHERE tenant_id = :tenant AND status = 'approved') AS to_pay,
       (SELECT count(*) FROM tickets WHERE tenant_id = :tenant AND state = 'open') AS appeals,
       (SELECT count(*) FROM tickets k JOIN tenants t ON t.id = k.tenant_id WHERE k.tenant_id = :tenant AND
       k.state = 'open'
           AND k.deadline < (CAST(:now AS timestamptz) AT TIME ZONE t.zone)::date) AS overdue,
       (SELECT count(*) FROM registry_proposals WHERE tenant_id = :tenant AND state = 'open') AS proofs,
       (SELECT count(*) FROM subsidy_claims WHERE tenant_id = :tenant AND state = 'drafted') AS
       claims_to_check, (SELECT count(*) FROM subsidy_claims WHERE tenant_id = :tenant AND state = 'checked')
       AS claims_to_send, count(*) AS receipts, coalesce(sum(units), 0) AS units, min(moved_at) AS oldest
FROM (SELECT r.id, r.moved_at, sum(a.amount) AS units FROM allocations a
      JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id
      WHERE a.tenant_id = :tenant AND a.kind = 'suspense' GROUP BY r.id, r.moved_at HAVING sum(a.amount) > 0)
      waiting
""")


def open_work(session: Session, tenant_id: UUID) -> OpenWork:
    """What is to be matched, approved or paid out now."""
    row = session.execute(_WAITING, {"tenant": tenant_id, "now": clock.now()}).one()
    money = (row.receipts, int(row.units), row.oldest, row.asked, row.to_pay)
    return OpenWork(*money, row.appeals, row.overdue, row.proofs, row.claims_to_check, row.claims_to_send)


_SEEN = text("""
SELECT r.id, r.moved_at, o.operator, r.transaction, r.amount,
    (SELECT array_agg(kind ORDER BY kind) FROM (SELECT a.kind FROM allocations a
        WHERE a.tenant_id = r.tenant_id AND a.receipt_id = r.id GROUP BY a.kind HAVING sum(a.amount) <> 0) k)
        AS kinds
FROM receipts r JOIN operator_accounts o ON o.tenant_id = r.tenant_id AND o.id = r.account_id
WHERE r.tenant_id = :tenant AND r.moved_at >= :since AND r.moved_at < :until ORDER BY r.moved_at DESC, r.id
LIMIT :limit
""")


def latest_receipts(session: Session, tenant: Tenant, day: date, limit: int = 20) -> list[DayMovement]:
    """The day's last receipts, newest first."""
    since, until = day_bounds(day, tenant.zone)
    rows = session.execute(_SEEN, {"tenant": tenant.id, "since": since, "until": until, "limit": limit})
    return [
        DayMovement(row.id, row.moved_at, row.operator, row.transaction, row.amount, tuple(row.kinds or ()))
        for row in rows
    ]


def flags(session: Session, tenant_id: UUID) -> Iterator[Flag]:
    """What a person must look at, oldest first; money in suspense has its own page."""
    mine = (Flag.tenant_id == tenant_id, Flag.closed_at.is_(None), Flag.kind != "suspense")
    yield from session.scalars(select(Flag).where(*mine).order_by(Flag.opened_at).limit(MOST_FLAGS))


def close_flag(session: Session, tenant_id: UUID, flag_id: UUID) -> Flag | None:
    """A person has looked. The open flag that was closed, None when there is none."""
    row = session.get(Flag, (tenant_id, flag_id))
    if row is None or row.closed_at:
        return None
    row.closed_at = clock.now()
    return row
