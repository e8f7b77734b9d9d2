"""Regressions: the State overpaid, or a draft was refused. SN-CMU, 3 500 a member and year."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from mutuelle import clock, db
from mutuelle.billing import adjustments
from mutuelle.enrolment import category_proofs
from mutuelle.enrolment.category_proofs import Evidence
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_steps import PayerAnswer
from mutuelle.verification import verify
from tests.mutuelle.subsidies.world import DECEMBER, JANUARY, ClaimsWorld
from tests.support.templates import Database


def month(number: int) -> Period:
    """Returns a month of 2027."""
    return Period(date(2027, number, 1), date(2027, number + 1, 1) - timedelta(1))


def settled(
    office: ClaimsWorld, period: Period, *, again: bool = False, rejected: int = 0
) -> list[tuple[str, int]]:
    """Sends a claim whose lines are accepted, except the one `rejected`. Returns first names and amounts."""
    claim = office.draft(period, again=again)
    office.send(claim)
    if rejected:
        office.answer(claim, PayerAnswer(rejected, False, "inconnue au registre"))
    office.accept(claim)
    return [((line.csv_line.line.name).split()[0], line.csv_line.line.amount) for line in office.lines(claim)]


def owed_and_accepted(office: ClaimsWorld) -> tuple[int, int]:
    """Returns what the State owes of all bills, and what it has accepted."""
    with db.transaction(db.Role.AUDITOR) as session:
        owed = session.scalar(text("SELECT sum(amount) FROM bill_lines WHERE payer = 'state'"))
        accepted = session.scalar(
            text(
                "SELECT sum(c.amount) FROM claim_lines c JOIN claim_answers a ON a.line_id = c.id"
                " WHERE a.answer = 'accepted'"
            )
        )
    return int(owed or 0), int(accepted or 0)


def proven_indigent(office: ClaimsWorld, household_id: UUID) -> None:
    with office.console() as session:
        category_proofs.check(
            session, office.tenant_id, household_id, "indigent", Evidence("agent-visit"), by="manager:1"
        )


def leaves(office: ClaimsWorld, household_id: UUID, name: str) -> None:
    office.leaves(
        household_id, [member.name for member in office.members(household_id)].index(f"{name} Ndiaye")
    )


def test_after_a_payment_was_lost_and_paid_again_a_correction_names_who_left(office: ClaimsWorld) -> None:
    """10 500 accepted, taken back, paid and accepted again. Khady comes in April, 11 of 12 months to come: 3
    500 * 11 / 12 = 3 208. Fatou leaves in May, 10 months to come: 2 916. Khady leaves in June, 9 months: 2
    625. Owed: 8 167."""
    household_id = office.joins(paid=0)
    lost = office.pays(household_id, 11_500)
    settled(office, DECEMBER)
    office.taken_back(lost, 11_500)
    settled(office, JANUARY)
    office.pays(household_id, 11_500)
    assert sum(units for _, units in settled(office, month(3))) == 10_500
    office.on("2027-04-05")
    with db.transaction(db.Role.FEDERATION, office.tenant_id) as session:
        day = clock.today("Africa/Dakar")
        households.add_member(session, office.tenant_id, household_id, born=2000, on=day, name="Khady Ndiaye")
        adjustments.apply(session, office.tenant_id, household_id, day, "household")
    office.pays(household_id, 3_500)
    assert settled(office, month(4)) == [("Khady", 3_208)]
    office.on("2027-05-05")
    leaves(office, household_id, "Fatou")
    assert settled(office, month(5)) == [("Fatou", -2_916)]
    office.on("2027-06-05")
    leaves(office, household_id, "Khady")
    assert settled(office, month(6)) == [("Khady", -2_625)]
    assert owed_and_accepted(office) == (8_167, 8_167)
    office.books_hold()


def rejected_when_dearer(office: ClaimsWorld) -> UUID:
    """Three at 3 500; on 3 January the household is proven indigent, 3 500 more each; the State rejects
    Fatou's second."""
    household_id = office.joins()
    settled(office, DECEMBER)
    office.on("2027-01-03")
    proven_indigent(office, household_id)
    assert settled(office, JANUARY, rejected=3) == [("Awa", 3_500), ("Modou", 3_500), ("Fatou", 3_500)]
    return household_id


def test_a_line_asked_again_is_smaller_by_what_a_minus_did_not_give_back(office: ClaimsWorld) -> None:
    """Fatou leaves on 10 February, 10 of 12 months to come of 7 000: 6 417 less, of which 3 500 came. Asked
    again, her 3 500 is 3 500 - 2 917 = 583; 14 583 owed."""
    household_id = rejected_when_dearer(office)
    office.on("2027-02-10")
    leaves(office, household_id, "Fatou")
    assert settled(office, month(2)) == [("Fatou", -3_500)]
    office.books_hold()
    assert settled(office, month(3), again=True) == [("Fatou", 583)]
    assert owed_and_accepted(office) == (14_583, 14_583)
    office.books_hold()
    with pytest.raises(Refused, match=r"claim\.nothing"):
        office.draft(month(4), again=True)


def test_verify_finds_a_bill_of_which_its_payer_accepted_more_than_it_owes(
    office: ClaimsWorld, module_database: Database
) -> None:
    """The same, with the 3 500 asked again whole: 17 500 accepted, 14 583 owed."""
    household_id = rejected_when_dearer(office)
    office.on("2027-02-10")
    leaves(office, household_id, "Fatou")
    settled(office, month(2))
    settled(office, month(3), again=True)
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE claim_lines SET amount = 3500 WHERE amount = 583")
    assert owed_and_accepted(office) == (14_583, 17_500)
    with db.transaction(db.Role.AUDITOR) as session:
        broken = [
            message for message in verify.run(session).broken if message.startswith("I12 claim-accepted: ")
        ]
    assert len(broken) == 1
