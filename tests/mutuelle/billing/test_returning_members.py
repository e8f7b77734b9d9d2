"""A member removed by mistake and added again on the same day is covered as before (I14)."""

from itertools import permutations

import pytest

from mutuelle.cover.household_rights import RightsState
from tests.mutuelle.billing.days import later
from tests.mutuelle.billing.same_day_acts import state_of_member, states_of_members
from tests.mutuelle.billing.world import BilledHousehold
from tests.support.people import World

ACTS = ("removal", "return", "newborn")


@pytest.mark.parametrize(
    "order", [o for o in permutations(ACTS) if o.index("removal") < o.index("return")], ids="-".join
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_member_removed_by_mistake_stays_covered_though_a_child_joins(
    day_world: World, order: tuple[str, ...], times: int
) -> None:
    """The child of 2015 is paid for, the newborn is not."""
    household = BilledHousehold(day_world.senegal)
    household.pays(11_500)
    later(household, 40)
    for act in order:
        if act == "newborn":
            household.adds(born=2021)
        if act == "removal":
            household.loses(born=2015)
            for _ in range(times - 1):
                household.adds(born=2015)
                household.loses(born=2015)
        if act == "return":
            household.adds(born=2015)
    for days in (40, 41, 60):
        later(household, days)
        assert state_of_member(household, 2015) == RightsState.OPEN
        assert state_of_member(household, 2021) == RightsState.PART_PAID
    household.pays(3_500)
    assert state_of_member(household, 2021) == RightsState.OPEN


@pytest.mark.parametrize("newborn", [True, False])
def test_an_unpaid_member_removed_by_mistake_stays_unpaid(day_world: World, newborn: bool) -> None:
    household = BilledHousehold(day_world.senegal)
    household.pays(11_500)
    later(household, 40)
    household.adds(born=2019)
    later(household, 45)
    household.loses(born=2019)
    household.adds(born=2019)
    if newborn:
        household.adds(born=2021)
    assert state_of_member(household, 2019) == RightsState.PART_PAID
    household.pays(3_500)  # for the one who came first
    assert state_of_member(household, 2019) == RightsState.OPEN


def test_only_one_of_two_newcomers_takes_the_place_of_one_who_left(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    household.pays(11_500)
    later(household, 40)
    household.loses(born=2015)
    household.adds(born=2015)
    household.adds(born=2015)
    states = states_of_members(household, 2015)
    assert sorted(states) == [RightsState.OPEN, RightsState.PART_PAID]
