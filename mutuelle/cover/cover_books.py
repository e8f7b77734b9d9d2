"""Cover: a household's bills and money turned into its dated rights, and into what is left to pay.

Rights are a function of bills, money and rule book (`rights.py`); the rows are that function's value, kept so
that a turn or a clinic reads one row, and replaced whole whenever money or bills change.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import inserts, pipeline
from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bills import BillState
from mutuelle.cover import rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.rights import Interval, NextOpening
from mutuelle.db import Row
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import BillKind


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
class HouseholdBooks:
    """All that rights and debts follow from: bills in the order money is put on them (dues, oldest first,
    then joining fees), the member's money on them, and the `credit` in whole units that waits for the next
    bill."""

    bills: tuple[BillState, ...]
    paid: tuple[BillPayment, ...] = ()
    credit: int = 0

    def with_money(self, *more: BillPayment, credit: int = 0) -> "HouseholdBooks":
        """These books when that money was put on bills, and `credit` more (or less) waits."""
        return replace(self, paid=(*self.paid, *more), credit=self.credit + credit)

    def left(self, day: date) -> list[tuple[BillState, int]]:
        """Each bill with what the member still owes of it on the local date `day`."""
        sums: dict[UUID, int] = defaultdict(int)
        for money in self.paid:
            sums[money.bill_id] += money.amount
        left = [(one, one.member_share - sums[one.bill_id]) for one in self.bills]
        return [(one, min(0, rest) if self._forgiven(one, day) else rest) for one, rest in left]

    def _forgiven(self, one: BillState, day: date) -> bool:
        version = schemes.get(one.scheme).version(one.version)
        return one.kind == "dues" and version.forgives(one.issued, one.period_until, one.option, day)

    def version_of(self, since: date) -> schemes.Version:
        """The rules a bill goes by are those it was written under."""
        book = next(one.scheme for one in self.bills if one.version == since)
        return schemes.get(book).version(since)


@dataclass(frozen=True)
class Position:
    """What a household owes and is owed, in whole units, and its rights, on one day.

    `owed` is the member's unpaid part of every bill, `owed_dues` without joining fees, `paid` what the member
    has paid on the bills still open, `others` what State and commune pay of those, `credit` what waits for
    the next bill; `next_open` the next days of cover that are bought already and still to come.
    """

    owed: int
    owed_dues: int
    paid: int
    others: int
    credit: int
    right: Interval
    next_open: Interval | None
    ahead: NextOpening


# Columns that hold the whole books of the household `home`; whoever asks for more asks for it in the same
# question.
BOOKS = """
    (SELECT coalesce(json_agg(b), '[]') FROM (
        SELECT b.id, b.kind, b.issued, b.period_from, b.period_until, b.scheme, b.version, b.option, b.total,
               coalesce(l.member, 0) AS member, coalesce(l.sponsored, 0) AS sponsored, l.line_id,
               (SELECT coalesce(json_agg(json_build_array(j.on_day,
                    (SELECT coalesce(sum(x.amount), 0) FROM bill_lines x WHERE x.tenant_id = j.tenant_id
                        AND x.bill_id = j.bill_id AND x.adjustment_id = j.id AND x.payer = 'member'),
                    j.total) ORDER BY j.ordinal), '[]')
                FROM adjustments j WHERE j.tenant_id = b.tenant_id AND j.bill_id = b.id) AS changes
        FROM bills b LEFT JOIN LATERAL (
            SELECT sum(amount) FILTER (WHERE payer = 'member') AS member,
                sum(amount) FILTER (WHERE payer = 'sponsor') AS sponsored,
                (array_agg(id ORDER BY adjustment_id NULLS FIRST, id) FILTER (WHERE payer = 'member'))[1] AS
                line_id
            FROM bill_lines WHERE tenant_id = b.tenant_id AND bill_id = b.id) l ON true
        WHERE b.tenant_id = home.tenant_id AND b.household_id = home.id ORDER BY b.kind, b.issued, b.id) b) AS
        bills,
    (SELECT coalesce(json_agg(m), '[]') FROM (
        SELECT l.bill_id, a.on_day, a.amount, a.receipt_id, a.adjustment_id IS NOT NULL AS freed FROM
        allocations a JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id AND
        l.payer = 'member' WHERE a.household_tenant_id = home.tenant_id AND a.household_id = home.id AND
        a.kind = 'bill' ORDER BY a.at, a.id) m) AS money,
    (SELECT coalesce(sum(amount), 0) FROM allocations
        WHERE household_tenant_id = home.tenant_id AND household_id = home.id AND kind = 'credit') AS credit
"""
_BOOKS = f"SELECT {BOOKS} FROM households home WHERE home.tenant_id = %(tenant)s AND home.id = %(home)s"  # noqa: S608  # our own columns


def statement(tenant_id: UUID, household_id: UUID) -> pipeline.Statement:
    """What `read` understands the answer of, for whoever asks other things with it."""
    return _BOOKS, {"tenant": tenant_id, "home": household_id}


def load(session: Session, tenant_id: UUID, household_id: UUID) -> HouseholdBooks:
    """A household's bills and money as they stand: one question to the database."""
    (rows,) = pipeline.query(session, statement(tenant_id, household_id))
    return read(pipeline.single_row(rows))


def read(row: Any) -> HouseholdBooks:
    """The books in a row that has the columns of BOOKS."""
    return HouseholdBooks(
        tuple(_bill(bill) for bill in row.bills), tuple(_paid(money) for money in row.money), int(row.credit)
    )


def _bill(bill: dict[str, Any]) -> BillState:
    day = date.fromisoformat
    changes = tuple(Change(day(on), member, total) for on, member, total in bill["changes"])
    return BillState(
        bill_id=UUID(bill["id"]),
        kind=BillKind(bill["kind"]),
        issued=day(bill["issued"]),
        scheme=bill["scheme"],
        version=day(bill["version"]),
        option=bill["option"],
        issued_share=bill["member"] - sum(change.member for change in changes),
        issued_total=bill["total"],
        period_from=day(bill["period_from"]) if bill["period_from"] else None,
        period_until=day(bill["period_until"]) if bill["period_until"] else None,
        changes=changes,
        line_id=UUID(bill["line_id"]) if bill["line_id"] else None,
        sponsored=bill["sponsored"],
    )


def _paid(money: dict[str, Any]) -> BillPayment:
    day, receipt = date.fromisoformat(money["on_day"]), UUID(money["receipt_id"])
    return BillPayment(UUID(money["bill_id"]), day, money["amount"], receipt, money["freed"])


def timeline_of(now: HouseholdBooks) -> tuple[Interval, ...]:
    """The pure value the rows must have."""
    return rights.intervals(now.version_of, now.bills, now.paid) if now.bills else ()


def recompute(
    session: Session, tenant_id: UUID, household_id: UUID, now: HouseholdBooks | None = None
) -> None:
    """Replace the household's time line by what bills and money say now; `now` when the caller has just read
    or made them."""
    timeline = timeline_of(now or load(session, tenant_id, household_id))
    connection = session.connection()
    connection.execute(
        delete(RightsRow).where(RightsRow.tenant_id == tenant_id, RightsRow.household_id == household_id)
    )
    write(session, tenant_id, household_id, timeline)


def write(session: Session, tenant_id: UUID, household_id: UUID, timeline: Sequence[Interval]) -> None:
    """Write the time line of a household that has none."""
    rows = [vars(interval) | {"tenant_id": tenant_id, "household_id": household_id} for interval in timeline]
    inserts.add(session, RightsRow, *rows)


def position(session: Session, tenant_id: UUID, household_id: UUID, today: date) -> Position:
    """Where the household stands on the local date `today`."""
    return position_of(load(session, tenant_id, household_id), today)


def position_of(now: HouseholdBooks, today: date) -> Position:
    """Where a household with these books stands on `today`. Pure."""
    left = now.left(today)
    still_open = [one for one, rest in left if rest > 0]
    timeline = timeline_of(now)
    return Position(
        owed=sum(rest for _, rest in left),
        owed_dues=sum(rest for one, rest in left if one.kind == "dues"),
        paid=sum(one.member_share for one in still_open) - sum(rest for _, rest in left if rest > 0),
        others=sum(one.others_share - one.sponsored for one in still_open),
        credit=now.credit,
        right=rights.on(timeline, today),
        next_open=next(
            (coming for coming in timeline if coming.state == "open" and coming.since > today), None
        ),
        ahead=rights.next_opening(now.version_of, now.bills, now.paid, today)
        if now.bills
        else NextOpening(0, None, None),
    )
