"""Amounts of operators are read exactly, in every form of a JSON number or text, or not at all."""

from decimal import Decimal

import pytest

from mutuelle import money
from mutuelle.errors import Malformed
from mutuelle.money import Money


@pytest.mark.parametrize(
    ("value", "currency", "units"),
    [
        ("3000", "XOF", 3_000),
        ("3000.0", "XOF", 3_000),
        ("3000.00", "RWF", 3_000),
        (3_000, "XOF", 3_000),
        (Decimal("3000.0"), "XOF", 3_000),
        (Decimal("3E+3"), "XAF", 3_000),
        ("12.5", "MRU", 1_250),
        (Decimal("12.50"), "MRU", 1_250),
        (10**12, "XOF", 10**12),
    ],
)
def test_an_amount_is_read_exactly(value: object, currency: str, units: int) -> None:
    assert money.parse(value, currency) == Money(units, currency)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-5",
        "+5",
        "--5",
        "12.5",
        "1.2.3",
        "3 000",
        "3,000",
        "NaN",
        "7e3",
        "0",
        "0.0",
        "1" * 21,
        0,
        -1,
        10**12 + 1,
        3_000.0,
        True,
        None,
        [],
        {},
        Decimal("12.5"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("1E+999999"),
        Decimal("1E-999999"),
        Decimal("-3000"),
        Decimal("0.0"),
    ],
)
def test_what_is_no_amount_is_never_defaulted(value: object) -> None:
    with pytest.raises(Malformed):
        money.parse(value, "XOF")


@pytest.mark.parametrize("currency", ["EUR", "", None, 5, []])
def test_an_unknown_currency_is_malformed(currency: object) -> None:
    with pytest.raises(Malformed):
        money.parse("5", currency)


def test_a_change_of_a_balance_has_a_sign() -> None:
    assert money.parse_signed("-12.00", "XOF") == Money(-12, "XOF")
    assert money.parse_signed(Decimal("-12.5"), "MRU") == Money(-1_250, "MRU")
    assert money.parse_signed("0", "XOF") == Money(0, "XOF")
