"""A connection cut inside a transaction raises the cut's own error, and its successor in the pool works."""

from contextlib import nullcontext

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mutuelle import audit, clock, db, inserts, pipeline
from tests.support.templates import Database


@pytest.mark.parametrize("nested", [False, True], ids=["", "in a savepoint"])
@pytest.mark.parametrize("waiting", [False, True], ids=["nothing waits", "a row waits"])
def test_a_cut_connection_raises_a_database_error_and_leaves_nothing_queued(
    database: Database, waiting: bool, nested: bool
) -> None:
    """PostgreSQL ends the connection: no queued row is left for the next user of the pool."""
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
            flag = {
                "tenant_id": clock.new_id(),
                "id": clock.new_id(),
                "kind": "x",
                "subject": "x",
                "reason": "x",
            }
            inserts.add(session, audit.Flag, flag | {"opened_at": clock.now()})
        session.execute(text("SELECT 1"))


def test_a_transaction_in_which_a_statement_was_refused_does_not_end_as_a_success(database: Database) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK, without an error: what caught the refusal must not hide it."""
    db.connect(database.url, pool=1)
    with (
        pytest.raises(DBAPIError, match="InFailedSqlTransaction"),
        db.transaction(db.Role.LOGIN) as session,
        pytest.raises(DBAPIError, match="DivisionByZero"),
    ):
        pipeline.query(session, ("SELECT 1 / 0", {}))
    db.disconnect()
