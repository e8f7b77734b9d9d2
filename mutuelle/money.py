"""Money is a whole number of the smallest units of one currency; never a float.

XOF, XAF and RWF have no minor unit (ISO 4217, exponent 0); the ouguiya MRU is counted in khoums, 1/100 here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException

from mutuelle.errors import Malformed

EXPONENT = {"XOF": 0, "XAF": 0, "RWF": 0, "MRU": 2}
SYMBOL = {"XOF": "FCFA", "XAF": "FCFA", "RWF": "RWF", "MRU": "MRU"}
LARGEST = 10**12  # no mutuelle ever receives more at once; a larger number is a mistake or an attack


@dataclass(frozen=True, order=True)
class Money:
    """`units` smallest units of `currency`. Adding two currencies raises ValueError."""

    units: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        return Money(self.units + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.units - self._same(other), self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"{other.currency} is not {self.currency}")
        return other.units

    def typed(self) -> str:
        """Returns the sum as a person types it, `5000` or `12,50`. `from_typed` parses it."""
        digits = EXPONENT[self.currency]
        whole, part = divmod(abs(self.units), 10**digits)
        return f"{'-' if self.units < 0 else ''}{whole}" + (f",{part:0{digits}d}" if part else "")

    def __str__(self) -> str:
        """Returns `5 000 FCFA`, with plain spaces, so that an SMS stays in GSM-7."""
        digits = EXPONENT[self.currency]
        whole, part = divmod(abs(self.units), 10**digits)
        digits_shown = f"{whole:,}".replace(",", " ") + (f",{part:0{digits}d}" if part else "")
        return f"{'-' if self.units < 0 else ''}{digits_shown} {SYMBOL[self.currency]}"


def parse(value: object, currency: object) -> Money:
    """Parses an operator's amount: `"100"`, `"100.00"`, 100 and `Decimal("100.0")` are 100 XOF.

    Malformed for `"12.5"` XOF, signs, NaN, zero, floats and more than `LARGEST` units.
    """
    amount = parse_signed(value, currency)
    if amount.units <= 0 or (isinstance(value, str) and not value[0].isdecimal()):
        raise Malformed("an amount is positive and has no sign")
    return amount


def parse_signed(value: object, currency: object) -> Money:
    """Parses a change of a balance like `parse`; `"-100"` and 0 are allowed as well."""
    if not isinstance(currency, str) or currency not in EXPONENT:
        raise Malformed(f"unknown currency {currency!r:.20}")
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal) or len(str(value)) > 20:
        raise Malformed("an amount is an exact number or a short string of digits")
    if isinstance(value, str) and not value.removeprefix("-").replace(".", "", 1).isdecimal():
        raise Malformed("an amount has digits and at most one point")
    try:
        number = Decimal(value)
        units = number.scaleb(EXPONENT[currency])
        if not units.is_finite() or units != units.to_integral_value() or abs(units) > LARGEST:
            raise Malformed(f"an amount of {currency} is whole and at most {LARGEST}")
    except DecimalException as error:
        raise Malformed("an amount must be a number") from error
    return Money(int(units), currency)


def parse_balance(text: object, currency: object) -> Money:
    """Parses what a wallet holds: as `parse`, but it may be zero or negative."""
    digits = text.removeprefix("-") if isinstance(text, str) else text
    if isinstance(digits, str) and digits and not digits.strip("0.") and currency in EXPONENT:
        return Money(0, str(currency))
    amount = parse(digits, currency)
    return Money(-amount.units if digits != text else amount.units, amount.currency)


def wire(amount: Money) -> str:
    """Returns the amount as operators write it: `"5000"`, or `"12.50"` with a minor unit."""
    digits = EXPONENT[amount.currency]
    if not digits:
        return str(amount.units)
    whole, part = divmod(amount.units, 10**digits)
    return f"{whole}.{part:0{digits}d}"


def split(units: int, weights: Sequence[int]) -> list[int]:
    """Splits `units` by `weights`. The parts add up; the first parts carry the odd units.

    >>> split(7001, [50, 50])
    [3501, 3500]
    """
    whole = sum(weights)
    parts = [units * weight // whole for weight in weights]
    for i in range(units - sum(parts)):
        parts[i] += 1
    return parts


def from_typed(text: str, currency: str) -> int:
    """Parses a sum as people type it, `5 000`, `1 234,50`. Returns its units.

    Returns 0 when the text is no sum, or has more decimals than the currency.

    >>> from_typed("5 000", "XOF"), from_typed("12,5", "MRU")
    (5000, 1250)
    >>> from_typed("12,5", "XOF"), from_typed("beaucoup", "XOF")
    (0, 0)
    """
    digits = EXPONENT[currency]
    whole, _, part = "".join(text.split()).replace(",", ".").partition(".")
    typed = whole + part.ljust(digits, "0")
    if not whole or len(part) > digits or len(typed) > 12 or not (typed.isascii() and typed.isdigit()):
        return 0
    return int(typed)
