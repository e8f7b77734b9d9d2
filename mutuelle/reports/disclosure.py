"""Protects indicators for publication, so that no person can be recognised in a small number. Pure.

1. A value of fewer than `least` people, households, receipts or sessions is shown as `<5`.
2. Every other count is rounded to a multiple of `least`, the whole as well as its slices; money to about what
   `least` households owe.
3. A hidden slice must not follow from the whole and the other slices. So where one is hidden, the first other
   one is hidden too, as `*`: the first by name, whatever its size, so that the choice reveals nothing. With
   fewer than two others, and for money, the slices are left out.
4. Quotients are computed from the shown values, and only where the denominator is at least `RATED_STEPS`
   steps of rounding: of fewer, rounding would make another figure. A target population is public already and
   stays as it is; so does a median time.
5. A part that is rounded to its whole, without being all of it, is shown as one step less, or as `*` where no
   quotient is shown; so is a part that is rounded to 0.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mutuelle.reports.indicator_list import NAMED, Kind, Unit
from mutuelle.reports.indicators import Reading

Shown = int | str | None  # a number, `<5`, `*`, or None where nothing is known
PUBLIC_DENOMINATOR = frozenset({"penetration"})  # the denominator was published by others
ONE_DENOMINATOR = frozenset({"rights-state", "join-step", "growth"})  # one denominator for all slices
# Slices that are the indicator's whole, too: hiding them as a slice would hide nothing.
SLICE_AS_WHOLE = {"rights-state": "open"}
HIDDEN = "*"
RATED_STEPS = 5  # as statistics offices do: no percentage of fewer than 22.5 people, counted in fives
LEAST_SHOWN = 2  # slices that must be shown beside hidden ones


@dataclass(frozen=True)
class PublicReading:
    """A reading as published; `rated` if its quotient is published, too."""

    code: str
    by: str
    slice: str
    numerator: Shown
    denominator: Shown
    rated: bool = True

    @property
    def per_mille(self) -> int | None:
        """The quotient of the shown values, in thousandths."""
        if not self.rated or not isinstance(self.numerator, int) or not isinstance(self.denominator, int):
            return None
        return Reading(self.code, self.by, self.slice, self.numerator, self.denominator, 0).per_mille


def protect(readings: Sequence[Reading], least: int) -> list[PublicReading]:
    """Protects all readings of a mutuelle and a month; `least` is the smallest number that may be shown."""
    shown = {_key(reading): protect_one(reading, least) for reading in readings}
    groups: dict[tuple[str, str], list[PublicReading]] = defaultdict(list)
    for reading in shown.values():
        if reading.by and NAMED[reading.code].unit != Unit.SECONDS:
            groups[reading.code, reading.by].append(reading)
    for (code, _), group in groups.items():
        protected = _protect_money(group, least) if NAMED[code].unit == Unit.MONEY else _hide(group, least)
        replacements = {_key(reading): reading for reading in protected}
        for key in map(_key, group):  # in place: readers rely on the order of the readings
            if key in replacements:
                shown[key] = replacements[key]
            else:
                del shown[key]
    return list(shown.values())


def _key(reading: Reading | PublicReading) -> tuple[str, str, str]:
    return reading.code, reading.by, reading.slice


def _protect_money(slices: list[PublicReading], least: int) -> list[PublicReading]:
    """All slices of an amount, or none if one of them is hidden."""
    few = f"<{least}"
    return [] if any(reading.numerator in (few, HIDDEN) for reading in slices) else slices


def _hide(slices: list[PublicReading], least: int) -> list[PublicReading]:
    """The slices of a count, with as many hidden as rule 3 asks for, or none."""
    code = slices[0].code
    exempt = [index for index, reading in enumerate(slices) if reading.slice == SLICE_AS_WHOLE.get(code)]
    numerators = hide_parts([reading.numerator for reading in slices], least, exempt)
    denominators: list[Shown] | None = [reading.denominator for reading in slices]
    if code not in ONE_DENOMINATOR:
        denominators = hide_parts([reading.denominator for reading in slices], least)
    if numerators is None or denominators is None:
        return []
    return [
        replace(reading, numerator=numerator, denominator=denominator)
        for reading, numerator, denominator in zip(slices, numerators, denominators, strict=True)
    ]


def protect_one(reading: Reading, least: int) -> PublicReading:
    """Protects one reading as if it stood alone."""
    few, unit, step = f"<{least}", NAMED[reading.code].unit, least
    numerator: Shown = few
    denominator = _count(reading, least, few)
    if unit == Unit.MONEY and reading.denominator is not None:
        denominator = few
    rated = isinstance(denominator, int) and denominator >= RATED_STEPS * least
    if reading.behind >= least:
        if unit == Unit.SECONDS:
            step = 1
        if unit == Unit.MONEY:
            step = _step(max(reading.numerator, reading.denominator or 0) * least // reading.behind)
            denominator = None if reading.denominator is None else _round(reading.denominator, step)
            rated = isinstance(denominator, int) and denominator >= RATED_STEPS * step
        numerator = _part(reading, _round(reading.numerator, step), denominator, step if rated else None)
    return PublicReading(reading.code, reading.by, reading.slice, numerator, denominator, rated)


def _part(reading: Reading, rounded: int, denominator: Shown, step: int | None) -> Shown:
    """Returns the numerator to show for one that was `rounded`; `step` is None where no quotient is shown."""
    if NAMED[reading.code].kind != Kind.SHARE or reading.denominator is None:
        return rounded
    if rounded == 0 and reading.numerator:
        return HIDDEN
    if rounded == denominator and reading.numerator < reading.denominator:
        return HIDDEN if step is None else rounded - step
    return rounded


def hide_parts(parts: Sequence[Shown], least: int, exempt: Sequence[int] = ()) -> list[Shown] | None:
    """Hides a second part of a whole where one is hidden. Returns None if too few would still be shown.

    Parts at the indices `exempt` are shown elsewhere, so hiding them would protect nothing.
    """
    if f"<{least}" not in parts:
        return list(parts)
    shown = [index for index, part in enumerate(parts) if isinstance(part, int)]
    others = [index for index in shown if index not in exempt]
    if len(shown) < LEAST_SHOWN or not others:
        return None
    return [HIDDEN if index == others[0] else part for index, part in enumerate(parts)]


def _count(reading: Reading, least: int, few: str) -> Shown:
    if reading.denominator is None or reading.code in PUBLIC_DENOMINATOR:
        return reading.denominator
    return few if reading.denominator < least else _round(reading.denominator, least)


def _round(number: int, step: int) -> int:
    """Rounds to the nearest multiple of `step`, halves away from 0."""
    whole = (2 * abs(number) + step) // (2 * step) * step
    return -whole if number < 0 else whole


def _step(units: int) -> int:
    """Returns the smallest power of ten that is at least `units`."""
    return int(10 ** len(str(max(1, units) - 1))) if units > 1 else 1
