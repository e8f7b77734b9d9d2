"""A newer version of a rule book in mid-period: running bills follow once, with the sums in comments."""

import json
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result

from mutuelle import clock, db, pipeline
from mutuelle.billing import rule_changes
from mutuelle.enrolment import household_changes
from mutuelle.enrolment.category_proofs import Evidence, check
from mutuelle.households import households
from mutuelle.money import Money
from mutuelle.organisation import sponsors
from mutuelle.organisation.sponsors import SponsorTerms
from mutuelle.payments import settlement
from mutuelle.payments.operators import Movement
from mutuelle.schemes import schemes
from mutuelle.schemes.schemes import FOLDER, Scheme
from mutuelle.verification import verify
from tests.gateway.cli.world import SETTINGS, Terminal
from tests.mutuelle.billing.world import PAST, TODAY, EarlierHousehold
from tests.support import people
from tests.support.books import contents
from tests.support.locks import WAIT_S, waits
from tests.support.people import World
from tests.support.templates import Database

OLD = (FOLDER / "sn-cmu.toml").read_text(encoding="utf-8")
NEWER = """
[[versions]]
from = {since}
like = 2020-01-01
standard = "general"
source = "made up for a test"

[[versions.categories]]
code = "general"
label = {{ fr = "Cas ordinaire", en = "Ordinary" }}
price = {{ year = {price} }}
source = "made up for a test"
[[versions.categories.others]]
payer = "state"
part = "0.5"
source = "made up for a test"

[[versions.categories]]
code = "indigent"
label = {{ fr = "Indigent (RNU)", en = "Indigent (registry)" }}
price = {{ year = {price} }}
billed_as = "general"
evidence = "household found in the national registry (RNU)"
source = "made up for a test"
[[versions.categories.others]]
payer = "state"
part = "1"
source = "made up for a test"

[versions.household]
people_max = 4
beyond = "refused"
source = "made up for a test"

[versions.adjustment]
prorata = "months"
tariff = "{tariff}"
source = "made up for a test"
"""


@pytest.fixture
def world(module_database: Database) -> Iterator[World]:
    module_database.empty()
    people.connect(module_database.url)
    yield people.settle_in()
    clock.install(clock.Source())
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []


@pytest.fixture
def shell(world: World, module_database: Database) -> Terminal:
    return Terminal(module_database, {**SETTINGS, "DATABASE_URL": module_database.url})


@pytest.fixture
def newer(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The rule book's file with a newer version from today on."""

    def writes(price: int, tariff: str = "at-once", since: date = TODAY) -> None:
        book = tomllib.loads(OLD + NEWER.format(since=since, price=price, tariff=tariff))
        books = {**schemes.load(), "SN-CMU": Scheme.model_validate(book)}
        monkeypatch.setattr(schemes, "known", lambda: books)

    return writes


def apply_rules(shell: Terminal, *more: str) -> tuple[int, dict[str, Any]]:
    ran: Result = shell.run("schemes", "apply", "--mutuelle", "SN-TEST", "--json", *more)
    return ran.exit_code, json.loads(ran.stdout)


def flags() -> list[Any]:
    with db.transaction(db.Role.AUDITOR) as session:
        return list(
            session.connection()
            .exec_driver_sql("SELECT kind, reason FROM flags WHERE closed_at IS NULL")
            .all()
        )


def test_a_dearer_tariff_is_owed_by_new_lines_once_and_nothing_open_closes(
    world: World, shell: Terminal, newer: Any, module_database: Database
) -> None:
    paid = EarlierHousehold(world, pays=11_500)
    unpaid, empty = EarlierHousehold(world), EarlierHousehold(world, people=1)
    proven = EarlierHousehold(world)
    with db.transaction(db.Role.CONSOLE, world.senegal.tenant_id) as session:
        check(session, proven.tenant, proven.id, "indigent", Evidence("agent-visit"), by="manager:1")
        households.remove_member(
            session, empty.tenant, households.members_of(session, empty.tenant, empty.id)[0].id, on=TODAY
        )
    proven_before, sms_before = proven.parts(), proven.sms()
    newer(9_000)
    before = contents(module_database)
    rehearsed = apply_rules(shell, "--dry-run")
    assert contents(module_database) == before
    # Paid: open since the 30th day, so two of twelve months are over: 13 500 x 10/12 - 10 500 x 10/12 = 2 500
    # for each payer. Unpaid: 3 x 4 500 - 3 x 3 500 = 3 000 for each. Proven: the State pays all of 3 x 9 000
    # - 3 x 7 000 = 6 000, and as the member's part of 0 opened it on its day, no month of it is over. Empty:
    # it has no members left.
    figures = {
        "scheme": "SN-CMU",
        "rules": TODAY.isoformat(),
        "tariff": "at-once",
        "households": 4,
        "bills": 3,
        "flags": 1,
        "currency": "XOF",
        "shares": {"member": 5_500, "state": 11_500},
        "credit": 0,
    }
    assert rehearsed == (1, figures)
    assert (flags(), paid.sms()) == ([], [])
    assert apply_rules(shell) == (1, figures)
    assert paid.parts() == {"member": 13_000, "state": 13_000}
    assert unpaid.parts() == {"member": 13_500, "state": 13_500}
    assert (proven.parts()["member"], proven.parts()["state"]) == (0, proven_before["state"] + 6_000)
    assert empty.parts() == {"member": 3_500, "state": 3_500}
    now = paid.stands()
    assert (now.owed, now.right.state, now.right.next_step) == (2_500, "open", "rights.pay-rest")
    assert (paid.sms(), unpaid.sms()) == (
        [("adjusted-more", 2_500, 2_500)],
        [("adjusted-more", 3_000, 14_500)],
    )
    assert (proven.sms(), empty.sms()) == (sms_before, [])
    after = contents(module_database)
    assert flags() == [("rule", "the new rules could not be applied: quote.nobody")]
    assert apply_rules(shell) == (
        1,
        figures | {"households": 1, "bills": 0, "shares": {"member": 0, "state": 0}},
    )
    assert contents(module_database) == after
    # An agent corrects the empty household: it has a new head.
    with db.transaction(db.Role.CONSOLE, world.senegal.tenant_id) as session:
        households.add_member(session, empty.tenant, empty.id, born=1990, on=TODAY)
    done = {"households": 1, "bills": 1, "flags": 0, "shares": {"member": 1_000, "state": 1_000}}
    assert apply_rules(shell) == (0, figures | done)
    assert flags() == []
    paid.pays(2_500)
    assert paid.stands().owed == 0


def test_a_cheaper_tariff_gives_back_what_was_paid_beyond_it(
    world: World, shell: Terminal, newer: Any
) -> None:
    household = EarlierHousehold(world, pays=11_500)
    covered_until = household.stands().right.until
    newer(6_000)
    yesterday = (TODAY - timedelta(1)).isoformat()
    assert apply_rules(shell, "--on", yesterday)[1]["bills"] == 0, "the older rules hold on that day"
    code, result = apply_rules(shell)
    # 9 000 x 10/12 - 10 500 x 10/12 = 7 500 - 8 750.
    assert (code, result["shares"], result["credit"]) == (0, {"member": -1_250, "state": -1_250}, 1_250)
    now = household.stands()
    assert (now.owed, now.credit, now.right.state, now.right.until) == (0, 1_250, "open", covered_until)
    assert household.sms() == [("adjusted-less", 1_250, 0)]


def test_what_changes_later_goes_by_the_newer_rules_and_a_run_that_was_cut_off_does_the_rest(
    world: World, shell: Terminal, newer: Any
) -> None:
    joined = sorted((EarlierHousehold(world) for _ in range(3)), key=lambda household: household.id)
    newer(9_000)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        rules = schemes.get("SN-CMU").in_force(TODAY)
        ids = rule_changes.next_households(session, joined[0].tenant, rules, TODAY, UUID(int=0), 50)
        assert ids == [household.id for household in joined]
        rule_changes.apply(session, joined[0].tenant, ids[:1], TODAY, TODAY)
    assert apply_rules(shell)[1]["households"] == 2
    with db.transaction(db.Role.CONSOLE, world.senegal.tenant_id) as session:
        household_changes.add_member(
            session, joined[0].tenant, joined[0].id, born="2020", name="", expected_count=3, by="manager:1"
        )
    assert [household.parts()["member"] for household in joined] == [18_000, 13_500, 13_500]


def test_a_sponsors_part_follows_the_tariff(world: World, shell: Terminal, newer: Any) -> None:
    household = EarlierHousehold(world)
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        sponsor = sponsors.add(
            session,
            household.tenant,
            code="ngo",
            name="Sante",
            kind="ngo",
            terms=SponsorTerms(percent=50, cap=100_000, since=TODAY),
            by="command",
        )
        sponsors.begin_sponsorship(session, sponsor, household.id, TODAY, "command")
    newer(8_000)
    result = apply_rules(shell)[1]
    # Of 3 x 4 000 the sponsor promises a half; the member's 10 500 become 6 000, the State's 12 000.
    assert result["shares"] == {"member": -4_500, "state": 1_500, "sponsor": 6_000}
    assert household.parts() == {"member": 6_000, "state": 12_000, "sponsor": 6_000}
    ran = shell.run("rights", household.number, "--explain", "--language", "en")
    assert (ran.exit_code, "Sponsor: + 6 000 FCFA, which the member does not pay" in ran.stdout) == (
        0,
        True,
    ), ran.output


def test_rules_that_cost_the_same_are_recorded_once_and_notify_no_household(
    world: World, shell: Terminal, newer: Any
) -> None:
    household = EarlierHousehold(world, pays=11_500)
    before = household.stands()
    newer(7_000)
    code, result = apply_rules(shell)
    assert (code, result["households"], result["bills"], result["shares"]) == (
        0,
        1,
        0,
        {"member": 0, "state": 0},
    )
    assert (household.stands(), household.sms()) == (before, [])
    assert apply_rules(shell)[1]["households"] == 0
    ran = shell.run("rights", household.number, "--explain", "--language", "en")
    assert (ran.exit_code, "10 500 FCFA" in ran.stdout) == (0, True)


def test_a_difference_counts_from_the_day_asked_for_and_is_booked_today(
    world: World, shell: Terminal, newer: Any
) -> None:
    household, day = EarlierHousehold(world, pays=11_500), TODAY - timedelta(PAST - 55)
    newer(9_000, since=day)
    # On that day 25 days of the first month were over: all twelve months count, 13 500 - 10 500.
    assert apply_rules(shell, "--on", day.isoformat())[1]["shares"] == {"member": 3_000, "state": 3_000}
    now = household.stands()
    assert (now.owed, now.right.state) == (3_000, "open")
    with db.transaction(db.Role.AUDITOR) as session:
        rows = (
            session.connection()
            .exec_driver_sql("SELECT on_day, months, reason, version FROM adjustments")
            .all()
        )
    assert rows == [(TODAY, 12, "rule", day)]


def test_money_that_comes_meanwhile_is_counted(world: World, newer: Any, module_database: Database) -> None:
    household, account = EarlierHousehold(world), world.senegal.account
    newer(6_000)
    moved = Movement(str(clock.new_id()), Money(11_500, account.currency), clock.now(), payer=household.phone)

    def page() -> rule_changes.RuleChangeResult:
        with db.transaction(db.Role.WORKER, household.tenant) as session:
            return rule_changes.apply(session, household.tenant, [household.id], TODAY, TODAY)

    with ThreadPoolExecutor(1) as thread:
        with db.transaction(db.Role.WORKER, household.tenant) as session:
            settlement.credit(session, account, moved, "list")
            pipeline.send(session.connection())
            other = thread.submit(page)
            waits(module_database, other)
        result = other.result(WAIT_S)
    # Nothing of the year is over: 9 000 instead of the 10 500 that were paid while the page waited.
    assert (result.bills, result.shares["member"], result.credit) == (1, -1_500, 1_500)
    assert (household.stands().owed, household.stands().credit) == (0, 1_500)


def test_a_tariff_of_the_next_period_leaves_bills_under_way(
    world: World, shell: Terminal, newer: Any
) -> None:
    household = EarlierHousehold(world)
    newer(9_000, "next-period")
    ran = shell.run("schemes", "apply", "--mutuelle", "SN-TEST")
    assert (ran.exit_code, "next period" in ran.stderr) == (0, True)
    assert "bills              0" in ran.stdout
    assert household.parts() == {"member": 10_500, "state": 10_500}
    assert "to come" in shell.refusal(
        "schemes", "apply", "--mutuelle", "SN-TEST", "--on", str(TODAY + timedelta(1))
    )


def test_a_fixed_year_that_was_sold_ahead_follows_the_rules_it_begins_under() -> None:
    july = schemes.get("RW-CBHI").in_force(date(2026, 7, 1))
    older = schemes.get("RW-CBHI").in_force(date(2026, 6, 30)).since
    assert older < july.since == date(2026, 7, 1)
    assert july.takes_over(older, date(2026, 7, 1))
    assert not july.takes_over(older, date(2025, 7, 1))
    assert not july.takes_over(july.since, date(2026, 7, 1))
