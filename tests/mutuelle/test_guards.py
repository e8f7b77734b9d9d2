"""The database refuses edited books, money allocated twice and torn bills, for every role and in races."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from mutuelle import archive, clock, db
from mutuelle.archive import ArchivedTable
from mutuelle.billing import adjustments
from mutuelle.contributions.bills import BillLine
from mutuelle.households import households
from mutuelle.payments import receipts
from mutuelle.payments.receipts import Receipt, ReceiptPart
from tests.support import books, people
from tests.support.books import Books, contents, paid
from tests.support.people import World
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres

TODAY = date(2026, 11, 22)
APPEND_ONLY = (
    "entries",
    "postings",
    "allocations",
    "reversals",
    "audit",
    "audit_archive",
    "archive_runs",
    "bills",
    "bill_lines",
    "adjustments",
    "ussd_effects",
    "outflows",
)


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    people.connect(database.url)
    yield people.settle_in()
    db.disconnect()


@pytest.fixture(scope="module")
def books_of_the_module(module_database: Database) -> Iterator[Books]:
    people.connect(module_database.url)
    filled_books = books.fill(people.settle_in())
    tenant_id, today = filled_books.world.senegal.tenant_id, clock.today("Africa/Dakar")
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        households.add_member(session, tenant_id, filled_books.household.id, born=today.year, on=today)
        adjustments.apply(session, tenant_id, filled_books.household.id, today, "household")
    with db.transaction(db.Role.WORKER) as session:
        assert archive.take_out(session, ArchivedTable.TRAIL, clock.now(), 1) == 1
    yield filled_books
    db.disconnect()


@pytest.fixture
def filled_books(books_of_the_module: Books, module_database: Database) -> Books:
    """The books that all tests of refused orders share: a refusal changes nothing."""
    people.connect(module_database.url)
    return books_of_the_module


def receipt_of(world: World, amount: int) -> Receipt:
    """Records a receipt of which nothing is allocated yet."""
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        return receipts.record(session, world.senegal.account, paid(amount, "R1"), "list")[0]


def both_at_once(world: World, work: Callable[[Session, int], None]) -> list[str]:
    """Runs two transactions that both work before either commits. Returns their errors, "" for a commit."""
    ready = threading.Barrier(2)

    def run(number: int) -> str:
        try:
            with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
                work(session, number)
                ready.wait(20)
        except DBAPIError as error:
            return str(error.orig)
        return ""

    with ThreadPoolExecutor(2) as threads:
        return sorted(threads.map(run, range(2)))


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_the_books_are_append_only_for_every_role(
    filled_books: Books, module_database: Database, name: str
) -> None:
    before = contents(module_database)
    context = {"tenant": filled_books.world.senegal.tenant_id, "gateway": filled_books.world.gateway_id}
    column = "screen" if name == "ussd_effects" else "id"
    orders = (f"UPDATE {name} SET {column} = {column}", f"DELETE FROM {name}", f"TRUNCATE {name} CASCADE")
    for order in orders:
        for role in db.Role:
            with (
                pytest.raises(DBAPIError, match=r"append-only|permission denied"),
                db.transaction(role, **context) as session,
            ):
                session.execute(text(order))
        with module_database.superuser() as connection, pytest.raises(psycopg.Error, match="append-only"):
            connection.execute(order)
    # The owner of the tables has every right: the guards refuse it.
    for order in orders:
        with (
            pytest.raises(DBAPIError, match="append-only"),
            db.transaction(db.Role.LOGIN, **context) as session,
        ):
            session.execute(text(order))
    assert contents(module_database) == before


@pytest.mark.parametrize(
    "name", ["tenants", "households", "bills", "receipts", "operator_accounts", "ussd_sessions"]
)
def test_a_truncation_that_would_reach_the_books_is_refused(
    filled_books: Books, module_database: Database, name: str
) -> None:
    before = contents(module_database)
    with pytest.raises(DBAPIError, match="append-only"), db.transaction(db.Role.LOGIN) as session:
        session.execute(text(f"TRUNCATE {name} CASCADE"))
    assert contents(module_database) == before


@pytest.mark.parametrize("column", ["tenant_id", "id", "account_id", "transaction", "amount", "currency"])
def test_the_money_of_a_receipt_is_never_edited(
    filled_books: Books, module_database: Database, column: str
) -> None:
    other = {"transaction": "'X'", "currency": "'XAF'", "amount": "amount + 1"}.get(
        column, "gen_random_uuid()"
    )
    with (
        module_database.superuser() as connection,
        pytest.raises(psycopg.errors.RestrictViolation, match="never edited"),
    ):
        connection.execute(f"UPDATE receipts SET {column} = {other}")
    tenant_id = filled_books.world.senegal.tenant_id
    with (
        pytest.raises(DBAPIError, match=r"never edited|row-level security"),
        db.transaction(db.Role.WORKER, tenant_id) as session,
    ):
        session.execute(text(f"UPDATE receipts SET {column} = {other}"))


def test_a_receipt_is_never_deleted_but_its_reference_may_be_filled_in(
    filled_books: Books, module_database: Database
) -> None:
    with (
        module_database.superuser() as connection,
        pytest.raises(psycopg.errors.RestrictViolation, match="append-only"),
    ):
        connection.execute("DELETE FROM receipts")
    with db.transaction(db.Role.WORKER, filled_books.world.senegal.tenant_id) as session:
        session.execute(text("UPDATE receipts SET reference = 'told later'"))


def test_two_commits_of_60_on_a_receipt_of_100_do_not_both_pass(world: World) -> None:
    receipt = receipt_of(world, 100)

    def give(session: Session, number: int) -> None:
        receipts.place(session, receipt, [ReceiptPart("suspense", 60)], on=TODAY, reason=f"hand {number}")

    committed, refused = both_at_once(world, give)
    assert committed == ""
    assert "more is allocated than the receipt holds" in refused


def test_two_commits_that_fit_both_pass(world: World) -> None:
    receipt = receipt_of(world, 100)

    def give(session: Session, number: int) -> None:
        receipts.place(session, receipt, [ReceiptPart("suspense", 50)], on=TODAY, reason=f"hand {number}")

    assert both_at_once(world, give) == ["", ""]


def test_two_withdrawals_at_once_never_make_credit_negative(world: World) -> None:
    household_key = (world.senegal.tenant_id, books.enrol(world).id)
    receipt = receipt_of(world, 100)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        receipts.place(
            session,
            receipt,
            [ReceiptPart("credit", 100, household_key)],
            on=TODAY,
            reason="too much was paid",
        )

    def withdraw(session: Session, number: int) -> None:
        parts = [ReceiptPart("credit", -60, household_key), ReceiptPart("refunded", 60, household_key)]
        receipts.place(session, receipt, parts, on=TODAY, reason=f"hand {number}")

    committed, refused = both_at_once(world, withdraw)
    assert committed == ""
    assert "negative" in refused


def test_no_credit_is_taken_from_a_receipt_that_gave_none(world: World) -> None:
    household_key = (world.senegal.tenant_id, books.enrol(world).id)
    receipt = receipt_of(world, 100)
    parts = [ReceiptPart("credit", -60, household_key), ReceiptPart("refunded", 60, household_key)]
    with (
        pytest.raises(DBAPIError, match="negative"),
        db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session,
    ):
        receipts.place(session, receipt, parts, on=TODAY, reason="from nothing")


def bill_of(filled_books: Books, database: Database) -> UUID:
    with database.superuser() as connection:
        query = "SELECT id FROM bills WHERE household_id = %s AND kind = 'dues'"
        return connection.execute(query, [filled_books.household.id]).fetchone()[0]  # type: ignore[index]


def test_a_bill_whose_lines_are_not_its_price_is_refused_at_commit(
    filled_books: Books, module_database: Database
) -> None:
    tenant_id, bill_id = filled_books.world.senegal.tenant_id, bill_of(filled_books, module_database)
    before = contents(module_database)
    line = {
        "tenant_id": tenant_id,
        "id": clock.new_id(),
        "bill_id": bill_id,
        "payer": "member",
        "amount": 1,
        "rule": "none",
    }
    for role in (db.Role.APP, db.Role.WORKER):
        with (
            pytest.raises(DBAPIError, match="shares of a bill add up"),
            db.transaction(role, tenant_id) as session,
        ):
            session.execute(insert(BillLine), [line])
    bare = (
        "INSERT INTO bills SELECT tenant_id, :id, household_id, kind, issued - 1, period_from, period_until,"
    )
    bare += " scheme, version, option, category, born, total, currency FROM bills LIMIT 1"
    with pytest.raises(DBAPIError, match="add up to 0"), db.transaction(db.Role.APP, tenant_id) as session:
        session.execute(text(bare), {"id": clock.new_id()})
    assert contents(module_database) == before


ALLOCATE = text(
    "INSERT INTO allocations (tenant_id, id, receipt_id, household_tenant_id, household_id, kind,"
    " amount, on_day, at, reason)"
    " VALUES (:owner, :id, :receipt, :tenant, :home, 'credit', 10, '2026-11-22', now(), 'not mine')"
)


def test_a_receipt_one_cannot_see_cannot_be_allocated(world: World, database: Database) -> None:
    """Nor by a mutuelle of the receipt's federation, which may write rows in the federation's name."""
    receipt = receipt_of(world, 100)
    with db.transaction(db.Role.APP, world.mali.tenant_id) as session:
        household = books.enrolment.enrol(
            session,
            world.mali.tenant_id,
            books.enrolment.NewHousehold(
                phone=people.COUMBA,
                language="fr",
                category=None,
                birth_years=[1985],
                adults=1,
                consent="1",
                channel="ussd",
            ),
        )
    row = {
        "owner": world.senegal.tenant_id,
        "receipt": receipt.id,
        "tenant": world.mali.tenant_id,
        "home": household.id,
    }
    for expected in ("row-level security", "cannot be seen"):
        with (
            pytest.raises(DBAPIError, match=expected),
            db.transaction(db.Role.WORKER, world.mali.tenant_id) as session,
        ):
            session.execute(ALLOCATE, row | {"id": clock.new_id()})
        with database.superuser() as connection:
            connection.execute(
                "UPDATE tenants SET parent_id = %s WHERE id = %s",
                [world.senegal.tenant_id, world.mali.tenant_id],
            )
    assert contents(database)["allocations"] == []
