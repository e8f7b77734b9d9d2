"""Who may own a receipt: a table of signs, and what people type."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutuelle.households import member_numbers
from mutuelle.payments import suspense_candidates
from mutuelle.payments.suspense_candidates import (
    CandidateSigns,
    is_number,
    neighbours,
    rank,
    score,
    typed_numbers,
)

NUMBER = next(n for n in (f"743227857{d}" for d in range(10)) if is_number(n))


@pytest.mark.parametrize(
    ("signs", "points"),
    [
        (set(), 0),
        ({"bill"}, 10),
        ({"bill", "owed", "opens"}, 12),  # one sum, one reason
        ({"request"}, 25),
        ({"former-phone"}, 30),
        ({"former-phone", "owed"}, 42),
        ({"asked-phone"}, 40),
        ({"paid-before", "asked-phone"}, 53),
        ({"number-near"}, 45),
        ({"phone"}, 60),
        ({"phone", "request"}, 85),
        ({"number"}, 80),
        ({"number", "phone", "request"}, 99),
        (suspense_candidates.IDENTITY_WEIGHTS.keys() | suspense_candidates.AMOUNT_WEIGHTS.keys(), 99),
    ],
)
def test_the_score_of_signs(signs: set[str], points: int) -> None:
    assert score(signs) == points


@given(
    st.sets(
        st.sampled_from(sorted(suspense_candidates.IDENTITY_WEIGHTS | suspense_candidates.AMOUNT_WEIGHTS))
    ),
    st.sampled_from(sorted(suspense_candidates.IDENTITY_WEIGHTS)),
)
def test_one_more_identity_sign_never_lowers_the_score(signs: set[str], more: str) -> None:
    assert score(signs) <= score(signs | {more}) <= suspense_candidates.SCORE_MAX


def test_the_likeliest_comes_first_with_its_strongest_reason() -> None:
    household, other = uuid4(), uuid4()
    first, second = rank(
        [CandidateSigns(household, frozenset({"owed"})), CandidateSigns(other, frozenset({"opens", "phone"}))]
    )
    assert (first.household_id, first.reasons) == (other, ("phone", "opens"))
    assert second.household_id == household


def test_a_sum_that_many_households_owe_suggests_no_household() -> None:
    village = [
        CandidateSigns(UUID(int=i), frozenset({"owed"}))
        for i in range(suspense_candidates.SHARED_AMOUNT_MAX + 1)
    ]
    assert rank(village) == []
    assert len(rank(village[1:])) == suspense_candidates.SHARED_AMOUNT_MAX
    pointed = CandidateSigns(UUID(int=99), frozenset({"owed", "asked-phone"}))
    assert [candidate.household_id for candidate in rank([*village, pointed])] == [pointed.household_id]


@pytest.mark.parametrize(
    ("reference", "numbers"),
    [
        (None, ()),
        ("", ()),
        ("cotisation", ()),
        ("12345", ()),
        ("743 227-8570 merci", ("7432278570",)),
        ("N°743.227.857", ("743227857",)),
        ("pour 7432278570/Awa", ("7432278570",)),
        ("9f7455fe-852c-4e68-99cf-0ed71dde995f", ()),
    ],
)
def test_what_in_a_reference_may_be_a_member_number(reference: str | None, numbers: tuple[str, ...]) -> None:
    assert typed_numbers(reference) == numbers


@given(st.integers(10**8, 10**9 - 1), st.integers(0, 9), st.integers(0, 9))
def test_every_single_slip_leads_back_to_the_number(body: int, place: int, digit: int) -> None:
    right = member_numbers.new(lambda count: str(body))
    for slip in (right[:place] + right[place + 1 :], right[:place] + str(digit) + right[place:]):
        assert right in neighbours(slip) or slip == right
    wrong = right[:place] + str(digit) + right[place + 1 :]
    assert wrong == right or right in neighbours(wrong)
