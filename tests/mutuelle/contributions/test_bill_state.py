"""A bill as its price says it, and as later changes leave it; pure."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from mutuelle.contributions import bill_writer
from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import PriceLine, quote
from mutuelle.schemes import schemes

DAY = date(2027, 3, 1)
EVE, MORROW = DAY - timedelta(1), DAY + timedelta(1)


def bill(*changes: tuple[date, int, int]) -> BillState:
    """A bill of 10 500 of 21 000, with changes of the member's share and of the price."""
    return BillState(
        UUID(int=1),
        "dues",
        date(2026, 11, 22),
        "SN-CMU",
        date(2020, 1, 1),
        "year",
        10_500,
        21_000,
        changes=tuple(Change(*change) for change in changes),
    )


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ([], (10_500, 21_000)),
        ([(EVE, 2_000, 4_000)], (12_500, 25_000)),  # an increase counts from the day after
        ([(DAY, 2_000, 4_000)], (10_500, 21_000)),
        ([(DAY, -2_000, -4_000)], (8_500, 17_000)),  # a decrease counts at once
        ([(MORROW, -2_000, -4_000)], (10_500, 21_000)),
        ([(DAY, 2_000, 4_000), (DAY, -2_000, -4_000)], (10_500, 21_000)),  # a day counts as its sum
        ([(DAY, 2_000, 4_000), (DAY, -3_000, -5_000)], (9_500, 20_000)),
        ([(DAY, 3_000, 5_000), (DAY, -2_000, -4_000)], (10_500, 21_000)),
        ([(EVE, 2_000, 4_000), (DAY, -3_000, -5_000)], (9_500, 20_000)),
    ],
)
def test_the_changes_of_a_day_count_as_their_sum_a_decrease_at_once(
    changes: list[tuple[date, int, int]], counted: tuple[int, int]
) -> None:
    assert bill(*changes).counted_on(DAY) == counted


def test_a_bill_is_known_on_a_day_with_the_changes_up_to_it() -> None:
    state = bill((EVE, 1_000, 2_000), (DAY, -300, -600), (MORROW, 50, 90))
    assert [state.share_on(day) for day in (EVE, DAY, MORROW)] == [11_500, 11_200, 11_250]
    assert state.known_on(DAY) == bill((EVE, 1_000, 2_000), (DAY, -300, -600))
    assert (state.member_share, state.total, state.others_share) == (11_250, 22_490, 11_240)


def test_a_bill_has_the_terms_of_its_price_and_the_member_alone_pays_the_joining_fee() -> None:
    price = quote(schemes.get("RW-CBHI"), [1985, 1990], on=DAY, category="level-3", checked=True)
    assert price.period_from is not None
    (dues,) = bill_writer.new_bills(price, DAY, joining=True)
    assert (dues.kind, dues.issued, dues.scheme, dues.version.isoformat(), dues.option, dues.category) == (
        *("dues", DAY, "RW-CBHI", price.version),
        *(price.option, price.billed_category),
    )
    assert (dues.total, dues.currency, dues.lines) == (price.total, "RWF", price.lines)
    assert (dues.period_from, dues.period_until) == (price.period_from, price.period_until)
    assert dues.option != dues.category
    joining = quote(schemes.get("SN-CMU"), [1985, 1990], on=DAY)
    dues, fee = bill_writer.new_bills(joining, DAY, joining=True)
    assert (fee.kind, fee.total, fee.lines) == (
        "joining",
        joining.joining_fee,
        (PriceLine("member", joining.joining_fee, f"SN-CMU/{joining.version}/joining"),),
    )
    assert (fee.period_from, fee.period_until, fee.category) == (None, None, dues.category)
    assert bill_writer.new_bills(joining, DAY, joining=False) == (dues,)
