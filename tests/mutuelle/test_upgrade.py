"""The update to version 0016 reads again what counted as read: lists, callbacks about unknown references."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from mutuelle.migrations.migrate import migrate
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres

NOTICE = """
INSERT INTO notices (tenant_id, id, door, account_id, provider, digest, body, named_ref, state, outcome,
    received_at, due_at, ended_at)
VALUES (%(tenant)s, %(id)s, 'momo', %(account)s, 'mtn', uuid_send(%(id)s), '', %(ref)s, 'done', %(outcome)s,
    %(at)s, %(at)s, %(at)s)
"""
PULL = """
INSERT INTO pulls (tenant_id, account_id, day, cursor, overlap_cursor, pulled_at, read_at, whole_at)
VALUES (%(tenant)s, %(account)s, %(day)s, '5', '4', %(at)s, %(at)s, %(at)s)
"""
PAYMENT = """
INSERT INTO payments (tenant_id, id, ref, account_id, household_id, household_tenant_id, effect_key,
    payer_index, payer_cipher, amount, currency, status, created_at, expires_at)
VALUES (%(tenant)s, gen_random_uuid(), %(ref)s, %(account)s, gen_random_uuid(), %(tenant)s, 'key', '', '', 5,
    'RWF', 'failed', %(at)s, %(at)s)
"""


def fill(connection: psycopg.Connection, now: datetime) -> dict[str, UUID]:
    """Writes rows as version 0014 left them. Returns the ids of its notices by what they are."""
    values = {"tenant": uuid4(), "account": uuid4(), "at": now - timedelta(days=2)}
    connection.execute("SET session_replication_role = replica")  # rows without those they refer to
    no_request, known_ref = "names no request of this account", uuid4()
    connection.execute(PAYMENT, values | {"ref": known_ref})
    notices = {
        "unknown": {"ref": uuid4(), "outcome": no_request},
        "known, of another account": {"ref": known_ref, "outcome": no_request},
        "without a reference": {"ref": None, "outcome": no_request},
        "settled": {"ref": uuid4(), "outcome": "confirmed"},
        "old": {"ref": uuid4(), "outcome": no_request, "at": now - timedelta(days=60)},
    }
    ids = {name: uuid4() for name in notices}
    for name, notice in notices.items():
        connection.execute(NOTICE, values | {"id": ids[name]} | notice)
    for ago in (2, 60):
        connection.execute(PULL, values | {"day": (now - timedelta(days=ago)).date()})
    return ids


def test_what_counted_as_read_is_read_again_after_the_update(blank_database: Database) -> None:
    migrate(blank_database.url, "0014")
    with blank_database.superuser() as connection:
        ids = fill(connection, datetime.now(UTC))
    migrate(blank_database.url)
    with blank_database.superuser() as connection:
        due = "SELECT id FROM notices WHERE state = 'new' AND due_at <= now() AND ended_at IS NULL"
        assert connection.execute(due).fetchall() == [(ids["unknown"],)]
        lists = "SELECT whole_at IS NULL, overlap_cursor, failures, open_lines FROM pulls ORDER BY day DESC"
        assert connection.execute(lists).fetchall() == [(True, None, 0, []), (False, "4", 0, [])]
        forced = "SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity"
        assert connection.execute(forced).fetchall() == []
