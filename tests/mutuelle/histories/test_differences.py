"""Differences between the documents and the product that the random histories found, each as a story."""

from collections import Counter
from datetime import date

from tests.mutuelle.histories.world import AskedLine, Office, RealHousehold

JOINED, FIRST_DAY, ASKED = date(2027, 1, 31), date(2027, 3, 2), date(2027, 6, 2)  # three months of cover


def units_by_member(lines: list[AskedLine]) -> Counter[str]:
    units = Counter[str]()
    for line in lines:
        units[line.name] += line.units
    return units


def test_who_comes_on_the_day_of_the_bill_is_claimed_for_alone(opened: dict[str, Office]) -> None:
    """`claim_amounts`: a change because a member came falls to that member alone."""
    office = opened["senegal"]
    office.begin()
    office.on(JOINED)
    household = RealHousehold(office, [1985], "general")
    household.joins(1971)
    household.pays(7_000)
    office.on(ASKED)
    claimed = units_by_member(household.asks_state(JOINED, date(2027, 6, 1), again=False))
    assert claimed == {"P0": 875, "P1": 875}  # 3 500 x 3 / 12


def test_the_state_is_asked_for_its_half_after_a_proof_was_refused(opened: dict[str, Office]) -> None:
    """Decision 0014: the payer is asked for covered days. The State owes half again.

    The decrease of the refusal takes the line of the refused category back, whose evidence is over on the
    first covered day, and not the first line, which needs no proof.
    """
    office = opened["senegal"]
    office.begin()
    office.on(date(2027, 1, 29))
    household = RealHousehold(office, [1985, 1990], "general")
    household.proven("indigent", None)
    office.on(date(2027, 1, 30))
    household.refused()
    office.on(JOINED)
    household.pays(7_000)
    assert household.parts()["dues", date(2027, 1, 29), "state"] == 7_000
    office.on(ASKED)
    claimed = units_by_member(household.asks_state(JOINED, date(2027, 6, 1), again=False))
    assert claimed == {"P0": 922, "P1": 922}  # from 28 February: 3 500 x (3 + 5 / 31) / 12
