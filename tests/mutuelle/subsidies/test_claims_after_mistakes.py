"""What a payer is asked after a mistake was noted and corrected."""

from mutuelle.enrolment import household_changes
from mutuelle.enrolment.household_changes import PageSnapshot
from tests.mutuelle.subsidies.world import JANUARY, ClaimsWorld


def test_the_state_is_not_asked_for_an_unpaid_newcomer_whose_year_was_corrected(
    days_office: ClaimsWorld,
) -> None:
    """3 500 are owed for Binta."""
    office, home = days_office, days_office.joins()
    office.on("2027-01-05")
    with office.console() as session:
        household_changes.add_member(
            session, office.tenant_id, home, born="2019", name="Binta Ndiaye", relationship="child",
            expected_count=3, by="manager:1",
        )  # fmt: skip
    office.on("2027-01-10")
    members = office.members(home)
    binta, head = members[-1], next(member.id for member in members if member.kind == "head")
    assert binta.name == "Binta Ndiaye"
    with office.console() as session:
        household_changes.correct_member(
            session, office.tenant_id, home, binta.id, born="2018", head=False, why="typing",
            shown=PageSnapshot(4, 2019, head), by="manager:1",
        )  # fmt: skip
    claim = office.draft(JANUARY, on="2027-02-05")
    names = {row.csv_line.line.name for row in office.lines(claim)}
    assert names
    assert binta.name not in names
