"""Parsing of typed input, and the error line when it cannot be parsed."""

from datetime import date

import pytest

from menus import parse
from menus.enrol import birth_year
from menus.values import day
from mutuelle.errors import Refused


def refused(call, *args):
    with pytest.raises(Refused) as caught:
        call(*args)
    return caught.value.key, caught.value.values


@pytest.mark.parametrize(
    ("typed", "units"),
    [("5000", 5000), ("5 000", 5000), ("5.000 F", 5000), ("12,500 FCFA", 12500), (" 7 ", 7)],
)
def test_amounts_as_people_write_them(typed, units):
    assert parse.whole(typed) == units


@pytest.mark.parametrize("typed", ["", "abc", "-5", "12.5", "1e3", "5 00", "٥", "5000000000", "5000 EUR"])
def test_what_is_no_amount(typed):
    assert refused(parse.whole, typed) == ("error.amount", {})


def test_a_refused_amount_is_shown_the_allowed_amounts():
    assert parse.amount("450", 100, 450, str) == 450
    assert refused(parse.amount, "460", 100, 450, str) == ("error.amount.high", {"left": "450"})
    assert refused(parse.amount, "50", 100, 450, str) == ("error.amount.low", {"lowest": "100"})
    assert refused(parse.amount, "0", 100, 50, str) == ("error.amount.low", {"lowest": "50"})
    assert refused(parse.amount, "420", 100, 450, str) == (
        "error.amount.step",
        {"step": "100", "below": "400", "above": "450"},
    )


@pytest.mark.parametrize(
    ("typed", "number"), [("1", 1), ("20", 20), ("04", 4), ("004", 4), (" 4 ", 4), ("020", 20)]
)
def test_counts_as_people_write_them(typed, number):
    assert parse.count(typed, 1, 20) == number


@pytest.mark.parametrize("typed", ["", "x", "0", "21", "1.5", "+2", "٢", "0002"])
def test_what_is_no_count(typed):
    assert refused(parse.count, typed, 1, 20) == ("error.count", {"least": 1, "most": 20})


def test_birth_years():
    assert parse.years("8085-10", 3) == [80, 85, 10]
    assert parse.years("1926 90", 3) == [19, 26, 90]
    assert refused(parse.years, "", 2)[0] == "error.years.digits"
    assert refused(parse.years, "80 ab", 2)[0] == "error.years.digits"
    assert refused(parse.years, "808", 2) == ("error.years.count", {"wanted": 2, "digits": 4, "typed": 3})


def test_who_is_adult_and_who_is_not():
    on = date(2026, 11, 22)
    assert (birth_year(8, True, on), birth_year(9, False, on), birth_year(1921, True, on)) == (
        2008,
        2009,
        1921,
    )
    assert refused(birth_year, 9, True, on) == ("born.not-adult", {"year": 2009})
    assert refused(birth_year, 1985, False, on) == ("born.not-child", {"year": 1985})
    assert refused(birth_year, 1900, True, on) == ("born.impossible", {"year": 1900})


def test_dates_are_written_the_same_in_every_language():
    assert (day(date(2026, 11, 22)), day("2026-11-22"), day(None)) == ("22/11/2026", "22/11/2026", "")
