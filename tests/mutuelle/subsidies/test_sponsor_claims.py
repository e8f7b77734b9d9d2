"""Each sponsor is asked for what it promised, by claims with the households that it helps and no others."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from uuid import UUID

import pytest
from pypdf import PdfReader
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway import claim_documents
from mutuelle import db
from mutuelle.errors import Refused
from mutuelle.organisation.sponsors import Sponsor
from mutuelle.payments import ledger
from mutuelle.subsidies import claim_checks, claim_steps, claim_store
from mutuelle.subsidies.claim_store import Claim
from mutuelle.verification import verify
from tests.mutuelle.subsidies.world import DECEMBER, JANUARY, ClaimsWorld
from tests.support.templates import Database


@dataclass
class Helped:
    """A household, its sponsor, and the claim on the sponsor."""

    household_id: UUID
    sponsor: Sponsor
    claim: Claim


@pytest.fixture
def both(office: ClaimsWorld) -> tuple[Helped, Helped]:
    """Two sponsors that help a family each, with half of 10 500 FCFA; the families paid the rest."""
    pairs = []
    for code, name in (("secours", "Secours"), ("malick", "Tonton Malick")):
        household_id = office.joins(paid=0)
        sponsor = office.helped(household_id, code, name)
        office.pays(household_id, 1_000 + 5_250)
        pairs.append((household_id, sponsor))
    first, second = (Helped(*pair, office.draft(DECEMBER, "sponsor", sponsor=pair[1].code)) for pair in pairs)
    return first, second


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.key


def wrote(office: ClaimsWorld, orders: tuple[str, ...], **values: UUID) -> None:
    """Runs SQL as a manager who bypasses the code."""
    with office.console() as session:
        for order in orders:
            session.execute(text(order), values)


@pytest.mark.every_postgres
def test_each_sponsor_reads_and_owes_its_own_households_only(
    office: ClaimsWorld, both: tuple[Helped, Helped]
) -> None:
    first = both[0]
    assert [helped.claim.number for helped in both] == [
        "SN-TEST/PARRAIN-secours/2026/001",
        "SN-TEST/PARRAIN-malick/2026/001",
    ]
    for own, other in (both, both[::-1]):
        lines = [row.csv_line.line for row in office.lines(own.claim)]
        assert ({line.household_id for line in lines}, sum(line.amount for line in lines)) == (
            {own.household_id},
            5_250,
        )
        with office.console() as session:
            assert claim_store.left_out(session, own.claim) == []
            assert claim_checks.remake(session, own.claim) == claim_checks.ClaimComparison()
            made = claim_documents.write(session, own.claim, "pdf")
        page = PdfReader(BytesIO(made)).pages[0].extract_text()
        assert f"Parrain : {own.sponsor.name}" in page
        assert other.sponsor.name not in page
        office.send(own.claim)
    office.accept(first.claim)
    office.pay(first.claim, 5_250)
    owed = [
        office.balance(ledger.receivable_of(office.tenant_id, "sponsor", helped.sponsor.id))
        for helped in both
    ]
    assert owed == [0, -5_250]
    assert office.draft(DECEMBER).total == 21_000  # the State is asked for its part of both
    assert refused(lambda: office.draft(DECEMBER, "sponsor", sponsor="secours")) == "claim.nothing"
    office.books_hold()


def test_a_sponsor_reads_who_left(office: ClaimsWorld, both: tuple[Helped, Helped]) -> None:
    first = both[0]
    office.send(first.claim)
    office.accept(first.claim)
    office.on("2027-01-10")
    office.leaves(first.household_id, 2)
    rows = office.lines(office.draft(JANUARY, "sponsor", sponsor="secours"))
    assert [(row.csv_line.line.name, row.csv_line.line.amount, row.csv_line.corrects) for row in rows] == [
        ("Fatou Ndiaye", -1_750, f"{first.claim.number} 3")
    ]


def test_a_claim_is_on_one_sponsor_of_the_mutuelle_or_on_none(office: ClaimsWorld) -> None:
    office.helped(office.joins(paid=0), "secours", "Secours")
    for payer, code in (("sponsor", None), ("sponsor", "nobody"), ("sponsor", ""), ("state", "secours")):
        assert (
            refused(lambda payer=payer, code=code: office.draft(DECEMBER, payer, sponsor=code))
            == "claim.sponsor"
        )


def test_the_database_and_verify_know_whose_line_it_is(
    office: ClaimsWorld, both: tuple[Helped, Helped], module_database: Database
) -> None:
    first, second = both
    with office.console() as session:
        claim_steps.cancel(session, office.bakary, second.claim)
    head = (
        "INSERT INTO subsidy_claims (tenant_id, id, number, payer, year, ordinal, period_from, period_until,"
        " again, currency, lines, total, lines_hash, state, made_by, made_at, sponsor_id)"
        " SELECT tenant_id, gen_random_uuid(), 'X', payer, year, 9, period_from, period_until, again,"
        " currency, 1, c.amount, lines_hash, 'drafted', made_by, made_at, {} FROM subsidy_claims s,"
        " LATERAL (SELECT amount FROM claim_lines WHERE claim_id = :other AND position = 1) c"
        " WHERE s.id = :one"
    )
    line = (
        "INSERT INTO claim_lines SELECT c.tenant_id, gen_random_uuid(), s.id, 1, household_id, c.number,"
        " member_id, name, born, category, scheme, version, rule, evidence, days_from, days_until, on_day,"
        " amount, bill_line_id, corrects FROM claim_lines c, subsidy_claims s"
        " WHERE c.claim_id = :other AND c.position = 1 AND s.number = 'X'"
    )
    for sponsor, expected in (
        ("NULL", "sponsors_claim"),
        ("sponsor_id", "what this sponsor did not promise"),
    ):
        with pytest.raises(DBAPIError, match=expected):
            wrote(office, (head.format(sponsor), line), one=first.claim.id, other=second.claim.id)
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE subsidy_claims SET sponsor_id = %s, ordinal = 9 WHERE id = %s",
            (second.sponsor.id, first.claim.id),
        )
    with db.transaction(db.Role.AUDITOR) as session:
        broken = verify.run(session).broken
    assert f"I12 claim-line: claim {first.claim.number} line 1" in broken
