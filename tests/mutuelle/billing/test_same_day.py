"""What is noted by mistake and taken back on the same day leaves the household where it was (I14)."""

import pytest

from mutuelle import clock, db
from mutuelle.cover.household_rights import RightsState
from mutuelle.households import households
from mutuelle.organisation import sponsors
from tests.mutuelle.billing.days import later, on_day
from tests.mutuelle.billing.same_day_acts import (
    claims_category,
    is_refused,
    no_longer_sponsored,
    proves_indigence,
    sponsor,
    state_of,
)
from tests.mutuelle.billing.world import BilledHousehold
from tests.support.people import World


@pytest.mark.parametrize("paid", [0, 1_000, 3_500, 5_250, 10_500])
def test_two_children_added_by_mistake_and_removed_change_nothing(day_world: World, paid: int) -> None:
    household = BilledHousehold(day_world.senegal)
    if paid:
        household.pays(paid)
    later(household, 2)
    before = state_of(household)
    for year in (2020, 2021):
        household.adds(born=year)
    for year in (2020, 2021):
        household.loses(born=year)
    assert state_of(household) == before
    later(household, 60)
    assert household.stands().right.state == before[0].right.state or before[0].right.state == "waiting"


@pytest.mark.parametrize("paid", [0, 3_500, 10_500, 11_500])
def test_a_member_removed_by_mistake_and_added_again_changes_nothing(day_world: World, paid: int) -> None:
    household = BilledHousehold(day_world.senegal)
    if paid:
        household.pays(paid)
    later(household, 2)
    before = household.stands()
    household.loses(born=2015)
    household.adds(born=2015)
    after = household.stands()
    assert (after.owed, after.credit, after.right) == (before.owed, before.credit, before.right)


@pytest.mark.parametrize("paid", [3_500, 10_500, 11_000, 11_500])
@pytest.mark.parametrize("days_after", [0, 2])
def test_money_freed_by_mistake_comes_back_from_the_joining_fee(
    day_world: World, paid: int, days_after: int
) -> None:
    """The 3 500 that the removal frees pay the joining fee at once; the return takes them back from it."""
    household, unchanged = BilledHousehold(day_world.senegal), BilledHousehold(day_world.senegal)
    for each in (household, unchanged):
        each.pays(paid)
    later(household, days_after)
    before = state_of(household)
    for _ in range(2):
        household.loses(born=2015)
        household.adds(born=2015)
    assert state_of(household) == before
    for each in (household, unchanged):
        later(each, days_after + 1)
    assert household.stands() == unchanged.stands()


def test_a_proof_checked_and_refused_on_one_day_opens_nothing(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    later(household, 2)
    before = state_of(household)
    proves_indigence(household)
    assert household.stands().owed == 1_000  # the joining fee
    is_refused(household)
    assert state_of(household) == before
    later(household, 60)
    assert household.stands().right.state == RightsState.NEVER


def test_a_sponsor_noted_by_mistake_is_taken_back_on_the_same_day(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    later(household, 2)
    before = state_of(household)
    row = sponsor(household, percent=100)
    assert household.stands().owed == 1_000
    no_longer_sponsored(household)
    assert state_of(household) == before
    with db.transaction(db.Role.AUDITOR, household.tenant) as session:
        (balance,) = [b for b in sponsors.balances(session, household.tenant) if b.sponsor.id == row.id]
        assert (balance.promised, balance.households) == (0, 0)


def test_a_sponsor_that_ends_on_a_later_day_keeps_its_promise(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    sponsor(household, percent=50)
    later(household, 2)
    before = state_of(household)
    no_longer_sponsored(household)
    assert state_of(household) == before


def test_a_child_and_a_sponsor_of_one_day_ask_for_their_sum(day_world: World) -> None:
    """Half of 14 000 is the sponsor's: 7 000 open the cover, not the 5 250 that the order would give."""
    household = BilledHousehold(day_world.senegal)
    household.pays(5_250)
    later(household, 2)
    household.adds(born=2020)
    sponsor(household, percent=50)
    position = household.stands()
    assert position.right.state == RightsState.PART_PAID
    assert position.owed_dues == 7_000 - 5_250


def test_the_members_of_a_day_are_priced_from_the_start_of_the_day(day_world: World) -> None:
    """Whatever comes and goes in between, the bill is that of the household in the evening."""
    direct, roundabout = BilledHousehold(day_world.senegal), BilledHousehold(day_world.senegal)
    for household in (direct, roundabout):
        household.pays(4_000)
    on_day(2)
    for household in (direct, roundabout):
        household.today = clock.today("Africa/Dakar")
    direct.adds(born=2020)
    for year in (2019, 2018, 2020):
        roundabout.adds(born=year)
    roundabout.loses(born=2018)
    roundabout.loses(born=2019)
    assert roundabout.parts() == direct.parts()
    assert roundabout.stands() == direct.stands()


def test_a_category_claimed_and_proven_on_one_day_counts_once(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    later(household, 2)
    claims_category(household, "indigent")
    proves_indigence(household)
    with db.transaction(db.Role.AUDITOR) as session:
        claim = households.claim_of(session, household.tenant, household.id)
    assert claim is not None
    assert (claim.category, claim.standing) == ("indigent", "checked")
    assert household.stands().owed_dues == 0
