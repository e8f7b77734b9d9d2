"""Cover: a household's bills and money turned into its dated rights, and into what is left to pay.

Rights are a function of bills, money and rule book (`rights.py`); the rows are that function's value, kept so that a turn
or a clinic reads one row, and replaced whole whenever money or bills change.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import bills, rights, schemes
from mutuelle.bills import Bill, BillLine, Owed
from mutuelle.db import Row
from mutuelle.receipts import Allocation
from mutuelle.rights import Ahead, Due, Interval, Paid
from mutuelle.rules import MEMBER


class RightsRow(Row):
    """One interval of a household's time line; the last one has no end."""

    __tablename__ = "rights"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[date] = mapped_column(primary_key=True)
    until: Mapped[date | None]
    state: Mapped[str]
    reason: Mapped[str]
    next_step: Mapped[str]


@dataclass(frozen=True)
class Position:
    """What a household owes and is owed, in whole units, and its rights, on one day.

    `owed` is the member's unpaid part of every bill, `owed_dues` without joining fees, `paid` what the member has paid on the
    bills still open, `others` the other payers' part of those, `credit` what waits for the next bill.
    """

    owed: int
    owed_dues: int
    paid: int
    others: int
    credit: int
    right: Interval
    ahead: Ahead


def recompute(session: Session, tenant_id: UUID, household_id: UUID) -> None:
    """Replace the household's time line by what bills and money say now."""
    owed = bills.of_household(session, tenant_id, household_id)
    timeline = timeline_of(owed, money_on(session, tenant_id, household_id))
    mine = (RightsRow.tenant_id == tenant_id, RightsRow.household_id == household_id)
    session.execute(delete(RightsRow).where(*mine))
    rows = [asdict(interval) | {"tenant_id": tenant_id, "household_id": household_id} for interval in timeline]
    if rows:
        session.execute(insert(RightsRow), rows)


def timeline_of(owed: Sequence[Owed], paid: Sequence[Paid]) -> tuple[Interval, ...]:
    """The pure value the rows must have."""
    return rights.intervals(_version_of(owed), [due_of(one) for one in owed], paid) if owed else ()


def due_of(one: Owed) -> Due:
    """A bill as the rules of rights read it."""
    bill = one.bill
    return Due(
        bill_id=bill.id,
        kind="joining" if bill.kind == "joining" else "dues",
        issued=bill.issued,
        version=bill.version,
        member_share=one.member,
        total=bill.total,
        period_from=bill.period_from,
        period_until=bill.period_until,
        option=bill.option,
    )


def money_on(session: Session, tenant_id: UUID, household_id: UUID) -> list[Paid]:
    """The member's money on the household's bills, each allocation with the day it counts from."""
    mine = (Allocation.household_tenant_id == tenant_id, Allocation.household_id == household_id, Allocation.kind == "bill")
    line = (BillLine.tenant_id == Allocation.household_tenant_id) & (BillLine.id == Allocation.bill_line_id)
    query = select(BillLine.bill_id, Allocation.on_day, Allocation.amount, Allocation.receipt_id).join(BillLine, line)
    rows = session.execute(query.where(*mine, BillLine.payer == MEMBER).order_by(Allocation.at, Allocation.id))
    return [Paid(row.bill_id, row.on_day, row.amount, row.receipt_id) for row in rows]


def credit_of(session: Session, tenant_id: UUID, household_id: UUID) -> int:
    """Whole units that wait for the household's next bill."""
    mine = (Allocation.household_tenant_id == tenant_id, Allocation.household_id == household_id, Allocation.kind == "credit")
    return int(session.scalar(select(func.coalesce(func.sum(Allocation.amount), 0)).where(*mine)) or 0)


def left_on(owed: Sequence[Owed], paid: Sequence[Paid]) -> list[tuple[Owed, int]]:
    """Each bill with what the member still owes of it, in the order money is put on them."""
    sums: dict[UUID, int] = defaultdict(int)
    for money in paid:
        sums[money.bill_id] += money.amount
    return [(one, one.member - sums[one.bill.id]) for one in owed]


def position(session: Session, tenant_id: UUID, household_id: UUID, today: date) -> Position:
    """Where the household stands on the local date `today`: three questions to the database."""
    owed = bills.of_household(session, tenant_id, household_id)
    paid = money_on(session, tenant_id, household_id)
    left = left_on(owed, paid)
    still_open = [one for one, rest in left if rest > 0]
    dues = [due_of(one) for one in owed]
    return Position(
        owed=sum(rest for _, rest in left),
        owed_dues=sum(rest for one, rest in left if one.bill.kind == "dues"),
        paid=sum(one.member for one in still_open) - sum(rest for _, rest in left if rest > 0),
        others=sum(one.others for one in still_open),
        credit=credit_of(session, tenant_id, household_id),
        right=rights.on(timeline_of(owed, paid), today),
        ahead=rights.ahead(_version_of(owed), dues, paid, today) if owed else Ahead(0, None, None),
    )


def _version_of(owed: Sequence[Owed]) -> rights.VersionOf:
    """The rules a bill goes by are those it was written under."""
    schemes_of: dict[date, Bill] = {one.bill.version: one.bill for one in owed}
    return lambda since: schemes.get(schemes_of[since].scheme).version(since)


def right_on(session: Session, tenant_id: UUID, household_id: UUID, day: date) -> RightsRow | None:
    """The stored interval `day` falls in."""
    mine = (RightsRow.tenant_id == tenant_id, RightsRow.household_id == household_id, RightsRow.since <= day)
    return session.scalar(select(RightsRow).where(*mine).order_by(RightsRow.since.desc()).limit(1))
