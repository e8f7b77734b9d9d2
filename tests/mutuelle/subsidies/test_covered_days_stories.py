"""Claims by covered days through the database: stories month by month, guards, old claims, the file."""

import csv
import hashlib
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway import claim_documents
from mutuelle import clock, db
from mutuelle.billing import adjustments
from mutuelle.enrolment import category_proofs
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence
from mutuelle.subsidies import claim_checks, claim_csv, claim_steps, claim_store
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_store import Claim
from tests.mutuelle.schemes import world
from tests.mutuelle.subsidies.claiming import month
from tests.mutuelle.subsidies.world import DECEMBER, JANUARY, ClaimsWorld
from tests.support.templates import Database

Row = tuple[str, str, str, int]


@pytest.fixture
def office(days_office: ClaimsWorld) -> ClaimsWorld:
    """An office of Senegal under the shipped rule book: the State pays 3 500 a member and year."""
    return days_office


def rows(office: ClaimsWorld, claim: Claim) -> list[Row]:
    """Returns first name, days and amount of each line."""
    lines = [row.csv_line.line for row in office.lines(claim)]
    return [(row.name.split()[0], f"{row.days_from}", f"{row.days_until}", row.amount) for row in lines]


def settled(office: ClaimsWorld, period: Period) -> list[Row]:
    """Claims a period, compares the claim with the books, accepts and pays it. Returns its rows."""
    claim = office.draft(period)
    is_made_again(office, claim)
    office.send(claim)
    office.accept(claim)
    if rest := office.sums(claim).rest:
        office.pay(claim, rest)
    office.books_hold()
    return rows(office, claim)


def is_made_again(office: ClaimsWorld, claim: Claim) -> None:
    with office.console() as session:
        assert claim_checks.remake(session, claim) == claim_checks.ClaimComparison()


def joins_in(office: ClaimsWorld, household_id: UUID, name: str, born: int) -> None:
    """Adds a member today and bills it."""
    with db.transaction(db.Role.FEDERATION, office.tenant_id) as session:
        day = clock.today("Africa/Dakar")
        households.add_member(session, office.tenant_id, household_id, born=born, on=day, name=name)
        adjustments.apply(session, office.tenant_id, household_id, day, "household")


def leaves(office: ClaimsWorld, household_id: UUID, name: str) -> None:
    """Removes a member today."""
    names = [(member.name or "").split()[0] for member in office.members(household_id)]
    office.leaves(household_id, names.index(name))


def test_a_year_of_monthly_claims_with_who_came_and_who_left(office: ClaimsWorld) -> None:
    """Covered from 22 December. Khady comes on 5 April and is paid on the 20th, Fatou leaves on 5 July."""
    household_id = office.joins()
    sums = [sum(units for *_, units in settled(office, DECEMBER))]
    assert sums == [3 * (3_500 * 10 // (12 * 31))]
    for number in range(1, 4):
        settled(office, month(2027, number))
    office.on("2027-04-05")
    joins_in(office, household_id, "Khady Ndiaye", 2000)
    office.on("2027-04-20")
    office.pays(household_id, 3_500)
    april = settled(office, month(2027, 4))
    assert [row[:3] for row in april] == [
        ("Awa", "2027-04-01", "2027-04-30"),
        ("Modou", "2027-04-01", "2027-04-30"),
        ("Fatou", "2027-04-01", "2027-04-30"),
        ("Khady", "2027-04-20", "2027-04-30"),
    ]
    for number in (5, 6):
        settled(office, month(2027, number))
    office.on("2027-07-05")
    leaves(office, household_id, "Fatou")
    july = settled(office, month(2027, 7))
    assert {row[0] for row in july} == {"Awa", "Modou", "Khady", "Fatou"}
    # The month from 22 June on, which is under way, goes back with her.
    assert [row[1:3] for row in july if row[0] == "Fatou"] == [("2027-06-22", "2027-06-30")]
    for number in range(8, 13):
        settled(office, month(2027, number))
    claimed = lines_of_all(office)
    by_name = {name: sum(units for who, *_, units in claimed if who == name) for name, *_ in claimed}
    assert (by_name["Awa"], by_name["Modou"]) == (3_500, 3_500)
    # Six months of Fatou's year were over, and the seventh goes back: 3 500 * 6 / 12.
    assert by_name["Fatou"] == 3_500 - 3_500 * 6 // 12
    # Khady costs nine months of twelve, of which 15 days are lost: 8 + 2/31 months of 8 + 17/31 are covered.
    assert by_name["Khady"] == 2_625 * (8 * 31 + 2) // (8 * 31 + 17)


def lines_of_all(office: ClaimsWorld) -> list[Row]:
    with office.console() as session:
        claims = claim_store.newest(session, office.tenant_id, limit=100)
    return [row for claim in claims for row in rows(office, claim)]


def test_a_reversal_ends_what_is_asked_on_its_own_day(office: ClaimsWorld) -> None:
    household_id = office.joins(paid=0)
    transaction = office.pays(household_id, 11_500)
    settled(office, JANUARY)
    office.on("2027-02-05")
    office.taken_back(transaction, 11_500)
    assert {row[1:3] for row in settled(office, month(2027, 2))} == {("2027-02-01", "2027-02-04")}
    office.on("2027-03-03")
    office.pays(household_id, 11_500)
    april = settled(office, month(2027, 4))  # it has waited 30 days anew
    assert {row[1:3] for row in april} == {("2027-04-02", "2027-04-30")}
    assert office.left_out(newest(office)) == {
        "not-covered": 10_500 - sum(u for *_, u in lines_of_all(office))
    }


def newest(office: ClaimsWorld) -> Claim:
    with office.console() as session:
        return claim_store.newest(session, office.tenant_id)[0]


def test_days_that_a_decision_takes_after_the_claim_go_back_in_the_next_one(
    office: ClaimsWorld, module_database: Database
) -> None:
    """The money is found to have been false since 16 January: the second half of that month goes back."""
    household_id = office.joins(paid=0)
    transaction = office.pays(household_id, 11_500)
    settled(office, JANUARY)
    office.on("2027-02-05")
    office.taken_back(transaction, 11_500)
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE allocations SET on_day = '2027-01-16' WHERE amount < 0")
    claim = office.draft(month(2027, 2))
    assert {row[1:3] for row in rows(office, claim)} == {("2027-01-16", "2027-01-31")}
    assert claim.total < 0
    assert {line.csv_line.corrects for line in office.lines(claim)} == {
        f"SN-TEST/ETAT/2027/001 {n}" for n in (1, 2, 3)
    }
    assert sum(units for *_, units in lines_of_all(office)) == 3 * (3_500 * 25 // (12 * 31))
    is_made_again(office, claim)


def test_a_sponsor_and_the_state_are_asked_for_the_same_days(office: ClaimsWorld) -> None:
    """The sponsor promises half of the members' 10 500 before the cover begins: 5 250 over the same year."""
    household_id = office.joins(paid=0)
    office.on("2026-11-24")
    office.helped(household_id, "secours", "Secours")
    office.pays(household_id, 1_000 + 5_250)
    year = Period(DECEMBER.since, date(2027, 12, 31))
    first = office.draft(DECEMBER, "sponsor", sponsor="secours")
    is_made_again(office, first)
    whole = office.draft(year, "sponsor", sponsor="secours")
    assert first.total + whole.total == 5_250
    state = office.draft(year)
    assert state.total == 10_500
    assert {row[1:3] for row in rows(office, state)} == {("2026-12-24", "2027-12-23")}
    assert {row[1] for row in rows(office, first)} == {"2026-12-24"}
    office.books_hold()


def test_a_payer_that_has_not_answered_is_not_asked_to_give_back(office: ClaimsWorld) -> None:
    household_id = office.joins()
    first = office.draft(Period(DECEMBER.since, date(2027, 1, 10)))
    office.send(first)
    office.on("2027-01-15")
    leaves(office, household_id, "Fatou")
    second = office.draft(JANUARY)
    assert {row[0] for row in rows(office, second)} == {"Awa", "Modou"}
    assert office.left_out(second)["waiting"] == -sum(
        u for name, *_, u in rows(office, first) if name == "Fatou"
    )
    office.send(second)
    office.books_hold()
    office.accept(first)
    office.books_hold()
    third = office.draft(month(2027, 2))
    (back,) = (row for row in office.lines(third) if row.csv_line.line.amount < 0)
    assert back.csv_line.corrects == f"{first.number} 3"
    is_made_again(office, third)
    office.books_hold()


def test_a_draft_names_registry_number_own_payment_receipts_size_and_place(office: ClaimsWorld) -> None:
    household_id, poor_household_id = office.joins(paid=0), office.joins(category="indigent", paid=0)
    transaction = office.pays(household_id, 1_500)
    with office.console() as session:
        evidence = Evidence("registry-number", "RNU 77-1")
        category_proofs.check(
            session, office.tenant_id, poor_household_id, "indigent", evidence, by=office.bakary.actor
        )
    office.pays(household_id, 10_000)
    claim = office.draft(DECEMBER)
    with office.console() as session:
        file = claim_store.file(session, claim)
        workbook = claim_documents.write(session, claim, "xlsx")
    assert hashlib.sha256(file).digest() == claim.lines_hash
    assert workbook.startswith(b"PK")
    cells = list(csv.DictReader(file.decode().splitlines()))
    assert {row["days"] for row in cells} == {"10"}
    assert {(row["household_size"], row["place"]) for row in cells} == {("3", "Mutuelle SN")}
    paying, poor = ([row for row in cells if row["category"] == code] for code in ("general", "indigent"))
    receipts = {row["receipts"] for row in paying if row["member_paid"] == "10500"}
    assert [len(names.split()) for names in receipts] == [2]
    assert transaction in receipts.pop().split()
    assert {row["registry_number"] for row in paying} == {""}
    numbers = {(row["registry_number"], row["member_paid"], row["receipts"]) for row in poor}
    assert numbers == {("RNU771", "0", "")}
    is_made_again(office, claim)
    office.books_hold()


def test_a_claim_of_before_keeps_its_file_and_is_not_asked_again(
    office: ClaimsWorld, module_database: Database
) -> None:
    """Its lines ask for the whole year, without the new columns; its hash is that of the old file."""
    office.joins()
    with world.whole_period_books():
        old = office.draft(DECEMBER)
        assert old.total == 10_500
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE claim_lines SET registry_number = NULL, member_paid = NULL, receipts = NULL,"
            " household_size = NULL, place = NULL"
        )
        connection.execute("UPDATE subsidy_claims SET format = 1")
    with office.console() as session:
        claim = session.get_one(Claim, (old.tenant_id, old.id))
        csv_lines = [row.csv_line for row in claim_store.lines(session, claim)]
        digest = claim_csv.lines_hash(claim.number, claim.currency, csv_lines, 1)
        header = claim_store.file(session, claim).decode().partition("\n")[0]
        assert header.endswith(",currency,corrects")
        assert claim_documents.write(session, claim, "xlsx").startswith(b"PK")
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE subsidy_claims SET lines_hash = %s", [digest])
    is_made_again(office, office.now_is(old))
    office.books_hold()
    with pytest.raises(Refused, match=r"claim\.stale"):
        office.check(old)
    with pytest.raises(Refused, match=r"claim\.nothing"):
        office.draft(JANUARY)
    with office.console() as session:
        claim_steps.cancel(session, office.bakary, old)
    assert sum(units for *_, units in settled(office, JANUARY)) == 3 * (3_500 * (31 + 10) // (12 * 31))


COLUMNS = (
    "household_id, number, member_id, name, born, category, scheme, version, rule, evidence, on_day,"
    " bill_line_id, corrects"
)


@pytest.mark.every_postgres
def test_the_database_refuses_a_day_twice_and_a_span_with_a_gap(office: ClaimsWorld) -> None:
    office.joins()
    office.draft(DECEMBER)  # from 22 to 31 December

    def line(days_from: str, days: int, amount: int = 5) -> str:
        """Returns the refusal of one more line of the first member, in a claim of its own."""
        head = (
            "INSERT INTO subsidy_claims SELECT tenant_id, gen_random_uuid(), 'X', payer, year, 99,"
            " period_from, period_until, again, currency, 1, :amount, lines_hash, 'drafted', made_by, now()"
            " FROM subsidy_claims LIMIT 1"
        )
        body = (
            f"INSERT INTO claim_lines (tenant_id, id, claim_id, position, {COLUMNS}, days_from, days_until,"
            f" days, amount) SELECT c.tenant_id, gen_random_uuid(), s.id, 1, {COLUMNS_OF_LINE},"
            " CAST(:since AS date), CAST(:since AS date) + 4, :days, :amount"
            " FROM claim_lines c, subsidy_claims s WHERE c.position = 1 AND s.number = 'X'"
        )
        try:
            with office.console() as session:
                session.execute(text(head), {"amount": amount})
                session.execute(text(body), {"since": days_from, "days": days, "amount": amount})
                session.flush()
                session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
                session.rollback()
        except DBAPIError as error:
            return str(error.orig)
        return ""

    assert "a day of a bill is claimed twice" in line("2026-12-27", 5)
    assert "a day of a bill is claimed twice" in line("2026-12-31", 5)
    assert "claim_lines_days" in line("2027-01-01", 4)
    assert line("2027-01-01", 5) == ""
    assert "a day is given back that was not claimed" in line("2027-01-01", 5, -5)
    assert line("2026-12-23", 5, -5) == ""
    assert "a day of a bill is claimed twice" in line("2026-12-29", 5, -5)  # beyond the last day claimed


COLUMNS_OF_LINE = ", ".join(f"c.{name.strip()}" for name in COLUMNS.split(","))
