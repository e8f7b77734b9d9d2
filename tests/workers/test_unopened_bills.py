"""A bill without any cover follows the tariff of the day, and ends with its fixed year."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from mutuelle.cover import cover_books
from mutuelle.cover.household_rights import RightsState
from mutuelle.verification import verify
from tests.mutuelle.billing.days import ivorian_place, on_date, take_back, valid_books, write_bills
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database


@pytest.fixture
def world(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    module_database.empty()
    on_date(2027, 1, 10)
    with valid_books():
        yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


def opening_sum(household: BilledHousehold) -> int:
    return household.stands().next_opening.left_to_open


@pytest.mark.parametrize("part_paid", [0, 1_000])
def test_a_rwandan_year_that_opened_nothing_is_not_asked_in_july(world: World, part_paid: int) -> None:
    """It was 9 000 for a household of January, and 4 000 for a new phone."""
    household = BilledHousehold(world.rwanda, category="level-3")
    if part_paid:
        household.pays(part_paid)
    for month in (5, 6, 7):
        on_date(2027, month, 5)
        write_bills(household)
    newcomer = BilledHousehold(world.rwanda, category="level-3")
    whole = newcomer.stands().owed
    assert household.stands().owed == whole - part_paid
    assert opening_sum(household) == max(0, opening_sum(newcomer) - part_paid)
    with db.transaction(db.Role.AUDITOR) as session:
        books = cover_books.load(session, household.tenant, household.id)
    dead, current = sorted(
        (each for each in books.bills if each.kind == "dues"), key=lambda each: each.issued
    )
    assert (dead.member_share, dead.total) == (0, 0)
    assert current.total == newcomer.bill().total
    assert household.stands().right.state == (RightsState.PART_PAID if part_paid else RightsState.NEVER)
    write_bills(household)
    household.pays(whole - part_paid)
    assert household.stands().right.state == RightsState.OPEN


def test_who_used_half_the_year_owes_the_rest(world: World) -> None:
    on_date(2026, 7, 5)
    household = BilledHousehold(world.rwanda, category="level-3")
    whole = household.stands().owed
    household.pays(paid := opening_sum(household))
    assert paid < whole
    assert household.stands().right.state == RightsState.OPEN
    for month in (6, 7):
        on_date(2027, month, 5)
        write_bills(household)
    assert household.stands().owed == whole - paid + whole


@pytest.mark.parametrize("same_day", [True, False])
def test_a_year_whose_money_was_taken_back_is_asked_if_a_day_of_it_was_covered(
    world: World, same_day: bool
) -> None:
    household = BilledHousehold(world.rwanda, category="level-3")
    whole = household.stands().owed
    transaction = household.pays(whole)
    if not same_day:
        on_date(2027, 3, 5)
    take_back(household, transaction, whole)
    for month in (6, 7):
        on_date(2027, month, 5)
        write_bills(household)
    assert household.stands().owed == (whole if same_day else 2 * whole)


def test_an_ivorian_who_never_paid_owes_nothing_in_the_months_without_dues(module_database: Database) -> None:
    people.connect(module_database.url)
    module_database.empty()
    on_date(2025, 4, 10)
    place = ivorian_place()
    unpaid, paid = BilledHousehold(place, born=(1985, 1990)), BilledHousehold(place, born=(1985, 1990))
    paid.pays(2_000)
    assert unpaid.stands().owed == 2_000
    on_date(2025, 5, 3)
    write_bills(unpaid, paid)
    assert unpaid.stands().owed == 0
    assert unpaid.parts()["state"] == 2_000
    assert [each.total for each in (unpaid.bill(), paid.bill())] == [2_000, 2_000]
    assert paid.parts()["member"] == 2_000
    on_date(2026, 1, 5)
    write_bills(unpaid)
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
    clock.install(clock.Source())
    db.disconnect()


def test_a_year_that_a_reversal_closed_costs_its_whole_price_the_next_morning(world: World) -> None:
    """Nobody touches the household: 583 for a child of the eleventh month were too little."""
    household = BilledHousehold(world.senegal, born=(1985,))
    transaction = household.pays(4_500)
    on_date(2027, 12, 20)
    household.today = clock.now().date()
    household.adds(born=2020)
    take_back(household, transaction, 4_500)
    on_date(2027, 12, 21)
    write_bills(household)
    assert household.stands().owed_dues == 7_000
