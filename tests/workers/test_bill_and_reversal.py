"""A reversal during the billing run: a household with an unpaid last bill gets no next bill."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from mutuelle import clock, db
from mutuelle.contributions.bills import Bill
from mutuelle.money import Money
from mutuelle.payments import reversals
from mutuelle.payments.operators import Movement
from tests.mutuelle.billing.days import on_date, valid_books, write_bills
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.locks import waits
from tests.support.people import World
from tests.support.templates import Database


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    people.connect(database.url)
    on_date(2026, 11, 22)
    with valid_books():
        yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


def bill_count(household: BilledHousehold) -> int:
    with db.transaction(db.Role.AUDITOR) as session:
        of_household = (Bill.household_id == household.id, Bill.kind == "dues")
        return session.scalar(select(func.count()).select_from(Bill).where(*of_household)) or 0


def test_no_next_bill_while_the_money_of_the_last_one_is_taken_back(world: World, database: Database) -> None:
    """The run had read that the bill was paid before the reversal, which held the household, committed."""
    household = BilledHousehold(world.senegal)
    transaction = household.pays(11_500)
    on_date(2027, 11, 19)
    write_bills()
    on_date(2027, 11, 20)
    account = household.place.account
    back = Movement(str(clock.new_id()), Money(11_500, account.currency), clock.now(), reverses=transaction)
    with ThreadPoolExecutor() as pool, db.transaction(db.Role.WORKER, household.tenant) as session:
        reversals.apply(session, account, back)
        writing = pool.submit(write_bills)
        waits(database, writing)
        session.commit()
        writing.result()
    assert bill_count(household) == 1


def test_the_next_bill_is_written_where_the_money_stays(world: World) -> None:
    household = BilledHousehold(world.senegal)
    household.pays(11_500)
    on_date(2027, 11, 20)
    write_bills()
    assert bill_count(household) == 2
