"""A household that was billed as less than it is keeps the days it was told, and pays to keep the others."""

from collections.abc import Iterator

import pytest

from mutuelle import clock, db
from mutuelle.cover.household_rights import NextStep, RightsState
from mutuelle.enrolment import category_proofs
from mutuelle.households.evidence import Evidence, EvidenceKind
from tests.mutuelle.billing.days import later_on, on_date, valid_books
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database

CARD = Evidence(EvidenceKind.DOCUMENT, "BF0042-17")


@pytest.fixture
def world(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    module_database.empty()
    on_date(2026, 7, 5)
    with valid_books():
        yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


def is_found_to_be(household: BilledHousehold, category: str) -> None:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        assert category_proofs.check(session, household.tenant, household.id, category, CARD, by="manager:1")


def test_a_higher_level_must_be_paid_for_from_the_day_after(world: World) -> None:
    household = BilledHousehold(world.rwanda, category="level-3")
    household.pays(household.stands().owed)
    assert household.stands().right.state == RightsState.OPEN
    later_on(household, 2026, 9, 10)
    is_found_to_be(household, "level-5")
    today = household.stands()
    assert today.owed > 0
    assert today.right.state == RightsState.OPEN  # the day was told
    later_on(household, 2026, 9, 11)
    tomorrow = household.stands()
    assert (tomorrow.right.state, tomorrow.right.next_step) == (RightsState.SUSPENDED, NextStep.PAY_TO_REOPEN)
    assert 0 < tomorrow.next_opening.left_to_open < tomorrow.owed
    later_on(household, 2026, 9, 20)
    household.pays(household.stands().next_opening.left_to_open)
    reopened = household.stands()
    assert reopened.right.state == RightsState.OPEN
    assert [state for state, _ in household.stored()][:4] == ["open", "suspended", "open", "suspended"]
    household.pays(reopened.owed)
    later_on(household, 2027, 6, 30)
    assert household.stands().right.state == RightsState.OPEN


def test_who_has_paid_enough_for_the_higher_level_stays_covered(world: World) -> None:
    household = BilledHousehold(world.rwanda, category="level-3")
    household.pays(household.stands().owed)
    household.pays(100_000)  # credit
    later_on(household, 2026, 9, 10)
    before = household.stored()
    is_found_to_be(household, "level-5")
    assert household.stands().owed == 0
    assert household.stored() == before


def test_a_correction_taken_back_on_the_same_day_closes_nothing(world: World) -> None:
    household = BilledHousehold(world.rwanda, category="level-3")
    household.pays(household.stands().owed)
    later_on(household, 2026, 9, 10)
    before = household.stored()
    for category in ("level-5", "level-3"):
        is_found_to_be(household, category)
    assert household.stored() == before


def test_a_child_that_joins_closes_nothing_though_it_is_not_paid_for(world: World) -> None:
    household = BilledHousehold(world.senegal)
    household.pays(11_500)
    later_on(household, 2026, 10, 1)
    before = household.stored()
    household.adds(born=2020)
    assert household.stands().owed > 0
    assert household.stored() == before


def test_who_is_refused_the_category_that_made_cover_free_must_pay_from_the_day_after(world: World) -> None:
    household = BilledHousehold(world.senegal, category="indigent")
    is_found_to_be(household, "indigent")
    later_on(household, 2026, 10, 1)
    assert household.stands().right.state == RightsState.OPEN
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        category_proofs.refuse(session, household.tenant, household.id, why="not-found", by="manager:1")
    assert household.stands().right.state == RightsState.OPEN
    later_on(household, 2026, 10, 2)
    assert household.stands().right.state == RightsState.SUSPENDED
