"""Loads a household's bills and money, and computes and stores its dated rights and what is left to pay.

Rights are a function of bills, money and rule book (`household_rights.py`). The stored rows are the value of
that function, so that a USSD turn or a clinic reads one row. All rows are replaced whenever money or bills
change.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import inserts, pipeline
from mutuelle.contributions.bill_change import CORRECTIONS, Change, PriceBasis
from mutuelle.contributions.bills import BillState
from mutuelle.cover import household_rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.household_rights import Interval, NextOpening, RightsState
from mutuelle.db import Row
from mutuelle.errors import Refused, UnreadableBooks
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


@contextmanager
def _readable() -> Iterator[None]:
    """Turns what bad rows or missing rules raise into UnreadableBooks."""
    try:
        yield
    except (Refused, LookupError, ValueError, TypeError, StopIteration) as error:
        # The name and the key say what is missing; no money and no name stands in them.
        raise UnreadableBooks(f"{type(error).__name__} {error}") from error


@dataclass(frozen=True)
class HouseholdBooks:
    """A household's bills and money, from which its rights and debts are computed.

    `bills` are in the order money is put on them (dues, oldest first, then joining fees), `paid` is the
    member's money on them, `credit` waits for the next bill, in whole units.
    """

    bills: tuple[BillState, ...]
    paid: tuple[BillPayment, ...] = ()
    credit: int = 0

    def with_money(self, *payments: BillPayment, credit: int = 0) -> "HouseholdBooks":
        """Returns these books with more `payments`, and with `credit` added (or, if negative, taken off)."""
        return replace(self, paid=(*self.paid, *payments), credit=self.credit + credit)

    def before(self, day: date) -> "HouseholdBooks":
        """Returns these books without the changes of bills on `day`, and without the money these freed."""
        bills = tuple(
            replace(bill, changes=tuple(change for change in bill.changes if change.on != day))
            for bill in self.bills
        )
        paid = tuple(payment for payment in self.paid if not (payment.freed and payment.on == day))
        return replace(self, bills=bills, paid=paid)

    def known_on(self, day: date) -> "HouseholdBooks":
        """These books as they were known on `day`: without later bills, changes and money."""
        bills = tuple(bill.known_on(day) for bill in self.bills if bill.issued <= day)
        return replace(self, bills=bills, paid=tuple(payment for payment in self.paid if payment.on <= day))

    def left(self, day: date) -> list[tuple[BillState, int]]:
        """Each bill with what the member still owes of it on the local date `day`; negative if overpaid.

        Raises UnreadableBooks.
        """
        with _readable():
            return self._left(day)

    def _left(self, day: date) -> list[tuple[BillState, int]]:
        sums: dict[UUID, int] = defaultdict(int)
        for payment in self.paid:
            sums[payment.bill_id] += payment.amount
        left = [(bill, bill.member_share - sums[bill.bill_id]) for bill in self.bills]
        return [(bill, min(0, rest) if self._forgiven(bill, day) else rest) for bill, rest in left]

    def _forgiven(self, bill: BillState, day: date) -> bool:
        version = schemes.get(bill.scheme).version(bill.version)
        return bill.kind == BillKind.DUES and version.forgives(
            bill.issued, bill.period_until, bill.option, day
        )

    def version_of(self, since: date) -> schemes.Version:
        """The rules from the day `since` on, under which a bill of these books was written or adjusted."""
        code = next(bill.scheme for bill in self.bills if since in bill.versions)
        return schemes.get(code).version(since)


@dataclass(frozen=True)
class Position:
    """What a household owes and is owed on one day, in whole units, and its rights.

    `owed` is the member's unpaid part of every bill, `owed_dues` the same without joining fees; `paid` is
    what the member has paid on the bills still open, `others` what State and commune pay of those; `credit`
    waits for the next bill. `next_open` is the next interval of open rights, bought already and still to
    come; `next_opening` is what the next payment would open.
    """

    owed: int
    owed_dues: int
    paid: int
    others: int
    credit: int
    right: Interval
    next_open: Interval | None
    next_opening: NextOpening


# Credit that paid a bill and left it on the same day, for another bill that asked for it again (Reason
# CREDIT_RETURNED), was freed like what a smaller bill frees: nobody took it back.
# Columns that hold the whole books of the household `home`; a caller may select more beside them.
BOOKS = """
    (SELECT coalesce(json_agg(b), '[]') FROM (
        SELECT b.id, b.kind, b.issued, b.period_from, b.period_until, b.scheme, b.version, b.option, b.total,
               coalesce(l.member, 0) AS member, coalesce(l.sponsored, 0) AS sponsored, l.line_id,
               (SELECT coalesce(json_agg(json_build_array(j.on_day,
                    (SELECT coalesce(sum(x.amount), 0) FROM bill_lines x
                     WHERE x.tenant_id = j.tenant_id AND x.bill_id = j.bill_id
                     AND x.adjustment_id = j.id AND x.payer = 'member'),
                    j.total, j.version, j.category, j.born, j.reason) ORDER BY j.ordinal), '[]')
                FROM adjustments j WHERE j.tenant_id = b.tenant_id AND j.bill_id = b.id) AS changes
        FROM bills b
        LEFT JOIN LATERAL (
            SELECT sum(amount) FILTER (WHERE payer = 'member') AS member,
                   sum(amount) FILTER (WHERE payer = 'sponsor') AS sponsored,
                   (array_agg(id ORDER BY adjustment_id NULLS FIRST, id)
                       FILTER (WHERE payer = 'member'))[1] AS line_id
            FROM bill_lines WHERE tenant_id = b.tenant_id AND bill_id = b.id) l ON true
        WHERE b.tenant_id = home.tenant_id AND b.household_id = home.id
        ORDER BY b.kind, b.issued, b.id) b) AS bills,
    (SELECT coalesce(json_agg(m), '[]') FROM (
        SELECT l.bill_id, a.on_day, a.amount, a.receipt_id,
            a.adjustment_id IS NOT NULL OR a.reason = 'a change of the same day was taken back' AS freed
        FROM allocations a
        JOIN bill_lines l
            ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id AND l.payer = 'member'
        WHERE a.household_tenant_id = home.tenant_id AND a.household_id = home.id AND a.kind = 'bill'
        ORDER BY a.at, a.id) m) AS money,
    (SELECT coalesce(sum(amount), 0) FROM allocations
        WHERE household_tenant_id = home.tenant_id AND household_id = home.id AND kind = 'credit') AS credit
"""
# Our own columns; every value is a parameter.
_ONE_HOUSEHOLD = "FROM households home WHERE home.tenant_id = %(tenant)s AND home.id = %(home)s"
_BOOKS = f"SELECT {BOOKS} {_ONE_HOUSEHOLD}"


def statement(tenant_id: UUID, household_id: UUID) -> pipeline.Statement:
    """The statement whose row `read` takes, to be sent together with others."""
    return _BOOKS, {"tenant": tenant_id, "home": household_id}


def load(session: Session, tenant_id: UUID, household_id: UUID) -> HouseholdBooks:
    """A household's bills and money as they stand, in one statement."""
    (rows,) = pipeline.query(session, statement(tenant_id, household_id))
    return read(pipeline.single_row(rows))


def read(row: Any) -> HouseholdBooks:
    """The books in a row that has the columns of BOOKS. Raises UnreadableBooks."""
    with _readable():
        bills = tuple(_bill_state(bill) for bill in row.bills)
        return HouseholdBooks(bills, tuple(_bill_payment(money) for money in row.money), int(row.credit))


def _bill_state(bill: dict[str, Any]) -> BillState:
    day = date.fromisoformat
    changes = tuple(
        Change(day(on), member, total, PriceBasis(day(version), category, tuple(born)), reason in CORRECTIONS)
        for on, member, total, version, category, born, reason in bill["changes"]
    )
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


def _bill_payment(money: dict[str, Any]) -> BillPayment:
    day, receipt = date.fromisoformat(money["on_day"]), UUID(money["receipt_id"])
    return BillPayment(UUID(money["bill_id"]), day, money["amount"], receipt, money["freed"])


def timeline_of(books: HouseholdBooks) -> tuple[Interval, ...]:
    """Returns the household's time line as its books give it; the stored rows must equal it. Pure.

    Raises UnreadableBooks.
    """
    with _readable():
        return household_rights.intervals(books.version_of, books.bills, books.paid)


def recompute(
    session: Session, tenant_id: UUID, household_id: UUID, books: HouseholdBooks | None = None
) -> None:
    """Replaces the household's stored time line by what its bills and money give now.

    Pass `books` if the caller has just read or made them. Raises UnreadableBooks.
    """
    replace_rows(
        session, tenant_id, household_id, timeline_of(books or load(session, tenant_id, household_id))
    )


def replace_rows(session: Session, tenant_id: UUID, household_id: UUID, timeline: Sequence[Interval]) -> None:
    """Stores this time line instead of the household's stored one."""
    old_rows = (RightsRow.tenant_id == tenant_id, RightsRow.household_id == household_id)
    session.connection().execute(delete(RightsRow).where(*old_rows))
    write(session, tenant_id, household_id, timeline)


def write(session: Session, tenant_id: UUID, household_id: UUID, timeline: Sequence[Interval]) -> None:
    """Writes the time line of a household that has none."""
    rows = [vars(interval) | {"tenant_id": tenant_id, "household_id": household_id} for interval in timeline]
    inserts.add(session, RightsRow, *rows)


def position(session: Session, tenant_id: UUID, household_id: UUID, today: date) -> Position:
    """The household's position on the local date `today`. Raises UnreadableBooks."""
    return position_of(load(session, tenant_id, household_id), today)


def position_of(books: HouseholdBooks, today: date) -> Position:
    """The position on `today` of a household with these books. Pure. Raises UnreadableBooks."""
    with _readable():
        return _position(books, today)


def _position(books: HouseholdBooks, today: date) -> Position:
    left = books.left(today)
    unpaid = [(bill, rest) for bill, rest in left if rest > 0]
    timeline = timeline_of(books)
    coming = (part for part in timeline if part.state == RightsState.OPEN and part.since > today)
    return Position(
        owed=sum(rest for _, rest in left),
        owed_dues=sum(rest for bill, rest in left if bill.kind == BillKind.DUES),
        paid=sum(bill.member_share - rest for bill, rest in unpaid),
        others=sum(bill.others_share - bill.sponsored for bill, _ in unpaid),
        credit=books.credit,
        right=household_rights.on(timeline, today),
        next_open=next(coming, None),
        next_opening=household_rights.next_opening(books.version_of, books.bills, books.paid, today),
    )
