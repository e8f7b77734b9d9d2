"""A bill that has opened nothing costs what whoever joins today pays, and dies with its year."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mutuelle import clock, db
from mutuelle.billing import billing_runs
from mutuelle.cover import cover_books
from mutuelle.cover.rights import RightsState
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.payments import reversals
from mutuelle.payments.operators import Movement
from mutuelle.verification import verify
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import CREDENTIALS, TOKEN, Place, World
from tests.support.templates import Database
from workers import bill


@pytest.fixture
def world(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    module_database.empty()
    it_is(2027, 1, 10)
    yield people.settle_in()
    clock.install(clock.Source())
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
    db.disconnect()


def it_is(year: int, month: int, day: int) -> None:
    moment = datetime(year, month, day, 9, tzinfo=UTC)
    clock.install(clock.Source(now=lambda: moment))


def bills_are_written(*households: BilledHousehold) -> None:
    with db.transaction(db.Role.WORKER) as session:
        days = billing_runs.due(session)
    for day in days:
        while bill.write_page(day):
            pass
    for household in households:
        household.today = clock.now().date()


def ivorian_place() -> Place:
    with db.transaction(db.Role.LOGIN) as session:
        tenant = tenants.add_mutuelle(
            session,
            code="CI-TEST",
            short_code="109",
            name="Mutuelle CI",
            scheme="CI-CMU",
            country="CI",
            currency="XOF",
            zone="Africa/Abidjan",
            language="fr",
        )
        account = tenants.add_account(
            session,
            tenant.id,
            operator="wave",
            code="CI-TEST",
            currency="XOF",
            credentials=CREDENTIALS["wave"] | {"callback_token": TOKEN},
            token=TOKEN,
        )
    return Place(tenant.id, account, "*384*58#")


def takes_back(household: BilledHousehold, transaction: str, units: int) -> None:
    account = household.place.account
    back = Movement(str(clock.new_id()), Money(units, account.currency), clock.now(), reverses=transaction)
    with db.transaction(db.Role.WORKER, household.tenant) as session:
        reversals.apply(session, account, back)


def opening_sum(household: BilledHousehold) -> int:
    return household.stands().next_opening.left_to_open


@pytest.mark.parametrize("part_paid", [0, 1_000])
def test_a_rwandan_year_that_opened_nothing_is_not_asked_in_july(world: World, part_paid: int) -> None:
    """It was 9 000 for a household of January, and 4 000 for a new phone."""
    household = BilledHousehold(world.rwanda, category="level-3")
    if part_paid:
        household.pays(part_paid)
    for month in (5, 6, 7):
        it_is(2027, month, 5)
        bills_are_written(household)
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
    bills_are_written(household)
    household.pays(whole - part_paid)
    assert household.stands().right.state == RightsState.OPEN


def test_who_used_half_the_year_owes_the_rest(world: World) -> None:
    it_is(2026, 7, 5)
    household = BilledHousehold(world.rwanda, category="level-3")
    whole = household.stands().owed
    household.pays(paid := opening_sum(household))
    assert paid < whole
    assert household.stands().right.state == RightsState.OPEN
    for month in (6, 7):
        it_is(2027, month, 5)
        bills_are_written(household)
    assert household.stands().owed == whole - paid + whole


@pytest.mark.parametrize("same_day", [True, False])
def test_a_year_whose_money_was_taken_back_is_asked_if_a_day_of_it_was_covered(
    world: World, same_day: bool
) -> None:
    household = BilledHousehold(world.rwanda, category="level-3")
    whole = household.stands().owed
    transaction = household.pays(whole)
    if not same_day:
        it_is(2027, 3, 5)
    takes_back(household, transaction, whole)
    for month in (6, 7):
        it_is(2027, month, 5)
        bills_are_written(household)
    assert household.stands().owed == (whole if same_day else 2 * whole)


def test_an_ivorian_who_never_paid_owes_nothing_in_the_months_without_dues(module_database: Database) -> None:
    people.connect(module_database.url)
    module_database.empty()
    it_is(2025, 4, 10)
    place = ivorian_place()
    unpaid, paid = BilledHousehold(place, born=(1985, 1990)), BilledHousehold(place, born=(1985, 1990))
    paid.pays(2_000)
    assert unpaid.stands().owed == 2_000
    it_is(2025, 5, 3)
    bills_are_written(unpaid, paid)
    assert unpaid.stands().owed == 0
    assert unpaid.parts()["state"] == 2_000
    assert [each.total for each in (unpaid.bill(), paid.bill())] == [2_000, 2_000]
    assert paid.parts()["member"] == 2_000
    it_is(2026, 1, 5)
    bills_are_written(unpaid)
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
    clock.install(clock.Source())
    db.disconnect()


def test_a_year_that_a_reversal_closed_costs_its_whole_price_the_next_morning(world: World) -> None:
    """Nobody touches the household: 583 for a child of the eleventh month were too little."""
    household = BilledHousehold(world.senegal, born=(1985,))
    transaction = household.pays(4_500)
    it_is(2027, 12, 20)
    household.today = clock.now().date()
    household.adds(born=2020)
    takes_back(household, transaction, 4_500)
    it_is(2027, 12, 21)
    bills_are_written(household)
    assert household.stands().owed_dues == 7_000
