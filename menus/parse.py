"""Understand what people type on a keypad: counts, amounts, birth years. Pure; what is wrong is Refused with
its words."""

import re
from collections.abc import Callable

from mutuelle.errors import Refused

GROUPED = re.compile(r"[0-9]{1,3}([ .,'][0-9]{3})+")
CURRENCY = re.compile(r"\s*(FCFA|F|CFA|XOF|XAF|RWF|FRW|FRS|MRU)\.?$", re.IGNORECASE)
SEPARATORS = re.compile(r"[\s.,;:/+-]+")


def count(typed: str, least: int, most: int) -> int:
    """A whole number between `least` and `most`."""
    typed = typed.strip()
    if not re.fullmatch(r"[0-9]{1,3}", typed) or not least <= int(typed) <= most:
        raise Refused("error.count", least=least, most=most)
    return int(typed)


def whole(typed: str) -> int:
    """An amount in whole units, as people write it: `5000`, `5 000`, `5.000 FCFA`. Signs, decimals, words are
    refused."""
    plain = CURRENCY.sub("", typed.strip())
    if GROUPED.fullmatch(plain):
        plain = re.sub("[^0-9]", "", plain)
    if not re.fullmatch(r"[0-9]{1,9}", plain):
        raise Refused("error.amount")
    return int(plain)


def amount(typed: str, step: int, left: int, spoken: Callable[[int], str], scale: int = 1) -> int:
    """A sum to pay: a multiple of `step`, at most `left`; the whole rest is always accepted.

    One of what is typed is `scale` smallest units, in which the others are told.
    """
    units = whole(typed) * scale
    if units == left:
        return units
    if units > left:
        raise Refused("error.amount.high", left=spoken(left))
    if units < step:
        raise Refused("error.amount.low", lowest=spoken(min(step, left)))
    if units % step:
        below = units - units % step
        raise Refused(
            "error.amount.step", step=spoken(step), below=spoken(below), above=spoken(min(below + step, left))
        )
    return units


def years(typed: str, wanted: int) -> list[int]:
    """`wanted` birth years, of two digits each or all of four, with or without separators.

    >>> years("80 85 12", 3), years("808512", 3), years("1980,1985,2012", 3)
    ([80, 85, 12], [80, 85, 12], [1980, 1985, 2012])
    """
    digits = SEPARATORS.sub("", typed)
    if not re.fullmatch(r"[0-9]+", digits):
        raise Refused("error.years.digits")
    if len(digits) == 4 * wanted:
        full = [digits[i : i + 4] for i in range(0, len(digits), 4)]
        if all(year[:2] in ("19", "20") for year in full):
            return [int(year) for year in full]
    if len(digits) != 2 * wanted:
        raise Refused("error.years.count", wanted=wanted, digits=2 * wanted, typed=min(len(digits), 99))
    return [int(digits[i : i + 2]) for i in range(0, len(digits), 2)]
