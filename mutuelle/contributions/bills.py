"""Bills: what a household owes for a period, in lines per payer whose sum is the price."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bill_writer import BillBatch, Terms, terms_of
from mutuelle.contributions.quotes import Dues
from mutuelle.db import Row
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import MEMBER


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
    """One bill as its household owes it now, in whole units: `member` of `total`, of which `changes` are
    adjustments.

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
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    price: Dues,
    *,
    born: Sequence[int],
    on: date,
    joining: bool = True,
) -> list[Owed]:
    """Write the dues bill of `price`, and its joining-fee bill, which the member alone pays; dues first.

    Refused when the scheme is a draft.
    """
    schemes.in_use(price.scheme)
    pile = BillBatch()
    written = [
        _owed(terms, pile.add(household_id, terms, born)) for terms in terms_of(price, on, joining=joining)
    ]
    pile.write(session, tenant_id)
    return written


def _owed(terms: Terms, bill_id: UUID) -> Owed:
    return Owed(
        bill_id=bill_id,
        kind=terms.kind,
        issued=terms.issued,
        period_from=terms.period_from,
        period_until=terms.period_until,
        scheme=terms.scheme,
        version=terms.version,
        option=terms.option,
        total=terms.total,
        member=sum(line.amount for line in terms.lines if line.payer == MEMBER),
        line_id=None,
    )


def category_of(session: Session, tenant_id: UUID, household_id: UUID) -> str | None:
    """The category the last dues bill is for, as adjusted; a claim that lowers the price is not billed before
    it is checked."""
    found: str | None = session.scalar(_CATEGORY, {"tenant": tenant_id, "home": household_id})
    return found


_CATEGORY = text("""
SELECT coalesce((SELECT j.category FROM adjustments j WHERE j.tenant_id = b.tenant_id AND j.bill_id = b.id
    ORDER BY j.ordinal DESC LIMIT 1), b.category)
FROM bills b WHERE b.tenant_id = :tenant AND b.household_id = :home AND b.kind = 'dues' ORDER BY b.issued
DESC, b.id LIMIT 1
""")
