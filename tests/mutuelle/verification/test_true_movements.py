"""`verify` compares our receipts with the operators' true movements: lost, invented, different, in flight."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.payments import settlement
from mutuelle.payments.operators import Movement
from mutuelle.payments.receipts import Receipt, Reversal
from mutuelle.verification import verify
from tests.mutuelle.verification.world import broken, truth, verified
from tests.support import books, people
from tests.support.books import Books
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres

AN_HOUR_LATER = tuple(
    f"UPDATE {name} SET recorded_at = recorded_at - interval '1 hour', seal = NULL"
    for name in ("receipts", "reversals")
)


TRUTHS = {
    "lost": ("LOST wave SN-TEST T9: no receipt", lambda true: [*true, replace(true[0], transaction="T9")]),
    "lost on another account": (
        "LOST wave SN-X T1: no receipt",
        lambda true: [*true, replace(true[0], account="SN-X")],
    ),
    "invented": ("INVENTED wave SN-TEST T1: never moved", lambda true: true[1:]),
    "amount": (
        "DIFFERENT wave SN-TEST T1: amount or currency",
        lambda true: [replace(true[0], amount=1), *true[1:]],
    ),
    "currency": (
        "DIFFERENT wave SN-TEST T1: amount or currency",
        lambda true: [replace(true[0], currency="XAF"), *true[1:]],
    ),
    "reference": (
        "DIFFERENT wave SN-TEST T1: reference",
        lambda true: [replace(true[0], reference="another"), *true[1:]],
    ),
    "not reversed": (
        "DIFFERENT wave SN-TEST T3: reversal",
        lambda true: [replace(movement, returned=0) for movement in true],
    ),
    "partly reversed": (
        "DIFFERENT wave SN-TEST T3: reversal",
        lambda true: [replace(movement, returned=min(1, movement.returned)) for movement in true],
    ),
    "reversed": (
        "DIFFERENT wave SN-TEST T1: reversal",
        lambda true: [replace(movement, returned=movement.amount) for movement in true],
    ),
}


@pytest.mark.parametrize("how", TRUTHS)
def test_receipts_that_differ_from_what_moved_are_found(
    filled_books: Books, module_database: Database, how: str
) -> None:
    expected, change = TRUTHS[how]
    true = change(truth(filled_books))
    with broken(module_database, *AN_HOUR_LATER) as session:
        report = verify.run(session, true)
    assert report.broken[0] == expected
    kind = expected.split()[0].lower()
    assert report.totals["truth"][kind] == len(report.broken)


def ago(seconds: int) -> datetime:
    return clock.now() - timedelta(seconds=seconds)


@contextmanager
def fifty_seconds_after(moment: datetime) -> Iterator[None]:
    """Sets the clock to 50 seconds after `moment`, however slow the machine is."""
    clock.install(clock.Source(now=lambda: moment + timedelta(seconds=50)))
    try:
        yield
    finally:
        clock.install(clock.Source())


def test_what_is_younger_than_a_minute_is_in_flight(filled_books: Books, module_database: Database) -> None:
    true = truth(filled_books)
    movement = replace(true[0], transaction="T9")
    assert verified([*true, replace(movement, at=ago(50))]).totals["truth"]["in_flight"] == 1
    assert verified([*true, replace(movement, at=ago(70))]).totals["truth"]["lost"] == 1
    # The list was read before the books: what was recorded in between is no invention.
    with db.transaction(db.Role.AUDITOR) as session:
        recorded = session.scalars(
            select(Receipt.recorded_at).where(Receipt.transaction == true[0].transaction)
        ).one()
        reversed_at = session.scalars(select(Reversal.recorded_at)).one()
    with fifty_seconds_after(recorded):
        totals = verified(true[1:]).totals["truth"]
    assert totals == {"movements": 3, "matched": 3, "in_flight": 1, "lost": 0, "invented": 0, "different": 0}
    with fifty_seconds_after(reversed_at):
        assert verified([replace(movement, returned=0) for movement in true]).broken == []
    with broken(module_database, *AN_HOUR_LATER) as session:
        for seconds, kind in ((50, "in_flight"), (70, "different")):
            taken_back = replace(true[0], returned=true[0].amount, returned_at=ago(seconds))
            assert verify.run(session, [taken_back, *true[1:]]).totals["truth"][kind] == 1


def test_money_that_arrives_while_verify_reads_is_no_difference(filled_books: Books) -> None:
    true = truth(filled_books)
    moved: Movement = books.paid(700, "T8", payer=people.BAKARY)
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
        with db.transaction(db.Role.WORKER, filled_books.world.senegal.tenant_id) as meanwhile:
            settlement.credit(meanwhile, filled_books.world.senegal.account, moved, "list")
        assert verify.run(session, true).totals["truth"]["matched"] == 4
    assert verified(true).broken == []
