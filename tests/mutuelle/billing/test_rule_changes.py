"""A newer version of a rule book changes the price of a bill under way, never which members it covers."""

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from menus import texts
from mutuelle import clock, db
from mutuelle.billing import adjustments
from mutuelle.cover import explain_facts, household_rights, member_rights
from mutuelle.cover.explain import explain
from mutuelle.enrolment import household_changes
from mutuelle.schemes import schemes
from mutuelle.schemes.schemes import FOLDER, Scheme
from mutuelle.subsidies import claim_facts
from mutuelle.subsidies.claim_facts import ClaimScope
from mutuelle.subsidies.claim_lines import PayableLine, Period
from mutuelle.verification import verify
from tests.mutuelle.billing.world import PAST, TODAY, EarlierHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database

OLD = (FOLDER / "sn-cmu.toml").read_text(encoding="utf-8")
NEWER = """
[[versions]]
from = {since}
like = 2020-01-01
source = "made up for a test"

[versions.household]
people_max = {most}
beyond = "not-covered"
source = "made up for a test"

[versions.dependants]
child_below = {child_below}
source = "made up for a test"

[versions.adjustment]
prorata = "months"
tariff = "at-once"
source = "made up for a test"
"""


@pytest.fixture(scope="module")
def world(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield people.settle_in()
    db.disconnect()


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Changes Senegal's rule book: (people covered, age limit of children), before today and from today."""

    def set_rates(old: tuple[int, int], new: tuple[int, int] | None = None, price: int = 7_000) -> None:
        book = tomllib.loads(
            OLD + (NEWER.format(since=TODAY, most=new[0], child_below=new[1]) if new else "")
        )
        version = book["versions"][0]
        version["household"]["people_max"], version["dependants"]["child_below"] = old
        if new:
            general = next(category for category in version["categories"] if category["code"] == "general")
            others = [category for category in version["categories"] if category is not general]
            book["versions"][1]["categories"] = [{**general, "price": {"year": price}}, *others]
        books = {**schemes.load(), "SN-CMU": Scheme.model_validate(book)}
        monkeypatch.setattr(schemes, "known", lambda: books)

    return set_rates


def apply(household: EarlierHousehold) -> None:
    with db.transaction(db.Role.WORKER, household.tenant) as session:
        adjustments.apply_rules(session, household.tenant, household.id, TODAY, TODAY)


def rights_of(household: EarlierHousehold) -> list[tuple[str, str]]:
    """Returns the state of each member's rights today and its reason, in the order of the limit."""
    with db.transaction(db.Role.AUDITOR) as session:
        case = explain_facts.read(session, household.number)
    assert case is not None
    dues = case.books.bills
    rights_now = []
    for person in member_rights.in_rank_order(case.people):
        line = member_rights.timeline(case.books.version_of, dues, case.books.paid, case.people, person)
        part = household_rights.on(line, TODAY)
        rights_now.append((part.state, part.reason.removeprefix("rights.")))
    return rights_now


@pytest.mark.parametrize("most", [6, 2])
def test_newer_rules_bill_no_person_that_the_bill_does_not_cover(world: World, rules: Any, most: int) -> None:
    rules((3, 30))
    household = EarlierHousehold(world, pays=11_500, people=4)  # the joining fee, and 3 x 3 500 of the member
    before = rights_of(household)
    assert [state for state, _ in before] == ["open"] * 3 + ["never"]
    rules((3, 30), (most, 30), price=9_000)
    apply(household)
    # 10 500 + (13 500 - 10 500) x 10/12, two months being over.
    assert household.parts() == {"member": 13_000, "state": 13_000}
    household.pays(2_500)
    lines = _asked_of_the_state(household)
    assert [(line.amount, len(line.born)) for line in lines] == [(10_500, 3), (2_500, 3)]
    assert (household.stands().owed, rights_of(household)) == (0, before)
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        household_changes.add_member(
            session, household.tenant, household.id, born="2021", name="", expected_count=4, by="manager:1"
        )
    assert household.parts() == {"member": 13_000, "state": 13_000}
    assert rights_of(household) == [*before, ("never", "over-limit")]
    # The third leaves, and the fourth is covered instead.
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        third = member_rights.in_rank_order(_case(household).people)[2]
        household_changes.remove_member(
            session, household.tenant, household.id, third.id, expected_count=5, by="manager:1"
        )
    assert household.parts() == {"member": 13_000, "state": 13_000}
    _agree(household)


@pytest.mark.parametrize(("older", "newer"), [(10, 30), (30, 10)])
def test_newer_rules_bill_no_child_that_the_bill_leaves_out_and_continue_with_those_it_covers(
    world: World, rules: Any, older: int, newer: int
) -> None:
    rules((6, older))
    household = EarlierHousehold(world, people=3)  # the child was born in 2015
    covered = 3 if older == 30 else 2
    assert household.parts() == {"member": covered * 3_500, "state": covered * 3_500}
    rules((6, older), (6, newer), price=9_000)
    apply(household)
    assert household.parts() == {"member": covered * 4_500, "state": covered * 4_500}
    household.pays(1_000 + covered * 4_500)
    assert [reason for _, reason in rights_of(household)].count("over-age") == 3 - covered
    _agree(household)


def _asked_of_the_state(household: EarlierHousehold) -> list[PayableLine]:
    """Returns the lines that a claim on the State is made from, oldest first."""
    scope = ClaimScope(household.tenant, "Africa/Dakar", "state", clock.now())
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        household_facts = claim_facts.read(session, scope, Period(TODAY - timedelta(PAST), TODAY))
    return sorted(
        (line for claimed in household_facts if claimed.id == household.id for line in claimed.payables),
        key=lambda line: line.on_day,
    )


def _case(household: EarlierHousehold) -> explain_facts.ExplainFacts:
    with db.transaction(db.Role.AUDITOR) as session:
        case = explain_facts.read(session, household.number)
    assert case is not None
    return case


def _agree(household: EarlierHousehold) -> None:
    """Checks that the explanation names what is owed, and that verify finds nothing."""
    lines = explain(_case(household), TODAY, texts.read("en", "rights"))
    member = f"{household.parts()['member']:,}".replace(",", " ")
    assert any(member in line for line in lines), lines
    with db.transaction(db.Role.AUDITOR) as session:
        # Each test changes the book of a day, so that bills of the others are priced otherwise.
        assert [line for line in verify.run(session).broken if "bill-price" not in line] == []
