"""Member classes in the database: noted once, billed, never edited, and secret in every other record."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from menus import texts
from mutuelle import clock, db
from mutuelle.billing import renewals
from mutuelle.billing.billing_runs import RunPart
from mutuelle.contributions.bills import category_of
from mutuelle.cover import explain_facts, household_rights, member_rights
from mutuelle.cover.explain import explain
from mutuelle.enrolment import enrolment, household_changes
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence, Proof
from mutuelle.organisation import tenants
from mutuelle.schemes import schemes
from mutuelle.verification import verify
from tests.mutuelle.verification.world import broken
from tests.support import people
from tests.support.books import contents
from tests.support.templates import Database

TODAY = clock.today("Africa/Bamako")
DAY = timedelta(1)


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


def joined(ramed: UUID) -> tuple[UUID, str, UUID]:
    """Enrols a head and a child of fifteen, too old for RAMED. Returns household, number and child."""
    proof = Proof(Evidence("document", f"SIK {clock.digits(6)}"))
    with db.transaction(db.Role.CONSOLE, ramed) as session:
        household = enrolment.enrol(
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
        return household.id, household.number, households.members_of(session, ramed, household.id)[1].id


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
    return case.books.bills[0].total, household_rights.on(line, day).state, sentences


def test_a_disabled_child_is_covered_at_any_age_from_the_day_it_was_noted_and_billed_to_the_state(
    ramed: UUID,
) -> None:
    household_id, number, child = joined(ramed)
    assert standing(number)[:2] == (6_600, "never")
    for _ in range(2):  # a double click
        act(ramed, household_changes.add_class, household_id, child, evidence="document")
    price, state, sentences = standing(number)
    assert (price, state) == (13_200, "open")
    assert any("les règles couvrent ce membre, dès le" in line for line in sentences)
    act(ramed, household_changes.end_class, household_id, child)
    assert standing(number)[:2] == (6_600, "open")  # to the end of the day
    assert standing(number, TODAY + DAY)[1] == "never"
    with db.transaction(db.Role.AUDITOR) as session:
        assert category_of(session, ramed, household_id) == "indigent"
        assert verify.run(session).broken == []


def test_a_class_that_ended_today_is_refused_until_tomorrow_and_no_day_between_becomes_covered(
    ramed: UUID,
) -> None:
    household_id, number, child = joined(ramed)
    try:
        act(ramed, household_changes.add_class, household_id, child, evidence="document")
        act(ramed, household_changes.end_class, household_id, child)
        with pytest.raises(Refused, match=r"class\.ended-today"):
            act(ramed, household_changes.add_class, household_id, child, evidence="document")
        clock.install(clock.Source(shift_s=2 * 86_400))
        act(ramed, household_changes.add_class, household_id, child, evidence="document")
    finally:
        clock.install(clock.Source())
    assert [standing(number, TODAY + days * DAY)[1] for days in range(3)] == ["open", "never", "open"]
    with db.transaction(db.Role.AUDITOR) as session:
        assert [
            wrong for wrong in verify.run(session).broken if str(household_id) in wrong or "class" in wrong
        ] == []


def test_the_next_bill_is_for_a_disabled_child_too_while_it_is_noted(ramed: UUID) -> None:
    household_id, _, child = joined(ramed)
    book, due = schemes.get("ML-RAMED"), TODAY + timedelta(365)
    only = RunPart(0, UUID(int=household_id.int - 1), household_id)

    def next_price() -> int:
        with db.transaction(db.Role.WORKER, ramed) as session:
            (candidate,) = renewals.candidates(session, ramed, book, due, only)
        priced = renewals.price(book, candidate, due)
        assert priced is not None
        return priced[0].total

    assert next_price() == 6_600
    act(ramed, household_changes.add_class, household_id, child, evidence="document")
    assert next_price() == 13_200
    act(ramed, household_changes.end_class, household_id, child)
    assert next_price() == 6_600


def test_no_other_table_trail_message_or_explanation_reveals_the_class(
    ramed: UUID, module_database: Database
) -> None:
    household_id, number, child = joined(ramed)
    act(ramed, household_changes.add_class, household_id, child, evidence="agent-visit")
    everything = contents(module_database)
    assert "disabled" in " ".join(everything.pop("member_classes"))
    stored = " ".join(row for rows in everything.values() for row in rows)
    (trace,) = (row for row in everything["audit"] if "rule-noted" in row and str(household_id) in row)
    assert str(child) not in trace
    for word in ("disabled", "pregnan", "handicap", "class", "any age", "tout âge"):
        assert word not in stored
        assert word not in " ".join(standing(number)[2]).lower()


def test_a_rule_that_names_an_unknown_class_is_reported(tmp_path: Path) -> None:
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
    household_id, _, child = joined(ramed)
    with pytest.raises(Refused, match=r"class\.unused"):
        act(ramed, household_changes.add_class, household_id, child, evidence="document", code="pregnant")
    with pytest.raises(Refused, match=r"class\.evidence"):
        act(ramed, household_changes.add_class, household_id, child, evidence="rumour")
    with pytest.raises(LookupError):
        act(ramed, household_changes.end_class, household_id, child)
    act(ramed, household_changes.add_class, household_id, child, evidence="document")
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
        ("UPDATE member_classes SET since = since - 9", "I5 class-member: "),
        ("UPDATE categories SET standing = 'claimed'", "I12 category-first: "),
    ],
)
def test_verify_finds_a_class_without_a_member_and_a_bill_before_its_proof(
    ramed: UUID, module_database: Database, order: str, problem: str
) -> None:
    household_id, _, child = joined(ramed)
    act(ramed, household_changes.add_class, household_id, child, evidence="document")
    with broken(module_database, order) as session:
        assert any(problem in line for line in verify.run(session).broken)
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
