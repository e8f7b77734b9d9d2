"""Tests that the codes of enrolment are those the database accepts, and that each one has words."""

import re
from enum import StrEnum

import pytest

from gateway.console import words
from menus import sms_words, texts
from mutuelle.enrolment.appeals import Explanation, TicketAnswer, TicketKind, TicketState
from mutuelle.enrolment.categories import NotProven
from mutuelle.enrolment.household_changes import ClassEvidence, CorrectionReason
from mutuelle.enrolment.registry_matching import MatchReason
from mutuelle.enrolment.registry_proposals import ProposalState
from tests.support.templates import Database

CHECKS = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'
"""


@pytest.mark.parametrize(
    ("table", "column", "codes"),
    [
        ("tickets", "kind", TicketKind),
        ("tickets", "state", TicketState),
        ("tickets", "answer", TicketAnswer),
        ("registry_proposals", "state", ProposalState),
        ("member_classes", "evidence", ClassEvidence),
    ],
)
def test_the_database_accepts_exactly_these_codes(
    database: Database, table: str, column: str, codes: type[StrEnum]
) -> None:
    with database.superuser() as connection:
        checks = [row[0] for row in connection.execute(CHECKS, [table])]
    patterns = [re.search(rf"\({column} = ANY \(ARRAY\[(.*)\]\)\)", check) for check in checks]
    code_lists = [match[1] for match in patterns if match]
    assert [set(re.findall(r"'([^']+)'::text", code_list)) for code_list in code_lists] == [set(codes)]


@pytest.mark.parametrize(
    ("codes", "table"),
    [
        (TicketKind, "appeal"),
        (TicketAnswer, "answer"),
        (Explanation, "because"),
        (NotProven, "not-proven"),
        (CorrectionReason, "mistake"),
        (MatchReason, "listed"),
    ],
)
def test_the_console_has_words_for_exactly_these_codes(codes: type[StrEnum], table: str) -> None:
    assert set(codes) == words.WORDS[table].keys()


def test_the_console_has_words_for_the_evidence_of_a_class() -> None:
    assert set(ClassEvidence) <= words.WORDS["evidence"].keys()


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_household_reads_words_for_every_kind_and_answer_of_a_ticket(language: str) -> None:
    assert {f"appeal.{kind}" for kind in TicketKind} <= texts.CATALOGUES[language].keys()
    assert {f"appeal-{answer}" for answer in TicketAnswer} <= sms_words.CATALOGUES[language].keys()
    assert {f"because.{code}" for code in Explanation} <= sms_words.CATALOGUES[language].keys()
