"""The price of a bill that has opened nothing is that of the household of today, whatever came before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mutuelle import clock, db
from mutuelle.money import Money
from mutuelle.payments import reversals
from mutuelle.payments.operators import Movement
from mutuelle.verification import verify
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database

START = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def settled(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    on_day(0)
    yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    on_day(0)
    yield settled
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []


def on_day(days: int) -> None:
    clock.install(clock.Source())
    moment = START + timedelta(days)
    clock.install(clock.Source(shift_s=round((moment - clock.now()).total_seconds())))


def later(household: BilledHousehold, days: int) -> None:
    on_day(days)
    household.today = clock.today("Africa/Dakar")


def pays_and_is_taken_back(household: BilledHousehold, units: int, day: int) -> None:
    """Pays, adds a child late in the period, and loses the money again."""
    transaction = household.pays(units)
    later(household, day)
    household.adds(born=2020)
    account = household.place.account
    back = Movement(str(clock.new_id()), Money(units, account.currency), clock.now(), reverses=transaction)
    with db.transaction(db.Role.WORKER, household.tenant) as session:
        reversals.apply(session, account, back)


@pytest.mark.parametrize("days_later", [0, 1, 30])
def test_a_year_that_was_never_covered_costs_its_whole_price(world: World, days_later: int) -> None:
    """A child of the eleventh month cost 583; without cover, the household of one owes 3 500 again."""
    household = BilledHousehold(world.senegal, born=(1985,))
    pays_and_is_taken_back(household, 4_500, day=350)
    later(household, 350 + days_later)
    household.loses(born=2020)
    assert household.stands().owed_dues == 3_500
    household.adds(born=2021)
    assert household.stands().owed_dues == 7_000
    household.adds(born=2019)
    household.loses(born=2021)
    assert household.stands().owed_dues == 7_000


def test_members_leave_one_after_the_other_after_a_reversal(world: World) -> None:
    """The second removal was refused for ever: it would have made the share negative."""
    household = BilledHousehold(world.senegal, born=(1985,))
    transaction = household.pays(4_500)
    later(household, 350)
    for year in (2018, 2019, 2020):
        household.adds(born=year)
    account = household.place.account
    back = Movement(str(clock.new_id()), Money(4_500, account.currency), clock.now(), reverses=transaction)
    with db.transaction(db.Role.WORKER, household.tenant) as session:
        reversals.apply(session, account, back)
    owed = []
    for day, year in enumerate((2018, 2019, 2020), 351):
        later(household, day)
        household.loses(born=year)
        owed.append(household.stands().owed_dues)
    assert owed == [10_500, 7_000, 3_500]


def test_a_bill_that_has_opened_cover_still_changes_for_the_months_to_come(world: World) -> None:
    household = BilledHousehold(world.senegal, born=(1985,))
    household.pays(4_500)
    later(household, 350)
    household.adds(born=2020)
    owed = household.stands().owed_dues
    assert 0 < owed < 3_500
    later(household, 351)
    household.loses(born=2020)
    assert household.stands().owed_dues == 0
