"""Parses what people type on a keypad: counts, amounts, birth years. Pure.

A parser raises Refused with the catalogue id of its error line.
"""

import re
from collections.abc import Callable

from mutuelle.errors import Refused

GROUPED = re.compile(r"[0-9]{1,3}([ .,'][0-9]{3})+")
CURRENCY = re.compile(r"\s*(FCFA|F|CFA|XOF|XAF|RWF|FRW|FRS|MRU)\.?$", re.IGNORECASE)
SEPARATORS = re.compile(r"[\s.,;:/+-]+")


def count(typed: str, least: int, most: int) -> int:
    """Parses a whole number between `least` and `most`."""
    typed = typed.strip()
    if not re.fullmatch(r"[0-9]{1,3}", typed) or not least <= int(typed) <= most:
        raise Refused("error.count", least=least, most=most)
    return int(typed)


def whole(typed: str) -> int:
    """Parses an amount in whole units: `5000`, `5 000`, `5.000 FCFA`. Refuses signs, decimals and words."""
    plain = CURRENCY.sub("", typed.strip())
    if GROUPED.fullmatch(plain):
        plain = re.sub("[^0-9]", "", plain)
    if not re.fullmatch(r"[0-9]{1,9}", plain):
        raise Refused("error.amount")
    return int(plain)


def amount(typed: str, step: int, left: int, write: Callable[[int], str], scale: int = 1) -> int:
    """Parses a sum to pay: a multiple of `step`, at most `left`; the whole of `left` is always accepted.

    `step`, `left` and the result are in smallest units; one unit as typed is `scale` of them. `write` renders
    an amount for the error line.
    """
    units = whole(typed) * scale
    if units == left:
        return units
    if units > left:
        raise Refused("error.amount.high", left=write(left))
    if units < step:
        raise Refused("error.amount.low", lowest=write(min(step, left)))
    if units % step:
        below = units - units % step
        raise Refused(
            "error.amount.step", step=write(step), below=write(below), above=write(min(below + step, left))
        )
    return units


def years(typed: str, people: int) -> list[int]:
    """Parses one birth year per person, all of two digits or all of four, with or without separators.

    >>> years("80 85 12", 3), years("808512", 3), years("1980,1985,2012", 3)
    ([80, 85, 12], [80, 85, 12], [1980, 1985, 2012])
    """
    digits = SEPARATORS.sub("", typed)
    if not re.fullmatch(r"[0-9]+", digits):
        raise Refused("error.years.digits")
    if len(digits) == 4 * people:
        full = [digits[i : i + 4] for i in range(0, len(digits), 4)]
        if all(year[:2] in ("19", "20") for year in full):
            return [int(year) for year in full]
    if len(digits) != 2 * people:
        raise Refused("error.years.count", wanted=people, digits=2 * people, typed=min(len(digits), 99))
    return [int(digits[i : i + 2]) for i in range(0, len(digits), 2)]
