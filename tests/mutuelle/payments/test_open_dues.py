"""The stored open dues find the households that owe an amount, and follow every bill and every payment."""

from datetime import timedelta
from uuid import UUID

import pytest

from mutuelle import clock, db
from mutuelle.payments import open_dues, suspense_list
from mutuelle.payments.open_dues import OpenDues
from mutuelle.payments.suspense_candidates import SHARED_AMOUNT_MAX, CandidateSign
from mutuelle.schemes import schemes
from tests.gateway.console.world import ConsoleWorld
from tests.mutuelle.payments import world
from tests.mutuelle.schemes.world import scheme
from tests.support.templates import Database

DUES, JOINING = 10_500, 1_000  # the member's part of three people in Senegal, and the joining fee
PHONES = [f"+22177000{number:04}" for number in range(100, 100 + SHARED_AMOUNT_MAX + 2)]


def owed(scene: ConsoleWorld, *amounts: int, households: tuple[UUID, ...] = ()) -> dict[UUID, OpenDues]:
    with db.transaction(db.Role.CONSOLE, scene.senegal.tenant_id) as session:
        return dict(open_dues.find(session, scene.senegal.tenant_id, amounts, households, most=40))


def signs(scene: ConsoleWorld, transaction: str) -> list[tuple[UUID, tuple[CandidateSign, ...]]]:
    """Returns the candidates of a receipt as the page of suspense shows them."""
    with db.transaction(db.Role.CONSOLE, scene.senegal.tenant_id) as session:
        items = suspense_list.of_tenant(session, scene.senegal.tenant_id, skip=0, limit=10)
        (item,) = (item for item in items if item.receipt.transaction == transaction)
        return [(candidate.household_id, candidate.reasons) for candidate in item.candidates]


def test_an_amount_finds_who_owes_it_for_one_bill_and_in_all(database: Database) -> None:
    with world.opened(database) as scene:
        awa = scene.households["awa"].id
        for amount in (DUES, JOINING, DUES + JOINING):
            assert owed(scene, amount) == {awa: OpenDues((DUES, JOINING))}
        assert owed(scene, DUES - 100, JOINING + 100) == {}
        assert owed(scene, households=(awa,)) == {awa: OpenDues((DUES, JOINING))}


def test_money_its_reversal_and_a_change_of_the_bill_move_what_is_owed(database: Database) -> None:
    with world.opened(database) as scene:
        awa = scene.households["awa"].id
        world.comes(scene, "T1", 2_000)
        assert owed(scene, households=(awa,)) == {awa: OpenDues((DUES - 2_000, JOINING))}
        world.comes(scene, "T2", DUES - 2_000)
        assert owed(scene, households=(awa,)) == {awa: OpenDues((JOINING,))}
        world.comes(scene, "T3", JOINING + 500)  # the rest is credit
        assert owed(scene, households=(awa,)) == {}
        assert world.reverse(scene, "T1-back", 2_000, of="T1")
        assert owed(scene, households=(awa,)) == {awa: OpenDues((1_500,))}
        world.check_books()


def test_another_mutuelle_finds_nothing(database: Database) -> None:
    with world.opened(database) as scene:
        mali = scene.world.mali.tenant_id
        with db.transaction(db.Role.CONSOLE, mali) as session:
            awa = scene.households["awa"].id
            assert open_dues.find(session, mali, [DUES], [awa], most=40) == {}
        with db.transaction(db.Role.CONSOLE, mali) as session:
            assert open_dues.find(session, scene.senegal.tenant_id, [DUES], [awa], most=40) == {}


def test_a_sum_suggests_who_owes_it_while_few_households_share_it(database: Database) -> None:
    with world.opened(database) as scene:
        world.comes(scene, "T1", DUES, payer="+221775550000")
        awa = scene.households["awa"].id
        assert signs(scene, "T1") == [(awa, (CandidateSign.BILL,))]
        for number, phone in enumerate(PHONES):
            scene.join(f"neighbour {number}", phone, scene.senegal)
        assert signs(scene, "T1") == []
        number = scene.households["awa"].number
        world.comes(scene, "T2", DUES + JOINING, payer="+221775550001", reference=number)
        assert signs(scene, "T2") == [(awa, (CandidateSign.NUMBER, CandidateSign.OWED))]


def test_forgiven_arrears_are_not_owed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = {"step": 100, "arrears": "forgiven"}
    books = schemes.known() | {"SN-CMU": scheme("SN-CMU", payment=payment)}
    with world.opened(database) as scene:
        awa = scene.households["awa"].id
        monkeypatch.setattr(schemes, "known", lambda: books)
        assert owed(scene, DUES) == {awa: OpenDues((DUES, JOINING))}
        try:
            clock.install(clock.Source(shift_s=round(timedelta(days=800).total_seconds())))
            assert owed(scene, households=(awa,)) == {awa: OpenDues((JOINING,))}
        finally:
            clock.install(clock.Source())
