"""Migration 0015 upgrades refunds and reversals of older books: `verify` finds nothing broken afterwards."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from mutuelle import clock, db
from mutuelle.migrations.migrate import migrate
from mutuelle.payments import ledger
from mutuelle.verification import verify
from tests.gateway.console.world import ConsoleWorld
from tests.support import people
from tests.support.people import AWA
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres


@pytest.fixture
def world(blank_database: Database) -> Iterator[ConsoleWorld]:
    """A mutuelle in the schema of before, with five receipts of 10,000 in suspense."""
    engine = create_engine(db.driver_url(blank_database.url), poolclass=NullPool)
    settings = Config()
    settings.set_main_option("script_location", "mutuelle:migrations")
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0014")
    people.connect(blank_database.url)
    world = ConsoleWorld(people.settle_in())
    for login in ("bakary", "ndeye"):
        world.employ(login, login, world.senegal)
    with blank_database.superuser() as connection:  # the code of today seals what it receives
        connection.execute("ALTER TABLE receipts ADD COLUMN seal bytea")
    for transaction in ("T01", "T02", "T03", "T04", "T05"):
        world.receive(transaction, 10_000, world.senegal, AWA)
    with blank_database.superuser() as connection:
        connection.execute("ALTER TABLE receipts DROP COLUMN seal")
    yield world
    db.disconnect()


class OldBooks:
    """Writes what the version before wrote, past row-level security."""

    def __init__(self, world: ConsoleWorld, connection: Connection) -> None:
        self.world, self.connection = world, connection
        self.facts = {"tenant": world.senegal.tenant_id, "account": world.senegal.account.id}

    def run(self, statement: str, **values: object) -> None:
        self.connection.execute(text(statement), {**self.facts, "now": clock.now(), **values})

    def allocate(self, receipt: UUID, kind: str, units: int) -> None:
        self.run(
            "INSERT INTO allocations (tenant_id, id, receipt_id, kind, amount, on_day, at, reason)"
            " VALUES (:tenant, :id, :receipt, :kind, :units, :day, :now, 'old')",
            id=clock.new_id(), receipt=receipt, kind=kind, units=units, day=clock.now().date(),
        )  # fmt: skip

    def post(self, reference: str, units: int) -> None:
        entry = clock.new_id()
        self.run(
            "INSERT INTO entries VALUES (:tenant, :entry, :reference, :now)", entry=entry, reference=reference
        )
        account = self.world.senegal.account.id
        self.run(
            "INSERT INTO postings VALUES (:tenant, :id, :entry, :source, :target, :units, 'XOF')",
            id=clock.new_id(), entry=entry, units=units,
            source=ledger.suspense_of(account), target=ledger.outside_of(account),
        )  # fmt: skip

    def refund(self, transaction: str, units: int, paid: str | None) -> None:
        """An approved refund, which left the books at the approval; noted as paid under `paid`."""
        receipt, refund, decider = self.world.receipts[transaction], clock.new_id(), self.manager("ndeye")
        self.run(
            "INSERT INTO refunds (tenant_id, id, receipt_id, amount, currency, reason, seen, status,"
            " asked_by, asked_at, decided_by, decided_at, transaction, paid_by, paid_at)"
            " VALUES (:tenant, :id, :receipt, :units, 'XOF', 'asked', 1, :status,"
            " :asker, :now, :decider, :now, :paid, :payer, :paid_at)",
            id=refund, receipt=receipt, units=units, status="paid" if paid else "approved", paid=paid,
            asker=self.manager("bakary"), decider=decider, payer=decider if paid else None,
            paid_at=clock.now() if paid else None,
        )  # fmt: skip
        self.allocate(receipt, "suspense", -units)
        self.allocate(receipt, "refunded", units)
        self.post(f"refund:{refund}", units)

    def reversal(self, name: str, transaction: str, units: int, **parts: int) -> None:
        """A reversal line, of which the version before booked `parts`."""
        receipt = self.world.receipts[transaction]
        self.run(
            "INSERT INTO reversals (tenant_id, id, receipt_id, account_id, transaction, amount, moved_at,"
            " recorded_at) VALUES (:tenant, :id, :receipt, :account, :name, :units, :now, :now)",
            id=clock.new_id(), receipt=receipt, name=name, units=units,
        )  # fmt: skip
        for kind, booked in parts.items():
            self.allocate(receipt, kind, -booked)
        if booked := sum(parts.values()):
            self.allocate(receipt, "reversed", booked)
        if parts.get("suspense"):
            self.post(f"reversal:{name}:{receipt}", parts["suspense"])

    def manager(self, name: str) -> UUID:
        return self.world.managers[name].id


def test_the_books_of_before_are_upgraded_and_nothing_is_broken(
    blank_database: Database, world: ConsoleWorld
) -> None:
    engine = create_engine(db.driver_url(blank_database.superuser_url), poolclass=NullPool)
    with engine.begin() as connection:
        old = OldBooks(world, connection)
        old.refund("T01", 4_000, None)  # still to pay
        old.refund("T02", 4_000, None)  # the operator took 10,000 back: it must not be paid
        old.reversal("R02", "T02", 10_000, refunded=4_000, suspense=6_000)
        old.refund("T03", 4_000, "PAYOUT_3")
        old.reversal("T03", "T03", 3_000, refunded=3_000)
        old.reversal("R04", "T04", 10_000, suspense=10_000)
        old.reversal("R04-again", "T04", 10_000)  # was not booked
        old.refund("T05", 1_000, "PAYOUT_3")  # closed by the transaction of another refund
    migrate(blank_database.url)
    with db.transaction(db.Role.AUDITOR, within_s=60) as session:
        # The rows of this test have no trail, and a moment each.
        without = ("refund-trail", "reversal-moment", "case-")
        assert [
            line for line in verify.run(session).broken if not any(name in line for name in without)
        ] == []
        refunds = session.execute(
            text("SELECT r.transaction, f.status, f.amount - f.taken_back, f.shares_transaction"
                 " FROM refunds f JOIN receipts r ON r.id = f.receipt_id ORDER BY 1")
        ).all()  # fmt: skip
        assert [tuple(row) for row in refunds] == [
            ("T01", "approved", 4_000, False),
            ("T02", "ended", 0, False),
            ("T03", "paid", 1_000, False),
            ("T05", "paid", 1_000, True),
        ]
        cases = session.scalars(text("SELECT subject FROM flags WHERE kind = 'refund' ORDER BY 1")).all()
        named = sorted(f"receipt:{world.receipts[name]}" for name in ("T02", "T03", "T05"))
        assert cases == named
        balance = text(
            "SELECT sum(CASE WHEN target LIKE :address THEN -amount ELSE amount END) FROM postings"
            " WHERE target LIKE :address OR source LIKE :address"
        )
        wallet = session.scalar(balance, {"address": "outside:%"})
        assert wallet == 50_000 - 10_000 - 4_000 - 20_000 - 1_000, "T03: its reversal was its payout"
        own = session.scalars(text("SELECT transaction FROM reversals WHERE own_id")).all()
        assert own == ["T03"]
