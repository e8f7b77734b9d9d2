"""Holds what a household owes for a period, in lines per payer whose sum is the price."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bill_writer import BillBatch, NewBill, new_bills
from mutuelle.contributions.quotes import PeriodQuote
from mutuelle.db import Row
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import MEMBER, BillKind


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
    """One payer's part of a bill and its rule; with `adjustment_id`, by how much that part changes."""

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
class BillState:
    """One bill as it stands, in whole units: what it was issued with, and the `changes` of adjustments since.

    `version` is the effective date of its rules. `period_*` bound a fixed year and are None in a rolling
    cycle, and for a joining fee, which opens nothing. `line_id` is the member's line, if any: money is put
    on it. `sponsored` is the sponsors' part.
    """

    bill_id: UUID
    kind: BillKind
    issued: date
    scheme: str
    version: date
    option: str
    issued_share: int
    issued_total: int
    period_from: date | None = None
    period_until: date | None = None
    changes: tuple[Change, ...] = ()
    line_id: UUID | None = None
    sponsored: int = 0

    @property
    def versions(self) -> set[date]:
        """The effective dates of the rules that its price has followed."""
        return {self.version, *(change.basis.version for change in self.changes if change.basis)}

    @property
    def member_share(self) -> int:
        """The member's part with all changes."""
        return self.issued_share + sum(change.member for change in self.changes)

    @property
    def total(self) -> int:
        """The price with all changes."""
        return self.issued_total + sum(change.total for change in self.changes)

    @property
    def others_share(self) -> int:
        """The part of State, commune and sponsors, with all changes."""
        return self.total - self.member_share

    def share_on(self, day: date) -> int:
        """The member's part as known on `day`."""
        return self.issued_share + sum(change.member for change in self.changes if change.on <= day)

    def counted_on(self, day: date) -> tuple[int, int]:
        """The member share and the price that count on `day`.

        The changes of one day count as their sum: a decrease on the day itself, an increase from the day
        after. What is noted by mistake and taken back on the same day counts as nothing.
        """
        earlier = [change for change in self.changes if change.on < day]
        of_day = [change for change in self.changes if change.on == day]
        member = sum(c.member for c in earlier) + min(0, sum(c.member for c in of_day))
        total = sum(c.total for c in earlier) + min(0, sum(c.total for c in of_day))
        return self.issued_share + member, self.issued_total + total

    def known_on(self, day: date) -> "BillState":
        """This bill as it was known on `day`: later changes removed."""
        return replace(self, changes=tuple(change for change in self.changes if change.on <= day))


def issue(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    price: PeriodQuote,
    *,
    born: Sequence[int],
    on: date,
    joining: bool = True,
) -> list[BillState]:
    """Writes the dues bill of `price`, then its joining-fee bill, if any, which the member alone pays.

    Raises Refused when the scheme is a draft.
    """
    schemes.in_use(price.scheme)
    batch = BillBatch()
    bills = [
        _state(bill, batch.add(household_id, bill, born)) for bill in new_bills(price, on, joining=joining)
    ]
    batch.write(session, tenant_id)
    return bills


def _state(bill: NewBill, bill_id: UUID) -> BillState:
    return BillState(
        bill_id=bill_id,
        kind=bill.kind,
        issued=bill.issued,
        scheme=bill.scheme,
        version=bill.version,
        option=bill.option,
        issued_share=sum(line.amount for line in bill.lines if line.payer == MEMBER),
        issued_total=bill.total,
        period_from=bill.period_from,
        period_until=bill.period_until,
    )


def category_of(session: Session, tenant_id: UUID, household_id: UUID) -> str | None:
    """The category that the last dues bill is for, as adjusted; None without one.

    A claimed category that lowers the price is not billed before it is checked.
    """
    category: str | None = session.scalar(_CATEGORY, {"tenant": tenant_id, "home": household_id})
    return category


_CATEGORY = text("""
SELECT coalesce((SELECT j.category FROM adjustments j WHERE j.tenant_id = b.tenant_id AND j.bill_id = b.id
    ORDER BY j.ordinal DESC LIMIT 1), b.category)
FROM bills b
WHERE b.tenant_id = :tenant AND b.household_id = :home AND b.kind = 'dues'
ORDER BY b.issued DESC, b.id LIMIT 1
""")
