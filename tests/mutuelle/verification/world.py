"""Runs `verify` on good books, on books that a superuser broke, and on the true movements of money."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from mutuelle import clock, db
from mutuelle.payments.receipts import Receipt, Reversal
from mutuelle.verification import verify
from mutuelle.verification.true_movements import TrueMovement
from mutuelle.verification.verify import VerifyReport
from tests.support.books import Books
from tests.support.templates import Database


def verified(movements: list[TrueMovement] | None = None) -> VerifyReport:
    with db.transaction(db.Role.AUDITOR) as session:
        return verify.run(session, movements)


@contextmanager
def broken(database: Database, *orders: str) -> Iterator[Session]:
    """An auditor's session on books that a superuser broke past their guards; rolled back afterwards."""
    engine = create_engine(db.driver_url(database.superuser_url), poolclass=NullPool)
    with engine.connect() as connection, Session(connection) as session:
        for order in (
            "SET LOCAL jit = off",  # as the product's connections have it
            "SET LOCAL session_replication_role = replica",
            *orders,
            "SET LOCAL ROLE mutuelle_auditor",
        ):
            connection.execute(text(order))
        yield session
        connection.rollback()


def truth(filled_books: Books) -> list[TrueMovement]:
    """Returns the true movements that our receipts report, an hour ago."""
    account, hour_ago = filled_books.world.senegal.account, clock.now() - timedelta(hours=1)
    with db.transaction(db.Role.AUDITOR) as session:
        back = set(session.scalars(select(Reversal.receipt_id)))
        receipts = session.scalars(select(Receipt).order_by(Receipt.transaction)).all()
    return [
        TrueMovement(
            r.transaction,
            "wave",
            account.code,
            r.amount,
            r.currency,
            hour_ago,
            r.amount if r.id in back else 0,
        )
        for r in receipts
    ]
