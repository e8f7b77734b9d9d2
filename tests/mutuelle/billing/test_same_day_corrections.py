"""Only what the corrections of a day ask more, net, must be paid to stay covered (decision 0009, I14)."""

from itertools import permutations

import pytest

from mutuelle.cover.household_rights import RightsState
from tests.mutuelle.billing.days import ivorian_place, later, on_day
from tests.mutuelle.billing.same_day_acts import (
    correct_year,
    is_found_to_be,
    is_refused,
    proves_indigence,
    sponsor,
)
from tests.mutuelle.billing.world import BilledHousehold
from tests.support.people import World

ACTS = {
    "proof": proves_indigence,
    "refusal": is_refused,
    "child": lambda household: household.adds(born=2020),
    "sponsor": lambda household: sponsor(household, percent=50),
}
ORDERS = [
    order
    for acts in (("proof", "refusal", "child"), ("proof", "refusal", "child", "sponsor"))
    for order in permutations(acts)
    if order.index("proof") < order.index("refusal")
]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_a_child_that_joins_on_the_day_of_a_mistaken_proof_closes_nothing(
    day_world: World, order: tuple[str, ...]
) -> None:
    """Whatever the order, as with what is real alone."""
    direct, roundabout = BilledHousehold(day_world.senegal), BilledHousehold(day_world.senegal)
    for household in (direct, roundabout):
        household.pays(11_500)
    later(roundabout, 40)
    later(direct, 40)
    for act in order:
        ACTS[act](roundabout)
        if act not in ("proof", "refusal"):
            ACTS[act](direct)
    for household in (direct, roundabout):
        later(household, 41)
    assert roundabout.stands().right.state == RightsState.OPEN
    if "sponsor" not in order:  # who takes over what is not paid at that moment
        assert roundabout.stands() == direct.stands()
        assert roundabout.parts() == direct.parts()


@pytest.mark.parametrize("order", [("up", "down", "child"), ("up", "child", "down"), ("child", "up", "down")])
def test_a_child_that_joins_on_the_day_of_a_mistaken_level_closes_nothing(
    day_world: World, order: tuple[str, ...]
) -> None:
    household = BilledHousehold(day_world.rwanda, category="level-3")
    household.pays(household.stands().owed)
    later(household, 20)
    for act in order:
        if act == "child":
            household.adds(born=2020)
        else:
            is_found_to_be(household, {"up": "level-5", "down": "level-3"}[act])
    later(household, 45)  # after December, until when three quarters suffice
    assert household.stands().right.state == RightsState.OPEN


def test_a_corrected_year_asks_anew_only_for_who_was_there_before(day_world: World) -> None:
    """Côte d'Ivoire: a grandmother typed as a free baby, corrected on that day, and on a later one."""
    assert day_world
    place = ivorian_place()
    for days_after, state in ((0, RightsState.OPEN), (1, RightsState.SUSPENDED)):
        on_day(0)
        household = BilledHousehold(place, born=(1985,))
        household.pays(1_000)
        later(household, 95)
        household.adds(born=2027)
        later(household, 95 + days_after)
        correct_year(household, born=2027, year=1960)
        assert household.stands().owed == 1_000
        assert household.stands().right.state == RightsState.OPEN
        later(household, 96 + days_after)
        assert household.stands().right.state == state


@pytest.mark.parametrize("child_first", [True, False])
@pytest.mark.parametrize("paid_for_level", [True, False])
def test_a_real_correction_asks_anew_and_a_child_of_that_day_does_not(
    day_world: World, child_first: bool, paid_for_level: bool
) -> None:
    """The level must be paid for from the day after; the child is owed, and closes nothing."""
    household, alone = (BilledHousehold(day_world.rwanda, category="level-3") for _ in range(2))
    for each in (household, alone):
        each.pays(each.stands().owed)
        later(each, 45)
    is_found_to_be(alone, "level-5")
    if paid_for_level:
        household.pays(alone.stands().owed)  # credit
    if child_first:
        household.adds(born=2020)
    is_found_to_be(household, "level-5")
    if not child_first:
        household.adds(born=2020)
    assert household.stands().owed > 0
    later(household, 46)
    later(alone, 46)
    assert alone.stands().right.state == RightsState.SUSPENDED
    expected = RightsState.OPEN if paid_for_level else RightsState.SUSPENDED
    assert household.stands().right.state == expected
