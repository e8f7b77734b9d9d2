"""A newer version of a rule book changes the price of a bill under way, never whom it covers."""

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from menus import texts
from mutuelle import clock, db
from mutuelle.billing import adjustments
from mutuelle.cover import explain_facts, member_rights, rights
from mutuelle.cover.explain import explain
from mutuelle.enrolment import household_changes
from mutuelle.schemes import schemes
from mutuelle.schemes.schemes import FOLDER, Scheme
from mutuelle.subsidies import claim_facts
from mutuelle.subsidies.claim_facts import ClaimScope
from mutuelle.subsidies.claim_lines import PayableLine, Period
from mutuelle.verification import verify
from tests.gateway.cli.test_rule_changes import PAST, TODAY, Home
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
    """Senegal's rule book, in which the old rules and those from today cover so many people, and children
    below an age."""

    def says(old: tuple[int, int], new: tuple[int, int] | None = None, price: int = 7_000) -> None:
        said = tomllib.loads(
            OLD + (NEWER.format(since=TODAY, most=new[0], child_below=new[1]) if new else "")
        )
        told = said["versions"][0]
        told["household"]["people_max"], told["dependants"]["child_below"] = old
        if new:
            general = next(one for one in told["categories"] if one["code"] == "general")
            others = [one for one in told["categories"] if one is not general]
            said["versions"][1]["categories"] = [{**general, "price": {"year": price}}, *others]
        books = {**schemes.load(), "SN-CMU": Scheme.model_validate(said)}
        monkeypatch.setattr(schemes, "_loaded", lambda: books)

    return says


def apply(home: Home) -> None:
    with db.transaction(db.Role.WORKER, home.tenant) as session:
        adjustments.under_rules(session, home.tenant, home.id, TODAY, TODAY)


def told(home: Home) -> list[tuple[str, str]]:
    """What each member may claim today, and why, in the order of the limit."""
    with db.transaction(db.Role.AUDITOR) as session:
        case = explain_facts.read(session, home.number)
    assert case is not None
    dues = case.books.bills
    found = []
    for one in member_rights.in_rank_order(case.people):
        line = member_rights.timeline(case.books.version_of, dues, case.books.paid, case.people, one)
        part = rights.on(line, TODAY)
        found.append((part.state, part.reason.removeprefix("rights.")))
    return found


@pytest.mark.parametrize("most", [6, 2])
def test_newer_rules_bill_nobody_whom_the_bill_does_not_cover(world: World, rules: Any, most: int) -> None:
    rules((3, 30))
    home = Home(world, pays=11_500, people=4)  # the joining fee, and 3 x 3 500 of the member
    before = told(home)
    assert [state for state, _ in before] == ["open"] * 3 + ["never"]
    rules((3, 30), (most, 30), price=9_000)
    apply(home)
    assert home.parts() == {
        "member": 13_000,
        "state": 13_000,
    }  # 10 500 + (13 500 - 10 500) x 10/12, two months being over
    home.pays(2_500)
    assert [(one.amount, len(one.born)) for one in _asked_of_the_state(home)] == [(10_500, 3), (2_500, 3)]
    assert (home.stands().owed, told(home)) == (0, before)
    with db.transaction(db.Role.CONSOLE, home.tenant) as session:
        household_changes.add_member(
            session, home.tenant, home.id, born="2021", name="", expected_count=4, by="manager:1"
        )
    assert home.parts() == {"member": 13_000, "state": 13_000}
    assert told(home) == [*before, ("never", "over-limit")]
    with db.transaction(
        db.Role.CONSOLE, home.tenant
    ) as session:  # the third leaves, and the fourth is covered instead
        third = member_rights.in_rank_order(_case(home).people)[2]
        household_changes.remove_member(
            session, home.tenant, home.id, third.id, expected_count=5, by="manager:1"
        )
    assert home.parts() == {"member": 13_000, "state": 13_000}
    _agree(home)


@pytest.mark.parametrize(("older", "newer"), [(10, 30), (30, 10)])
def test_newer_rules_bill_no_child_whom_the_bill_leaves_out_and_go_on_with_those_it_covers(
    world: World, rules: Any, older: int, newer: int
) -> None:
    rules((6, older))
    home = Home(world, people=3)  # the child was born in 2015
    covered = 3 if older == 30 else 2
    assert home.parts() == {"member": covered * 3_500, "state": covered * 3_500}
    rules((6, older), (6, newer), price=9_000)
    apply(home)
    assert home.parts() == {"member": covered * 4_500, "state": covered * 4_500}
    home.pays(1_000 + covered * 4_500)
    assert [reason for _, reason in told(home)].count("over-age") == 3 - covered
    _agree(home)


def _asked_of_the_state(home: Home) -> list[PayableLine]:
    """The lines that a claim on the State is made from, oldest first."""
    known = ClaimScope(home.tenant, "Africa/Dakar", "state", clock.now())
    with db.transaction(db.Role.CONSOLE, home.tenant) as session:
        found = claim_facts.read(session, known, Period(TODAY - timedelta(PAST), TODAY))
    return sorted(
        (line for one in found if one.id == home.id for line in one.payables), key=lambda line: line.on_day
    )


def _case(home: Home) -> explain_facts.ExplainFacts:
    with db.transaction(db.Role.AUDITOR) as session:
        case = explain_facts.read(session, home.number)
    assert case is not None
    return case


def _agree(home: Home) -> None:
    """The explanation adds up to what is owed, and verify finds nothing."""
    said = explain(_case(home), TODAY, texts.read("en", "rights"))
    member = f"{home.parts()['member']:,}".replace(",", " ")
    assert any(member in line for line in said), said
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
