"""A category that is proven when the cover of a bill begins holds for that whole bill."""

from collections.abc import Iterator
from datetime import date

import pytest

from mutuelle import clock, db
from mutuelle.cover.household_rights import RightsState
from mutuelle.enrolment import category_proofs
from mutuelle.households import households
from mutuelle.households.evidence import Evidence, EvidenceKind
from tests.mutuelle.billing.days import on_date, valid_books, write_bills
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database

CARD = Evidence(EvidenceKind.DOCUMENT, "BF0042-17")


@pytest.fixture
def world(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    module_database.empty()
    on_date(2026, 8, 10)
    with valid_books():
        yield people.settle_in()
    clock.install(clock.Source())
    db.disconnect()


def a_day_passes(household: BilledHousehold, year: int, month: int, day: int) -> None:
    """Expires the household's proof if it is over, then writes the bills of the day."""
    on_date(year, month, day)
    with db.transaction(db.Role.WORKER, household.tenant) as session:
        row = households.claim_of(session, household.tenant, household.id)
        assert row is not None
        category_proofs.expire(session, household.tenant, row)
    write_bills(household)


def proven(place: people.Place, category: str, until: date) -> BilledHousehold:
    household = BilledHousehold(place, category=category)
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        assert category_proofs.check(
            session, household.tenant, household.id, category, CARD, by="manager:1", until=until
        )
    return household


def test_a_proof_that_ends_in_a_year_of_senegal_asks_nothing_before_the_next_bill(world: World) -> None:
    household = proven(world.senegal, "indigent", date(2027, 1, 31))
    a_day_passes(household, 2026, 10, 1)
    before = household.stands()
    assert (before.right.state, before.owed_dues) == (RightsState.OPEN, 0)
    a_day_passes(household, 2027, 2, 1)
    after = household.stands()
    assert (after.right, after.owed, after.owed_dues) == (before.right, before.owed, 0)
    household.adds(born=2026)
    assert household.stands().owed_dues == 0  # the State pays for the child as well
    household.loses(born=2026)
    a_day_passes(household, 2027, 8, 20)
    assert household.stands().owed_dues == 10_500  # the next bill


@pytest.mark.parametrize(("ends", "owes"), [(date(2027, 8, 9), False), (date(2027, 6, 20), True)])
def test_a_year_of_rwanda_is_billed_by_what_is_proven_when_it_begins(
    world: World, ends: date, owes: bool
) -> None:
    """The year from July is sold in June: a proof that ends in August holds for it, one of June does not."""
    household = proven(world.rwanda, "level-1", ends)
    assert household.stands().owed == 0
    for month, day in ((6, 5), (6, 25), (7, 5), (8, 20)):
        a_day_passes(household, 2027, month, day)
    assert (household.stands().owed > 0) == owes


def test_a_proof_that_is_refused_asks_for_the_share_at_once(world: World) -> None:
    household = proven(world.senegal, "indigent", date(2027, 1, 31))
    a_day_passes(household, 2026, 10, 1)
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        category_proofs.refuse(session, household.tenant, household.id, why="not-found", by="manager:1")
    assert household.stands().owed_dues > 0
