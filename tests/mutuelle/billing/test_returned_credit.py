"""Money that a smaller bill freed, beside money that was taken back."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from tests.mutuelle.billing.days import later, on_day, take_back, valid_books
from tests.mutuelle.billing.same_day_acts import is_refused, proves_indigence
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    people.connect(database.url)
    on_day(0)
    with valid_books():
        yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


def test_a_payment_is_taken_back_between_a_proof_and_its_refusal_of_one_day(world: World) -> None:
    household = BilledHousehold(world.senegal)
    payment = household.pays(10_500)
    later(household, 2)
    proves_indigence(household)  # frees the dues, of which the joining fee takes its 1 000
    assert (household.stands().owed, household.stands().credit) == (0, 9_500)
    take_back(household, payment, 10_500)
    is_refused(household)
    assert (household.stands().owed, household.stands().credit) == (11_500, 0)


def test_what_is_freed_after_a_reversal_was_paid_all_the_same(world: World) -> None:
    household = BilledHousehold(world.senegal, born=(1985, 1990))
    payment = household.pays(7_000)
    take_back(household, payment, 100)
    household.pays(1_100)  # covers from day 30 on
    later(household, 70)
    proves_indigence(household)  # eleven months to come: 7 000 x 11 / 12 back
    assert household.parts() == {"member": 584, "state": 13_417}
    later(household, 71)
    household.adds(born=1970)  # 7 000 x 11 / 12 more of the State
    assert household.parts() == {"member": 584, "state": 19_834}
