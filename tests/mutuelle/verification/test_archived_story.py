"""`verify` stays green when the daily job takes out what ended long ago, and answers to other hands."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from mutuelle import archive, clock, db
from mutuelle.archive import ArchivedTable
from mutuelle.verification import verify
from tests.mutuelle.verification import story
from tests.mutuelle.verification.world import broken, verified
from tests.support.templates import Database

BEFORE = datetime(2028, 1, 1, tzinfo=UTC)  # a year after the story
SEEN = (
    "UPDATE tickets SET state = 'closed', answer = 'closed', answered_at = '2027-06-01',"
    " answered_by = (SELECT id FROM logins LIMIT 1)",
    "INSERT INTO audit SELECT tenant_id, gen_random_uuid(), answered_at, 'manager:' || answered_by,"
    " 'appeal-answered', 'household:' || household_id, jsonb_build_object('ticket', id) FROM tickets",
    "UPDATE flags SET closed_at = '2027-06-01' WHERE closed_at IS NULL",
    "INSERT INTO audit SELECT tenant_id, gen_random_uuid(), closed_at + interval '1 second',"
    " 'manager:' || id, 'flag-seen', subject, jsonb_build_object('kind', kind) FROM flags",
)


@pytest.fixture(scope="module", autouse=True)
def _old_story(module_database: Database) -> Iterator[None]:
    story.tell(module_database.url)
    with module_database.superuser() as connection:  # staff have seen every case
        for order in SEEN:
            connection.execute(order)
    ticks = count()
    clock.install(clock.Source(now=lambda: BEFORE + timedelta(days=400, seconds=next(ticks))))
    yield
    clock.install(clock.Source())
    db.disconnect()


def test_the_books_are_whole_before_and_after(module_database: Database) -> None:
    before = verified()
    assert before.broken == []
    for table in ArchivedTable:
        with db.transaction(db.Role.WORKER) as session:
            taken_out = archive.take_out(session, table, BEFORE, 1000)
        assert taken_out or table is ArchivedTable.SESSIONS
        assert verified().broken == [], table
    after = verified()
    assert after.totals["messages"] < before.totals["messages"]
    assert after.totals["money"] == before.totals["money"]


@pytest.mark.parametrize(
    ("order", "line"),
    [
        ("DELETE FROM audit_archive WHERE action = 'pay'", "I8 payment-asked"),
        ("UPDATE audit_archive SET facts = '{}' WHERE action = 'pay'", "I8 payment-asked"),
        ("DELETE FROM archive_runs WHERE archived = 'audit'", "I8 archive-young"),
        ("UPDATE archive_runs SET ended_before = ended_before + interval '99 days'", "I8 archive-seal"),
    ],
)
def test_other_hands_are_seen(module_database: Database, order: str, line: str) -> None:
    with broken(module_database, order) as session:
        assert any(row.startswith(line) for row in verify.run(session).broken)
