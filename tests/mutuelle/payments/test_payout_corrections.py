"""A payout that was noted under a wrong transaction is corrected to the reversal that it was."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.cover.cover_books import RightsRow
from mutuelle.errors import Refused
from tests.gateway.console.world import ConsoleWorld
from tests.mutuelle.payments.world import (
    acts,
    approved,
    balances,
    cases,
    check_books,
    comes,
    correct,
    note_paid,
    parts,
    refund_of,
    reverse,
    wallet,
)


@pytest.mark.every_postgres
@pytest.mark.parametrize("amount", [10_000, 7_000, 4_000])
def test_a_mistyped_number_of_a_refund_in_the_portal_can_be_corrected(
    world: ConsoleWorld, amount: int
) -> None:
    """docs/payments.md, point 5: a reversal is booked on the refund that it is, not on what is left too."""
    refund_id = approved(world, comes(world, "T01", 10_000), amount)
    note_paid(world, refund_id, "R10")  # it is R01
    reverse(world, "R01", amount, "T01")
    correct(world, refund_id, "R01")
    row = refund_of(world, refund_id)
    assert (row.status, row.unseen, wallet()) == ("paid", False, 10_000 - amount)
    assert parts().get("bill", 0) == 10_000 - amount
    assert "outflow" not in balances()
    check_books()


def test_the_rights_are_as_if_the_payout_had_been_noted_so_at_first(world: ConsoleWorld) -> None:
    refund_id = approved(world, comes(world, "T01", 15_500), 4_000)  # 11 500 pay the bills
    rights = stored_rights()
    on_later_day(20)
    note_paid(world, refund_id, "R10")
    reverse(world, "R01", 4_000, "T01")
    assert stored_rights() != rights
    on_later_day(5)
    correct(world, refund_id, "R01")
    assert stored_rights() == rights
    check_books()


def on_later_day(days: int) -> None:
    moment = clock.now() + timedelta(days)
    clock.install(clock.Source())
    clock.install(clock.Source(shift_s=round((moment - clock.now()).total_seconds())))


def stored_rights() -> list[tuple[date, date | None, str]]:
    with db.transaction(db.Role.AUDITOR) as session:
        rows = session.scalars(select(RightsRow).order_by(RightsRow.since))
        return [(row.since, row.until, row.state) for row in rows]


def test_a_correction_to_the_receipts_own_number_takes_the_reversal_of_the_refunds_amount(
    world: ConsoleWorld,
) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    note_paid(world, refund_id, "R10")
    for amount in (1_000, 4_000):
        reverse(world, "T01", amount, "T01", clock.now())
    correct(world, refund_id, "T01")
    assert (wallet(), parts()) == (5_000, {"bill": 5_000, "reversed": 5_000})
    check_books()


@pytest.mark.parametrize(("back", "left"), [(3_000, 6_000), (5_000, 5_000)])
def test_a_reversal_of_another_amount_corrects_what_it_can(world: ConsoleWorld, back: int, left: int) -> None:
    """As when the payout is noted under its transaction at first: a smaller one stays noted, with a case."""
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    note_paid(world, refund_id, "R10")
    reverse(world, "R01", back, "T01")
    correct(world, refund_id, "R01")
    assert (wallet(), parts()["bill"], "refund" in cases()) == (left, left, True)
    check_books()


def test_money_in_suspense_waits_there_again(world: ConsoleWorld) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000, "+221770009999"), 4_000)
    note_paid(world, refund_id, "R10")
    reverse(world, "R01", 4_000, "T01")
    correct(world, refund_id, "R01")
    assert (wallet(), parts()) == (6_000, {"suspense": 6_000, "reversed": 4_000})
    check_books()


def test_another_refund_that_the_reversal_ended_is_to_be_paid_out_again(world: ConsoleWorld) -> None:
    receipt_id = comes(world, "T01", 10_000)
    first, second = (approved(world, receipt_id, amount) for amount in (4_000, 3_000))
    note_paid(world, first, "R10")
    reverse(world, "R01", 4_000, "T01")
    assert refund_of(world, second).status == "ended"
    correct(world, first, "R01")
    row = refund_of(world, second)
    assert (row.status, row.due, wallet()) == ("approved", 3_000, 6_000)
    assert parts() == {"bill": 3_000, "refunded": 3_000, "reversed": 4_000}
    assert [entry["left"] for entry in acts("refund-reopened")] == [3_000]
    check_books()


def test_a_reversal_that_shrank_the_refund_itself_is_not_its_payout(world: ConsoleWorld) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 9_000)
    reverse(world, "R01", 4_000, "T01")
    note_paid(world, refund_id, "R10")
    with pytest.raises(Refused, match=r"refund\.used"):
        correct(world, refund_id, "R01")
    assert (wallet(), refund_of(world, refund_id).due) == (1_000, 5_000)
    check_books()


def test_one_reversal_is_the_payout_of_one_refund(world: ConsoleWorld) -> None:
    receipt_id = comes(world, "T01", 10_000)
    first, second = (approved(world, receipt_id, 4_000) for _ in range(2))
    note_paid(world, first, "R10")
    note_paid(world, second, "R11")
    reverse(world, "R01", 4_000, "T01")
    correct(world, first, "R01")
    with pytest.raises(Refused, match=r"refund\.used"):
        correct(world, second, "R01")
    assert wallet() == 2_000
    check_books()


def test_a_reversal_of_another_receipt_is_not_the_payout(world: ConsoleWorld) -> None:
    refund_id = approved(world, comes(world, "T01", 10_000), 4_000)
    comes(world, "T02", 5_000)
    note_paid(world, refund_id, "R10")
    reverse(world, "R02", 4_000, "T02")
    with pytest.raises(Refused, match=r"refund\.used"):
        correct(world, refund_id, "R02")
    check_books()
