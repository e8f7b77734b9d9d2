"""What a bill's price followed when a day began, and what the adjustments of that day have changed since.

The changes of one day are priced together, from the start of the day: whatever comes and goes in between, the
bill is that of the household in the evening, and what is taken back on the same day leaves no trace (I14).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from mutuelle.contributions.bill_change import CORRECTIONS, AdjustmentReason, PriceBasis
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
    `corrected` is what of `shares` the corrections of the day have changed, and `born` are the years of birth
    of the start as these have corrected them.
    """

    start: PriceBasis
    last: PriceBasis
    ordinal: int
    shares: Mapping[str, int]
    standing: Mapping[str, int]
    promised: Mapping[UUID, int]
    moved: bool
    tariff: DayTariff | None
    corrected: Mapping[str, int]
    born: tuple[int, ...]


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
    moved, tariff, born, last = False, None, start.born, start
    for row in of_day:
        if row.reason == AdjustmentReason.CORRECTION:
            born = corrected_years(born, last.born, tuple(row.born))
        last = _basis(row)
        if row.reason != AdjustmentReason.RULE:
            moved = True
            continue
        tariff = DayTariff(start._replace(version=last.version) if moved else last, row.months)
    shares, standing, promised, corrected = Counter[str](), Counter[str](), Counter[UUID](), Counter[str]()
    for line in session.execute(_LINES, values | {"earlier": earlier, "corrections": list(CORRECTIONS)}):
        payer = MEMBER if line.payer == SPONSOR else line.payer
        standing[payer] += int(line.units)
        if line.of_day:
            shares[payer] += int(line.units)
            corrected[payer] += int(line.units) if line.corrects else 0
        elif line.sponsor_id is not None:
            promised[line.sponsor_id] += int(line.units)
    return DayBasis(
        start, last, len(adjustments), shares, standing, +promised, moved, tariff, corrected, born
    )


def corrected_years(years: Sequence[int], before: Sequence[int], after: Sequence[int]) -> tuple[int, ...]:
    """Returns the `years` of birth with those that a correction of a basis from `before` to `after` changed.

    >>> corrected_years((1985, 2015), (1985, 2015, 2020), (1985, 2014, 2020))
    (1985, 2014)
    """
    was, now = Counter(before), Counter(after)
    return tuple((Counter(years) - (was - now) + (now - was)).elements())


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


def correction_shares(
    day: DayBasis,
    shares: Mapping[str, int],
    begin: PriceBasis,
    end: PriceBasis,
    price: PriceOf,
    months_left: int,
    months: int,
) -> Mapping[str, int]:
    """Returns what of a correction that changes the `shares` is no more than the day's corrections come to.

    These come to what the category and the corrected years of birth at the `end` of the day change of the
    price of those who were billed when it began, by `begin`, for `months_left` of the period's `months`: who
    came on this day, or left, is no correction. All of it, unless the member would owe more by it. Pure.
    """
    born = corrected_years(day.born, day.last.born, end.born)
    net = Counter(difference(price(begin), price(end._replace(born=born)), months_left, months))
    grown = day.corrected.get(MEMBER, 0) + shares.get(MEMBER, 0)
    if grown <= max(0, net[MEMBER]):
        return shares
    net.subtract(day.corrected)
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
SELECT coalesce(j.ordinal > :earlier, false) AS of_day,
    coalesce(j.reason = ANY(:corrections), false) AS corrects, l.payer, l.sponsor_id, sum(l.amount) AS units
FROM bill_lines l LEFT JOIN adjustments j ON j.tenant_id = l.tenant_id AND j.id = l.adjustment_id
WHERE l.tenant_id = :tenant AND l.bill_id = :bill GROUP BY 1, 2, 3, 4
""")
