"""Credit that a bill freed and asks for again on the same day comes back only where it still is."""

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
