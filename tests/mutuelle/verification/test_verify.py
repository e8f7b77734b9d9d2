"""`verify` finds what is broken in the books; each test breaks them in one way, past their guards."""

import pytest

from mutuelle import db
from mutuelle.verification import verify
from tests.mutuelle.verification.world import broken, truth, verified
from tests.support import people
from tests.support.books import Books
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres


def test_good_books_have_totals_and_nothing_broken(filled_books: Books) -> None:
    report = verified(truth(filled_books)).as_json()
    assert report["broken"] == []
    assert report["ok"] is True
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


def test_empty_books_are_valid(database: Database) -> None:
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
    filled_books: Books, module_database: Database, how: str
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


def test_digits_that_are_no_phone_of_ours_are_no_leak(filled_books: Books, module_database: Database) -> None:
    for digits in ("221770009999", "770009999", "23503452", filled_books.household.number, "9" * 40):
        with broken(module_database, f"UPDATE flags SET reason = 'about {digits}'") as session:
            assert verify.run(session).broken == []


def test_every_row_with_the_same_phone_is_named(filled_books: Books, module_database: Database) -> None:
    order = f"UPDATE receipts SET payer_cipher = NULL, transaction = transaction || ' {people.AWA[1:]}'"
    with broken(module_database, order) as session:
        count = session.connection().exec_driver_sql("SELECT count(*) FROM receipts").scalar()
        leaks = [line for line in verify.run(session).broken if line.startswith("I10 receipts")]
    assert count is not None
    assert count > 1
    assert len(leaks) == count
