"""A member added without a price is covered from that day on, and no later change of others ends it (I13).

Côte d'Ivoire bills each person of five years or more; a younger child is free.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from mutuelle import clock, db
from mutuelle.cover import cover_books, household_rights, insured_people, member_rights, newcomers
from mutuelle.cover.cover_periods import BillPayment, CoverPeriod, stages_reached
from mutuelle.cover.household_rights import RightsState
from mutuelle.schemes.version_rules import Version
from mutuelle.verification import verify
from tests.mutuelle.billing.days import ivorian_place, later, on_day, valid_books
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import Place
from tests.support.templates import Database

COVERED_DAY = 93  # three months of waiting are over, the month that was paid runs


@pytest.fixture(scope="module")
def settled_place(module_database: Database) -> Iterator[Place]:
    people.connect(module_database.url)
    yield ivorian_place()
    clock.install(clock.Source())
    db.disconnect()


@pytest.fixture
def place(settled_place: Place) -> Iterator[Place]:
    on_day(0)
    with valid_books():
        yield settled_place


def covered_family(place: Place, born: tuple[int, ...] = (1985,)) -> BilledHousehold:
    """A household that has paid its first month, on a day of that month."""
    household = BilledHousehold(place, born=born)
    household.pays(1_000 * len(born))
    later(household, COVERED_DAY)
    assert household.stands().right.state == RightsState.OPEN
    return household


def state_of(household: BilledHousehold, born: int, after: int = 0) -> RightsState:
    """The state of the member born in that year, so many days from today."""
    with db.transaction(db.Role.AUDITOR) as session:
        books = cover_books.load(session, household.tenant, household.id)
        everybody = insured_people.load(session, household.tenant, household.id)
    person = next(member for member in everybody if member.born == born)
    line = member_rights.timeline(books.version_of, books.bills, books.paid, everybody, person)
    return household_rights.on(line, household.today + timedelta(after)).state


@pytest.mark.parametrize("days_between", [0, 1, 2])
def test_a_free_baby_stays_covered_when_an_unpaid_grandmother_comes(place: Place, days_between: int) -> None:
    household = covered_family(place)
    household.adds(born=2027)
    later(household, COVERED_DAY + days_between)
    household.adds(born=1960)
    later(household, COVERED_DAY + 3)
    assert [state_of(household, 2027, after=-days) for days in range(4)] == [RightsState.OPEN] * 4
    assert state_of(household, 1960) == RightsState.PART_PAID
    household.pays(1_000)
    assert state_of(household, 1960) == RightsState.OPEN


@pytest.mark.parametrize("days_between", [0, 1, 4])
def test_the_days_of_a_free_baby_stay_when_an_adult_leaves(place: Place, days_between: int) -> None:
    household = covered_family(place, born=(1985, 1990))
    household.adds(born=2027)
    later(household, COVERED_DAY + days_between)
    household.loses(born=1990)
    assert {state_of(household, 2027, after=-days) for days in range(days_between + 1)} == {RightsState.OPEN}


def test_who_takes_the_place_of_one_who_leaves_on_that_day_is_covered(place: Place) -> None:
    household = covered_family(place, born=(1985, 1990))
    household.loses(born=1990)
    household.adds(born=1970)
    assert state_of(household, 1970) == RightsState.OPEN


def test_of_two_newcomers_of_a_day_only_the_free_one_is_covered_before_the_money_comes(place: Place) -> None:
    household = covered_family(place)
    household.adds(born=1960)
    household.adds(born=2026)
    assert state_of(household, 2026) == RightsState.OPEN
    assert state_of(household, 1960) == RightsState.PART_PAID


def test_verify_finds_covered_days_that_a_wrong_rule_takes_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule that was wrong: a newcomer was not covered before every later change of the bill was paid."""
    household = covered_family(place)
    household.adds(born=2027)
    later(household, COVERED_DAY + 1)
    household.adds(born=1960)
    baby = member_id(household, born=2027)
    monkeypatch.setattr(member_rights, "costs_nothing", lambda *_: False)
    monkeypatch.setattr(newcomers, "paid_for", paid_for_with_all_changes)
    with db.transaction(db.Role.AUDITOR) as session:
        broken = verify.run(session).broken
    monkeypatch.undo()
    day = household.today - timedelta(1)
    line = f"I13 rights-told: member {baby} on {day}"
    assert line in broken


def paid_for_with_all_changes(
    version: Version, period: CoverPeriod, money: Sequence[BillPayment], since: date
) -> date | None:
    later = [change for change in period.bill.changes if change.on >= since]
    whole = replace(period.bill, issued=since, issued_share=period.bill.member_share, changes=())
    days = [day for stage, _, day in stages_reached(version, whole, money) if stage == period.stage]
    return min(days, default=None) if later else period.known_since


def member_id(household: BilledHousehold, born: int) -> UUID:
    with db.transaction(db.Role.AUDITOR) as session:
        everybody = insured_people.load(session, household.tenant, household.id)
    return next(member.id for member in everybody if member.born == born)
