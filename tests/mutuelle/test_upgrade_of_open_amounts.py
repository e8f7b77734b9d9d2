"""Migration 0025 fills what is open from the books of before, in every mutuelle."""

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from mutuelle import db
from mutuelle.migrations.migrate import migrate
from mutuelle.verification import open_amounts
from tests.gateway.console.world import ConsoleWorld
from tests.support import people
from tests.support.people import AWA
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres

OTHER, STRANGER = "+22370000009", "+221770099999"


def test_what_was_open_before_is_listed_after_the_update(blank_database: Database) -> None:
    engine = create_engine(db.driver_url(blank_database.url), poolclass=NullPool)
    settings = Config()
    settings.set_main_option("script_location", "mutuelle:migrations")
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0024")
    people.connect(blank_database.url)
    world = ConsoleWorld(people.settle_in())
    world.join("awa", AWA, world.senegal)
    world.join("fatou", OTHER, world.world.mali)
    world.receive("T1", 2_500, world.senegal, AWA)
    world.receive("S1", 700, world.senegal, STRANGER)
    migrate(blank_database.url)
    with db.transaction(db.Role.AUDITOR) as session:
        assert [list(question.broken(session)) for question in open_amounts.QUESTIONS] == [[], []]
    with blank_database.superuser() as connection:
        dues = "SELECT household_id, units FROM open_dues ORDER BY units"
        assert (world.households["awa"].id, 8_000) in connection.execute(dues).fetchall()
        assert {row[0] for row in connection.execute(dues)} == {row.id for row in world.households.values()}
        waiting = "SELECT receipt_id, units FROM open_suspense"
        assert connection.execute(waiting).fetchall() == [(world.receipts["S1"], 700)]
        forced = "SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity"
        assert connection.execute(forced).fetchall() == []
    db.disconnect()
