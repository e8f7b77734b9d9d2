"""The price of a bill that has opened nothing is that of the household of today, whatever came before."""

import pytest

from tests.mutuelle.billing.days import later, take_back
from tests.mutuelle.billing.world import BilledHousehold
from tests.support.people import World


def pays_and_is_taken_back(household: BilledHousehold, units: int, day: int) -> None:
    """Pays, adds a child late in the period, and loses the money again."""
    transaction = household.pays(units)
    later(household, day)
    household.adds(born=2020)
    take_back(household, transaction, units)


@pytest.mark.parametrize("days_later", [0, 1, 30])
def test_a_year_that_was_never_covered_costs_its_whole_price(day_world: World, days_later: int) -> None:
    """A child of the eleventh month cost 583; without cover, the household of one owes 3 500 again."""
    household = BilledHousehold(day_world.senegal, born=(1985,))
    pays_and_is_taken_back(household, 4_500, day=350)
    later(household, 350 + days_later)
    household.loses(born=2020)
    assert household.stands().owed_dues == 3_500
    household.adds(born=2021)
    assert household.stands().owed_dues == 7_000
    household.adds(born=2019)
    household.loses(born=2021)
    assert household.stands().owed_dues == 7_000


def test_members_leave_one_after_the_other_after_a_reversal(day_world: World) -> None:
    """The second removal was refused for ever: it would have made the share negative."""
    household = BilledHousehold(day_world.senegal, born=(1985,))
    transaction = household.pays(4_500)
    later(household, 350)
    for year in (2018, 2019, 2020):
        household.adds(born=year)
    take_back(household, transaction, 4_500)
    owed = []
    for day, year in enumerate((2018, 2019, 2020), 351):
        later(household, day)
        household.loses(born=year)
        owed.append(household.stands().owed_dues)
    assert owed == [10_500, 7_000, 3_500]


def test_a_bill_that_has_opened_cover_still_changes_for_the_months_to_come(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal, born=(1985,))
    household.pays(4_500)
    later(household, 350)
    household.adds(born=2020)
    owed = household.stands().owed_dues
    assert 0 < owed < 3_500
    later(household, 351)
    household.loses(born=2020)
    assert household.stands().owed_dues == 0
