"""Disclosure: what may be shown to everybody, so that nobody is recognised in a small number. Pure.

1. A value that fewer than `least` people, households, receipts or sessions stand behind is shown as `<5`.
2. Every other count is rounded to a multiple of `least`, the whole as well as its parts; money to about what
   `least` households owe.
3. A hidden part must not be found by taking the others from the whole. So where one is hidden, the first
   other one is hidden too, as `*`: the first by name, whatever its size, so that which one it is tells
   nothing. With fewer than two others, and of money, the parts are left out.
4. Quotients are made of what is shown. A target population is public already, and stays as it is; so does a
   median time.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mutuelle.reports.indicator_list import NAMED
from mutuelle.reports.indicators import Reading

Seen = int | str | None  # a number, `<5`, `*`, or None where nothing is known
GIVEN = frozenset({"penetration"})  # whose denominator others have published
ONE_DENOMINATOR = frozenset({"rights-state", "join-step", "growth"})  # shared by all parts
TWICE = {
    "rights-state": "open"
}  # parts that are shown as a whole, too, so that hiding them here would hide nothing
HIDDEN = "*"
OTHERS = 2  # shown parts there must be beside hidden ones


@dataclass(frozen=True)
class PublicReading:
    """A reading as everybody may see it."""

    code: str
    by: str
    slice: str
    numerator: Seen
    denominator: Seen

    @property
    def per_mille(self) -> int | None:
        """The quotient of what is shown, in thousandths."""
        if not isinstance(self.numerator, int) or not isinstance(self.denominator, int):
            return None
        return Reading(self.code, self.by, self.slice, self.numerator, self.denominator, 0).per_mille


def protect(readings: Sequence[Reading], least: int) -> list[PublicReading]:
    """All readings of a mutuelle and a month, with what few people stand behind hidden and the rest
    rounded."""
    shown = {(one.code, one.by, one.slice): protect_one(one, least) for one in readings}
    parts: dict[tuple[str, str], list[PublicReading]] = defaultdict(list)
    for one in shown.values():
        if one.by and NAMED[one.code].unit != "seconds":
            parts[one.code, one.by].append(one)
    for (code, _), group in parts.items():
        if NAMED[code].unit == "money":
            if any(one.numerator == f"<{least}" for one in group):
                for one in group:
                    del shown[one.code, one.by, one.slice]
            continue
        told_twice = [place for place, one in enumerate(group) if one.slice == TWICE.get(code)]
        numerators = hide_parts([one.numerator for one in group], least, told_twice)
        denominators: list[Seen] | None = [one.denominator for one in group]
        if code not in ONE_DENOMINATOR:
            denominators = hide_parts([one.denominator for one in group], least)
        for place, one in enumerate(group):
            if numerators is None or denominators is None:
                del shown[one.code, one.by, one.slice]
            else:
                told = replace(one, numerator=numerators[place], denominator=denominators[place])
                shown[one.code, one.by, one.slice] = told
    return list(shown.values())


def protect_one(reading: Reading, least: int) -> PublicReading:
    """One reading, as if it stood alone."""
    few, unit = f"<{least}", NAMED[reading.code].unit
    numerator: Seen = few
    denominator: Seen = (
        few if unit == "money" and reading.denominator is not None else _counted(reading, least, few)
    )
    if reading.behind >= least:
        step = 1 if unit == "seconds" else least
        if unit == "money":
            step = _step(max(reading.numerator, reading.denominator or 0) * least // reading.behind)
            denominator = None if reading.denominator is None else _rounded(reading.denominator, step)
        numerator = _rounded(reading.numerator, step)
    return PublicReading(reading.code, reading.by, reading.slice, numerator, denominator)


def hide_parts(parts: Sequence[Seen], least: int, told_twice: Sequence[int] = ()) -> list[Seen] | None:
    """The parts of a whole, with a second one hidden where one is; None when too few would be left to be
    shown.

    Those at the places `told_twice` are shown elsewhere and hide nothing.
    """
    if f"<{least}" not in parts:
        return list(parts)
    shown = [place for place, part in enumerate(parts) if isinstance(part, int)]
    others = [place for place in shown if place not in told_twice]
    if len(shown) < OTHERS or not others:
        return None
    return [HIDDEN if place == others[0] else part for place, part in enumerate(parts)]


def _counted(reading: Reading, least: int, few: str) -> Seen:
    if reading.denominator is None or reading.code in GIVEN:
        return reading.denominator
    return few if reading.denominator < least else _rounded(reading.denominator, least)


def _rounded(number: int, step: int) -> int:
    """To the nearest multiple, halves away from 0."""
    whole = (2 * abs(number) + step) // (2 * step) * step
    return -whole if number < 0 else whole


def _step(units: int) -> int:
    """The power of ten that is not below `units`."""
    return int(10 ** len(str(max(1, units) - 1))) if units > 1 else 1
