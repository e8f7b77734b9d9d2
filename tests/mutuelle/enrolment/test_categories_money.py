"""Tests that a checked or refused category changes who pays: new bill lines, credit, and back again."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.audit import Flag
from mutuelle.billing import billing_runs
from mutuelle.contributions.bills import Bill
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import Position
from mutuelle.enrolment import category_proofs, enrolment
from mutuelle.households import households
from mutuelle.households.evidence import Evidence
from mutuelle.payments import settlement
from mutuelle.verification import verify
from tests.support import books, people
from tests.support.people import World
from tests.support.templates import Database
from workers import bill

TODAY = clock.today("Africa/Dakar")
CARD = Evidence("document", "BF 0042-17")


@pytest.fixture(scope="module")
def place(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield people.settle_in()
    db.disconnect()


def claiming(place: World, paid: int) -> UUID:
    """Enrols two people who claim to be indigent: billed as general (7 000 and 1 000) until checked."""
    phone, tenant_id = f"+22177{clock.digits(7)}", place.senegal.tenant_id
    with db.transaction(db.Role.APP, tenant_id) as session:
        applicant = enrolment.NewHousehold(phone=phone, language="fr", category="indigent", adults=1,
                                           birth_years=[1985, 2015], consent="1", channel="ussd")  # fmt: skip
        home = enrolment.enrol(session, tenant_id, applicant)
    if paid:
        with db.transaction(db.Role.WORKER, tenant_id) as session:
            settlement.credit(
                session, place.senegal.account, books.paid(paid, f"T{clock.digits(6)}", payer=phone), "list"
            )
    return home.id


def position(place: World, home: UUID) -> Position:
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
        return cover_books.position(session, place.senegal.tenant_id, home, clock.today("Africa/Dakar"))


def test_once_checked_the_state_pays_all_and_what_was_paid_is_credit_that_pays_the_joining_fee(
    place: World,
) -> None:
    home = claiming(place, paid=5_000)
    before = position(place, home)
    assert (before.owed, before.credit, before.right.state) == (3_000, 0, "part-paid")
    with db.transaction(db.Role.CONSOLE, place.senegal.tenant_id) as session:
        assert category_proofs.check(session, place.senegal.tenant_id, home, "indigent", CARD, by="manager:1")
    after = position(place, home)
    assert (after.owed, after.credit, after.right.state) == (0, 4_000, "waiting")
    with db.transaction(db.Role.CONSOLE, place.senegal.tenant_id) as session:
        assert not category_proofs.check(
            session, place.senegal.tenant_id, home, "indigent", CARD, by="manager:1"
        )
    assert position(place, home) == after


def test_who_is_refused_after_a_check_owes_again_and_keeps_the_credit_that_pays_it(place: World) -> None:
    home = claiming(place, paid=5_000)
    before = position(place, home)
    for role, what in ((db.Role.WORKER, "check"), (db.Role.CONSOLE, "refuse")):
        with db.transaction(role, place.senegal.tenant_id) as session:
            if what == "check":
                category_proofs.check(session, place.senegal.tenant_id, home, "indigent", CARD, by="list:1")
            else:
                category_proofs.refuse(
                    session, place.senegal.tenant_id, home, why="other-household", by="manager:1"
                )
    after = position(place, home)
    assert (after.owed, after.credit) == (before.owed, before.credit)


def test_a_refusal_of_what_was_never_billed_changes_no_bill(place: World) -> None:
    home = claiming(place, paid=0)
    before = position(place, home)
    with db.transaction(db.Role.CONSOLE, place.senegal.tenant_id) as session:
        category_proofs.refuse(session, place.senegal.tenant_id, home, why="not-found", by="manager:1")
    assert position(place, home) == before


@pytest.fixture
def later() -> Iterator[None]:
    yield
    clock.install(clock.Source())


def test_a_proof_that_is_over_is_billed_again_from_that_day(place: World, later: None) -> None:
    tenant_id, home = place.senegal.tenant_id, claiming(place, paid=0)
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        category_proofs.check(session, tenant_id, home, "indigent", CARD, by="manager:1", until=TODAY)
    assert position(place, home).owed == 1_000
    clock.install(clock.Source(shift_s=3 * 86_400))
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        row = households.claim_of(session, tenant_id, home)
        assert row is not None
        assert category_proofs.expire(session, tenant_id, row)
    assert position(place, home).owed == 8_000


@pytest.mark.parametrize(("days", "billed"), [(500, "indigent"), (99, "general")])
def test_the_next_bill_is_for_what_is_proven_on_its_day(
    place: World, later: None, days: int, billed: str
) -> None:
    tenant_id, home = place.senegal.tenant_id, claiming(place, paid=8_000)
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        category_proofs.check(
            session, tenant_id, home, "indigent", CARD, by="manager:1", until=TODAY + timedelta(days)
        )
    for ahead in range(365 + days % 5, 430, 5):  # waiting days and a year of cover; each day is billed once
        clock.install(clock.Source(shift_s=ahead * 86_400))
        with db.transaction(db.Role.WORKER) as session:
            rows = [row for row in billing_runs.due(session) if row.tenant_id == tenant_id]
        for row in rows:
            while bill.write_page(row):
                pass
    with db.transaction(db.Role.AUDITOR) as session:
        rows = session.scalars(
            select(Bill).where(Bill.household_id == home, Bill.kind == "dues").order_by(Bill.issued)
        )
        assert [row.category for row in rows] == ["general", billed]
        assert verify.run(session).broken == []


def test_what_the_rules_refuse_is_flagged_and_the_others_go_on(
    place: World, module_database: Database
) -> None:
    tenant_id, homes = place.senegal.tenant_id, [claiming(place, paid=0) for _ in range(3)]
    with module_database.superuser() as connection:  # the second household has no members
        connection.execute("UPDATE members SET until = since - 1 WHERE household_id = %s", [homes[1]])
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        for home in homes:
            with category_proofs.or_open_case(session, tenant_id, home):
                category_proofs.check(session, tenant_id, home, "indigent", CARD, by="list:1")
    with db.transaction(db.Role.AUDITOR) as session:
        current = [category_proofs.in_force(session, tenant_id, home, TODAY) for home in homes]
        assert [row and row.standing for row in current] == ["checked", "claimed", "checked"]
        assert session.scalars(select(Flag.subject).where(Flag.kind == "proof")).all() == [
            f"household:{homes[1]}"
        ]
        assert [line for line in verify.run(session).broken if "member-left" not in line] == []
