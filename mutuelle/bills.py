"""Bills: what a household owes for a period, in lines per payer whose sum is the price."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock
from mutuelle.db import Row
from mutuelle.quotes import Quote
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
    """What one payer owes of a bill, and by which rule."""

    __tablename__ = "bill_lines"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    bill_id: Mapped[UUID]
    payer: Mapped[str]
    amount: Mapped[int]
    rule: Mapped[str]


@dataclass(frozen=True)
class Owed:
    """One bill as its household sees it, in whole units. `line_id` is the member's line, None where the member pays nothing."""

    bill: Bill
    line_id: UUID | None
    member: int
    others: int


def issue(
    session: Session, tenant_id: UUID, household_id: UUID, price: Quote, *, born: Sequence[int], on: date, joining: bool = True
) -> list[Bill]:
    """Write the dues bill of `price`, and its joining-fee bill, which the member alone pays."""
    shared = {
        "tenant_id": tenant_id,
        "household_id": household_id,
        "issued": on,
        "scheme": price.scheme,
        "version": date.fromisoformat(price.version),
        "option": price.option,
        "category": price.billed_category,
        "born": list(born),
        "currency": price.currency,
    }
    dues = Bill(
        **shared,
        id=clock.new_id(),
        kind="dues",
        total=price.total,
        period_from=price.period_from,
        period_until=price.period_until,
    )
    written = [(dues, [(line.payer, line.amount, line.rule) for line in price.lines])]
    if joining and price.joining_fee:
        fee = Bill(**shared, id=clock.new_id(), kind="joining", total=price.joining_fee)
        written.append((fee, [(MEMBER, price.joining_fee, f"{price.scheme}/{price.version}/joining")]))
    for bill, lines in written:
        session.add(bill)
        session.flush()
        session.add_all(
            BillLine(tenant_id=tenant_id, id=clock.new_id(), bill_id=bill.id, payer=payer, amount=amount, rule=rule)
            for payer, amount, rule in lines
        )
    session.flush()
    return [bill for bill, _ in written]


def of_household(session: Session, tenant_id: UUID, household_id: UUID) -> list[Owed]:
    """Every bill of a household in the order money is put on them: dues, oldest first, then joining fees."""
    mine = (Bill.tenant_id == tenant_id, Bill.household_id == household_id)
    rows = session.scalars(select(Bill).where(*mine).order_by(Bill.kind, Bill.issued, Bill.id)).all()
    joined = (BillLine.tenant_id == Bill.tenant_id) & (BillLine.bill_id == Bill.id)
    lines: dict[UUID, list[BillLine]] = {}
    for line in session.scalars(select(BillLine).join(Bill, joined).where(*mine)):
        lines.setdefault(line.bill_id, []).append(line)
    return [_owed(bill, lines.get(bill.id, [])) for bill in rows]


def _owed(bill: Bill, lines: Sequence[BillLine]) -> Owed:
    ours = [line for line in lines if line.payer == MEMBER]
    member = sum(line.amount for line in ours)
    return Owed(bill, ours[0].id if ours else None, member, bill.total - member)
