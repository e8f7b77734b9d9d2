"""Claims for a member who joins on the day of the bill. SN-CMU: 3 500 a member and year."""

from collections import Counter
from datetime import date

from mutuelle.enrolment import household_changes
from mutuelle.subsidies.claim_lines import Period
from tests.mutuelle.subsidies.world import ClaimsWorld


def test_who_joins_on_the_day_of_the_bill_is_claimed_for_alone(days_office: ClaimsWorld) -> None:
    """`claim_amounts`: a change of the bill because a member came falls to that member alone."""
    household_id = days_office.joins(born=(1985, 1990), paid=0)
    with days_office.console() as session:
        household_changes.add_member(
            session,
            days_office.tenant_id,
            household_id,
            born="2015",
            name="Khady Ndiaye",
            relationship="child",
            expected_count=2,
            by="manager:1",
        )
    days_office.pays(household_id, 11_500)
    claim = days_office.draft(Period(date(2026, 12, 1), date(2027, 12, 31)), on="2028-01-05")
    units = Counter[str]()
    for row in days_office.lines(claim):
        units[row.csv_line.line.name] += row.csv_line.line.amount
    assert sorted(units.values()) == [3_500, 3_500, 3_500]
    days_office.books_hold()
