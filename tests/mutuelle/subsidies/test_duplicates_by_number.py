"""Two mutuelles without a common federation are compared by the number that the State gave the household."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import pytest

from mutuelle import clock
from mutuelle.enrolment import agent_enrolment
from mutuelle.enrolment.agent_enrolment import TypedHousehold, TypedPerson
from mutuelle.errors import Refused
from mutuelle.organisation import tenants
from mutuelle.subsidies.claim_lines import Period
from tests.mutuelle.subsidies.duplicates_world import (
    SecondOffice,
    claimed,
    decide,
    look_for_duplicates,
    pairs,
    second_office,
)
from tests.mutuelle.subsidies.world import ClaimsWorld

NUMBER = "RSU 1 75120"
BORN = ("1980", "2012")
NAMES = ("Fanta Keïta", "Sira Keïta")
MARCH = Period(date(2027, 3, 1), date(2027, 3, 31))


@pytest.fixture
def offices(office: ClaimsWorld) -> tuple[SecondOffice, SecondOffice]:
    """A Malian mutuelle and RAMED, the mutuelle of another scheme, with no parent in common."""
    mali = SecondOffice(
        office.world, office.world.mali, *(office.coumba,) * 3, numbers=office.numbers, first=office
    )
    return mali, second_office(mali, scheme="ML-RAMED", federated=False)


def enrol(office: ClaimsWorld, names: Sequence[str], number: str, born: Sequence[str] = BORN) -> UUID:
    """Enrols an indigent household that shows a number of the social registry, as an agent does."""
    typed = TypedHousehold(
        phone=f"+223770{next(office.numbers):05d}",
        language="fr",
        category="indigent",
        option="",
        people=[
            TypedPerson(year, name, relationship="child" if place else "")
            for place, (year, name) in enumerate(zip(born, names, strict=True))
        ],
        consent="1",
        kind="registry-number",
        number=number,
    )
    with office.console() as session:
        tenant = tenants.get(session, office.tenant_id)
        return agent_enrolment.enrol(session, tenant, typed, key=str(clock.new_id()), by="agent").id


def test_a_ramed_household_that_joins_the_mutuelle_of_another_scheme_is_claimed_once(
    offices: tuple[SecondOffice, SecondOffice],
) -> None:
    mali, ramed = offices
    first = enrol(ramed, NAMES, NUMBER)
    again = enrol(mali, ("keita fanta", "SIRA Keita"), "rsu-175120")  # enrolling finds it
    assert [(pair.household_id, pair.later_household_id) for pair in pairs(mali)] == [(first, again)] * 2
    assert {tuple(pair.reasons) for pair in pairs(mali)} == {("name", "year", "others", "number")}
    assert set(claimed(ramed, ramed.draft(MARCH))) == {first}
    assert set(claimed(ramed, ramed.draft(MARCH, "commune"))) == {first}
    with pytest.raises(Refused, match=r"claim\.nothing") as refused:
        mali.draft(MARCH)
    # Covered from 20 February on: a month, and 12 of the 31 days of the next one.
    assert refused.value.values["left_out"] == {"duplicate": 1_524, "not-covered": 11_676}
    decide(mali, "different")
    assert set(claimed(mali, mali.draft(MARCH))) == {again}
    mali.books_hold()


def test_heads_of_one_number_are_a_pair_under_any_names(
    offices: tuple[SecondOffice, SecondOffice],
) -> None:
    mali, ramed = offices
    enrol(ramed, ("Fanta Keïta", "Sira Keïta"), NUMBER)
    enrol(mali, ("Fatoumata Keita", "Awa Keita"), NUMBER, ("1981", "2012"))
    assert [tuple(pair.reasons) for pair in pairs(mali)] == [("year-near", "number")]


def test_without_the_number_or_with_another_year_there_is_no_pair(
    offices: tuple[SecondOffice, SecondOffice],
) -> None:
    mali, ramed = offices
    enrol(ramed, NAMES, NUMBER)
    enrol(mali, NAMES, "RSU 99999")
    enrol(mali, ("Oumou Traoré", "Awa Traoré"), NUMBER, ("1960", "2001"))
    look_for_duplicates(mali, ramed)
    assert pairs(mali) == pairs(ramed) == []
