"""What a bill's price followed when a day began, and what the adjustments of that day have changed since.

The changes of one day are priced together, from the start of the day: whatever comes and goes in between, the
bill is that of the household in the evening, and what is taken back on the same day leaves no trace (I14).
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from mutuelle.contributions.bill_change import AdjustmentReason, PriceBasis
from mutuelle.contributions.bills import Bill
from mutuelle.schemes.money_rules import MEMBER, SPONSOR


@dataclass(frozen=True)
class DayTariff:
    """A tariff that took over the bill on this day: the `basis` it was priced from, for `months` months."""

    basis: PriceBasis
    months: int


@dataclass(frozen=True)
class DayBasis:
    """A bill on a day: its basis when the day began (`start`) and after the last adjustment so far (`last`).

    `shares` holds by how much the adjustments of the day have changed each payer's share, `standing` the
    shares as they stand now, both before any sponsor; `promised` is each sponsor's part when the day began;
    all in whole units. `moved` says that the day has seen an adjustment for another reason than a tariff.
    """

    start: PriceBasis
    last: PriceBasis
    ordinal: int
    shares: Mapping[str, int]
    standing: Mapping[str, int]
    promised: Mapping[UUID, int]
    moved: bool
    tariff: DayTariff | None


# The shares that a price basis gives, by payer.
PriceOf = Callable[[PriceBasis], Mapping[str, int]]


def load(session: Session, bill: Bill, day: date) -> DayBasis:
    """Returns the basis of `bill` on `day`; its last adjustments are the day's if they are of that day."""
    values = {"tenant": bill.tenant_id, "bill": bill.id}
    adjustments = session.execute(_ADJUSTMENTS, values).all()
    earlier = len(adjustments)
    while earlier and adjustments[earlier - 1].on_day == day:
        earlier -= 1
    issued = PriceBasis(bill.version, bill.category, tuple(bill.born))
    start = _basis(adjustments[earlier - 1]) if earlier else issued
    of_day = adjustments[earlier:]
    moved, tariff = False, None
    for row in of_day:
        if row.reason != AdjustmentReason.RULE:
            moved = True
            continue
        basis = _basis(row)
        tariff = DayTariff(start._replace(version=basis.version) if moved else basis, row.months)
    shares, standing, promised = Counter[str](), Counter[str](), Counter[UUID]()
    for line in session.execute(_LINES, values | {"earlier": earlier}):
        payer = MEMBER if line.payer == SPONSOR else line.payer
        standing[payer] += int(line.units)
        if line.of_day:
            shares[payer] += int(line.units)
        elif line.sponsor_id is not None:
            promised[line.sponsor_id] += int(line.units)
    last = _basis(of_day[-1]) if of_day else start
    return DayBasis(start, last, len(adjustments), shares, standing, +promised, moved, tariff)


def net_shares(
    day: DayBasis, end: PriceBasis, price: PriceOf, months_left: int, months: int, tariff: DayTariff | None
) -> dict[str, int]:
    """Returns by how much each payer's share is still to change, so that the day's changes come to their net.

    The net is the price at the `end` of the day less the price at its start, for `months_left` of the
    period's `months`; what a `tariff` of the day changes counts for the months of that tariff. Payers whose
    share stays as it is are left out. Pure.
    """
    net = Counter[str]()
    begin = day.start
    if tariff is not None:
        net.update(difference(price(begin), price(tariff.basis), tariff.months, months))
        begin = tariff.basis
    net.update(difference(price(begin), price(end), months_left, months))
    net.subtract(day.shares)
    return {payer: units for payer, units in net.items() if units}


def whole_shares(day: DayBasis, end: PriceBasis, price: PriceOf) -> dict[str, int]:
    """Returns by how much each payer's share is still to change, so that the whole price is that of `end`.

    For a bill of which every month is to come. Payers whose share stays as it is are left out. Pure.
    """
    return difference(day.standing, price(end), 1, 1)


def difference(old: Mapping[str, int], new: Mapping[str, int], left: int, months: int) -> dict[str, int]:
    """Returns by how much each payer's share changes, for `left` of the period's `months`.

    Payers whose share stays as it is are left out.
    """
    payers = dict.fromkeys([*old, *new])
    changes = {
        payer: new.get(payer, 0) * left // months - old.get(payer, 0) * left // months for payer in payers
    }
    return {payer: units for payer, units in changes.items() if units}


def _basis(row: Row[Any]) -> PriceBasis:
    return PriceBasis(row.version, row.category, tuple(row.born))


_ADJUSTMENTS = text("""
SELECT on_day, reason, version, category, born, months FROM adjustments
WHERE tenant_id = :tenant AND bill_id = :bill ORDER BY ordinal
""")
_LINES = text("""
SELECT coalesce(j.ordinal > :earlier, false) AS of_day, l.payer, l.sponsor_id, sum(l.amount) AS units
FROM bill_lines l LEFT JOIN adjustments j ON j.tenant_id = l.tenant_id AND j.id = l.adjustment_id
WHERE l.tenant_id = :tenant AND l.bill_id = :bill GROUP BY 1, 2, 3
""")
