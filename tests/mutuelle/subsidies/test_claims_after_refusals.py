"""What the State is asked after a proof was checked and refused. SN-CMU, 3 500 a member and year."""

from collections import Counter
from datetime import date
from uuid import UUID

from mutuelle.enrolment import category_proofs
from mutuelle.subsidies.claim_lines import DraftLine, Period
from mutuelle.subsidies.claim_store import Claim
from tests.mutuelle.billing.same_day_acts import CARD
from tests.mutuelle.subsidies.world import DECEMBER, JANUARY, ClaimsWorld

THE_YEAR = Period(date(2026, 12, 1), date(2027, 12, 31))


def proves(office: ClaimsWorld, household_id: UUID) -> None:
    with office.console() as session:
        category_proofs.check(session, office.tenant_id, household_id, "indigent", CARD, by="manager:1")


def refuses(office: ClaimsWorld, household_id: UUID) -> None:
    with office.console() as session:
        category_proofs.refuse(session, office.tenant_id, household_id, why="not-found", by="manager:1")


def lines_of(office: ClaimsWorld, claim: Claim) -> list[DraftLine]:
    return [row.csv_line.line for row in office.lines(claim)]


def accepted(office: ClaimsWorld, period: Period) -> list[DraftLine]:
    """Sends a claim, all of which is accepted. Returns its lines."""
    claim = office.draft(period)
    office.send(claim)
    office.accept(claim)
    return lines_of(office, claim)


def test_a_proof_checked_and_refused_on_one_day_changes_no_claim(days_office: ClaimsWorld) -> None:
    """I14: changes of one day that end where they began change nothing."""
    untouched, mistaken = days_office.joins(), days_office.joins()
    days_office.on("2027-01-10")
    proves(days_office, mistaken)
    refuses(days_office, mistaken)
    lines = lines_of(days_office, days_office.draft(THE_YEAR, on="2028-01-05"))
    units = Counter[UUID]()
    for line in lines:
        units[line.household_id] += line.amount
    assert units == {untouched: 10_500, mistaken: 10_500}
    facts = [
        sorted(
            (line.category, line.days_from, line.days_until, line.amount)
            for line in lines
            if line.household_id == household_id
        )
        for household_id in (untouched, mistaken)
    ]
    assert facts[0] == facts[1]
    days_office.books_hold()


def test_after_a_refusal_no_claim_names_the_refused_category_and_its_evidence(
    days_office: ClaimsWorld,
) -> None:
    """I12: each franc names its checked evidence and the days really covered."""
    household_id = days_office.joins()
    days_office.on("2027-01-10")
    proves(days_office, household_id)
    days_office.on("2027-01-20")
    refuses(days_office, household_id)
    lines = lines_of(days_office, days_office.draft(THE_YEAR, on="2028-01-05"))
    assert {line.category for line in lines} == {"general"}
    assert (min(line.days_from for line in lines), max(line.days_until for line in lines)) == (
        date(2026, 12, 22),
        date(2027, 12, 21),
    )
    assert sum(line.amount for line in lines) == 10_500
    days_office.books_hold()


def test_the_days_until_the_refusal_stay_proven_and_the_later_ones_are_general(
    days_office: ClaimsWorld,
) -> None:
    """A month of the proof stays owed: 10 500 - 9 625, for 10 January to 9 February."""
    household_id = days_office.joins()
    accepted(days_office, DECEMBER)
    days_office.on("2027-01-10")
    proves(days_office, household_id)
    proven = [line for line in accepted(days_office, JANUARY) if line.category == "indigent"]
    days_office.on("2027-02-10")
    refuses(days_office, household_id)
    rest = Period(date(2027, 2, 1), date(2027, 12, 31))
    lines = lines_of(days_office, days_office.draft(rest, on="2028-01-05"))
    indigent = [line for line in (*proven, *lines) if line.category == "indigent"]
    assert sum(line.amount for line in indigent) == 10_500 - 9_625
    assert max(line.days_until for line in indigent) == date(2027, 2, 9)
    days_office.books_hold()


def test_a_bill_written_for_a_refused_category_is_claimed_as_what_the_household_is(
    days_office: ClaimsWorld,
) -> None:
    """The bill says indigent, the proof is refused before cover begins: the State owes the general half."""
    household_id = days_office.joins(category="indigent", paid=0)
    days_office.proven(household_id, "agent-visit")
    days_office.on("2026-11-23")
    days_office.bills(household_id, "indigent")
    days_office.on("2026-11-25")
    refuses(days_office, household_id)
    days_office.pays(household_id, 2 * 10_500 + 1_000)
    two_years = Period(date(2026, 12, 1), date(2028, 12, 31))
    lines = lines_of(days_office, days_office.draft(two_years, on="2029-01-05"))
    assert {line.category for line in lines} == {"general"}
    assert sum(line.amount for line in lines) == 2 * 10_500
    days_office.books_hold()
