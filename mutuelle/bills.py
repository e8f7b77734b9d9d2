"""Bills: what a household owes for a period, in lines per payer whose sum is the price."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, schemes, writes
from mutuelle.db import Row
from mutuelle.grants import Change
from mutuelle.quotes import Dues
from mutuelle.rules import MEMBER


class Bill(Row):
    """One bill. A rolling cover has no period yet: it runs from the day it is paid."""

    __tablename__ = "bills"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    kind: Mapped[str]
    issued: Mapped[date]
    period_from: Mapped[date | None]
    period_until: Mapped[date | None]
    scheme: Mapped[str]
    version: Mapped[date]
    option: Mapped[str]
    category: Mapped[str | None]
    born: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    total: Mapped[int]
    currency: Mapped[str]


class BillLine(Row):
    """What one payer owes of a bill, and by which rule; of an adjustment, by how much that part changes."""

    __tablename__ = "bill_lines"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    bill_id: Mapped[UUID]
    payer: Mapped[str]
    amount: Mapped[int]
    rule: Mapped[str]
    adjustment_id: Mapped[UUID | None]
    sponsor_id: Mapped[UUID | None]


@dataclass(frozen=True)
class Owed:
    """One bill as its household owes it now, in whole units: `member` of `total`, of which `changes` are adjustments.

    `line_id` is the member's line, if any: where money is put. `sponsored` is what a sponsor pays of it.
    """

    bill_id: UUID
    kind: str
    issued: date
    period_from: date | None
    period_until: date | None
    scheme: str
    version: date
    option: str
    total: int
    member: int
    line_id: UUID | None
    changes: tuple[Change, ...] = ()
    sponsored: int = 0

    @property
    def others(self) -> int:
        """What State, commune or sponsor pay of it."""
        return self.total - self.member


def issue(
    session: Session, tenant_id: UUID, household_id: UUID, price: Dues, *, born: Sequence[int], on: date, joining: bool = True
) -> list[Owed]:
    """Write the dues bill of `price`, and its joining-fee bill, which the member alone pays; dues first.

    Refused when the scheme is a draft.
    """
    schemes.in_use(price.scheme)
    written = made(price, on, joining=joining)
    writes.add(session, Bill, *(row_of(tenant_id, household_id, one, price, born) for one in written))
    writes.add(session, BillLine, *lines_of(tenant_id, written, price))
    return written


def made(price: Dues, on: date, *, joining: bool) -> list[Owed]:
    """The bills of `price`, not written yet."""
    dues = Owed(
        bill_id=clock.new_id(),
        kind="dues",
        issued=on,
        period_from=price.period_from,
        period_until=price.period_until,
        scheme=price.scheme,
        version=date.fromisoformat(price.version),
        option=price.option,
        total=price.total,
        member=price.shares[MEMBER],
        line_id=None,
    )
    if not joining or not price.joining_fee:
        return [dues]
    fee = replace(dues, bill_id=clock.new_id(), kind="joining", total=price.joining_fee, member=price.joining_fee)
    return [dues, replace(fee, period_from=None, period_until=None)]


def lines_of(tenant_id: UUID, written: Sequence[Owed], price: Dues) -> list[dict[str, Any]]:
    """The lines of bills that `made` returned."""
    lines = []
    for one in written:
        if one.kind == "joining":
            lines.append(_line(tenant_id, one.bill_id, MEMBER, one.total, f"{price.scheme}/{price.version}/joining"))
        else:
            lines += [_line(tenant_id, one.bill_id, line.payer, line.amount, line.rule) for line in price.lines]
    return lines


def category_of(session: Session, tenant_id: UUID, household_id: UUID) -> str | None:
    """The category the last dues bill is for, as adjusted; a claim that lowers the price is not billed before it is checked."""
    found: str | None = session.scalar(_CATEGORY, {"tenant": tenant_id, "home": household_id})
    return found


_CATEGORY = text("""
SELECT coalesce((SELECT j.category FROM adjustments j WHERE j.tenant_id = b.tenant_id AND j.bill_id = b.id
    ORDER BY j.ordinal DESC LIMIT 1), b.category)
FROM bills b WHERE b.tenant_id = :tenant AND b.household_id = :home AND b.kind = 'dues' ORDER BY b.issued DESC, b.id LIMIT 1
""")


def row_of(tenant_id: UUID, household_id: UUID, one: Owed, price: Dues, born: Sequence[int]) -> dict[str, Any]:
    """A bill as its table holds it."""
    return {
        "tenant_id": tenant_id,
        "id": one.bill_id,
        "household_id": household_id,
        "kind": one.kind,
        "issued": one.issued,
        "period_from": one.period_from,
        "period_until": one.period_until,
        "scheme": one.scheme,
        "version": one.version,
        "option": one.option,
        "category": price.billed_category,
        "born": list(born),
        "total": one.total,
        "currency": price.currency,
    }


def _line(tenant_id: UUID, bill_id: UUID, payer: str, amount: int, rule: str) -> dict[str, Any]:
    return {"tenant_id": tenant_id, "id": clock.new_id(), "bill_id": bill_id, "payer": payer, "amount": amount, "rule": rule}
