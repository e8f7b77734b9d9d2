"""The number on a document, and how long the document proves a category; pure."""

from datetime import date

import pytest

from mutuelle.errors import Refused
from mutuelle.households import evidence
from mutuelle.households.evidence import NUMBER_MAX
from mutuelle.schemes import schemes

TODAY = date(2026, 11, 22)
INDIGENT = schemes.get("ML-RAMED").on(TODAY).category("indigent")
UNLIMITED = INDIGENT.model_copy(update={"evidence_months": None})


@pytest.mark.parametrize(
    ("text", "number"),
    [("rnu-12 34/b", "RNU1234B"), ("a1b", "A1B"), ("1" * NUMBER_MAX, "1" * NUMBER_MAX)],
)
def test_a_number_keeps_its_letters_and_digits(text: str, number: str) -> None:
    assert evidence.number_of(text) == number


@pytest.mark.parametrize("text", ["", "1-2", "1" * (NUMBER_MAX + 1), "RNÙ123", "١٢٣٤"])
def test_what_cannot_be_the_number_of_a_document_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"evidence\.number"):
        evidence.number_of(text)


@pytest.mark.parametrize(
    ("since", "until", "holds"),
    [
        (TODAY, None, None),
        (TODAY, TODAY, TODAY),
        (date(2020, 1, 1), date(2027, 1, 1), date(2027, 1, 1)),
    ],
)
def test_a_document_holds_to_its_own_last_day(since: date, until: date | None, holds: date | None) -> None:
    assert evidence.holds_until(UNLIMITED, since, until, TODAY) == holds


def test_a_document_without_a_last_day_holds_for_the_months_of_the_scheme() -> None:
    rule = INDIGENT.model_copy(update={"evidence_months": 12})
    assert evidence.holds_until(rule, TODAY, None, TODAY) == date(2027, 11, 21)
    assert evidence.holds_until(rule, TODAY, date(2030, 1, 1), TODAY) == date(2030, 1, 1)
    assert evidence.holds_until(rule, date(2025, 11, 23), None, TODAY) == TODAY


@pytest.mark.parametrize(
    ("since", "until", "key"),
    [
        (date(2026, 11, 23), None, "evidence.since"),
        (TODAY, date(2026, 11, 21), "evidence.over"),
        (date(2025, 11, 22), None, "evidence.over"),
    ],
)
def test_a_document_of_tomorrow_or_one_that_is_over_proves_nothing(
    since: date, until: date | None, key: str
) -> None:
    rule = INDIGENT.model_copy(update={"evidence_months": 12})
    with pytest.raises(Refused, match=key.replace(".", r"\.")):
        evidence.holds_until(rule, since, until, TODAY)


def test_only_what_a_person_can_see_is_evidence_of_a_person() -> None:
    assert evidence.manual_evidence("agent-visit").number is None
    with pytest.raises(Refused, match=r"evidence\.kind"):
        evidence.manual_evidence("registry-match")
