"""`verify` finds what is broken in the books; each test breaks them in one way, past their guards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from mutuelle import clock, db
from mutuelle.payments import settlement
from mutuelle.payments.operators import Movement
from mutuelle.payments.receipts import Receipt, Reversal
from mutuelle.verification import verify
from mutuelle.verification.verify import TrueMovement, VerifyReport
from tests.support import books, people
from tests.support.books import Books
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres


@pytest.fixture(scope="module")
def books_of_the_module(module_database: Database) -> Iterator[Books]:
    people.connect(module_database.url)
    yield books.live(people.settle_in())
    db.disconnect()


@pytest.fixture
def lived(books_of_the_module: Books, module_database: Database) -> Books:
    people.connect(module_database.url)
    return books_of_the_module


def verified(movements: list[TrueMovement] | None = None) -> VerifyReport:
    with db.transaction(db.Role.AUDITOR) as session:
        return verify.run(session, movements)


@contextmanager
def broken(database: Database, *orders: str) -> Iterator[Session]:
    """An auditor's session on books that a superuser broke past their guards; rolled back afterwards."""
    engine = create_engine(db.driver_url(database.superuser_url), poolclass=NullPool)
    with engine.connect() as connection, Session(connection) as session:
        for order in (
            "SET LOCAL session_replication_role = replica",
            *orders,
            "SET LOCAL ROLE mutuelle_auditor",
        ):
            connection.execute(text(order))
        yield session
        connection.rollback()


def truth(lived: Books) -> list[TrueMovement]:
    """Returns the true movements that our receipts report, an hour ago."""
    account, hour_ago = lived.world.senegal.account, clock.now() - timedelta(hours=1)
    with db.transaction(db.Role.AUDITOR) as session:
        back = set(session.scalars(select(Reversal.receipt_id)))
        receipts = session.scalars(select(Receipt).order_by(Receipt.transaction)).all()
    return [
        TrueMovement(r.transaction, "wave", account.code, r.amount, r.currency, hour_ago, r.id in back)
        for r in receipts
    ]


AN_HOUR_LATER = tuple(
    f"UPDATE {name} SET recorded_at = recorded_at - interval '1 hour'" for name in ("receipts", "reversals")
)


def test_good_books_have_totals_and_nothing_broken(lived: Books) -> None:
    report = verified(truth(lived)).as_json()
    assert report["ok"] is True
    assert report["broken"] == []
    assert report["money"] == {
        "XOF": {"received": 33_000, "bill": 11_500, "credit": 1_000, "suspense": 500, "reversed": 20_000}
    }
    counted = {
        "tenants": 3,
        "households": 1,
        "members": 3,
        "bills": 2,
        "payments": 1,
        "receipts": 4,
        "notices": 1,
    }
    assert report.items() >= counted.items()
    assert report["truth"] == {
        "movements": 4,
        "matched": 4,
        "in_flight": 0,
        "lost": 0,
        "invented": 0,
        "different": 0,
    }


def test_books_nobody_wrote_in_are_good(database: Database) -> None:
    people.connect(database.url)
    assert verified([]).as_json() == {
        "ok": True,
        "broken": [],
        "tenants": 0,
        "households": 0,
        "members": 0,
        "bills": 0,
        "payments": 0,
        "receipts": 0,
        "messages": 0,
        "notices": 0,
        "money": {},
        "flags_open": 0,
        "truth": {"movements": 0, "matched": 0, "in_flight": 0, "lost": 0, "invented": 0, "different": 0},
    }
    db.disconnect()


T1 = "(SELECT id FROM receipts WHERE transaction = 'T1')"
LATE = "now() - interval '16 minutes'"
PAYMENT = "UPDATE payments SET status = 'pending', expires_at = {}"
BREAKS = {
    "I1 part lost": (
        f"DELETE FROM allocations WHERE receipt_id = {T1}",
        "I1 receipt {t1}: its parts do not add up",
    ),
    "I1 part raised": (
        "UPDATE allocations SET amount = amount + 1 WHERE kind = 'suspense'",
        "I1 receipt {t2}: its parts do",
    ),
    "I1 negative part": (
        "INSERT INTO allocations SELECT tenant_id, gen_random_uuid(), receipt_id, NULL, NULL, NULL, k, a,"
        " on_day, at, 'x' FROM allocations, (VALUES ('suspense', -501), ('refunded', 501)) v (k, a)"
        " WHERE kind = 'suspense'",
        "I1 receipt {t2}: a part is negative",
    ),
    "I1 reversal forgotten": (
        "DELETE FROM reversals",
        "I1 receipt {t3}: what was taken back is not what its reversals say",
    ),
    "I1 posting lost": (
        "DELETE FROM postings WHERE source LIKE 'outside:%' AND amount = 2000",
        "I1 balance household:{home}",
    ),
    "I1 posting raised": (
        "UPDATE postings SET amount = amount + 1 WHERE target LIKE 'outside:%'",
        "I1 balance fees:{account}",
    ),
    "I1 suspense moved": (
        "UPDATE postings SET target = 'fund:' || tenant_id WHERE target LIKE 'suspense:%'",
        "I1 balance fund:{tenant}: the ledger does not say what the receipts say",
    ),
    "I1 unknown address": (
        "UPDATE postings SET target = 'pocket:1' WHERE target LIKE 'fund:%'",
        "I1 balance fund:{tenant}",
    ),
    "I2": (
        "ALTER TABLE receipts DROP CONSTRAINT receipts_account_id_transaction_key;"
        " UPDATE receipts SET transaction = 'T1' WHERE transaction = 'T2'",
        "I2 transaction T1: has several receipts",
    ),
    "I2 payment": (
        "UPDATE receipts SET reference = gen_random_uuid() WHERE transaction = 'T1'",
        "I2 payment {payment}: is confirmed without a receipt of its own",
    ),
    "I4 notice": (
        f"UPDATE notices SET received_at = {LATE}",
        "I4 notice {notice}: has no end and nobody was told",
    ),
    "I4 payment": (PAYMENT.format(LATE), "I4 payment {payment}: has no end and nobody was told"),
    "I4 forgotten": (
        f"DELETE FROM outbox WHERE kind <> 'deliver'; {PAYMENT.format('now()')}",
        "I4 payment {payment}: nobody will ask",
    ),
    "I5 state": ("UPDATE rights SET state = 'suspended'", "I5 household {home}: its rights are not what"),
    "I5 date": (
        "UPDATE rights SET since = since - 1 WHERE since = (SELECT min(since) FROM rights)",
        "I5 household {home}",
    ),
    "I5 next step": (
        "UPDATE rights SET next_step = 'rights.renew'",
        "I5 household {home}: its rights are not what",
    ),
    "I5 rule book": (
        "UPDATE bills SET scheme = 'NONE'",
        "I5 household {home}: its rights cannot be computed",
    ),
    "I5 version": (
        "UPDATE bills SET version = '1999-01-01'",
        "I5 household {home}: its rights cannot be computed",
    ),
    "I7": ("ALTER TABLE members NO FORCE ROW LEVEL SECURITY", "I7 table members: does not hide its rows"),
    "I8 off": (
        "ALTER TABLE audit DISABLE TRIGGER append_only",
        "I8 table audit: its guard append_only is gone",
    ),
    "I8 gone": ("DROP TRIGGER no_truncate ON postings", "I8 table postings: its guard no_truncate is gone"),
    "I8 receipts": (
        "ALTER TABLE receipts DISABLE TRIGGER same_money",
        "I8 table receipts: its guard same_money is gone",
    ),
    "I10 flag": (
        "UPDATE flags SET reason = 'call +221770000001'",
        "I10 flags {flag}: holds a phone number in the open",
    ),
    "I10 facts": (
        'UPDATE messages SET facts = \'{"to": "+221770000001"}\'',
        "I10 messages {message}: holds a phone",
    ),
    "I10 reference": (
        "UPDATE receipts SET reference = '+221770000001' WHERE transaction = 'T2'",
        "I10 receipts {t2}: holds",
    ),
    "I10 no plus": (
        f"UPDATE flags SET reason = 'call {people.AWA[1:]}'",
        "I10 flags {flag}: holds a phone number",
    ),
    "I10 00": (
        f"UPDATE flags SET reason = 'call 00{people.AWA[1:]}.'",
        "I10 flags {flag}: holds a phone number",
    ),
    "I10 national": (
        f"UPDATE flags SET reason = 'call {people.AWA[4:]}'",
        "I10 flags {flag}: holds a phone number",
    ),
    "I10 typed": (
        f"UPDATE ussd_sessions SET foreign_id = 'x{people.AWA[1:]}x'",
        "I10 ussd_sessions {session}: holds",
    ),
    "I10 session": (
        "UPDATE ussd_sessions SET foreign_id = '+221770000001'",
        "I10 ussd_sessions {session}: holds a phone",
    ),
    "I11 alone": (
        "INSERT INTO bill_lines SELECT tenant_id, gen_random_uuid(), gen_random_uuid(), payer, amount, rule"
        " FROM bill_lines",
        "I11 bill line ",
    ),
    "I11": (
        "UPDATE bill_lines SET amount = amount + 1 WHERE bill_id = '{bill}'",
        "I11 bill {bill}: its shares do not add up",
    ),
}


def names(database: Database) -> dict[str, str]:
    """Returns the ids of the books' records by the names that the tests use."""
    queries = {
        name: f"SELECT id FROM receipts WHERE transaction = '{name.upper()}'" for name in ("t1", "t2", "t3")
    }
    queries |= {
        name: f"SELECT min(id::text) FROM {name}s"
        for name in ("household", "payment", "notice", "flag", "message")
    }
    queries["bill"] = "SELECT id FROM bills WHERE kind = 'joining'"
    queries["session"] = "SELECT id FROM ussd_sessions"
    queries["account"], queries["tenant"] = (
        "SELECT account_id FROM receipts LIMIT 1",
        "SELECT tenant_id FROM receipts LIMIT 1",
    )
    with database.superuser() as connection:
        values = {name: str(connection.execute(query).fetchone()[0]) for name, query in queries.items()}
    return values | {"home": values["household"]}


@pytest.mark.parametrize("how", BREAKS)
def test_broken_books_are_found_and_the_first_record_named(
    lived: Books, module_database: Database, how: str
) -> None:
    ids = names(module_database)
    order, expected = BREAKS[how]
    order = order.replace("{bill}", ids["bill"])
    with broken(module_database) as session:
        assert verify.run(session).broken == []
    with broken(module_database, *order.split("; ")) as session:
        report = verify.run(session)
    assert report.as_json()["ok"] is False
    assert report.broken[0].startswith(expected.format(**ids)), report.broken


def test_digits_that_are_no_phone_of_ours_are_no_leak(lived: Books, module_database: Database) -> None:
    for digits in ("221770009999", "770009999", "23503452", lived.home.number, "9" * 40):
        with broken(module_database, f"UPDATE flags SET reason = 'about {digits}'") as session:
            assert verify.run(session).broken == []


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
        lambda true: [replace(one, reversed=False) for one in true],
    ),
    "reversed": (
        "DIFFERENT wave SN-TEST T1: reversal",
        lambda true: [replace(one, reversed=True) for one in true],
    ),
}


@pytest.mark.parametrize("how", TRUTHS)
def test_receipts_that_differ_from_what_moved_are_found(
    lived: Books, module_database: Database, how: str
) -> None:
    expected, change = TRUTHS[how]
    true = change(truth(lived))
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


def test_what_is_younger_than_a_minute_is_in_flight(lived: Books, module_database: Database) -> None:
    true = truth(lived)
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
        assert verified([replace(movement, reversed=False) for movement in true]).broken == []
    with broken(module_database, *AN_HOUR_LATER) as session:
        for seconds, kind in ((50, "in_flight"), (70, "different")):
            taken_back = replace(true[0], reversed=True, reversed_at=ago(seconds))
            assert verify.run(session, [taken_back, *true[1:]]).totals["truth"][kind] == 1


def test_money_that_arrives_while_verify_reads_is_no_difference(lived: Books) -> None:
    true = truth(lived)
    moved: Movement = books.paid(700, "T8", payer=people.BAKARY)
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
        with db.transaction(db.Role.WORKER, lived.world.senegal.tenant_id) as meanwhile:
            settlement.credit(meanwhile, lived.world.senegal.account, moved, "list")
        assert verify.run(session, true).totals["truth"]["matched"] == 4
    assert verified(true).broken == []
