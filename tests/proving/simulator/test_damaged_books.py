"""Tests that the simulator detects books that were damaged on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from proving.simulator import database
from proving.simulator.plan import FAULTS, Plan
from proving.simulator.run import FinishedRun, live

# Staff and operators change nothing, so that every damage is of money whose owner is known.
QUIET_OFFICES = replace(FAULTS, staff=0, corrected=0)
ANY = "(SELECT id FROM receipts ORDER BY transaction LIMIT 1)"
SPOILT = {
    "LOST": (f"DELETE FROM allocations WHERE receipt_id = {ANY}", f"DELETE FROM receipts WHERE id = {ANY}"),
    "WRONG": (
        "UPDATE allocations a SET kind = 'credit', bill_line_id = NULL,"
        " household_id = (SELECT h.id FROM households h"
        " WHERE h.tenant_id = a.household_tenant_id AND h.id <> a.household_id ORDER BY h.id LIMIT 1)"
        " WHERE a.id = (SELECT id FROM allocations WHERE kind = 'bill' AND amount > 0 ORDER BY id LIMIT 1)",
    ),
    "MISSED": (
        "UPDATE allocations SET kind = 'suspense', household_id = NULL, household_tenant_id = NULL,"
        " bill_line_id = NULL"
        " WHERE id = (SELECT id FROM allocations WHERE kind = 'bill' AND amount > 0 ORDER BY id LIMIT 1)",
    ),
    "DIFFERENT": (f"UPDATE receipts SET amount = amount + 1 WHERE id = {ANY}",),
}


pytestmark = pytest.mark.timeout(600)  # simulates twelve days beside the seeds of test_seeds.py


@pytest.fixture(scope="module")
def over() -> Iterator[FinishedRun]:
    """A small simulation after its last day."""
    with (
        database.start_servers() as copies,
        copies.copy() as database_copy,
        live(database_copy, Plan.of(5, 12, 9, QUIET_OFFICES)) as finished,
    ):
        yield finished


@contextmanager
def spoilt(over: FinishedRun, *statements: str) -> Iterator[None]:
    """Changes the books past guards and triggers for the block."""
    tables = ("receipts", "allocations")
    with psycopg.connect(over.database.superuser_url, autocommit=True) as books:
        books.execute("SET session_replication_role = replica")
        for table in tables:
            books.execute(f"CREATE TEMP TABLE kept_{table} AS SELECT * FROM {table}")
        for statement in statements:
            assert books.execute(statement).rowcount
        yield
        for table in tables:
            books.execute(f"DELETE FROM {table}")
            books.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")


def test_an_honest_world_is_clean(over: FinishedRun) -> None:
    result = over.compare()
    assert result.broken == []
    assert result.as_json()["precision"] == 1


@pytest.mark.parametrize("kind", SPOILT)
def test_damaged_books_are_detected(over: FinishedRun, kind: str) -> None:
    """Each damage is made past the database's guards, compared, and undone."""
    before = over.compare()
    with spoilt(over, *SPOILT[kind]):
        after = over.compare()
    assert any(line.startswith(kind) for line in after.broken), after.broken
    assert after.digest != before.digest
    scores = {"LOST": after.scores.lost, "DIFFERENT": after.scores.lost, "WRONG": 1 - after.scores.precision,
              "MISSED": 1 - after.scores.recall}  # fmt: skip
    assert scores[kind] > 0
    assert over.compare().digest == before.digest
