"""The phone of a household is its current one, the last registered; a number that it gave up gets no SMS."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from mutuelle import clock, crypto, db, inserts
from mutuelle.households import household_sms, households
from mutuelle.households.households import Phone
from mutuelle.messaging.messages import Message, MessageKind
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import books, people
from tests.support.people import AWA, BAKARY, World
from tests.support.templates import Database

GIVEN_UP, NEW = "+221770000088", "+221770000089"


@pytest.fixture
def world(emptied_database: Database) -> Iterator[World]:
    people.connect(emptied_database.url)
    yield people.settle_in()
    db.disconnect()


def register(tenant: UUID, home: UUID, number: str, days: int, until: datetime | None = None) -> None:
    """Registers a phone so many days from now."""
    row = {
        "tenant_id": tenant,
        "id": clock.new_id(),
        "household_id": home,
        "blind_index": crypto.blind_index(number),
        "cipher": crypto.seal_phone(number),
        "since": clock.now() + timedelta(days),
        "until": until,
    }
    with db.transaction(db.Role.APP, tenant) as session:
        inserts.add(session, Phone, row)


def test_an_sms_goes_to_the_last_registered_phone_that_was_not_given_up(world: World) -> None:
    tenant = world.senegal.tenant_id
    others = [BilledHousehold(world.senegal)]
    home = books.enrol(world).id
    others.append(BilledHousehold(world.senegal))
    register(tenant, home, NEW, days=1)
    register(tenant, home, GIVEN_UP, days=2, until=clock.now())
    register(tenant, home, BAKARY, days=-1)
    with db.transaction(db.Role.APP, tenant) as session:
        assert households.phone_of(session, tenant, home) == NEW
        for other in others:
            assert households.phone_of(session, tenant, other.id) == other.phone
        household_sms.queue(session, (tenant, home), MessageKind.STARTED, {})
    with db.transaction(db.Role.AUDITOR) as session:
        query = select(Message.phone_cipher).where(Message.kind == MessageKind.STARTED)
        (cipher,) = session.scalars(query)
        assert crypto.open_phone(cipher) == NEW


def test_a_household_without_a_current_phone_gets_no_sms(world: World) -> None:
    tenant = world.senegal.tenant_id
    home = books.enrol(world).id
    with db.transaction(db.Role.WORKER, tenant) as session:
        for row in session.scalars(select(Phone).where(Phone.household_id == home)):
            row.until = clock.now()
    with db.transaction(db.Role.APP, tenant) as session:
        assert households.phone_of(session, tenant, home) is None
        assert households.by_phone(session, AWA) == []
        assert not household_sms.queue_once(session, (tenant, home), MessageKind.STARTED, {}, key="x")


def test_the_households_of_a_phone_come_in_one_order(world: World) -> None:
    keys = []
    for place in (world.senegal, world.mali):
        household = BilledHousehold(place)
        keys.append((place.tenant_id, household.id))
        register(place.tenant_id, household.id, BAKARY, days=0)
    with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
        assert households.by_phone(session, BAKARY) == sorted(keys)
