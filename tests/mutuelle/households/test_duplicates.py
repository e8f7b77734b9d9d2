"""Likely duplicates are found by every way a name comes in, told to both mutuelles, and shown to no other."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from mutuelle import clock, db
from mutuelle.audit import Flag, FlagKind
from mutuelle.enrolment import agent_enrolment, enrolment, household_changes, member_names
from mutuelle.enrolment.agent_enrolment import TypedHousehold, TypedPerson
from mutuelle.enrolment.household_changes import PageSnapshot
from mutuelle.enrolment.member_names import NameRow
from mutuelle.households import duplicates, households
from mutuelle.households.duplicates import DuplicatePair
from mutuelle.households.households import Household, Member
from mutuelle.organisation import tenants
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.organisation.tenants import Tenant
from tests.mutuelle.verification.world import verified
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database
from workers import find_duplicates

BORN = (1985, 2015)
NAMES = ("Awa Ndiaye", "Modou Ndiaye")


@pytest.fixture
def world(module_database: Database) -> Iterator[World]:
    module_database.empty()
    people.connect(module_database.url)
    yield people.settle_in()
    db.disconnect()


def joins(tenant_id: UUID, phone: str) -> Household:
    """Enrols a household without names, as by USSD."""
    with db.transaction(db.Role.APP, tenant_id) as session:
        applicant = enrolment.NewHousehold(
            phone=phone,
            language="fr",
            category="general",
            birth_years=BORN,
            adults=1,
            consent="1",
            channel="ussd",
        )
        made = enrolment.enrol(session, tenant_id, applicant)
        return households.get(session, tenant_id, made.id)


def name(household: Household) -> None:
    """Names the members as an office's list does."""
    rows = [
        NameRow(place, household.number, born, full_name, kind)
        for place, (born, full_name, kind) in enumerate(
            zip(BORN, NAMES, ("head", "dependant"), strict=True), 2
        )
    ]
    with db.transaction(db.Role.WORKER, household.tenant_id) as session:
        assert member_names.name_members(session, household.tenant_id, rows, "list:1").named == 2


def pairs() -> set[tuple[UUID, UUID]]:
    """Returns the pairs of households, the earlier one first."""
    with db.transaction(db.Role.AUDITOR) as session:
        rows = session.scalars(select(DuplicatePair)).all()
    return {(row.household_id, row.later_household_id) for row in rows}


def cases(tenant_id: UUID) -> list[str]:
    with db.transaction(db.Role.AUDITOR) as session:
        query = select(Flag.subject).where(Flag.tenant_id == tenant_id, Flag.kind == FlagKind.DUPLICATE)
        return list(session.scalars(query))


def federate(world: World) -> None:
    """Puts the mutuelles of Senegal and Rwanda into one country and one federation."""
    with db.transaction(db.Role.LOGIN) as session:
        first = session.get_one(Tenant, world.senegal.tenant_id)
        second = session.get_one(Tenant, world.rwanda.tenant_id)
        second.country, second.currency, second.zone = first.country, first.currency, first.zone
        second.scheme = first.scheme
        union = Tenant(
            id=clock.new_id(),
            kind="federation",
            code="UNION",
            short_code="199",
            name="Union",
            scheme=first.scheme,
            country=first.country,
            currency=first.currency,
            zone=first.zone,
            language="fr",
            created_at=clock.now(),
        )
        session.add(union)
        session.flush()
        first.parent_id = second.parent_id = union.id


def looks(tenant_id: UUID) -> int:
    """Runs the daily search of a mutuelle, one household in a transaction."""
    return find_duplicates.find(MutuelleDay(tenant_id, "Africa/Dakar", date(2026, 11, 22)), 1)


@pytest.mark.every_postgres
def test_a_list_of_names_finds_the_family_that_joined_before(world: World) -> None:
    tenant_id = world.senegal.tenant_id
    first, again = joins(tenant_id, "+221770000011"), joins(tenant_id, "+221770000012")
    name(first)
    assert pairs() == set()
    name(again)
    assert pairs() == {(first.id, again.id)}
    assert cases(tenant_id) == [f"household:{again.id}"]
    assert looks(tenant_id) == 0  # a pair is stored once
    assert verified().broken == []


def test_the_form_of_an_agent_enrols_and_finds(world: World) -> None:
    tenant_id = world.senegal.tenant_id
    ids = []
    for phone in ("+221770000011", "+221770000012"):
        typed = TypedHousehold(
            phone=phone,
            language="fr",
            category="general",
            option="",
            people=[TypedPerson(str(born), name) for born, name in zip(BORN, NAMES, strict=True)],
            consent="1",
        )
        with db.transaction(db.Role.CONSOLE, tenant_id) as session:
            tenant = tenants.get(session, tenant_id)
            ids.append(agent_enrolment.enrol(session, tenant, typed, key=phone, by="agent").id)
    assert pairs() == {(ids[0], ids[1])}


def test_a_person_who_is_added_or_corrected_is_found(world: World) -> None:
    tenant_id = world.senegal.tenant_id
    first, again = joins(tenant_id, "+221770000011"), joins(tenant_id, "+221770000012")
    for household, born in ((first, "2010"), (again, "2012")):
        with db.transaction(db.Role.CONSOLE, tenant_id) as session:
            household_changes.add_member(
                session,
                tenant_id,
                household.id,
                born=born,
                name="Ibou Ndiaye",
                expected_count=2,
                by="manager:1",
            )
    assert pairs() == set()
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        members = households.members_of(session, tenant_id, again.id)
        (ibou,) = [member for member in members if member.birth_year == 2012]
        shown = PageSnapshot(3, 2012, members[0].id)
        household_changes.correct_member(
            session,
            tenant_id,
            again.id,
            ibou.id,
            born="2010",
            head=False,
            why="typing",
            shown=shown,
            by="manager:1",
        )
    assert pairs() == {(first.id, again.id)}


def test_another_name_is_searched_anew(world: World) -> None:
    tenant_id = world.senegal.tenant_id
    household = joins(tenant_id, "+221770000011")
    name(household)
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        head = households.members_of(session, tenant_id, household.id)[0]
        key = head.name_key
        member_names.set_name(session, tenant_id, head.id, "Awa Diop", "manager:1")
    with db.transaction(db.Role.AUDITOR) as session:
        assert session.get_one(Member, (tenant_id, head.id)).name_key not in (key, None)


def test_members_of_before_the_keys_are_found_by_the_daily_run(world: World) -> None:
    tenant_id = world.senegal.tenant_id
    first, again = joins(tenant_id, "+221770000011"), joins(tenant_id, "+221770000012")
    with db.transaction(db.Role.APP, tenant_id) as session:
        for household in (first, again):
            members = households.members_of(session, tenant_id, household.id)
            for member, full_name in zip(members, NAMES, strict=True):
                member.name, member.provisional = full_name, False
    assert pairs() == set()
    assert looks(tenant_id) == 2
    assert pairs() == {(first.id, again.id)}


def test_a_name_that_is_common_in_the_mutuelle_needs_another_sign(world: World) -> None:
    tenant_id, made = world.senegal.tenant_id, []
    for place in range(4):
        household = joins(tenant_id, f"+22177000002{place}")
        made.append(household)
        with db.transaction(db.Role.APP, tenant_id) as session:
            head = households.members_of(session, tenant_id, household.id)[0]
            if place < 2:  # two others of the name were born in other years
                head.birth_year = 1950 + place * 10
            member_names.set_name(session, tenant_id, head.id, NAMES[0], "manager:1")
    assert pairs() == set()
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        for household in made[2:]:
            child = households.members_of(session, tenant_id, household.id)[1]
            member_names.set_name(session, tenant_id, child.id, NAMES[1], "manager:1")
    assert pairs() == {(made[2].id, made[3].id)}


def test_who_moved_from_one_household_to_another_is_no_pair(world: World) -> None:
    tenant_id = world.senegal.tenant_id
    first, again = joins(tenant_id, "+221770000011"), joins(tenant_id, "+221770000012")
    name(first)
    with db.transaction(db.Role.APP, tenant_id) as session:
        for member in households.members_of(session, tenant_id, first.id):
            member.since = member.until = member.since - timedelta(days=365)
    name(again)
    assert pairs() == set()


def test_both_mutuelles_of_a_federation_get_a_case(world: World) -> None:
    federate(world)
    senegal_id, rwanda_id = world.senegal.tenant_id, world.rwanda.tenant_id
    first, again = joins(senegal_id, "+221770000011"), joins(rwanda_id, "+221770000012")
    name(first)
    name(again)
    assert pairs() == {(first.id, again.id)}
    assert (cases(senegal_id), cases(rwanda_id)) == ([], [f"household:{again.id}"])
    for _ in range(2):
        assert looks(senegal_id) == 0
    assert (cases(senegal_id), cases(rwanda_id)) == ([f"household:{first.id}"], [f"household:{again.id}"])
    assert verified().broken == []


def test_a_third_mutuelle_sees_no_pair_and_makes_none_for_others(world: World) -> None:
    federate(world)
    senegal_id, rwanda_id, coumba = (place.tenant_id for place in (world.senegal, world.rwanda, world.mali))
    name(joins(senegal_id, "+221770000011"))
    name(joins(rwanda_id, "+221770000012"))
    with db.transaction(db.Role.AUDITOR) as session:
        row = vars(session.scalars(select(DuplicatePair)).first())
    values = {column.name: row[column.name] for column in DuplicatePair.__table__.columns}
    for role in (db.Role.APP, db.Role.WORKER, db.Role.FEDERATION, db.Role.CONSOLE):
        for tenant in (coumba, None):
            with db.transaction(role, tenant) as session:
                assert session.scalars(select(DuplicatePair)).all() == []
                homes: dict[str, Any] = {"homes": [row["household_id"], row["later_household_id"]]}
                rows = session.execute(text("SELECT * FROM likely_duplicates(:homes, 2)"), homes)
                assert rows.all() == []
            with (
                pytest.raises(DBAPIError, match="row-level security"),
                db.transaction(role, tenant) as session,
            ):
                session.add(DuplicatePair(**(values | {"id": clock.new_id()})))


def test_a_mutuelle_learns_of_another_one_only_what_agrees(world: World) -> None:
    federate(world)
    senegal_id, rwanda_id = world.senegal.tenant_id, world.rwanda.tenant_id
    again = joins(rwanda_id, "+221770000012")
    name(joins(senegal_id, "+221770000011"))
    name(again)
    with db.transaction(db.Role.CONSOLE, rwanda_id) as session:
        homes = {"homes": [again.id]}
        rows = session.execute(text("SELECT * FROM likely_duplicates(:homes, 2)"), homes).mappings().all()
        assert len(rows) == 2
        assert not any("ndiaye" in str(row).casefold() or "77000" in str(row) for row in rows)
        for table in ("members", "households", "phones", "categories", "claim_lines"):
            query = text(f"SELECT count(*) FROM {table} WHERE tenant_id = :tenant")
            assert session.scalar(query, {"tenant": senegal_id}) == 0


def test_pairs_and_decisions_are_append_only(world: World, module_database: Database) -> None:
    tenant_id = world.senegal.tenant_id
    for phone in ("+221770000011", "+221770000012"):
        name(joins(tenant_id, phone))
    for order in ("UPDATE duplicate_pairs SET score = 1", "DELETE FROM duplicate_pairs"):
        with module_database.superuser() as connection, pytest.raises(psycopg.Error, match="append-only"):
            connection.execute(order)
    for order in ("TRUNCATE duplicate_pairs CASCADE", "TRUNCATE duplicate_decisions"):
        with module_database.superuser() as connection, pytest.raises(psycopg.Error, match="append-only"):
            connection.execute(order)


def test_what_comes_up_while_a_claim_is_drafted_is_found_the_day_after(world: World) -> None:
    tenant_id = world.senegal.tenant_id
    first, again = joins(tenant_id, "+221770000011"), joins(tenant_id, "+221770000012")
    name(first)
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        duplicates.freeze(session, tenant_id)
        name(again)  # is not held up
    assert pairs() == set()
    assert looks(tenant_id) == 2
