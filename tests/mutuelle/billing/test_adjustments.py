"""A change in mid-period changes what is owed by new lines; each figure is computed beside it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from mutuelle import clock, db
from mutuelle.billing.adjustment_writer import Adjustment
from mutuelle.contributions import bills
from mutuelle.contributions.bills import BillLine
from mutuelle.enrolment import household_changes
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.messaging.messages import Message
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.payments import reversals
from mutuelle.payments.operators import Movement
from mutuelle.schemes.version_rules import months_after
from mutuelle.verification import verify
from tests.mutuelle.billing.world import BilledHousehold
from tests.mutuelle.verification.world import broken
from tests.support import people
from tests.support.people import Place, World
from tests.support.templates import Database

START = datetime(2026, 11, 22, 9, tzinfo=UTC)  # inside every fixed year, and day in every zone


@pytest.fixture(scope="module")
def settled(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    clock.install(clock.Source(shift_s=round((START - clock.now()).total_seconds())))
    yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


@pytest.fixture
def world(settled: World, module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield settled
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []


def test_a_new_born_is_a_new_line_and_the_bill_stays_as_it_was(world: World) -> None:
    household = BilledHousehold(world.senegal)
    before = household.bill()
    made = household.adds(born=household.today.year)
    # Nothing is covered yet, so all 12 months are to come: 7 000, halves of 3 500.
    assert made is not None
    assert (made.shares, made.total, made.freed) == ({"member": 3_500, "state": 3_500}, 7_000, 0)
    assert household.parts() == {"member": 14_000, "state": 14_000}
    after = household.bill()
    assert (
        (after.total, after.born, after.category)
        == (before.total, [1985, 1990, 2015], "general")
        == (21_000, before.born, "general")
    )
    assert household.stands().owed == 15_000  # with the joining fee of 1 000


def test_who_comes_in_mid_year_counts_for_the_months_still_to_come(world: World) -> None:
    household = BilledHousehold(world.senegal)
    household.pays(11_500)
    opened = household.today + timedelta(30)  # after the waiting
    made = household.adds(2000, after=(months_after(opened, 2) - household.today).days + 5)
    # Two months and some days are over: 10 of 12 months. 3 500 x 10 / 12 = 2 916.7, each part rounded down.
    assert made is not None
    assert made.shares == {"member": 2_916, "state": 2_916}
    assert household.stored()[-2:] == [("open", opened), ("lapsed", months_after(opened, 12))]


def test_what_was_paid_beyond_a_smaller_share_is_credit_and_nothing_closes(world: World) -> None:
    household = BilledHousehold(world.senegal)
    household.pays(11_500)  # 10 500 of dues and 1 000 for joining
    before = household.stored()
    made = household.loses(2015)
    assert made is not None
    assert (made.member, made.freed) == (-3_500, 3_500)
    now = household.stands()
    assert (now.owed, now.credit) == (0, 3_500)
    assert household.stored() == before
    household.adds(2015)  # comes back: the credit pays without a request
    now = household.stands()
    assert (now.owed, now.credit) == (0, 0)
    assert household.stored() == before


def test_money_given_back_in_mid_year_neither_closes_nor_moves_the_cover(world: World) -> None:
    household = BilledHousehold(world.senegal)
    household.pays(11_500)
    before, opened = household.stored(), household.today + timedelta(30)
    made = household.loses(2015, after=(months_after(opened, 2) - household.today).days + 5)
    assert made is not None
    assert (made.member, made.freed) == (-2_917, 2_917)  # 7 000 x 10/12 = 5 833, less 10 500 x 10/12 = 8 750
    assert household.stored() == before


def test_a_proven_category_gives_the_members_part_back_and_opens_at_once(world: World) -> None:
    household = BilledHousehold(world.senegal, category="indigent")
    # A claim is billed as an ordinary household.
    assert household.parts() == {"member": 10_500, "state": 10_500}
    household.pays(4_000)
    assert household.stands().right.state == "part-paid"
    made = household.proves()
    assert made is not None
    assert (made.shares, made.total, made.freed) == ({"member": -10_500, "state": 10_500}, 0, 4_000)
    now = household.stands()
    # 4 000 come back, 1 000 of it pay the joining fee. Rights open after the 30 days, counted from the day of
    # the proof.
    assert (now.owed, now.credit, now.right.state) == (0, 3_000, "waiting")
    assert household.proves() is None
    with db.transaction(db.Role.AUDITOR) as session:
        assert bills.category_of(session, household.tenant, household.id) == "indigent"


def test_money_taken_back_after_a_bill_became_smaller_takes_its_credit_along(world: World) -> None:
    household = BilledHousehold(world.senegal)
    household.pays(11_500)
    household.loses(2015)
    with db.transaction(db.Role.WORKER, household.tenant) as session:
        transaction = session.scalar(
            text("SELECT transaction FROM receipts ORDER BY recorded_at DESC LIMIT 1")
        )
        reversal = Movement(
            "back-" + str(transaction), Money(11_500, "XOF"), clock.now(), reverses=transaction
        )
        reversals.apply(session, household.place.account, reversal)
    now = household.stands()
    assert (now.owed, now.credit, now.right.state) == (8_000, 0, "never")  # 2 x 3 500, and 1 000


def test_a_household_of_rwanda_pays_the_whole_year_for_one_more_and_stays_open(world: World) -> None:
    household = BilledHousehold(world.rwanda, "level-3")
    household.pays(15_000)
    assert household.stands().right.state == "open"
    made = household.adds(2020)
    assert made is not None
    assert made.shares == {"member": 5_000}
    now = household.stands()
    assert (now.owed, now.right.state, now.right.next_step) == (5_000, "open", "rights.pay-rest")


def test_a_household_covered_as_a_whole_takes_no_member_beyond_its_limit(world: World) -> None:
    household = BilledHousehold(world.rwanda, "level-3", born=(1980,) * 25)
    with pytest.raises(Refused, match="too-many"):
        household.adds(2020)
    assert household.parts() == {"member": 125_000}


def test_two_months_of_mali_are_over_so_ten_count(world: World) -> None:
    household = BilledHousehold(world.mali)
    household.pays(9_900)
    paid_for_year = household.parts()["member"]
    assert paid_for_year == 9_900  # 3 x 550 x 12 = 19 800, half of it
    # 90 days of waiting, then two months and 3 days.
    made = household.adds(
        2000, after=(months_after(household.today + timedelta(90), 2) - household.today).days + 3
    )
    assert made is not None
    # 6 600 for a year, half of it 3 300, ten twelfths 2 750.
    assert made.shares == {"member": 2_750, "state": 2_750}


def test_coumba_sees_no_adjustment_of_awas(world: World, module_database: Database) -> None:
    awa = BilledHousehold(world.senegal)
    awa.adds(2010)
    for role in (db.Role.APP, db.Role.WORKER, db.Role.CONSOLE):
        with db.transaction(role, world.mali.tenant_id) as session:
            assert session.scalars(select(Adjustment).where(Adjustment.household_id == awa.id)).all() == []
    with db.transaction(db.Role.CONSOLE, world.senegal.tenant_id) as session:
        assert session.scalars(select(Adjustment)).all() != []


def line(household: BilledHousehold, amount: int, adjustment: UUID) -> dict[str, Any]:
    shared = {
        "tenant_id": household.tenant,
        "id": clock.new_id(),
        "bill_id": household.bill().id,
        "adjustment_id": adjustment,
    }
    return {**shared, "payer": "member", "amount": amount, "rule": "none"}


@pytest.mark.parametrize(
    ("total", "amount", "message"),
    [(5, 4, "lines of an adjustment add up to 4"), (-99_999, -99_999, "negative")],
)
def test_an_adjustment_that_does_not_add_up_is_refused_at_commit(
    world: World, total: int, amount: int, message: str
) -> None:
    household = BilledHousehold(world.senegal)
    row = {
        "tenant_id": household.tenant,
        "id": clock.new_id(),
        "bill_id": household.bill().id,
        "household_id": household.id,
        "ordinal": 1,
        "on_day": household.today,
        "reason": "correction",
        "born": [1985],
        "category": "general",
        "version": household.bill().version,
        "months": 12,
        "total": total,
        "at": clock.now(),
    }
    with pytest.raises(DBAPIError, match=message):
        write(household, row, line(household, amount, row["id"]))


def write(household: BilledHousehold, adjustment: dict[str, Any], line: dict[str, Any]) -> None:
    with db.transaction(db.Role.WORKER, household.tenant) as session:
        session.execute(insert(Adjustment), [adjustment])
        session.execute(insert(BillLine), [line])


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("UPDATE adjustments SET total = total + 1", "I11 adjustment-shares: "),
        (
            "UPDATE bill_lines SET amount = amount - 99000 WHERE adjustment_id IS NOT NULL",
            "I11 bill-part-negative: ",
        ),
        ("UPDATE adjustments SET household_id = gen_random_uuid()", "I11 adjustment-household: "),
        ("UPDATE adjustments SET version = version - 1", "I11 adjustment-rules: "),
        ("UPDATE adjustments SET on_day = on_day + 40", "I5 rights-computed: "),
    ],
)
def test_verify_finds_what_is_wrong_with_adjustments(
    world: World, module_database: Database, order: str, message: str
) -> None:
    household = BilledHousehold(world.senegal, category="indigent")
    household.proves()
    with broken(
        module_database,
        f"{order}{' AND' if 'WHERE' in order else ' WHERE'} bill_id = '{household.bill().id}'",
    ) as session:
        assert any(message in problem for problem in verify.run(session).broken)


def test_removing_the_last_member_is_refused(world: World) -> None:
    household = BilledHousehold(world.senegal, born=(1985,))
    with pytest.raises(Refused, match="nobody"):
        household.loses(1985)


def test_a_corrected_year_of_birth_changes_the_bill_and_notifies_the_household_once(world: World) -> None:
    with db.transaction(db.Role.LOGIN) as session:  # children below five are free in Côte d'Ivoire
        tenant = tenants.add_mutuelle(
            session,
            code="CI-TEST",
            short_code="107",
            name="Mutuelle CI",
            scheme="CI-CMU",
            country="CI",
            currency="XOF",
            zone="Africa/Abidjan",
            language="fr",
        )
    household = BilledHousehold(
        Place(tenant.id, world.senegal.account, ""), "general", born=(1985, clock.now().year - 2)
    )
    assert household.parts() == {"member": 1_000}
    with db.transaction(db.Role.AUDITOR) as session:
        child = households.members_of(session, tenant.id, household.id)[-1]
    shown = household_changes.PageSnapshot(people=2, born=child.birth_year, head=None)
    facts: Any = {"head": False, "why": "document", "shown": shown, "by": "manager:1"}
    for _ in range(2):
        with db.transaction(db.Role.CONSOLE, tenant.id) as session:
            household_changes.correct_member(session, tenant.id, household.id, child.id, born="2012", **facts)
    assert household.parts() == {"member": 2_000}
    with db.transaction(db.Role.AUDITOR) as session:
        adjustment = session.scalars(select(Adjustment).where(Adjustment.household_id == household.id)).one()
        message = session.scalars(select(Message).where(Message.household_id == household.id)).one()
    assert (adjustment.reason, adjustment.total, adjustment.born) == ("correction", 1_000, [1985, 2012])
    assert (message.kind, message.facts["amount"], message.facts["left"]) == ("adjusted-more", 1_000, 2_000)
    assert message.key == f"adjusted:{adjustment.id}"
    with db.transaction(db.Role.CONSOLE, tenant.id) as session:
        household_changes.recalculate(
            session, tenant.id, household.id, why="told", expected_count=2, by="manager:1"
        )
    assert household.parts() == {"member": 2_000}
