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


@pytest.mark.parametrize("currency", ["XOF", "XAF", "RWF"])
def test_a_franc_has_no_hundredths_and_no_thousandth_is_paid(currency: str) -> None:
    for text in ("0.5", "5.05"):
        with pytest.raises(Malformed):
            money.parse(text, currency)
    with pytest.raises(Malformed):
        money.parse("5.005", "MRU")


@pytest.mark.parametrize(
    ("amount", "shown", "typed", "wire"),
    [
        (Money(5_000, "XOF"), "5 000 FCFA", "5000", "5000"),
        (Money(1_234_567, "XAF"), "1 234 567 FCFA", "1234567", "1234567"),
        (Money(7_001, "RWF"), "7 001 RWF", "7001", "7001"),
        (Money(1_205, "MRU"), "12,05 MRU", "12,05", "12.05"),
        (Money(123_450, "MRU"), "1 234,50 MRU", "1234,50", "1234.50"),
        (Money(1_200, "MRU"), "12 MRU", "12", "12.00"),
        (Money(5, "MRU"), "0,05 MRU", "0,05", "0.05"),
    ],
)
def test_an_amount_is_shown_typed_and_sent_without_losing_a_unit(
    amount: Money, shown: str, typed: str, wire: str
) -> None:
    assert (str(amount), amount.typed(), money.wire(amount)) == (shown, typed, wire)
    assert money.from_typed(amount.typed(), amount.currency) == amount.units
    assert money.parse(money.wire(amount), amount.currency) == amount


def test_money_that_is_missing_has_one_minus() -> None:
    missing = Money(-1_205, "MRU")
    assert (str(missing), missing.typed()) == ("-12,05 MRU", "-12,05")


@pytest.mark.parametrize("text", ["5,5", "5.05.1", "", "-5", "٣", "1" * 13, "5 a"])
def test_what_is_no_sum_of_francs_is_none(text: str) -> None:
    assert money.from_typed(text, "XOF") == 0


def test_a_sum_of_twelve_digits_is_the_longest() -> None:
    assert money.from_typed("1" * 12, "XOF") == int("1" * 12)
    assert money.from_typed("1234567890,5", "MRU") == 123_456_789_050
    assert money.from_typed("12345678901,5", "MRU") == 0


def test_two_currencies_are_never_added() -> None:
    assert Money(5, "XOF") + Money(3, "XOF") == Money(8, "XOF")
    assert Money(5, "XOF") - Money(3, "XOF") == Money(2, "XOF")
    for act in (Money.__add__, Money.__sub__):
        with pytest.raises(ValueError, match="RWF is not XOF"):
            act(Money(5, "XOF"), Money(3, "RWF"))


@pytest.mark.parametrize(("text", "units"), [("0", 0), ("0.00", 0), ("-0", 0), ("-12", -12), ("12.0", 12)])
def test_a_wallet_may_be_empty_or_overdrawn(text: str, units: int) -> None:
    assert money.parse_balance(text, "XOF") == Money(units, "XOF")


@pytest.mark.parametrize("text", ["", "-", "--1", "1e3", None, "0x"])
def test_what_is_no_balance_is_malformed(text: object) -> None:
    with pytest.raises(Malformed):
        money.parse_balance(text, "XOF")
    with pytest.raises(Malformed):
        money.parse_balance("0", "EUR")


@pytest.mark.parametrize(
    ("units", "weights", "parts"),
    [(7_001, [50, 50], [3_501, 3_500]), (5, [1, 1, 1], [2, 2, 1]), (10, [3, 0, 2], [6, 0, 4])],
)
def test_the_parts_of_a_split_add_up_and_the_first_carry_the_odd_units(
    units: int, weights: list[int], parts: list[int]
) -> None:
    assert money.split(units, weights) == parts
