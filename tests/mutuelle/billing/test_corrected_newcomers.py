"""A newcomer whose year of birth is corrected is covered as before the correction: paid, unpaid or free."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from mutuelle.cover.household_rights import RightsState
from tests.mutuelle.billing.days import ivorian_place, later, on_day, valid_books
from tests.mutuelle.billing.same_day_acts import correct_year, state_of_member
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import Place, World
from tests.support.templates import Database

COVERED_DAY = 93  # in Côte d'Ivoire, the waiting is over and the month that was paid runs


@pytest.fixture(scope="module")
def ivorian(module_database: Database) -> Iterator[Place]:
    people.connect(module_database.url)
    yield ivorian_place()
    clock.install(clock.Source())
    db.disconnect()


@pytest.fixture
def place(ivorian: Place) -> Iterator[Place]:
    on_day(0)
    with valid_books():
        yield ivorian


@pytest.mark.parametrize("year", [2018, 2015, 1985])  # the last two are the years of others, too
@pytest.mark.parametrize("days_after", [0, 5])
def test_an_unpaid_newcomer_whose_year_is_corrected_is_not_covered(
    day_world: World, days_after: int, year: int
) -> None:
    """3 500 are owed for the child of 2019, whatever its year."""
    household = BilledHousehold(day_world.senegal)
    household.pays(11_500)
    later(household, 40)
    household.adds(born=2019)
    later(household, 40 + days_after)
    assert state_of_member(household, 2019) == RightsState.PART_PAID
    correct_year(household, born=2019, year=2020)
    correct_year(household, born=2020, year=year)
    assert household.stands().owed == 3_500
    assert state_of_member(household, year) == RightsState.PART_PAID
    household.pays(3_500)
    assert state_of_member(household, year) == RightsState.OPEN


def test_an_unpaid_newcomer_stays_part_paid_when_another_year_is_corrected(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    household.pays(11_500)
    later(household, 40)
    household.adds(born=2019)
    later(household, 45)
    correct_year(household, born=2015, year=2014)
    assert state_of_member(household, 2019) == RightsState.PART_PAID
    assert state_of_member(household, 2014) == RightsState.OPEN


@pytest.mark.parametrize("baby_first", [True, False])
@pytest.mark.parametrize("year", [2025, 1985])
def test_a_free_baby_keeps_its_days_when_its_year_is_corrected(
    place: Place, year: int, baby_first: bool
) -> None:
    """An unpaid grandmother came on the day of the baby; the corrected year may cost or not."""
    household = BilledHousehold(place, born=(1985,))
    household.pays(1_000)
    later(household, COVERED_DAY)
    for born in (2027, 1960) if baby_first else (1960, 2027):
        household.adds(born=born)
    joined = household.today
    assert state_of_member(household, 2027) == RightsState.OPEN
    later(household, COVERED_DAY + 2)
    correct_year(household, born=2027, year=year)
    assert state_of_member(household, year, joined) == RightsState.OPEN
    assert state_of_member(household, 1960, joined) == RightsState.PART_PAID


def test_a_grandmother_who_turns_out_to_be_a_baby_is_covered_from_the_correction_on(place: Place) -> None:
    household = BilledHousehold(place, born=(1985,))
    household.pays(1_000)
    later(household, COVERED_DAY)
    household.adds(born=1960)
    joined = household.today
    later(household, COVERED_DAY + 2)
    correct_year(household, born=1960, year=2026)
    assert state_of_member(household, 2026) == RightsState.OPEN
    assert state_of_member(household, 2026, joined) == RightsState.PART_PAID
