"""Stories of rights, with the working shown."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import quote
from mutuelle.cover import household_rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.household_rights import NextOpening, intervals, next_opening
from mutuelle.errors import Conflict
from mutuelle.schemes import schemes

SENEGAL, RWANDA, MALI = (schemes.get(code) for code in ("SN-CMU", "RW-CBHI", "ML-5050"))
SIX = [1980, 1985, 2010, 2012, 2019, 2021]
DAY = timedelta(1)
ONE, TWO, FEE = (UUID(int=i) for i in (1, 2, 3))


def due(scheme, born, issued, bill_id=ONE, covered_until=None, **options):
    """The dues bill that a quote of that day becomes."""
    q = quote(scheme, born, on=issued, covered_until=covered_until, **options)
    version = date.fromisoformat(q.version)
    return BillState(
        bill_id,
        "dues",
        issued,
        scheme.code,
        version,
        q.option,
        q.shares["member"],
        q.total,
        q.period_from,
        q.period_until,
    )


def states(scheme, dues, paid):
    return [(i.state, i.since.isoformat()) for i in intervals(scheme.version, dues, paid)]


def test_senegal_waits_thirty_days_then_opens_a_year():
    bill = due(SENEGAL, SIX, date(2026, 11, 1))
    paid = [BillPayment(ONE, date(2026, 11, 5), 10_000), BillPayment(ONE, date(2026, 11, 22), 11_000)]
    # 21 000 is reached on 22 November; + 30 days = 22 December; + 12 months - 1 day = 21 December.
    assert states(SENEGAL, [bill], paid) == [
        ("never", "2026-11-01"),
        ("part-paid", "2026-11-05"),
        ("waiting", "2026-11-22"),
        ("open", "2026-12-22"),
        ("lapsed", "2027-12-22"),
    ]


def test_paying_exactly_the_quoted_threshold_covers_exactly_the_quoted_days():
    for scheme in (SENEGAL, RWANDA, MALI):
        q = quote(scheme, SIX, on=date(2026, 11, 22))
        bill = due(scheme, SIX, date(2026, 11, 22))
        timeline = intervals(scheme.version, [bill], [BillPayment(ONE, date(2026, 11, 22), q.threshold)])
        (opened,) = [i for i in timeline if i.state == "open"]
        assert (opened.since, opened.until) == (q.opens_from, q.opens_until)
        short = intervals(scheme.version, [bill], [BillPayment(ONE, date(2026, 11, 22), q.threshold - 1)])
        assert [i.state for i in short] == ["part-paid"] + (["never"] if scheme is RWANDA else [])


def test_rwanda_three_quarters_opens_half_the_year_and_the_rest_reopens_it():
    bill = due(RWANDA, SIX[:5], date(2026, 6, 15))
    paid = [BillPayment(ONE, date(2026, 6, 20), 10_000), BillPayment(ONE, date(2026, 6, 25), 9_000)]
    first = [
        ("never", "2026-06-15"),
        ("part-paid", "2026-06-20"),
        ("waiting", "2026-06-25"),
        ("open", "2026-07-01"),
    ]
    assert states(RWANDA, [bill], paid) == [*first, ("suspended", "2027-01-01"), ("lapsed", "2027-07-01")]
    in_october = [*paid, BillPayment(ONE, date(2026, 10, 1), 6_000)]
    assert states(RWANDA, [bill], in_october) == [*first, ("lapsed", "2027-07-01")]
    in_february = [*paid, BillPayment(ONE, date(2027, 2, 1), 6_000)]
    reopened = [*first, ("suspended", "2027-01-01"), ("open", "2027-02-01"), ("lapsed", "2027-07-01")]
    assert states(RWANDA, [bill], in_february) == reopened


def test_rwanda_three_quarters_in_february_opens_nothing():
    bill = due(RWANDA, SIX[:5], date(2026, 7, 1))
    paid = [BillPayment(ONE, date(2027, 2, 1), 19_000)]
    assert states(RWANDA, [bill], paid) == [
        ("never", "2026-07-01"),
        ("part-paid", "2027-02-01"),
        ("never", "2027-07-01"),
    ]
    left = next_opening(RWANDA.version, [bill], paid, date(2027, 2, 1))
    assert left == NextOpening(6_000, date(2027, 2, 1), date(2027, 6, 30))


def test_mali_each_month_paid_opens_a_month_and_a_gap_loses_nothing():
    bill = due(MALI, SIX, date(2026, 1, 31))
    paid = [
        BillPayment(ONE, date(2026, 1, 31), 3_300),
        BillPayment(ONE, date(2026, 8, 1), 1_000),
        BillPayment(ONE, date(2026, 9, 1), 650),
    ]
    # A month is 1 650. Two months from 31 January + 90 days = 1 May; the third is complete on 1 September.
    assert states(MALI, [bill], paid) == [
        ("waiting", "2026-01-31"),
        ("open", "2026-05-01"),
        ("suspended", "2026-07-01"),
        ("open", "2026-09-01"),
        ("suspended", "2026-10-01"),
        ("lapsed", "2027-05-01"),
    ]
    assert next_opening(MALI.version, [bill], paid, date(2026, 9, 2)) == NextOpening(
        1_650, date(2026, 10, 1), date(2026, 10, 31)
    )


def test_months_bought_one_by_one_end_where_months_bought_together_end():
    # From 31 January, month ends must not creep forward: 28 February, 30 March, ...
    issued = date(2026, 11, 2)  # + 90 days = 31 January 2027
    bill = due(MALI, SIX, issued)
    together = intervals(MALI.version, [bill], [BillPayment(ONE, issued, 6 * 1_650)])
    apart = intervals(MALI.version, [bill], [BillPayment(ONE, issued + i * 9 * DAY, 1_650) for i in range(6)])
    assert (
        household_rights.on(together, date(2027, 2, 1)).until
        == household_rights.on(apart, date(2027, 2, 1)).until
        == date(2027, 7, 30)
    )


def test_an_indigent_household_opens_without_paying():
    bill = due(SENEGAL, SIX, date(2026, 11, 22), category="indigent", checked=True)
    assert states(SENEGAL, [bill], []) == [
        ("waiting", "2026-11-22"),
        ("open", "2026-12-22"),
        ("lapsed", "2027-12-22"),
    ]
    assert next_opening(SENEGAL.version, [bill], [], date(2026, 11, 22)) == NextOpening(0, None, None)
    poorest = due(RWANDA, SIX, date(2026, 11, 22), category="level-1", checked=True)
    assert states(RWANDA, [poorest], []) == [("open", "2026-11-22"), ("lapsed", "2027-07-01")]


def test_a_renewal_paid_early_follows_on_and_paid_late_begins_on_the_day():
    first = due(SENEGAL, SIX, date(2026, 11, 22))
    second = due(SENEGAL, SIX, date(2027, 11, 22), TWO, covered_until=date(2027, 12, 21))
    full = BillPayment(ONE, date(2026, 11, 22), 21_000)
    early = [full, BillPayment(TWO, date(2027, 12, 1), 21_000)]
    assert states(SENEGAL, [first, second], early)[-2:] == [("open", "2026-12-22"), ("lapsed", "2028-12-22")]
    late = [full, BillPayment(TWO, date(2028, 2, 1), 21_000)]
    assert states(SENEGAL, [first, second], late)[-3:] == [
        ("lapsed", "2027-12-22"),
        ("open", "2028-02-01"),
        ("lapsed", "2029-02-01"),
    ]


def test_the_joining_fee_and_unpaid_state_shares_never_hold_rights_back():
    bill = due(SENEGAL, SIX, date(2026, 11, 22))
    fee = BillState(FEE, "joining", bill.issued, "SN-CMU", bill.version, "year", 1_000, 1_000)
    paid = [BillPayment(ONE, bill.issued, 21_000)]
    assert states(SENEGAL, [fee, bill], paid) == states(SENEGAL, [bill], paid)
    only_fee = [BillPayment(FEE, bill.issued, 1_000)]
    assert states(SENEGAL, [fee, bill], only_fee) == [("never", "2026-11-22")]
    assert next_opening(SENEGAL.version, [fee, bill], only_fee, bill.issued).left_to_open == 21_000


def test_a_reversal_keeps_the_days_before_and_undoes_the_days_after():
    bill = due(RWANDA, SIX[:5], date(2026, 7, 1))
    paid = [
        BillPayment(ONE, date(2026, 7, 1), 19_000, UUID(int=8)),
        BillPayment(ONE, date(2026, 9, 1), -19_000, UUID(int=8)),
    ]
    # The clinic was shown `open` in July and August; from 1 September on nothing was ever paid.
    assert states(RWANDA, [bill], paid) == [("open", "2026-07-01"), ("never", "2026-09-01")]
    again = [*paid, BillPayment(ONE, date(2026, 9, 10), 25_000)]
    assert states(RWANDA, [bill], again)[-2:] == [("open", "2026-09-10"), ("lapsed", "2027-07-01")]


def test_a_reversal_takes_back_its_own_receipt_not_another():
    bill = due(RWANDA, SIX[:5], date(2026, 7, 1))
    reversed_receipt, other_receipt = UUID(int=8), UUID(int=9)
    paid = [
        BillPayment(ONE, date(2026, 7, 1), 19_000, reversed_receipt),
        BillPayment(ONE, date(2026, 8, 1), 6_000, other_receipt),
    ]
    back = BillPayment(ONE, date(2026, 9, 1), -19_000, reversed_receipt)
    # Only the other 6 000 are left. Without the receipt the newest money would go first; the sum would be
    # the same.
    assert states(RWANDA, [bill], [*paid, back])[-2:] == [
        ("part-paid", "2026-09-01"),
        ("never", "2027-07-01"),
    ]
    left = next_opening(RWANDA.version, [bill], [*paid, back], date(2026, 9, 1))
    assert left == NextOpening(13_000, date(2026, 9, 1), date(2026, 12, 31))


def test_what_to_pay_counts_older_bills_first_and_in_steps():
    old = due(RWANDA, SIX[:5], date(2026, 7, 1))
    new = due(RWANDA, SIX[:5], date(2027, 6, 1), TWO)
    paid = [BillPayment(ONE, date(2026, 7, 1), 19_500)]
    # 5 500 of the old year first (it opens nothing after June), then 19 000: 24 500, up to 25 000.
    assert next_opening(RWANDA.version, [new, old], paid, date(2027, 7, 5)) == NextOpening(
        25_000, date(2027, 7, 5), date(2027, 12, 31)
    )
    # On 5 June the old year still runs: 5 500, up to 6 000, opens the rest of it.
    assert next_opening(RWANDA.version, [new, old], paid, date(2027, 6, 5)) == NextOpening(
        6_000, date(2027, 6, 5), date(2027, 6, 30)
    )


def test_what_to_pay_is_never_more_than_what_is_owed():
    bill = BillState(ONE, "dues", date(2026, 11, 22), "SN-CMU", date(2020, 1, 1), "year", 3_550, 7_100)
    assert next_opening(SENEGAL.version, [bill], [], date(2026, 11, 22)).left_to_open == 3_550


def test_without_a_bill_there_are_no_rights():
    assert intervals(SENEGAL.version, [], []) == ()
    assert next_opening(SENEGAL.version, [], [], date(2026, 11, 22)) == NextOpening(0, None, None)
    no_rights = household_rights.on((), date(2026, 11, 22))
    assert (no_rights.state, no_rights.until, no_rights.next_step) == ("never", None, "rights.join")
    bill = due(SENEGAL, SIX, date(2026, 11, 22))
    before = household_rights.on(intervals(SENEGAL.version, [bill], []), date(2026, 11, 1))
    assert (before.state, before.until) == ("never", date(2026, 11, 21))


def test_a_fixed_year_without_its_days_is_a_conflict():
    bill = BillState(ONE, "dues", date(2026, 7, 1), "RW-CBHI", date(2026, 7, 1), "year", 25_000, 25_000)
    with pytest.raises(Conflict):
        intervals(RWANDA.version, [bill], [BillPayment(ONE, date(2026, 7, 1), 25_000)])
