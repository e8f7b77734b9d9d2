"""Tests which household a registry line belongs to: a table of cases, and what must never happen."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutuelle.enrolment import registry_matching
from mutuelle.enrolment.registry_matching import Match, MatchCandidate, RegistryLine
from mutuelle.households import names

TODAY = date(2026, 11, 22)
ENTRY = RegistryLine(UUID(int=1), "indigent", 1985, TODAY + timedelta(300))
HOME = MatchCandidate(
    UUID(int=10),
    number=False,
    phone=False,
    name=False,
    head_born=1985,
    category="indigent",
    standing="claimed",
)
OTHER = replace(HOME, id=UUID(int=11))


def home(**more: Any) -> MatchCandidate:
    return replace(HOME, **more)


@pytest.mark.parametrize(
    ("entry", "homes", "sure", "reasons"),
    [
        ({}, [home(number=True)], True, "number year"),
        ({}, [home(number=True, head_born=1950)], True, "number"),
        ({}, [home(number=True, category="general")], True, "number year"),
        ({}, [home(number=True), replace(OTHER, number=True)], False, "number year number-shared"),
        ({}, [home(number=True), replace(OTHER, phone=True)], True, "number year"),
        ({}, [home(number=True, standing="refused")], False, "number year refused-before"),
        (
            {},
            [home(number=True, category="scholarship", standing="checked")],
            False,
            "number year checked-otherwise",
        ),
        ({}, [home(phone=True)], True, "phone year"),
        ({}, [home(phone=True, head_born=1987)], True, "phone year"),
        ({}, [home(phone=True, head_born=1988)], False, "phone year-differs"),
        ({"birth_year": None}, [home(phone=True)], True, "phone"),
        ({"birth_year": None}, [home(phone=True, category="general")], False, "phone not-claimed"),
        ({}, [home(phone=True, category="general")], True, "phone year"),
        ({}, [home(phone=True, category=None, standing=None)], True, "phone year"),
        ({}, [home(phone=True, standing="refused")], False, "phone year refused-before"),
        ({}, [home(phone=True), replace(OTHER, phone=True)], False, "phone year phone-shared"),
        ({}, [home(phone=True), replace(OTHER, name=True)], True, "phone year"),
        ({}, [home(name=True)], False, "name year"),
        ({"birth_year": None}, [home(name=True)], None, ""),
        ({}, [home(name=True, head_born=1950)], None, ""),
        ({}, [home()], None, ""),
        ({"valid_until": TODAY}, [home(number=True)], True, "number year"),
        ({"valid_until": TODAY - timedelta(1)}, [home(number=True)], None, ""),
        ({}, [home(number=True, standing="checked", this=True)], None, ""),
        ({}, [home(phone=True, standing="checked")], None, ""),
        ({}, [home(phone=True, standing="checked", until=TODAY)], True, "phone year"),
        ({}, [home(phone=True, standing="checked", until=ENTRY.valid_until)], None, ""),
    ],
)
def test_what_one_line_means(
    entry: dict[str, Any], homes: list[MatchCandidate], sure: bool | None, reasons: str
) -> None:
    for order in permutations(homes):
        pairs = registry_matching.match(replace(ENTRY, **entry), order, TODAY)
        assert [(pair.sure, " ".join(pair.reasons)) for pair in pairs] == (
            [] if sure is None else [(sure, reasons)] * len(pairs)
        )
        assert bool(pairs) == (sure is not None)
        assert len(pairs) == (len(homes) if "shared" in reasons else len(pairs))


def test_of_several_lines_for_one_household_the_one_with_its_number_wins() -> None:
    by_phone = [Match(replace(ENTRY, id=UUID(int=n)), HOME.id, True, ("phone",)) for n in (2, 3)]
    by_number = Match(ENTRY, HOME.id, True, ("number",))
    assert [pair.sure for pair in registry_matching.settle(by_phone)] == [False, False]
    assert [pair.sure for pair in registry_matching.settle([*by_phone, by_number])] == [False, False, True]
    assert [pair.sure for pair in registry_matching.settle(by_phone[:1])] == [True]


HOMES = st.lists(
    st.builds(
        MatchCandidate,
        st.uuids(),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.none() | st.integers(1980, 1990),
        st.sampled_from([None, "general", "indigent", "scholarship"]),
        st.sampled_from([None, "claimed", "checked", "refused"]),
        st.none() | st.dates(TODAY, date(2030, 1, 1)),
    ),
    max_size=6,
    unique_by=lambda home: home.id,
)


@given(
    homes=HOMES, born=st.none() | st.integers(1980, 1990), until=st.none() | st.dates(TODAY, date(2030, 1, 1))
)
def test_a_name_proves_no_category_and_a_list_proves_no_refused_household(
    homes: list[MatchCandidate], born: int | None, until: date | None
) -> None:
    entry = replace(ENTRY, birth_year=born, valid_until=until)
    pairs = registry_matching.match(entry, homes, TODAY)
    candidates = {home.id: home for home in homes}
    assert sum(pair.sure for pair in pairs) <= 1
    for pair in pairs:
        assert pair.reasons
        assert set(pair.reasons) <= set(registry_matching.MatchReason)
        if pair.sure:
            proven = candidates[pair.household_id]
            assert proven.number or proven.phone
            assert not (proven.standing == "refused" and proven.category == entry.category)


def test_a_name_is_the_same_in_any_order_and_spelling() -> None:
    assert names.sorted_words("DIOP  Awa-Marie") == names.sorted_words("awa marie Diop")
    assert names.sorted_words("N'Déye Sow") == names.sorted_words("SOW n'deye")
    assert names.sorted_words("Awa Diop") != names.sorted_words("Awa Diouf")
