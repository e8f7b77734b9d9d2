"""Tests that published indicators hide small numbers, also from arithmetic with the other numbers."""

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mutuelle.reports.disclosure import HIDDEN, PublicReading, hide_parts, protect, protect_one
from mutuelle.reports.indicators import Reading

LEAST = 5


def shown(
    numerator: int, denominator: int | None = None, code: str = "open-share", behind: int | None = None
) -> PublicReading:
    return protect_one(
        Reading(code, "", "", numerator, denominator, abs(numerator) if behind is None else behind), LEAST
    )


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (4, 100, ("<5", 100, None)),
        (0, 3, ("<5", "<5", None)),
        (5, 7, ("*", 5, None)),  # 100 % would be another figure
        (14, 16, ("*", 15, None)),
        (12, 13, (10, 15, None)),
        (16, 16, (15, 15, None)),
        (23, 25, (20, 25, 800)),  # not 25 of 25
        (98, 100, (95, 100, 950)),
        (100, 100, (100, 100, 1000)),
        (99, 102, (95, 100, 950)),
        (50, 102, (50, 100, 500)),
    ],
)
def test_few_people_are_hidden_and_many_are_rounded(
    numerator: int, denominator: int, expected: tuple[object, ...]
) -> None:
    reading = shown(numerator, denominator)
    assert (reading.numerator, reading.denominator, reading.per_mille) == expected


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_rate_is_never_far_from_the_truth_and_never_all_or_nothing_without_being_it(a: int, b: int) -> None:
    numerator, denominator = sorted((a, b))
    rate = shown(numerator, denominator).per_mille
    if rate is None:
        return
    true = 1000 * numerator / denominator
    assert abs(rate - true) <= 1000 * 1.5 * LEAST / (denominator - LEAST)
    assert rate != 1000 or numerator == denominator
    assert rate != 0


def test_a_sum_that_rounds_to_its_whole_or_to_nothing_is_hidden() -> None:
    # Six households paid 30 500 of 52 500: the step is 100 000.
    assert shown(30_500, 52_500, "collection", 6) == PublicReading("collection", "", "", "*", 100_000, False)
    assert shown(60_500, 62_500, "collection", 6).numerator == "*"
    assert shown(3_990_000, 4_203_500, "collection", 400).per_mille == 952


def test_growth_is_hidden_by_how_many_moved_not_by_their_difference() -> None:
    assert shown(1, 200, "growth", behind=41).numerator == 0
    assert shown(-23, 200, "growth", behind=23).numerator == -25
    assert shown(3, 200, "growth", behind=3).numerator == "<5"


def test_a_target_population_is_public_already() -> None:
    assert shown(7, 18_503, "penetration").denominator == 18_503
    assert shown(7, None, "penetration").denominator is None
    assert shown(2, 18_503, "penetration").denominator == 18_503


def test_money_is_rounded_to_about_what_five_households_owe() -> None:
    # 24 500 of two households must stay hidden; 4 200 000 of 400 is 10 500 each, five of them owe 52 500.
    assert (
        shown(24_500, 30_000, "collection", 2).numerator,
        shown(24_500, 30_000, "collection", 2).denominator,
    ) == (
        "<5",
        "<5",
    )
    assert shown(4_203_500, None, "subsidy-due", 400).numerator == 4_200_000
    # The step is the next power of ten, 100 000: the sum does not reveal whether there are 400 households or
    # 401.
    assert shown(4_210_500, None, "subsidy-due", 401).numerator == 4_200_000


def test_what_a_few_households_sponsor_gets_is_not_the_difference_of_two_shown_sums() -> None:
    readings = [Reading("subsidy-due", "", "", 4_260_000, None, 400)]
    readings += [Reading("subsidy-due", "payer", name, units, None, behind)
                 for name, units, behind in (("state", 4_200_000, 400), ("sponsor", 60_000, 4))]  # fmt: skip
    assert [reading.by for reading in protect(readings, LEAST)] == [""]  # only the whole is shown
    both = [Reading("subsidy-due", "payer", name, 4_200_000, None, 400) for name in ("commune", "state")]
    assert len(protect(both, LEAST)) == 2


def test_a_median_of_few_payments_is_hidden_and_of_many_is_shown() -> None:
    assert shown(63, None, "match-time", behind=4).numerator == "<5"
    assert shown(63, None, "match-time", behind=5).numerator == 63


def possible(value: object) -> range:
    """The true numbers that would be shown as this value."""
    if value == HIDDEN:
        return range(LEAST, 60)
    return (
        range(LEAST) if value == f"<{LEAST}" else range(max(LEAST, int(str(value)) - 2), int(str(value)) + 3)
    )


# 68 is shown as 70, each 32 as 30: if both were shown, the missing number would have to be 4.
@example([4, 32, 32])
@example([0, 28, 28, 28])
@given(st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_no_hidden_part_can_be_found_by_taking_the_others_from_the_whole(parts: list[int]) -> None:
    whole = shown(sum(parts), 1_000).numerator
    values = hide_parts([shown(part, 1_000).numerator for part in parts], LEAST)
    if values is None:
        assert sum(part >= LEAST for part in parts) < 2
        return
    *first, last = map(possible, values)
    fits = [(*some, rest) for some in product(*first) for rest in last if sum(some) + rest in possible(whole)]
    assert tuple(parts) in fits
    for place, part in enumerate(parts):
        if part < LEAST:
            assert len({all_[place] for all_ in fits}) >= 2


def test_a_part_is_hidden_for_the_sake_of_another_by_its_place_not_by_its_size() -> None:
    assert hide_parts(["<5", 90, 30], LEAST) == ["<5", HIDDEN, 30]
    assert hide_parts([30, 90, "<5", 10], LEAST) == [HIDDEN, 90, "<5", 10]
    assert hide_parts([30, 30], LEAST) == [30, 30]
    assert hide_parts(["<5", 30], LEAST) is None  # the other one is what is missing
    assert hide_parts(["<5", "<5"], LEAST) is None  # 10 of all would be 4 and 4


def test_parts_that_cannot_be_shown_are_left_out_and_the_whole_stays() -> None:
    readings = [Reading("open-share", "", "", 40, 50, 40)]
    readings += [Reading("open-share", "language", name, n, n + 5, n) for name, n in (("en", 3), ("fr", 37))]
    readings += [
        Reading("open-share", "channel", name, n, 20, n) for name, n in (("a", 3), ("b", 17), ("c", 20))
    ]
    published = {
        (reading.by, reading.slice): (reading.numerator, reading.denominator)
        for reading in protect(readings, LEAST)
    }
    assert published == {
        ("", ""): (40, 50),
        ("channel", "a"): ("<5", 20),
        ("channel", "b"): (HIDDEN, 20),
        ("channel", "c"): (20, 20),
    }


def test_the_states_of_households_share_one_denominator() -> None:
    readings = [
        Reading("rights-state", "state", name, n, 68, n)
        for name, n in (("lapsed", 4), ("open", 32), ("waiting", 32))
    ]
    published = {
        reading.slice: (reading.numerator, reading.denominator) for reading in protect(readings, LEAST)
    }
    # The open ones are the whole of the indicator: hidden here, they would still be read there.
    assert published == {"lapsed": ("<5", 70), "open": (30, 70), "waiting": (HIDDEN, 70)}
    assert hide_parts(["<5", 30, "<5"], LEAST, exempt=[1]) is None
