"""A change of a bill counts for the months of its cover that are not over, also at odd ends of months."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from tests.mutuelle.billing.days import later_on, on_date, take_back, valid_books
from tests.mutuelle.billing.same_day_acts import is_refused, proves_indigence
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database


@pytest.fixture
def world(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    module_database.empty()
    on_date(2027, 3, 1)
    with valid_books():
        yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


def test_the_last_month_of_a_cover_that_began_on_a_31st_is_one_month(world: World) -> None:
    household = BilledHousehold(world.senegal)
    household.pays(10_500)  # covers 31 March 2027 to 30 March 2028, the last month from 29 February on
    later_on(household, 2028, 2, 28)
    assert household.parts() == {"member": 10_500, "state": 10_500}
    later_on(household, 2028, 2, 29)
    household.loses(born=2015)
    assert household.parts() == {"member": 10_208, "state": 10_208}  # 875 - 583 less


def test_who_joins_while_a_correction_pauses_the_cover_is_billed(world: World) -> None:
    household = BilledHousehold(world.senegal)
    proves_indigence(household)  # covers 31 March 2027 to 30 March 2028 at once
    later_on(household, 2027, 6, 30)
    is_refused(household)  # nine months to come: 10 500 x 9 / 12 to pay, or cover ends today
    assert household.parts() == {"member": 7_875, "state": 21_000 - 7_875}
    later_on(household, 2027, 7, 10)
    assert household.stands().right.state != "open"
    household.adds(born=1970)  # 3 500 x 9 / 12 more
    assert household.parts() == {"member": 10_500, "state": 21_000 - 7_875 + 2_625}


def test_money_taken_back_and_paid_again_buys_all_months_and_a_proof_prices_all(world: World) -> None:
    household = BilledHousehold(world.senegal)
    first = household.pays(10_500)
    household.pays(20_000)  # the fee, and credit
    later_on(household, 2027, 10, 5)
    household.adds(born=1970)
    assert household.parts()["member"] == 12_250  # six months more of one person
    take_back(household, first, 100)  # which the credit pays: cover begins anew, with all its months
    later_on(household, 2027, 10, 8)
    assert household.stands().right.state == "waiting"
    proves_indigence(household)
    assert {payer: units for payer, units in household.parts().items() if units} == {"state": 28_000}
