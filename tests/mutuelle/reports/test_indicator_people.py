"""People with open rights, counted by hand where a scheme has limits of age, relationship and number."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.enrolment import enrolment, household_changes
from mutuelle.households import households
from mutuelle.households.evidence import Evidence, Proof
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import OperatorAccount, Tenant
from mutuelle.payments import settlement
from mutuelle.payments.operators import Movement
from mutuelle.reports import indicators
from tests.support import people
from tests.support.people import CREDENTIALS
from tests.support.templates import Database

phones = count(1)


def it_is(day: date) -> None:
    now = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    clock.install(clock.Source(now=lambda: now))


@pytest.fixture
def database_of_one(module_database: Database) -> Iterator[None]:
    module_database.empty()
    people.connect(module_database.url)
    it_is(date(2026, 11, 1))
    yield
    clock.install(clock.Source())
    db.disconnect()


def mutuelle(scheme: str) -> Tenant:
    with db.transaction(db.Role.LOGIN) as session:
        tenant = tenants.add_mutuelle(
            session, code="ML-1", short_code="301", name="Test", scheme=scheme, country="ML",
            currency="XOF", zone="Africa/Bamako", language="fr",
        )  # fmt: skip
        tenants.add_account(
            session, tenant.id, operator="wave", code="ML-1", currency="XOF",
            credentials=CREDENTIALS["wave"] | {"callback_token": "t" * 22}, token="t" * 22,
        )  # fmt: skip
    return tenant


def joins(tenant: Tenant, *born: int, category: str = "indigent", pays: int = 0, **facts: Any) -> UUID:
    phone = f"+22371{next(phones):06d}"
    proof = Proof(Evidence("agent-visit")) if category == "indigent" else None
    applicant = enrolment.NewHousehold(
        phone=phone, language="fr", category=category, birth_years=born, adults=1,
        consent="1", channel="agent", sms=False, proof=proof, **facts,
    )  # fmt: skip
    with db.transaction(db.Role.APP, tenant.id) as session:
        home = enrolment.enrol(session, tenant.id, applicant, by="agent").id
    if pays:
        with db.transaction(db.Role.WORKER, tenant.id) as session:
            account = session.scalars(select(OperatorAccount)).one()
            moved = Movement(f"T{phone}", Money(pays, "XOF"), clock.now(), payer=phone)
            settlement.credit(session, account, moved, "list")
    return home


def read(tenant: Tenant, month: str, today: date) -> dict[str, tuple[int, int | None]]:
    with db.transaction(db.Role.AUDITOR) as session:
        readings = indicators.read(session, tenant, indicators.month(month, today), 100)
    return {each.code: (each.numerator, each.denominator) for each in readings if not each.by}


@pytest.mark.usefixtures("database_of_one")
def test_only_people_whom_the_rules_cover_count_as_open() -> None:
    ramed = mutuelle("ML-RAMED")
    joins(ramed, 1980, 1984, 2011, 2015)  # 15 years old and no pupil: three are covered
    joins(ramed, 1980, 2011, students={1})  # a pupil: two
    joins(ramed, 1970, 2004, 1950, relationships=(None, "child", "parent"))  # over 21, not admitted: the head
    disabled = joins(ramed, 1985, 2010)  # two, because of the status
    with db.transaction(db.Role.CONSOLE, ramed.id) as session:
        child = households.members_of(session, ramed.id, disabled)[-1]
        household_changes.add_class(
            session, ramed.id, disabled, child.id,
            code="disabled", evidence="document", expected_count=2, by="manager:1",
        )  # fmt: skip
    values = read(ramed, "2026-11", date(2026, 12, 5))
    assert values["penetration"] == (3 + 2 + 1 + 2, 100)
    assert values["open-share"] == (8, 4 + 2 + 3 + 2)
    assert values["family-size"] == (8, 4)
    assert values["growth"] == (8, 0)
    # A child who becomes too old in the bill's year stays covered to its end, as its rights say.
    assert read(ramed, "2027-09", date(2027, 11, 5))["penetration"] == (8, 100)


@pytest.mark.usefixtures("database_of_one")
def test_a_mutuelle_that_admits_adults_by_relationship_counts_them_so() -> None:
    mali = mutuelle("ML-5050")
    joins(mali, 1980, 1984, 2006, category="general", pays=30_000)  # a third adult of no noted relationship
    joins(mali, 1980, 1984, 2006, category="general", pays=30_000, relationships=(None, "spouse", "child"))
    it_is(date(2027, 3, 5))
    values = read(mali, "2027-02", date(2027, 3, 5))
    assert values["penetration"] == (3 + 2, 100)
    assert values["open-share"] == (5, 6)
