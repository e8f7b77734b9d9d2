"""Arrears are owed, oldest first, unless the scheme forgives the dues of periods that are over."""

from datetime import date
from uuid import UUID

import pytest

from mutuelle.contributions.bills import BillState
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.household_rights import NextOpening, intervals, next_opening
from mutuelle.messaging import reminders
from mutuelle.schemes import schemes
from tests.mutuelle.schemes.world import scheme

ONE, TWO = UUID(int=1), UUID(int=2)
FORGIVES = {"payment": {"step": 1_000, "arrears": "forgiven"}}


def year(first, bill_id):
    """The dues of five people of level 3 for the year that begins on 1 July: 25 000."""
    until = date(first + 1, 6, 30)
    return BillState(
        bill_id,
        "dues",
        date(first, 7, 1),
        "RW-CBHI",
        date(2026, 7, 1),
        "year",
        25_000,
        25_000,
        date(first, 7, 1),
        until,
    )


OLD, NEW = year(2026, ONE), year(2027, TWO)
PAID = [BillPayment(ONE, date(2026, 7, 1), 5_000)]


@pytest.mark.parametrize(
    ("book", "day", "least"),
    [
        # 20 000 of the old year first, then 75 % of 25 000, up to 19 000.
        (schemes.get("RW-CBHI"), date(2027, 7, 5), 39_000),
        (scheme("RW-CBHI", **FORGIVES), date(2027, 7, 5), 19_000),  # only the new year's
        # The last day of the old year: it still counts.
        (scheme("RW-CBHI", **FORGIVES), date(2027, 6, 30), 20_000),
    ],
)
def test_what_opens_counts_arrears_only_where_they_are_owed(book, day, least):
    assert next_opening(book.version, [OLD, NEW], PAID, day).left_to_open == least


def test_a_rolling_bill_is_forgiven_after_as_many_months_as_it_was_for():
    book = scheme("CI-CMU", payment={"step": 500, "arrears": "forgiven"})
    version = book.on(date(2026, 12, 1)).since
    first, second = (BillState(n, "dues", d, "CI-CMU", version, "month", 5_000, 5_000)
                     for n, d in ((ONE, date(2026, 12, 1)), (TWO, date(2027, 1, 1))))  # fmt: skip
    # December is not paid. On 31 December both months are a debt of the oldest first; on 1 January only
    # January is.
    assert next_opening(book.version, [first], [], date(2026, 12, 31)).left_to_open == 5_000
    opening = next_opening(book.version, [first, second], [], date(2027, 1, 1))
    assert opening == NextOpening(5_000, date(2027, 4, 1), date(2027, 4, 30))
    assert intervals(book.version, [first, second], [])[-1].state == "never"


def test_a_forgiven_bill_is_not_reminded_of():
    book = scheme("CI-CMU", payment={"step": 500, "arrears": "forgiven"})
    bill = BillState(
        ONE, "dues", date(2026, 12, 1), "CI-CMU", book.on(date(2026, 12, 1)).since, "month", 5_000, 5_000
    )
    timeline = intervals(book.version, [bill], [])
    assert reminders.due(book.version, [bill], [], timeline, date(2026, 12, 4))  # 3 days after
    late = BillState(ONE, "dues", date(2026, 12, 18), "CI-CMU", bill.version, "month", 5_000, 5_000)
    assert reminders.due(book.version, [late], [], timeline, date(2027, 1, 1))
    assert not reminders.due(book.version, [bill], [], timeline, date(2027, 1, 1))


def test_the_books_of_a_scheme_that_forgives_nothing_still_owe_old_years():
    books = HouseholdBooks((OLD, NEW), tuple(PAID))
    assert [rest for _, rest in books.left(date(2027, 7, 5))] == [20_000, 25_000]
    assert cover_books.position_of(books, date(2027, 7, 5)).owed == 45_000


@pytest.mark.parametrize(("day", "gone"), [(date(2027, 6, 30), False), (date(2027, 7, 1), True)])
def test_dues_are_forgiven_the_day_after_their_period(day, gone):
    version = scheme("RW-CBHI", **FORGIVES).on(day)
    assert version.forgives(OLD.issued, OLD.period_until, OLD.option, day) is gone
    assert not schemes.get("RW-CBHI").on(day).forgives(OLD.issued, OLD.period_until, OLD.option, day)
