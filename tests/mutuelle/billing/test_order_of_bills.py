"""Money pays the oldest bill first, credit the oldest receipt first; a bill frees the newest first."""

from collections.abc import Sequence

from sqlalchemy import text

from mutuelle import db
from mutuelle.contributions import bills
from tests.mutuelle.billing import days
from tests.mutuelle.billing.same_day_acts import is_refused, proves_indigence
from tests.mutuelle.billing.world import BilledHousehold
from tests.support.people import World

YEAR = 365


def left(household: BilledHousehold) -> list[int]:
    """Returns what the member still owes of each dues bill, the oldest first."""
    statement = text(
        "SELECT (SELECT sum(amount) FROM bill_lines l WHERE l.bill_id = b.id AND payer = 'member')"
        " - (SELECT coalesce(sum(a.amount), 0) FROM allocations a"
        "    JOIN bill_lines l ON l.id = a.bill_line_id WHERE l.bill_id = b.id AND a.kind = 'bill')"
        " FROM bills b WHERE b.household_id = :home AND b.kind = 'dues' ORDER BY b.issued"
    )
    with db.transaction(db.Role.AUDITOR) as session:
        return [int(units) for units in session.scalars(statement, {"home": household.id})]


def credit_by_receipt(household: BilledHousehold, transactions: Sequence[str]) -> list[int]:
    """Returns the credit that each of these receipts still holds."""
    statement = text(
        "SELECT coalesce(sum(a.amount) FILTER (WHERE a.kind = 'credit'), 0) FROM allocations a"
        " JOIN receipts r ON r.id = a.receipt_id AND r.tenant_id = a.tenant_id WHERE r.transaction = :name"
    )
    with db.transaction(db.Role.AUDITOR) as session:
        return [int(session.scalar(statement, {"name": name}) or 0) for name in transactions]


def test_money_pays_the_older_of_two_bills_first(day_world: World) -> None:
    household = BilledHousehold(day_world.mali)
    transaction = household.pays(9_900)
    days.on_day(YEAR + 85)  # open for five days more
    days.write_bills(household)
    assert left(household) == [0, 9_900]
    days.take_back(household, transaction, 5_000)
    assert left(household) == [5_000, 9_900]
    household.pays(3_000)
    assert left(household) == [2_000, 9_900]
    household.pays(3_000)
    assert left(household) == [0, 8_900]


def test_credit_is_used_from_the_oldest_receipt_first(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    household.pays(11_500)
    transactions = []
    for day in (1, 2, 3):
        days.later(household, day)
        transactions.append(household.pays(2_000))
    assert credit_by_receipt(household, transactions) == [2_000, 2_000, 2_000]
    days.later(household, 4)
    household.adds(2020)  # 3 500 more
    assert household.stands().owed == 0
    assert credit_by_receipt(household, transactions) == [0, 500, 2_000]


def test_a_bill_that_shrinks_frees_the_newest_receipt_first(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    transactions = []
    for day, units in enumerate((6_000, 3_000, 2_500)):
        days.later(household, day)
        transactions.append(household.pays(units))
    days.later(household, 4)
    household.loses(2015)  # frees 3 500; 1 000 of the last receipt paid the joining fee
    assert credit_by_receipt(household, transactions) == [0, 2_000, 1_500]


def test_the_category_of_a_household_is_that_of_its_last_bill_as_last_adjusted(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)

    def category() -> str | None:
        with db.transaction(db.Role.AUDITOR) as session:
            return bills.category_of(session, household.tenant, household.id)

    assert category() == "general"
    days.later(household, 1)
    proves_indigence(household)
    assert category() == "indigent"
    days.later(household, 2)
    is_refused(household)
    assert category() == "general"
    days.later(household, 3)
    household.adds(2020)
    assert category() == "general"
