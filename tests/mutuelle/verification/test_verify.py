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


LEAKS = {
    "a flag": ("UPDATE flags SET reason = 'call +221770000001'", "flags"),
    "facts": ('UPDATE messages SET facts = \'{"to": "+221770000001"}\'', "messages"),
    "a reference": ("UPDATE receipts SET reference = '+221770000001' WHERE transaction = 'T2'", "receipts"),
    "without a plus": (f"UPDATE flags SET reason = 'call {people.AWA[1:]}'", "flags"),
    "with 00": (f"UPDATE flags SET reason = 'call 00{people.AWA[1:]}.'", "flags"),
    "as dialled in the country": (f"UPDATE flags SET reason = 'call {people.AWA[4:]}'", "flags"),
    "among letters": (f"UPDATE ussd_sessions SET foreign_id = 'x{people.AWA[1:]}x'", "ussd_sessions"),
    "a session": ("UPDATE ussd_sessions SET foreign_id = '+221770000001'", "ussd_sessions"),
}
CANNOT = {
    "rule book": "UPDATE bills SET scheme = 'NONE'",
    "version": "UPDATE bills SET version = '1999-01-01'",
}


@pytest.mark.parametrize("how", LEAKS)
def test_a_phone_in_the_open_is_named_with_its_row(
    filled_books: Books, module_database: Database, how: str
) -> None:
    order, table = LEAKS[how]
    with broken(module_database, order) as session:
        lines = [line for line in verify.run(session).broken if "phone-open" in line]
    assert lines
    assert all(line.startswith(f"I10 phone-open: {table} ") for line in lines)


@pytest.mark.parametrize("how", CANNOT)
def test_rights_that_cannot_be_computed_are_named(
    filled_books: Books, module_database: Database, how: str
) -> None:
    with broken(module_database, CANNOT[how]) as session:
        report = verify.run(session)
    line = f"I5 rights-computed: household {filled_books.household.id}: cannot be computed"
    assert any(each.startswith(line) for each in report.broken)
    assert report.as_json()["ok"] is False


def test_digits_that_are_no_phone_of_ours_are_no_leak(filled_books: Books, module_database: Database) -> None:
    for digits in ("221770009999", "770009999", "23503452", filled_books.household.number, "9" * 40):
        with broken(module_database, f"UPDATE flags SET reason = 'about {digits}'") as session:
            assert verify.run(session).broken == []


def test_every_row_with_the_same_phone_is_named(filled_books: Books, module_database: Database) -> None:
    order = f"UPDATE receipts SET payer_cipher = NULL, transaction = transaction || ' {people.AWA[1:]}'"
    with broken(module_database, order) as session:
        count = session.connection().exec_driver_sql("SELECT count(*) FROM receipts").scalar()
        leaks = [line for line in verify.run(session).broken if line.startswith("I10 phone-open: receipts")]
    assert count is not None
    assert count > 1
    assert len(leaks) == count
