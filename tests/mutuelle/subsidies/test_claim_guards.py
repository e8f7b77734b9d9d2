"""What the database refuses of a subsidy claim, what another mutuelle sees, what `verify` finds broken."""

import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from mutuelle import db
from mutuelle.errors import Refused
from mutuelle.subsidies import claim_steps, claim_store
from mutuelle.subsidies.claim_steps import PayerAnswer
from mutuelle.subsidies.claim_store import Claim
from mutuelle.verification import verify
from tests.mutuelle.subsidies.world import DECEMBER, ClaimsWorld
from tests.support.templates import Database

CLAIM_TABLES = ("claim_lines", "claim_left_out", "claim_answers", "claim_payments")
everywhere = pytest.mark.every_postgres
ROLES = [role for role in db.Role if role is not db.Role.AUDITOR]
COLUMNS = (
    "household_id",
    "number",
    "member_id",
    "name",
    "born",
    "category",
    "scheme",
    "version",
    "rule",
    "evidence",
    "days_from",
    "days_until",
    "on_day",
    "amount",
    "bill_line_id",
    "corrects",
)


@pytest.fixture
def claim(office: ClaimsWorld) -> Claim:
    """A claim that is sent, with one line accepted, one rejected and a franc paid.

    The bill of a household without names is left out.
    """
    office.joins()
    office.joins(named=False)
    made = office.draft(DECEMBER)
    office.send(made)
    office.answer(made, PayerAnswer(1, True), PayerAnswer(2, False, "inconnu"))
    office.pay(made, 1)
    return made


def again(office: ClaimsWorld, **other: str) -> str:
    """Returns the database's error for a draft written past the code: line 1, except for some columns."""
    values = ", ".join(other.get(column, f"c.{column}") for column in COLUMNS)
    orders = (
        "INSERT INTO subsidy_claims SELECT tenant_id, gen_random_uuid(), 'X', payer, year, 99, period_from,"
        " period_until, again, currency, 1, 3500, lines_hash, 'drafted', made_by, now()"
        " FROM subsidy_claims LIMIT 1",
        f"INSERT INTO claim_lines (tenant_id, id, claim_id, position, {', '.join(COLUMNS)})"
        f" SELECT c.tenant_id, gen_random_uuid(), s.id, 1, {values} FROM claim_lines c, subsidy_claims s"
        " WHERE c.position = 1 AND s.number = 'X'",
    )
    return refusal(office, *orders)


def refusal(office: ClaimsWorld, *orders: str, role: db.Role = db.Role.CONSOLE) -> str:
    """Returns the database's refusal, at commit at the latest; empty when it accepts the orders."""
    try:
        with db.transaction(role, office.tenant_id) as session:
            for order in orders:
                session.execute(text(order))
    except DBAPIError as error:
        return str(error.orig)
    return ""


def scalar(query: str) -> object:
    with db.transaction(db.Role.AUDITOR) as session:
        return session.scalar(text(query))


@everywhere
def test_the_database_refuses_the_same_part_of_a_bill_twice(office: ClaimsWorld, claim: Claim) -> None:
    assert "a part of a bill is claimed twice" in again(office)


@everywhere
def test_the_database_refuses_a_household_twice_for_the_same_days(office: ClaimsWorld) -> None:
    household_id = office.joins()
    office.draft(DECEMBER)
    # A second bill; its line is written with the last day of the first bill.
    office.bills(household_id, "general")
    line_id = scalar(
        "SELECT l.id FROM bill_lines l JOIN bills b ON b.id = l.bill_id"
        " WHERE payer = 'state' ORDER BY issued DESC LIMIT 1"
    )
    message = again(office, days_from="days_until", days_until="days_until + 9", bill_line_id=f"'{line_id}'")
    assert "a household is claimed twice for the same days" in message


@everywhere
def test_the_database_refuses_members_without_a_name_and_bills_of_others(
    office: ClaimsWorld, claim: Claim
) -> None:
    unnamed = scalar("SELECT id FROM members WHERE provisional LIMIT 1")
    assert "without a name" in again(office, member_id=f"'{unnamed}'")
    assert "does not owe" in again(office, rule="'made/up'")
    assert "does not owe" in again(
        office, bill_line_id="(SELECT id FROM bill_lines WHERE payer = 'member' LIMIT 1)"
    )


@everywhere
@pytest.mark.parametrize("name", [*CLAIM_TABLES, "subsidy_claims"])
def test_claims_are_append_only_for_every_role(
    office: ClaimsWorld, claim: Claim, module_database: Database, name: str
) -> None:
    orders = [f"DELETE FROM {name}", f"TRUNCATE {name} CASCADE"]
    orders += [f"UPDATE {name} SET total = 1" if name == "subsidy_claims" else f"UPDATE {name} SET id = id"]
    for order in orders:
        for role in ROLES:
            message = refusal(office, order, role=role)
            assert role is db.Role.LOGIN or re.search(
                "append-only|never edited|permission denied", message
            ), (
                order,
                role,
                message,
            )
        with (
            module_database.superuser() as connection,
            pytest.raises(psycopg.Error, match=r"append-only|never edited"),
        ):
            connection.execute(order)


@everywhere
def test_the_database_refuses_moves_that_are_none_and_one_person_for_both(office: ClaimsWorld) -> None:
    office.joins()
    made = office.draft(DECEMBER)
    moves = {
        f"state = 'checked', checked_by = '{office.bakary.id}', checked_at = now()": "claim_four_eyes",
        f"state = 'paid', ended_by = '{office.ndeye.id}', ended_at = now()": (
            "a claim that is drafted cannot be paid"
        ),
        "state = 'checked'": "violates check constraint",
    }
    for change, expected in moves.items():
        assert expected in refusal(office, f"UPDATE subsidy_claims SET {change}")
    payment = (
        f"'{office.tenant_id}', gen_random_uuid(), '{made.id}', 1, 'VIR', now(), '{office.bakary.id}', now()"
    )
    assert "an answer to a claim that is drafted" in refusal(
        office, f"INSERT INTO claim_payments VALUES ({payment})"
    )
    office.check(made)
    more = (
        "INSERT INTO claim_lines SELECT tenant_id, gen_random_uuid(), claim_id, 9, {} FROM claim_lines"
        " WHERE position = 1"
    )
    assert "written with its draft" in refusal(office, more.format(", ".join(COLUMNS)))


def test_coumba_sees_nothing_of_it(office: ClaimsWorld, claim: Claim) -> None:
    with office.console(office.coumba) as session:
        for name in (*CLAIM_TABLES, "subsidy_claims"):
            assert session.scalar(text(f"SELECT count(*) FROM {name}")) == 0
        assert claim_store.by_number(session, claim.number) is None
        assert claim_store.newest(session, office.coumba.tenant_id) == []
        assert session.execute(text(f"SELECT * FROM live_claim_lines('{office.tenant_id}')")).all() == []
    for role in (db.Role.APP, db.Role.WORKER, db.Role.FEDERATION):
        with (
            pytest.raises(DBAPIError, match="permission denied"),
            db.transaction(role, office.tenant_id) as session,
        ):
            session.scalars(select(Claim)).all()
    with pytest.raises(Exception, match=r"No row|row-level"), office.console(office.coumba) as session:
        claim_steps.cancel(session, office.coumba, claim)


CLAIM = "claim SN-TEST/ETAT/2026/001"
FUND = "I1 ledger-balance: claims of "
BREAKS = {
    "UPDATE members SET provisional = true": f"I12 claim-line: {CLAIM} line 1",
    "UPDATE claim_lines SET rule = 'X'": f"I12 claim-line: {CLAIM} line 1",
    "UPDATE claim_lines SET amount = 1 WHERE position = 3": FUND,
    "UPDATE claim_lines SET name = 'Somebody'": f"I12 claim-hash: {CLAIM}",
    "UPDATE subsidy_claims SET total = 1": f"I12 claim-total: {CLAIM}",
    "DELETE FROM claim_answers": FUND,
    "DELETE FROM claim_payments": FUND,
    "UPDATE subsidy_claims SET state = 'paid', ended_by = sent_by, ended_at = sent_at": (
        f"I12 claim-paid: {CLAIM}"
    ),
    "UPDATE postings SET amount = amount + 1 WHERE source LIKE 'receivable:%'": FUND,
    "UPDATE claim_lines SET bill_line_id = (SELECT max(bill_line_id::text)::uuid FROM claim_left_out)": (
        "I12 claim-line: "
    ),
    f"INSERT INTO claim_lines SELECT tenant_id, gen_random_uuid(), claim_id, 9, {', '.join(COLUMNS)}"
    " FROM claim_lines WHERE position = 1": FUND,
    "ALTER TABLE claim_lines DISABLE TRIGGER claimed_once": (
        "I8 schema-triggers: claim_lines claimed_once: "
    ),
}


def test_verify_finds_every_kind_of_broken_claim(
    office: ClaimsWorld, claim: Claim, module_database: Database
) -> None:
    office.books_hold()
    engine = create_engine(db.driver_url(module_database.superuser_url), poolclass=NullPool)
    for order, expected in BREAKS.items():
        with engine.connect() as connection, Session(connection) as session:
            for statement in (
                "SET LOCAL session_replication_role = replica",
                order,
                "SET LOCAL ROLE mutuelle_auditor",
            ):
                connection.execute(text(statement))
            broken = verify.run(session).broken
            connection.rollback()
        assert broken, order
        assert broken[0].startswith(expected), (order, broken)
        if order.startswith("INSERT"):
            assert any(message.startswith("I12 claim-once: ") for message in broken)


@everywhere
def test_two_drafts_at_once_claim_nothing_twice(office: ClaimsWorld) -> None:
    office.joins()
    office.on("2027-01-02")

    def draft(_: int) -> str:
        try:
            return office.draft(DECEMBER).number
        except Refused as nothing:
            return nothing.key

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(draft, range(2))) == ["SN-TEST/ETAT/2026/001", "claim.nothing"]
