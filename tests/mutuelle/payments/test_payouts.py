"""Money that leaves a wallet is booked once, and is the payout of one refund or a case for staff."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mutuelle import clock, db
from mutuelle.errors import Refused
from mutuelle.money import Money
from mutuelle.payments import settlement
from mutuelle.payments.operators import Movement, OutflowDirection
from tests.gateway.console.world import ConsoleWorld
from tests.mutuelle.payments.world import (
    approved,
    balances,
    cases,
    check_books,
    comes,
    correct,
    leaves,
    note_paid,
    parts,
    refund_of,
    reverse,
    wallet,
)
from tests.support.people import BAKARY
from tests.workers.world import together

# --- one transaction, one refund


@pytest.mark.parametrize(
    ("transaction", "key"),
    [
        ("PAYOUT_1", "refund.used"),
        ("T01", "refund.received"),
        ("T02", "refund.received"),
        ("R03", "refund.used"),
    ],
)
def test_a_transaction_that_is_booked_as_something_else_pays_no_refund(
    world: ConsoleWorld, transaction: str, key: str
) -> None:
    first = approved(world, comes(world, "T01", 10_000), 3_000)
    second = approved(world, comes(world, "T02", 5_000, BAKARY), 5_000)
    comes(world, "T03", 1_000)
    reverse(world, "R03", 500, "T03")
    note_paid(world, first, "PAYOUT_1")
    with pytest.raises(Refused) as refusal:
        note_paid(world, second, transaction)
    assert (refusal.value.key, refund_of(world, second).status) == (key, "approved")
    assert wallet() == 10_000 - 3_000 + 5_000 + 500
    check_books()


# --- money that leaves the wallet


@pytest.mark.parametrize("line_first", [False, True], ids=["noted first", "line first"])
def test_a_payout_is_seen_once_the_operator_shows_it(world: ConsoleWorld, line_first: bool) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    if line_first:
        leaves(world, "PAYOUT_7", 4_000, fee=40)
        assert (cases(), wallet(), balances()["outflow"]) == (["outflow"], 5_960, -4_000)
        check_books()
    note_paid(world, refund_id, "PAYOUT_7")
    if not line_first:
        assert (refund_of(world, refund_id).unseen, wallet()) == (True, 6_000)
        leaves(world, "PAYOUT_7", 4_000, fee=40)
    assert not leaves(world, "PAYOUT_7", 4_000, fee=40)
    assert (refund_of(world, refund_id).unseen, wallet(), cases()) == (False, 5_960, [])
    assert balances().keys() == {"outside", "fund", "fees"}
    check_books()


@pytest.mark.parametrize("amount", [3_000, 5_000])
def test_a_payout_of_another_amount_is_booked_as_it_was_and_not_seen(
    world: ConsoleWorld, amount: int
) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    note_paid(world, refund_id, "PAYOUT_7")
    leaves(world, "PAYOUT_7", amount)
    assert (refund_of(world, refund_id).unseen, wallet(), cases()) == (True, 10_000 - amount, ["refund"])
    check_books()


@pytest.mark.every_postgres
def test_a_wrong_number_stays_unseen_until_it_is_corrected(world: ConsoleWorld) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    leaves(world, "PAYOUT_7", 4_000)
    note_paid(world, refund_id, "PAYOUT_1")
    assert (refund_of(world, refund_id).unseen, wallet()) == (True, 2_000)
    correct(world, refund_id, "PAYOUT_7")
    assert (refund_of(world, refund_id).unseen, wallet(), cases()) == (False, 6_000, [])
    check_books()
    with pytest.raises(Refused, match=r"refund\.seen"):
        correct(world, refund_id, "PAYOUT_8")


def test_a_number_of_another_payout_can_be_corrected_too(world: ConsoleWorld) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    leaves(world, "SWEEP_1", 5_000)
    note_paid(world, refund_id, "SWEEP_1")
    assert (cases(), wallet()) == (["refund"], 5_000)
    correct(world, refund_id, "PAYOUT_7")
    assert (cases(), wallet()) == (["outflow", "refund"], 1_000)
    check_books()


def test_a_sweep_is_booked_shown_and_its_coming_back_too(world: ConsoleWorld) -> None:
    comes(world, "T01", 10_000)
    assert leaves(world, "SWEEP_1", 9_000, kind="merchant_sweep")
    assert not leaves(world, "SWEEP_1", 9_000, kind="merchant_sweep")
    assert (wallet(), cases(), parts()) == (1_000, ["outflow"], {"bill": 10_000})
    check_books()
    assert leaves(world, "SWEEP_1", 9_000, OutflowDirection.BACK)
    assert (wallet(), balances().get("outflow")) == (10_000, None)
    check_books()


def test_a_repeated_outflow_of_another_amount_is_not_booked_and_opens_a_case(world: ConsoleWorld) -> None:
    comes(world, "T01", 10_000)
    assert [leaves(world, "SWEEP_1", amount) for amount in (9_000, 8_000)] == [True, False]
    assert (wallet(), cases()) == (1_000, ["conflict", "outflow"])
    check_books()


def test_only_what_is_booked_as_it_says_is_a_recorded_line(world: ConsoleWorld) -> None:
    comes(world, "T01", 10_000, fee=100)
    moment = clock.now()
    reverse(world, "T01", 3_000, "T01", moment)
    reverse(world, "R01", 3_000, "T01")
    leaves(world, "SWEEP_1", 2_000)

    def line(transaction: str, amount: int, **more: Any) -> Movement:
        return Movement(transaction, Money(amount, "XOF"), moment, **more)

    recorded = [
        line("T01", 10_000, fee=100),
        line("T01", 10_000),
        line("T01", 3_000, reverses="T01"),
        line("R01", 3_000, reverses="T01"),
        line("SWEEP_1", 2_000, flow=OutflowDirection.OUT),
    ]
    new = [
        line("T01", 10_000, fee=150),
        line("T01", 10_000, fee=0),
        line("T01", 2_000, reverses="T01"),
        line("R01", 2_000, reverses="T01"),
        line("R01", 3_000, reverses="T01", fee=30),
        line("R02", 3_000, reverses="T01"),
        line("SWEEP_1", 2_000, flow=OutflowDirection.BACK),
        line("SWEEP_1", 1_000, flow=OutflowDirection.OUT),
        line("SWEEP_2", 2_000, flow=OutflowDirection.OUT),
    ]
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        assert settlement.recorded_lines(session, world.senegal.account, recorded + new) == set(recorded)


# --- at the same moment


def test_a_note_and_its_line_at_the_same_moment_find_one_another(world: ConsoleWorld) -> None:
    for number in range(4):
        refund_id = approved(world, comes(world, f"T{number}-", 10_000), 4_000)
        acts: list[Callable[[], object]] = [
            partial(note_paid, world, refund_id, f"PAYOUT_{number}"),
            partial(leaves, world, f"PAYOUT_{number}", 4_000),
        ]
        assert at_once(acts) == [None, True]
        assert (refund_of(world, refund_id).unseen, cases()) == (False, [])
    assert wallet() == 24_000
    check_books()


def at_once(acts: list[Callable[[], object]]) -> list[object]:
    """Calls all acts at the same moment. Returns what each returned or raised."""
    return together(len(acts), lambda place: acts[place]())


def test_a_reversal_and_a_note_at_the_same_moment_book_the_money_once(world: ConsoleWorld) -> None:
    """Whichever comes first: the refund ends unpaid, or it was paid out and the reversal opens a case."""
    for number in range(4):
        transaction = f"T{number}-"
        refund_id = approved(world, comes(world, transaction, 10_000), 10_000)
        acts: list[Callable[[], object]] = [
            partial(note_paid, world, refund_id, f"PAYOUT_{number}"),
            partial(reverse, world, f"R{number}-", 10_000, transaction),
        ]
        note, reversal = at_once(acts)
        assert reversal is True
        row = refund_of(world, refund_id)
        assert (row.status, str(note)) in (("paid", "None"), ("ended", "refund.ended"))
        check_books()


def test_one_transaction_noted_on_two_refunds_at_the_same_moment_pays_one(world: ConsoleWorld) -> None:
    refund_ids = [approved(world, comes(world, name, 5_000), 5_000) for name in ("T01", "T02")]
    outcomes = together(2, lambda place: note_paid(world, refund_ids[place], "PAYOUT_1"))
    assert sorted(map(str, outcomes)) == ["None", "refund.used"]
    assert wallet() == 5_000
    check_books()
