"""Reversals, refunds and fees meet in any order: each line is booked once, and the books stay true.

The truth of each story is counted by hand.
"""

from datetime import timedelta
from itertools import permutations

import pytest

from mutuelle import clock
from mutuelle.errors import Refused
from tests.gateway.console.world import ConsoleWorld
from tests.mutuelle.payments.world import (
    acts,
    approved,
    ask,
    balances,
    cases,
    check_books,
    comes,
    note_paid,
    parts,
    refund_of,
    reverse,
    wallet,
)

# --- a reversal meets a refund


def test_an_approved_refund_stays_in_the_wallet_until_it_is_paid_out(world: ConsoleWorld) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    assert (wallet(), balances()["refunds"]) == (10_000, 4_000)
    check_books()
    note_paid(world, refund_id, "PAYOUT_7")
    assert (wallet(), balances().get("refunds")) == (6_000, None)
    check_books()


@pytest.mark.parametrize("transaction", ["R01", "T01"], ids=["of its own", "the receipt's"])
def test_a_whole_reversal_ends_an_approved_refund_which_cannot_be_paid_then(
    world: ConsoleWorld, transaction: str
) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 10_000)
    assert reverse(world, transaction, 10_000, "T01")
    row = refund_of(world, refund_id)
    assert (row.status, row.due, parts(), wallet(), cases()) == (
        "ended",
        0,
        {"reversed": 10_000},
        0,
        ["refund"],
    )
    assert [entry["left"] for entry in acts("refund-ended")] == [0]
    check_books()
    with pytest.raises(Refused) as refusal:
        note_paid(world, refund_id, "PAYOUT_7")
    assert (refusal.value.key, wallet()) == ("refund.ended", 0)
    check_books()


@pytest.mark.every_postgres
def test_a_partial_reversal_shrinks_an_approved_refund_to_what_is_left_of_it(world: ConsoleWorld) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    reverse(world, "R01", 3_000, "T01")
    row = refund_of(world, refund_id)
    assert (row.status, row.amount, row.due) == ("approved", 4_000, 1_000)
    assert parts() == {"bill": 6_000, "refunded": 1_000, "reversed": 3_000}
    assert (wallet(), cases(), [entry["left"] for entry in acts("refund-shrunk")]) == (
        7_000,
        ["refund"],
        [1_000],
    )
    check_books()
    note_paid(world, refund_id, "PAYOUT_7")
    assert wallet() == 6_000
    check_books()
    reverse(world, "R02", 6_000, "T01")
    assert (wallet(), parts()) == (0, {"refunded": 1_000, "reversed": 9_000})
    check_books()


def test_two_refunds_of_one_receipt_end_oldest_first(world: ConsoleWorld) -> None:
    receipt_id = comes(world, "T01", 10_000)
    first, second = approved(world, receipt_id, 2_000), approved(world, receipt_id, 3_000)
    reverse(world, "R01", 4_000, "T01")
    assert [(row.status, row.due) for row in (refund_of(world, first), refund_of(world, second))] == [
        ("ended", 0),
        ("approved", 1_000),
    ]
    assert wallet() == 6_000
    check_books()


@pytest.mark.parametrize(("back", "status"), [(10_000, "ended"), (9_000, "ended"), (6_000, "asked")])
def test_a_refund_that_waits_for_a_decision_ends_when_less_is_left(
    world: ConsoleWorld, back: int, status: str
) -> None:
    refund_id = ask(world, comes(world, "T01", 10_000), 4_000)
    reverse(world, "R01", back, "T01")
    assert (refund_of(world, refund_id).status, wallet()) == (status, 10_000 - back)
    check_books()


@pytest.mark.parametrize("back", [3_000, 4_000, 6_000, 10_000])
def test_a_reversal_after_a_payout_takes_what_is_left_and_opens_a_case(
    world: ConsoleWorld, back: int
) -> None:
    """4,000 of 10,000 were paid out; the operator takes back as much as it wants."""
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    note_paid(world, refund_id, "PAYOUT_7")
    reverse(world, "R01", back, "T01")
    assert wallet() == 10_000 - 4_000 - back
    excess = max(0, back - 6_000)
    expected = {"bill": 6_000 - back + excess, "refunded": 4_000, "reversed": back - excess}
    assert parts() == {kind: units for kind, units in expected.items() if units}
    assert cases() == (["conflict", "refund"] if excess else ["refund"])
    assert refund_of(world, refund_id).due == 4_000
    check_books()


def test_the_reversal_that_was_noted_as_the_payout_is_the_same_money(world: ConsoleWorld) -> None:
    """The manager refunds in the operator's portal and notes the number before the list is read."""
    refund_id = approved(world, comes(world, "T01", 10_000), 10_000)
    note_paid(world, refund_id, "R01")
    assert (refund_of(world, refund_id).unseen, wallet()) == (True, 0)
    check_books()
    reverse(world, "R01", 10_000, "T01")
    row = refund_of(world, refund_id)
    assert (row.status, row.unseen, wallet(), parts(), cases()) == (
        "paid",
        False,
        0,
        {"reversed": 10_000},
        [],
    )
    check_books()


def test_a_smaller_reversal_than_was_noted_opens_a_case(world: ConsoleWorld) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    note_paid(world, refund_id, "R01")
    reverse(world, "R01", 3_000, "T01")
    assert (parts(), cases()) == ({"bill": 6_000, "refunded": 1_000, "reversed": 3_000}, ["refund"])
    check_books()


# --- several reversals of one receipt


def test_two_whole_reversals_of_one_receipt_are_both_booked(world: ConsoleWorld) -> None:
    comes(world, "T01", 10_000)
    for transaction in ("R01", "R02", "R01", "R02"):
        reverse(world, transaction, 10_000, "T01")
    assert (parts(), wallet(), balances()["outflow"]) == ({"reversed": 10_000}, -10_000, -10_000)
    assert cases() == ["conflict"]
    check_books()


@pytest.mark.every_postgres
def test_partial_reversals_under_the_receipts_own_transaction_are_all_booked(world: ConsoleWorld) -> None:
    comes(world, "T01", 10_000)
    moment = clock.now()
    lines = [(3_000, moment), (2_000, moment), (2_000, moment + timedelta(seconds=1))]
    assert [reverse(world, "T01", amount, "T01", at) for amount, at in lines] == [True] * 3
    assert [reverse(world, "T01", amount, "T01", at) for amount, at in lines] == [False] * 3
    assert (parts(), wallet(), cases()) == ({"bill": 3_000, "reversed": 7_000}, 3_000, [])
    check_books()


def test_partial_reversals_with_names_of_their_own_add_up(world: ConsoleWorld) -> None:
    comes(world, "T01", 10_000)
    for transaction, amount in (("R01", 3_000), ("R02", 3_000), ("R01", 3_000), ("R03", 4_000)):
        reverse(world, transaction, amount, "T01")
    assert (parts(), wallet(), cases()) == ({"reversed": 10_000}, 0, [])
    check_books()


def test_a_repeated_reversal_of_another_amount_is_not_booked_and_opens_a_case(world: ConsoleWorld) -> None:
    comes(world, "T01", 10_000)
    assert [reverse(world, "R01", amount, "T01") for amount in (3_000, 4_000)] == [True, False]
    assert (wallet(), cases()) == (7_000, ["conflict"])
    check_books()


# --- fees


def test_the_fee_that_comes_back_with_a_reversal_is_booked(world: ConsoleWorld) -> None:
    comes(world, "T01", 10_000, fee=100)
    assert wallet() == 9_900
    reverse(world, "R01", 4_000, "T01", fee=40)
    assert (wallet(), balances()["fees"]) == (5_940, -60)
    reverse(world, "R02", 6_000, "T01", fee=60)
    assert (wallet(), balances()) == (0, {})
    check_books()


@pytest.mark.parametrize("fees", list(permutations([100, 150, 0])))
def test_a_corrected_fee_is_booked_with_a_case(world: ConsoleWorld, fees: tuple[int, ...]) -> None:
    for fee in (*fees, fees[-1]):
        comes(world, "T01", 10_000, fee=fee)
    assert wallet() == 10_000 - fees[-1]
    assert cases() == ["fee"]
    check_books()


def test_a_line_without_a_fee_says_nothing_about_it(world: ConsoleWorld) -> None:
    for fee in (None, 100, None):
        comes(world, "T01", 10_000, fee=fee)
    assert (wallet(), cases()) == (9_900, [])
    check_books()
