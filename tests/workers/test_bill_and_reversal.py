"""A reversal and the billing run meet at one household: whoever owes the last bill gets no further one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from mutuelle import clock, db
from mutuelle.billing import billing_runs
from mutuelle.contributions.bills import Bill
from mutuelle.money import Money
from mutuelle.payments import reversals
from mutuelle.payments.operators import Movement
from mutuelle.verification import verify
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.locks import waits
from tests.support.people import World
from tests.support.templates import Database
from workers import bill

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
BILL_DAY = datetime(2027, 11, 20, 9, tzinfo=UTC)  # a month before the twelve months are over


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    people.connect(database.url)
    it_is(START)
    yield people.settle_in()
    clock.install(clock.Source())
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
    db.disconnect()


def it_is(moment: datetime) -> None:
    clock.install(clock.Source(now=lambda: moment))


def bills_are_written() -> None:
    with db.transaction(db.Role.WORKER) as session:
        days = billing_runs.due(session)
    for day in days:
        while bill.write_page(day):
            pass


def bill_count(household: BilledHousehold) -> int:
    with db.transaction(db.Role.AUDITOR) as session:
        of_household = (Bill.household_id == household.id, Bill.kind == "dues")
        return session.scalar(select(func.count()).select_from(Bill).where(*of_household)) or 0


def test_no_next_bill_while_the_money_of_the_last_one_is_taken_back(world: World, database: Database) -> None:
    """The run had read that the bill was paid before the reversal, which held the household, committed."""
    household = BilledHousehold(world.senegal)
    transaction = household.pays(11_500)
    it_is(BILL_DAY - timedelta(1))
    bills_are_written()
    it_is(BILL_DAY)
    account = household.place.account
    back = Movement(str(clock.new_id()), Money(11_500, account.currency), clock.now(), reverses=transaction)
    with ThreadPoolExecutor() as pool, db.transaction(db.Role.WORKER, household.tenant) as session:
        reversals.apply(session, account, back)
        writing = pool.submit(bills_are_written)
        waits(database, writing)
        session.commit()
        writing.result()
    assert bill_count(household) == 1


def test_the_next_bill_is_written_where_the_money_stays(world: World) -> None:
    household = BilledHousehold(world.senegal)
    household.pays(11_500)
    it_is(BILL_DAY)
    bills_are_written()
    assert bill_count(household) == 2
