"""The rule of likely duplicates as a table: which signs together make a pair."""

from typing import Any
from uuid import UUID

import pytest

from mutuelle.households.duplicate_candidates import LIKELY, POINTS, DuplicateCandidate, DuplicateReason

BARE = {
    "same_name": False,
    "years_apart": 0,
    "same_mutuelle": False,
    "same_number": False,
    "same_phone": False,
    "others": 0,
}
NAME_AND_YEAR = {"same_name": True}
NEAR = {"same_name": True, "years_apart": 1}


def candidate(**signs: Any) -> DuplicateCandidate:
    ids = [UUID(int=place) for place in range(5)]
    return DuplicateCandidate(
        household_id=ids[0],
        member_id=ids[1],
        number="1000000005",
        other_tenant_id=ids[2],
        other_household_id=ids[3],
        other_member_id=ids[4],
        other_number="1000000013",
        is_earlier=True,
        **(BARE | signs),
    )


@pytest.mark.parametrize(
    ("signs", "score", "is_likely"),
    [
        (NAME_AND_YEAR, 60, False),
        (NAME_AND_YEAR | {"same_mutuelle": True}, 70, True),
        (NAME_AND_YEAR | {"others": 1}, 75, True),
        (NAME_AND_YEAR | {"others": 5}, 90, True),
        (NAME_AND_YEAR | {"same_phone": True}, 90, True),
        (NAME_AND_YEAR | {"same_number": True}, 120, True),
        (NEAR, 50, False),
        (NEAR | {"same_mutuelle": True}, 60, False),
        (NEAR | {"others": 1}, 65, False),
        (NEAR | {"others": 2}, 80, True),
        (NEAR | {"same_phone": True}, 80, True),
        ({"same_number": True}, 80, True),  # two heads of one year
        ({"same_number": True, "years_apart": 1}, 70, True),
        ({"same_phone": True, "same_mutuelle": True}, 60, False),
    ],
)
def test_the_signs_that_agree_make_a_pair_or_not(signs: dict[str, Any], score: int, is_likely: bool) -> None:
    assert (candidate(**signs).score, candidate(**signs).is_likely) == (score, is_likely)


def test_the_reasons_are_in_the_order_of_the_page() -> None:
    every = candidate(same_name=True, same_mutuelle=True, same_number=True, same_phone=True, others=2)
    assert every.reasons == tuple(reason for reason in DuplicateReason if reason != DuplicateReason.YEAR_NEAR)
    assert candidate(years_apart=1).reasons == (DuplicateReason.YEAR_NEAR,)


def test_name_and_year_need_a_second_sign() -> None:
    assert POINTS[DuplicateReason.NAME] + POINTS[DuplicateReason.YEAR] < LIKELY
    assert set(POINTS) == set(DuplicateReason)
