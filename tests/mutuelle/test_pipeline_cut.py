"""A connection that is cut in mid transaction: told as what it is, whether rows waited on it or not; the next
one works."""

from contextlib import nullcontext

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mutuelle import audit, clock, db, inserts, pipeline
from tests.support.templates import Database


@pytest.mark.parametrize("nested", [False, True], ids=["", "in a savepoint"])
@pytest.mark.parametrize("waiting", [False, True], ids=["nothing waits", "a row waits"])
def test_a_cut_is_told_as_a_cut_and_leaves_nothing_behind(
    database: Database, waiting: bool, nested: bool
) -> None:
    """PostgreSQL restarts in the middle: the error is the cut's own, nothing waits for whoever gets the
    connection next."""
    db.connect(database.url, pool=1)
    with pytest.raises(DBAPIError):
        _cut(database, waiting, nested)
    for _ in range(3):
        with db.transaction(db.Role.LOGIN) as session:
            assert session.scalar(text("SELECT count(*) FROM flags")) == 0
            assert pipeline.QUEUED not in session.connection().info
    db.disconnect()


def _cut(database: Database, waiting: bool, nested: bool) -> None:
    with db.transaction(db.Role.LOGIN) as session, session.begin_nested() if nested else nullcontext():
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        with database.superuser() as outside:
            outside.execute("SELECT pg_terminate_backend(%s)", [pid])
        if waiting:
            told = {
                "tenant_id": clock.new_id(),
                "id": clock.new_id(),
                "kind": "x",
                "subject": "x",
                "reason": "x",
            }
            inserts.add(session, audit.Flag, told | {"opened_at": clock.now()})
        session.execute(text("SELECT 1"))
