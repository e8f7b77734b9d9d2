"""Tests of member classes: no waiting, cover at any age, from the day of noting; and their secrecy."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menus import texts
from mutuelle import clock, db
from mutuelle.billing import renewals
from mutuelle.billing.billing_runs import RunPart
from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bills import BillState, category_of
from mutuelle.contributions.quotes import quote
from mutuelle.cover import explain_facts, member_rights, rights
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.explain import explain
from mutuelle.cover.explain_facts import BillBasis, ExplainFacts
from mutuelle.cover.member_rights import DatedStatus, InsuredPerson
from mutuelle.enrolment import enrolment, household_changes
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence, Proof
from mutuelle.organisation import tenants
from mutuelle.schemes import schemes
from mutuelle.verification import evidence_checks, verify
from tests.mutuelle.schemes.world import scheme
from tests.mutuelle.verification.world import broken
from tests.support import people
from tests.support.books import contents
from tests.support.templates import Database

TODAY = clock.today("Africa/Bamako")
DAY = timedelta(1)
SPARES = scheme(waiting={"days": 30, "waived": ["pregnant"]})
BILL = UUID(int=1)
JOINED, NOTED = date(2026, 11, 22), date(2026, 12, 2)


@pytest.fixture(scope="module")
def ramed(module_database: Database) -> Iterator[UUID]:
    people.connect(module_database.url)
    people.settle_in()
    with db.transaction(db.Role.LOGIN) as session:
        poor = tenants.add_mutuelle(
            session,
            code="ML-POOR",
            short_code="104",
            name="RAMED",
            scheme="ML-RAMED",
            country="ML",
            currency="XOF",
            zone="Africa/Bamako",
            language="fr",
        )
    yield poor.id
    db.disconnect()


def told(classes: tuple[DatedStatus, ...], paid: date = JOINED) -> list[tuple[str, str]]:
    """The dependant's cover in a household of two that paid under a scheme with 30 days of waiting."""
    price = quote(SPARES, [1985, 1990], on=JOINED)
    due = BillState(
        BILL,
        "dues",
        JOINED,
        SPARES.code,
        date.fromisoformat(price.version),
        price.option,
        price.shares["member"],
        price.total,
    )
    money = [BillPayment(BILL, paid, price.shares["member"])]
    family = [
        InsuredPerson(UUID(int=1), True, 1985, JOINED),
        InsuredPerson(UUID(int=2), False, 1990, JOINED, classes=classes),
    ]
    timeline = member_rights.timeline(SPARES.version, [due], money, family, family[1])
    return [(part.state, part.since.isoformat()) for part in timeline]


def test_who_is_noted_while_the_household_waits_is_covered_from_that_day() -> None:
    waits = [("waiting", "2026-11-22"), ("open", "2026-12-22"), ("lapsed", "2027-12-22")]
    assert told(()) == waits
    spared = [("waiting", "2026-11-22"), ("open", "2026-12-02"), ("lapsed", "2027-12-22")]
    assert told((DatedStatus("pregnant", NOTED),)) == spared
    assert told((DatedStatus("pregnant", NOTED, date(2026, 12, 10)),)) == spared  # what is open stays open
    assert told((DatedStatus("disabled", NOTED),)) == waits
    assert told((DatedStatus("pregnant", NOTED, date(2026, 12, 10)),), paid=date(2026, 12, 20))[-2] == (
        "open",
        "2027-01-19",
    )


@given(
    noted=st.dates(JOINED, JOINED + timedelta(60)),
    paid=st.dates(JOINED, JOINED + timedelta(60)),
    lasts=st.integers(0, 60),
)
def test_no_day_before_it_was_noted_changes(noted: date, paid: date, lasts: int) -> None:
    def state(day: date, line: list[tuple[str, str]]) -> str:
        return next(state for state, since in reversed(line) if since <= day.isoformat())

    with_it, without = told((DatedStatus("pregnant", noted, noted + timedelta(lasts)),), paid), told((), paid)
    for day in (JOINED + timedelta(days) for days in range(120)):
        assert state(day, with_it) == state(day, without) or (day >= noted and state(day, with_it) == "open")


ANY_AGE = scheme(
    dependants={"child_below": 14, "disabled_any_age": True},
    waiting={"days": 0},
    adjustment={"prorata": "whole", "tariff": "next-period"},
)


def child_told(classes: tuple[DatedStatus, ...], paid: Sequence[BillPayment] = ()) -> Callable[[date], str]:
    """The state by day of a child of fifteen that only a class covers; the household paid for the head."""
    price = quote(ANY_AGE, [1985], on=JOINED)
    share, version = price.shares["member"], date.fromisoformat(price.version)
    more = [Change(status.since, share, price.total) for status in classes]
    less = [Change(status.until, -share, -price.total) for status in classes if status.until]
    due = BillState(
        BILL,
        "dues",
        JOINED,
        ANY_AGE.code,
        version,
        price.option,
        share,
        price.total,
        changes=tuple(sorted(more + less, key=lambda status: status.on)),
    )
    family = [
        InsuredPerson(UUID(int=1), True, 1985, JOINED),
        InsuredPerson(UUID(int=2), False, 2011, JOINED, classes=classes),
    ]
    line = member_rights.timeline(
        ANY_AGE.version, [due], [BillPayment(BILL, JOINED, share), *paid], family, family[1]
    )
    return lambda day: rights.on(line, day).state


def test_who_is_noted_again_is_not_covered_between() -> None:
    first, again = (
        DatedStatus("disabled", JOINED + DAY, JOINED + 10 * DAY),
        DatedStatus("disabled", JOINED + 12 * DAY),
    )
    paid = [BillPayment(BILL, JOINED + DAY, 3_500), BillPayment(BILL, JOINED + 10 * DAY, -3_500, freed=True)]
    once = child_told((first,), paid)
    unpaid = child_told((first, again), paid)
    twice = child_told((first, again), [*paid, BillPayment(BILL, JOINED + 20 * DAY, 3_500)])
    days = [JOINED + days * DAY for days in (0, 1, 10, 11, 12, 19, 20)]
    assert [once(day) for day in days] == ["never", "open", "open", "never", "never", "never", "never"]
    assert [unpaid(day) for day in days] == ["never", "open", "open", "never", "lapsed", "lapsed", "lapsed"]
    assert [twice(day) for day in days] == ["never", "open", "open", "never", "lapsed", "lapsed", "open"]


@given(
    days=st.lists(st.integers(0, 40), min_size=3, max_size=6, unique=True).map(sorted),
    money=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 3_500)), max_size=4),
)
def test_noting_a_class_again_changes_no_day_before(days: list[int], money: list[tuple[int, int]]) -> None:
    times = [DatedStatus("disabled", JOINED + since * DAY, JOINED + (until or 99) * DAY)
             for since, until in zip_longest(days[::2], days[1::2])]  # fmt: skip
    paid = [BillPayment(BILL, JOINED + on * DAY, amount) for on, amount in money]
    before, after = child_told(tuple(times[:-1]), paid), child_told(tuple(times), paid)
    for day in (JOINED + day * DAY for day in range((times[-1].since - JOINED).days)):
        assert before(day) == after(day), day


def joined(ramed: UUID) -> tuple[UUID, str, UUID]:
    """Enrols a head and a child of fifteen, too old for RAMED. Returns household, number and child."""
    proof = Proof(Evidence("document", f"SIK {clock.digits(6)}"))
    with db.transaction(db.Role.CONSOLE, ramed) as session:
        home = enrolment.enrol(
            session,
            ramed,
            enrolment.NewHousehold(
                phone=f"+22376{clock.digits(6)}",
                language="fr",
                category="indigent",
                birth_years=[1980, TODAY.year - 15],
                adults=1,
                consent="1",
                channel="agent",
                proof=proof,
            ),
        )
        return home.id, home.number, households.members_of(session, ramed, home.id)[1].id


def act(ramed: UUID, change: Any, *ids: UUID, **more: Any) -> None:
    with db.transaction(db.Role.CONSOLE, ramed) as session:
        change(session, ramed, *ids, **{"code": "disabled", "expected_count": 2, "by": "manager:1", **more})


def standing(number: str, day: date = TODAY) -> tuple[int, str, list[str]]:
    """The price of the household's bill, the child's state on a day, and the reasons in words."""
    with db.transaction(db.Role.AUDITOR) as session:
        case = explain_facts.read(session, number)
    assert case is not None
    child = next(row for row in case.people if not row.head)
    dues = case.books.bills
    line = member_rights.timeline(case.books.version_of, dues, case.books.paid, case.people, child)
    sentences = [
        words
        for language in texts.LANGUAGES
        for words in explain(case, day, texts.read(language, "rights"), child)
    ]
    return case.books.bills[0].total, rights.on(line, day).state, sentences


def test_a_disabled_child_is_covered_at_any_age_from_the_day_it_was_noted_and_billed_to_the_state(
    ramed: UUID,
) -> None:
    home, number, child = joined(ramed)
    assert standing(number)[:2] == (6_600, "never")
    for _ in range(2):  # a double click
        act(ramed, household_changes.add_class, home, child, evidence="document")
    price, state, sentences = standing(number)
    assert (price, state) == (13_200, "open")
    assert any("les règles couvrent ce membre, dès le" in line for line in sentences)
    act(ramed, household_changes.end_class, home, child)
    assert standing(number)[:2] == (6_600, "open")  # to the end of the day
    assert standing(number, TODAY + DAY)[1] == "never"
    with db.transaction(db.Role.AUDITOR) as session:
        assert category_of(session, ramed, home) == "indigent"
        assert verify.run(session).broken == []


def test_a_class_that_ended_today_is_refused_until_tomorrow_and_no_day_between_becomes_covered(
    ramed: UUID,
) -> None:
    home, number, child = joined(ramed)
    try:
        act(ramed, household_changes.add_class, home, child, evidence="document")
        act(ramed, household_changes.end_class, home, child)
        with pytest.raises(Refused, match=r"class\.ended-today"):
            act(ramed, household_changes.add_class, home, child, evidence="document")
        clock.install(clock.Source(shift_s=2 * 86_400))
        act(ramed, household_changes.add_class, home, child, evidence="document")
    finally:
        clock.install(clock.Source())
    assert [standing(number, TODAY + days * DAY)[1] for days in range(3)] == ["open", "never", "open"]
    with db.transaction(db.Role.AUDITOR) as session:
        assert [wrong for wrong in verify.run(session).broken if str(home) in wrong or "class" in wrong] == []


def test_the_next_bill_is_for_a_disabled_child_too_while_it_is_noted(ramed: UUID) -> None:
    home, _, child = joined(ramed)
    book, due = schemes.get("ML-RAMED"), TODAY + timedelta(365)
    only = RunPart(0, UUID(int=home.int - 1), home)

    def next_price() -> int:
        with db.transaction(db.Role.WORKER, ramed) as session:
            (candidate,) = renewals.candidates(session, ramed, book, due, only)
        priced = renewals.price(book, candidate, due)
        assert priced is not None
        return priced[0].total

    assert next_price() == 6_600
    act(ramed, household_changes.add_class, home, child, evidence="document")
    assert next_price() == 13_200
    act(ramed, household_changes.end_class, home, child)
    assert next_price() == 6_600


def test_no_other_table_trail_message_or_explanation_tells_the_class(
    ramed: UUID, module_database: Database
) -> None:
    home, number, child = joined(ramed)
    act(ramed, household_changes.add_class, home, child, evidence="agent-visit")
    everything = contents(module_database)
    assert "disabled" in " ".join(everything.pop("member_classes"))
    stored = " ".join(row for rows in everything.values() for row in rows)
    (trace,) = (row for row in everything["audit"] if "rule-noted" in row and str(home) in row)
    assert str(child) not in trace
    for word in ("disabled", "pregnan", "handicap", "class", "any age", "tout âge"):
        assert word not in stored
        assert word not in " ".join(standing(number)[2]).lower()


def test_a_rule_that_asks_for_what_nobody_can_be_noted_as_is_told(tmp_path: Path) -> None:
    book = (
        (schemes.FOLDER / "ml-ramed.toml")
        .read_text()
        .replace("days = 0\n", 'days = 0\nwaived = ["champion", "pregnant"]\n', 1)
    )
    (tmp_path / "x.toml").write_text(book)
    notes = [line for line in schemes.check(tmp_path) if line.startswith("not applied")]
    assert notes == [
        "not applied ML-RAMED versions[2020-01-01].waiting:"
        " nobody can be noted as champion, so all of them wait"
    ]
    assert not [line for line in schemes.check() if line.startswith("not applied")]


def test_a_class_is_never_edited_taken_away_or_noted_where_no_rule_asks(
    ramed: UUID, module_database: Database
) -> None:
    home, _, child = joined(ramed)
    with pytest.raises(Refused, match=r"class\.unused"):
        act(ramed, household_changes.add_class, home, child, evidence="document", code="pregnant")
    with pytest.raises(Refused, match=r"class\.evidence"):
        act(ramed, household_changes.add_class, home, child, evidence="rumour")
    with pytest.raises(LookupError):
        act(ramed, household_changes.end_class, home, child)
    act(ramed, household_changes.add_class, home, child, evidence="document")
    for order in (
        "UPDATE member_classes SET code = 'pregnant'",
        "DELETE FROM member_classes",
        "TRUNCATE member_classes",
    ):
        with module_database.superuser() as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(order)


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ("UPDATE member_classes SET since = since - 9", "is of nobody there"),
        ("UPDATE categories SET standing = 'claimed'", "its category must be proven first"),
    ],
)
def test_verify_finds_a_class_of_nobody_and_a_bill_before_its_proof(
    ramed: UUID, module_database: Database, order: str, problem: str
) -> None:
    home, _, child = joined(ramed)
    act(ramed, household_changes.add_class, home, child, evidence="document")
    with broken(module_database, order) as session:
        assert any(problem in line for line in evidence_checks.broken(session))
    with db.transaction(db.Role.AUDITOR) as session:
        assert list(evidence_checks.broken(session)) == []


def test_the_explanation_tells_that_the_wait_was_spared_and_not_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schemes._loaded(), "SN-CMU", SPARES)
    price = quote(SPARES, [1985, 1990], on=JOINED)
    owed = BillState(
        BILL,
        "dues",
        JOINED,
        "SN-CMU",
        date.fromisoformat(price.version),
        price.option,
        price.shares["member"],
        price.total,
    )
    her = InsuredPerson(UUID(int=2), False, 1990, JOINED, classes=(DatedStatus("pregnant", NOTED),))
    case = ExplainFacts(
        "1234567890",
        "XOF",
        "Africa/Dakar",
        HouseholdBooks((owed,), (BillPayment(BILL, JOINED, 7_000),)),
        {BILL: BillBasis((1985, 1990), "general", price.shares)},
        people=[InsuredPerson(UUID(int=1), True, 1985, JOINED), her],
    )
    french = explain(case, date(2026, 12, 5), texts.read("fr", "rights"), her)
    assert (
        "  Attente jusqu'au 22/12/2026 : les règles en dispensent ce membre, couvert dès le 02/12/2026"
        in french
    )
    assert "02/12/2026" in " ".join(explain(case, date(2026, 12, 5), texts.read("en", "rights"), her))
    assert not any("enceinte" in line or "pregnan" in line for line in french)
