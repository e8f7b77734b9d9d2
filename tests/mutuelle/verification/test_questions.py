"""Each question of `verify` is broken in exactly its way by a superuser whose triggers sleep, and answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mutuelle import clock, db
from mutuelle.verification import (
    bills,
    cases,
    categories,
    claims,
    duplicates,
    ledger,
    links,
    messages,
    money_seals,
    open_amounts,
    payments,
    people,
    phone_leaks,
    receipts,
    refunds,
    retention,
    rights,
    verify,
)
from mutuelle.verification.questions import QUESTIONS
from tests.mutuelle.verification import (
    breaks_of_bills,
    breaks_of_duplicates,
    breaks_of_money,
    breaks_of_people,
    breaks_of_retention,
    story,
)
from tests.mutuelle.verification.world import broken
from tests.support.templates import Database

SUBJECTS = (
    *(
        bills,
        cases,
        categories,
        claims,
        duplicates,
        ledger,
        links,
        messages,
        money_seals,
        payments,
        people,
        phone_leaks,
    ),
    *(open_amounts, receipts, refunds, retention, rights),
)
BREAKS = breaks_of_money.BREAKS | breaks_of_bills.BREAKS | breaks_of_people.BREAKS
BREAKS |= breaks_of_duplicates.BREAKS | breaks_of_retention.BREAKS


@pytest.fixture(scope="module", autouse=True)
def _story(module_database: Database) -> Iterator[None]:
    story.tell(module_database.url)
    yield
    clock.install(clock.Source())
    db.disconnect()


def test_the_story_is_whole(module_database: Database) -> None:
    with broken(module_database) as session:
        assert verify.run(session).broken == []


def test_every_question_is_broken_by_a_test() -> None:
    """Those about the schema have a file of their own; only a wrong rule loses days (`test_newcomers`)."""
    names = {question.name for question in QUESTIONS if not question.name.startswith("schema-")}
    assert names - {"rights-told"} - {name for name, _, _ in BREAKS.values()} == set()
    assert {other for _, _, others in BREAKS.values() for other in others} <= {row.name for row in QUESTIONS}


@pytest.mark.parametrize("how", BREAKS)
def test_what_is_broken_is_named(module_database: Database, how: str) -> None:
    """Asks the questions of the same subject, and those that the deed breaks as well."""
    name, orders, others = BREAKS[how]
    subject = next(each for each in SUBJECTS if any(question.name == name for question in each.QUESTIONS))
    names = {question.name for question in subject.QUESTIONS} | others
    with broken(module_database, *orders) as session:
        named = {
            question.name
            for question in QUESTIONS
            if question.name in names and list(question.broken(session))
        }
    assert named == {name, *others}


def test_the_document_holds_every_question() -> None:
    text = (Path(__file__).parents[3] / "docs" / "verify.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert rows == [[f"`{row.name}`", row.invariant, row.text] for row in QUESTIONS]
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS)
