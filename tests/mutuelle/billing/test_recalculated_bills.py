"""A bill is priced anew when a manager asks for it: new lines add what it should have been."""

from collections.abc import Iterator

import pytest

from mutuelle import db
from mutuelle.enrolment import household_changes
from mutuelle.verification import verify
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database


@pytest.fixture
def world(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield people.settle_in()
    with db.transaction(db.Role.AUDITOR) as session:
        # What was done by hand is named; the bill that follows it is right.
        assert {line.partition(":")[0] for line in verify.run(session).broken} == {"I5 member-left"}
    db.disconnect()


def test_a_bill_that_was_written_for_other_years_than_are_noted_is_worked_out_anew(
    world: World, module_database: Database
) -> None:
    household = BilledHousehold(world.rwanda, "level-3", born=(1985, 1990))
    with module_database.superuser() as connection:  # as by hand in the database, which no adjustment follows
        connection.execute(
            "UPDATE members SET until = since - 1 WHERE household_id = %s AND kind = 'dependant'",
            [household.id],
        )
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        household_changes.recalculate(
            session, household.tenant, household.id, why="flag", expected_count=1, by="manager:1"
        )
    assert household.parts() == {"member": 5_000}
