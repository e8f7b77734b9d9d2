"""Disclosure: what may be shown to everybody, so that nobody is recognised in a small number. Pure.

1. A value that fewer than `least` people, households, receipts or sessions stand behind is shown as `<5`.
2. Every other count is rounded to a multiple of `least`, the whole as well as its parts; money to about what `least`
   households owe. So a hidden part cannot be found by taking the others from the whole: several values always fit.
3. Quotients are made of what is shown. A target population is public already, and stays as it is; so does a median time.
"""

from dataclasses import dataclass

from mutuelle.indicators import NAMED, Reading

Seen = int | str | None  # a number, `<5`, or None where nothing is known
GIVEN = frozenset({"penetration"})  # whose denominator others have published


@dataclass(frozen=True)
class Public:
    """A reading as everybody may see it."""

    code: str
    by: str
    slice: str
    numerator: Seen
    denominator: Seen
    per_mille: int | None


def protect(reading: Reading, least: int) -> Public:
    """The reading, with what few people stand behind hidden and the rest rounded."""
    few, unit = f"<{least}", NAMED[reading.code].unit
    numerator: Seen = few
    denominator: Seen = few if unit == "money" and reading.denominator is not None else _counted(reading, least, few)
    if reading.behind >= least:
        step = 1 if unit == "seconds" else least
        if unit == "money":
            step = _step(max(reading.numerator, reading.denominator or 0) * least // reading.behind)
            denominator = None if reading.denominator is None else _rounded(reading.denominator, step)
        numerator = _rounded(reading.numerator, step)
    quotient = None
    if isinstance(numerator, int) and isinstance(denominator, int):
        quotient = Reading(reading.code, reading.by, reading.slice, numerator, denominator, reading.behind).per_mille
    return Public(reading.code, reading.by, reading.slice, numerator, denominator, quotient)


def _counted(reading: Reading, least: int, few: str) -> Seen:
    if reading.denominator is None or reading.code in GIVEN:
        return reading.denominator
    return few if reading.denominator < least else _rounded(reading.denominator, least)


def _rounded(number: int, step: int) -> int:
    """To the nearest multiple, halves away from 0."""
    whole = (2 * abs(number) + step) // (2 * step) * step
    return -whole if number < 0 else whole


def _step(units: int) -> int:
    """The power of ten that is not above `units`."""
    return int(10 ** (len(str(max(1, units))) - 1))
