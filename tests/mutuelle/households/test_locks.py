"""All code locks households before receipts and sponsors, so that acts wait for each other without deadlock.

Each test locks a household in one connection, lets another act wait for it, and only then locks what that act
would have locked before, had it locked in another order.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from mutuelle import clock, db
from mutuelle.billing import sponsorships
from mutuelle.enrolment import category_proofs, household_changes, registry_proposals
from mutuelle.enrolment.category_proofs import Evidence
from mutuelle.errors import Refused
from mutuelle.households import households, locks
from mutuelle.households.locks import HouseholdKey
from mutuelle.money import Money
from mutuelle.organisation import sponsors
from mutuelle.organisation.logins import Manager
from mutuelle.organisation.sponsors import SponsorTerms
from mutuelle.payments import manual_attribution, refunds, reversals
from mutuelle.payments.operators import Movement
from mutuelle.payments.receipts import Receipt, version
from mutuelle.verification import verify as books
from tests.gateway.console.world import ConsoleWorld
from tests.support import people
from tests.support.locks import WAIT_S, waits
from tests.support.templates import Database

TODAY = clock.today("Africa/Dakar")
PHONES = iter(f"+22175{n:07d}" for n in range(100))
Act = Callable[[Session, Receipt], None]


@pytest.fixture(scope="module")
def settled(module_database: Database) -> Iterator[ConsoleWorld]:
    people.connect(module_database.url)
    scene = ConsoleWorld(people.settle_in())
    for login in ("bakary", "ndeye"):
        scene.employ(login, login, scene.senegal)
    yield scene
    db.disconnect()


@pytest.fixture
def scene(settled: ConsoleWorld) -> Iterator[ConsoleWorld]:
    yield settled
    with db.transaction(db.Role.AUDITOR) as session:
        assert books.run(session).broken == []


def in_console(tenant: UUID, act: Callable[[Session], object]) -> None:
    with db.transaction(db.Role.CONSOLE, tenant) as session:
        act(session)


def gives_back(scene: ConsoleWorld) -> tuple[UUID, str]:
    """Makes a household whose dues are paid: a member who leaves frees money of its receipt."""
    phone, transaction = next(PHONES), str(clock.new_id())
    scene.join(transaction, phone, scene.senegal)
    scene.receive(transaction, 11_500, scene.senegal, phone)
    return scene.households[transaction].id, transaction


def approves(scene: ConsoleWorld) -> Act:
    return lambda session, receipt: refunds.approve(
        session, manager(scene, "ndeye"), refunds.open_of(session, receipt)
    )  # type: ignore[arg-type]  # one was asked


def undoes(scene: ConsoleWorld) -> Act:
    return lambda session, receipt: manual_attribution.undo(
        session, manager(scene, "ndeye"), receipt, expected_version=version(session, receipt)
    )


def takes_back(scene: ConsoleWorld) -> Act:
    def act(session: Session, receipt: Receipt) -> None:
        moved = Movement(
            f"back-{receipt.transaction}", Money(11_500, "XOF"), clock.now(), reverses=receipt.transaction
        )
        reversals.apply(session, scene.senegal.account, moved)

    return act


def manager(scene: ConsoleWorld, login: str) -> Manager:
    return scene.managers[login]


@pytest.mark.parametrize("of", [approves, undoes, takes_back])
def test_who_moves_a_receipt_waits_for_who_changes_its_household(
    scene: ConsoleWorld, module_database: Database, of: Callable[[ConsoleWorld], Act]
) -> None:
    household_id, transaction = gives_back(scene)
    tenant, role = scene.senegal.tenant_id, db.Role.WORKER if of is takes_back else db.Role.CONSOLE
    with db.transaction(db.Role.CONSOLE, tenant) as session:
        receipt = session.get_one(Receipt, (tenant, scene.receipts[transaction]))
        if of is approves:
            refunds.ask(
                session,
                manager(scene, "bakary"),
                receipt,
                amount=500,
                reason="asked",
                expected_version=version(session, receipt),
            )

    def moves() -> None:
        with db.transaction(role, tenant) as session:
            of(scene)(session, session.get_one(Receipt, (tenant, receipt.id)))

    with ThreadPoolExecutor(1) as thread:
        with db.transaction(db.Role.CONSOLE, tenant) as session:
            locks.lock(session, (tenant, household_id))
            other = thread.submit(moves)
            waits(module_database, other)
            child = households.members_of(session, tenant, household_id)[-1]
            household_changes.remove_member(
                session, tenant, household_id, child.id, expected_count=3, by="manager:1"
            )
        if of is takes_back:
            other.result(WAIT_S)
        else:
            # It sees that the receipt has moved meanwhile, and changes nothing.
            with pytest.raises(Refused, match="match"):
                other.result(WAIT_S)


def test_a_list_of_households_waits_for_one_of_them_with_no_sponsor_in_its_hands(
    scene: ConsoleWorld, module_database: Database
) -> None:
    tenant, phones = scene.senegal.tenant_id, [next(PHONES), next(PHONES)]
    for phone in phones:
        scene.join(phone, phone, scene.senegal)
    household_ids = sorted(scene.households[phone].id for phone in phones)
    with db.transaction(db.Role.CONSOLE, tenant) as session:
        sponsor = sponsors.add(
            session,
            tenant,
            code="ngo",
            name="Sante",
            kind="ngo",
            terms=SponsorTerms(percent=10, cap=90_000, since=TODAY),
            by="x",
        )
        for household_id in household_ids:
            sponsorships.help_household(session, sponsor, household_id, TODAY, "x")
    with ThreadPoolExecutor(1) as thread:
        with db.transaction(db.Role.CONSOLE, tenant) as session:
            locks.lock(session, (tenant, household_ids[1]))
            rows = [f"RNU {number};{phone};Awa;1985;indigent;" for number, phone in enumerate(phones)]
            other = thread.submit(scene.load_list, *rows)
            waits(module_database, other)
            household_changes.add_member(
                session, tenant, household_ids[1], born="2020", name="", expected_count=3, by="manager:1"
            )
        other.result(WAIT_S)
    with db.transaction(db.Role.AUDITOR) as session:
        in_force = [category_proofs.in_force(session, tenant, each, TODAY) for each in household_ids]
        assert [category.checked for category in in_force] == [True, True]  # type: ignore[union-attr]


def test_two_people_who_accept_a_line_for_two_households_wait_for_one_another(
    scene: ConsoleWorld, module_database: Database
) -> None:
    tenant, number = scene.senegal.tenant_id, "RNU 900"
    for name in ("fifth", "sixth"):
        scene.join(name, next(PHONES), scene.senegal, category="indigent")
        proof = Evidence("registry-number", number)
        with db.transaction(db.Role.CONSOLE, tenant) as session:
            category_proofs.claim(
                session, tenant, scene.households[name].id, "indigent", by="x", evidence=proof
            )
    scene.load_list(f"{number};;Awa;1985;indigent;")
    with db.transaction(db.Role.CONSOLE, tenant) as session:
        first_line, second_line = sorted(
            registry_proposals.open_proposals(session, tenant), key=lambda waiting: waiting.id
        )

    def accepts(which: UUID, login: str) -> None:
        in_console(tenant, lambda session: registry_proposals.accept(session, manager(scene, login), which))

    with ThreadPoolExecutor(2) as threads:
        with db.transaction(db.Role.CONSOLE, tenant) as session:
            locks.lock(session, (tenant, first_line.household_id))
            first = threads.submit(accepts, first_line.id, "bakary")
            waits(module_database, first)
            second = threads.submit(accepts, second_line.id, "ndeye")
            waits(module_database, second, 2)
        first.result(WAIT_S)
        with pytest.raises(Refused, match="decided"):
            second.result(WAIT_S)


def test_what_crosses_another_act_is_done_again(scene: ConsoleWorld) -> None:
    tenant = scene.senegal.tenant_id
    for name in ("third", "fourth"):
        scene.join(name, next(PHONES), scene.senegal)
    keys = [(tenant, scene.households[name].id) for name in ("third", "fourth")]
    both, tries = Barrier(2), []

    def lock_both(order: list[HouseholdKey]) -> str:
        def work() -> str:
            tries.append(order)
            with db.transaction(db.Role.WORKER, tenant) as session:
                locks.lock(session, order[0])
                if len(tries) <= 2:
                    both.wait(WAIT_S)
                locks.lock(session, order[1])
            return "done"

        return db.retry_crossed(work)

    with ThreadPoolExecutor(2) as threads:
        acts = [threads.submit(lock_both, keys), threads.submit(lock_both, keys[::-1])]
        assert [act.result(WAIT_S) for act in acts] == ["done", "done"]
    assert len(tries) > 2


def test_other_errors_are_not_tried_again(scene: ConsoleWorld) -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        with db.transaction(db.Role.WORKER, scene.senegal.tenant_id) as session:
            session.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError):
        db.retry_crossed(work)
    assert len(tries) == 1
