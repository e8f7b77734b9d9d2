"""A mistyped member number is refused, and never leads to another household."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutuelle.errors import Refused
from mutuelle.households import member_numbers

BODY = st.integers(10**8, 10**9 - 1).map(str)


@given(BODY)
def test_a_new_number_is_ten_digits_and_passes_its_own_check(body):
    number = member_numbers.new(lambda count: body[:count])
    assert (len(number), number[:9]) == (10, body)
    assert member_numbers.check(number) == number


@given(BODY, st.integers(0, 9), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(body, place, shift):
    number = member_numbers.new(lambda count: body)
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    with pytest.raises(Refused, match=r"number\.wrong"):
        member_numbers.check(wrong)


@given(BODY, st.integers(0, 8))
def test_two_neighbours_swapped_are_always_found(body, place):
    number = member_numbers.new(lambda count: body)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    if swapped != number:
        with pytest.raises(Refused):
            member_numbers.check(swapped)


@given(BODY)
def test_a_number_may_be_written_in_groups(body):
    number = member_numbers.new(lambda count: body)
    assert member_numbers.check(f"{number[:3]} {number[3:6]} {number[6:]}") == number
    assert member_numbers.check(f" {number[:5]}-{number[5:]}.") == number


@pytest.mark.parametrize(
    "text", ["", "123", "12345678901", "0000000000", "١٢٣٤٥٦٧٨٩٠", "12345abcde", "1²34567890", "*384*55#"]
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(Refused) as refused:
        member_numbers.check(text)
    assert refused.value.key == "number.wrong"


@given(BODY)
def test_a_right_number_in_other_digits_than_ours_is_refused(body):
    number = member_numbers.new(lambda count: body)
    with pytest.raises(Refused, match=r"number\.wrong"):
        member_numbers.check(number.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))


def test_the_source_of_chance_is_the_callers():
    counts = []

    def digits(count: int) -> str:
        counts.append(count)
        return str(random.Random(7).randrange(10 ** (count - 1), 10**count))

    assert member_numbers.new(digits) == member_numbers.new(digits)
    assert counts == [9, 9]
