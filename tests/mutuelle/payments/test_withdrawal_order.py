"""Money that leaves a receipt leaves what was paid last: the joining fee before the dues (decision 0004)."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from tests.mutuelle.billing.days import on_day, take_back
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database

DUES, FEE = 10_500, 1_000


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    people.connect(database.url)
    on_day(0)
    yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


def test_what_is_taken_back_in_part_leaves_the_joining_fee_before_the_dues(world: World) -> None:
    for _ in range(6):  # ids of bill lines are random: none may decide
        household = BilledHousehold(world.senegal)
        payment = household.pays(DUES + FEE)
        take_back(household, payment, FEE)
        position = household.stands()
        assert (position.owed, position.owed_dues) == (FEE, 0)
        assert position.right.state == "waiting"  # the dues are paid, cover begins in 30 days
        take_back(household, payment, 500)
        assert household.stands().owed_dues == 500
