"""The codes that the domain compares are those that the database accepts."""

import re
from enum import StrEnum

import pytest

from gateway.console import words
from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.households.evidence import EvidenceKind
from mutuelle.households.households import MemberKind
from mutuelle.messaging.messages import MessageStatus
from mutuelle.schemes.money_rules import CategoryState
from tests.support.templates import Database

CHECKS = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'
"""


@pytest.mark.parametrize(
    ("table", "column", "codes"),
    [
        ("adjustments", "reason", AdjustmentReason),
        ("categories", "standing", CategoryState),
        ("categories", "evidence", EvidenceKind),
        ("members", "kind", MemberKind),
        ("messages", "status", MessageStatus),
    ],
)
def test_the_database_accepts_exactly_the_codes_we_compare(
    database: Database, table: str, column: str, codes: type[StrEnum]
) -> None:
    with database.superuser() as connection:
        checks = [row[0] for row in connection.execute(CHECKS, [table])]
    patterns = [re.search(rf"\({column} = ANY \(ARRAY\[(.*)\]\)\)", check) for check in checks]
    code_lists = [match[1] for match in patterns if match]
    assert [set(re.findall(r"'([^']+)'::text", code_list)) for code_list in code_lists] == [set(codes)]


def test_every_state_and_evidence_of_a_category_has_french_words() -> None:
    assert set(CategoryState) == words.WORDS["standing"].keys()
    assert set(EvidenceKind) == words.WORDS["evidence"].keys()
    assert set(MemberKind) == words.WORDS["member"].keys()
