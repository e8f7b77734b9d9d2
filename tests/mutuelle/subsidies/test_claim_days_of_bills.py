"""Claims by covered days of several bills and in any order of periods."""

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

from mutuelle.cover.cover_periods import BillPayment
from mutuelle.subsidies.claim_amounts import judge
from mutuelle.subsidies.claim_lines import ClaimHousehold, EarlierLine, LineAnswer, Period
from tests.mutuelle.subsidies.claiming import ClaimedHousehold, month, rows
from tests.mutuelle.subsidies.test_rule_books import DAY, household

YEAR = Period(DAY, date(2027, 9, 1))  # the cover of the first bill: 2 September 2026 to 1 September 2027
RENEWED = date(2027, 8, 20)


def renewed(*, covered_on: date = RENEWED) -> ClaimHousehold:
    """Returns a household of Senegal with two bills; the second is issued and paid on a day."""
    family = household("SN-CMU", [1985], "general", "state")
    first, payable = family.books.bills[0], family.payables[0]
    second = replace(first, bill_id=uuid4(), issued=covered_on)
    paid = BillPayment(second.bill_id, covered_on, second.member_share, uuid4())
    books = replace(family.books, bills=(first, second), paid=(*family.books.paid, paid))
    line = replace(payable, line_id=uuid4(), bill_id=second.bill_id, issued=covered_on, on_day=covered_on)
    return replace(family, books=books, payables=(payable, line))


def test_two_bills_follow_one_another_and_each_is_asked_whole() -> None:
    senegal = ClaimedHousehold(renewed())
    september = Period(date(2027, 9, 1), date(2027, 9, 30))
    senegal.claim(YEAR)
    assert senegal.asked == 3_500
    assert rows(senegal.claim(september)) == [("Name 0", "2027-09-02", "2027-09-30", 3_500 * 29 // 360)]
    senegal.claim(Period(date(2027, 10, 1), date(2028, 9, 30)))
    assert senegal.asked == 7_000


def test_days_that_an_older_claim_asked_for_whole_are_not_asked_of_the_next_bill() -> None:
    """The first bill was claimed whole, to 1 September; its money was lost, and a second bill paid."""
    family = renewed(covered_on=date(2027, 3, 1))
    whole, _ = judge([family], Period(DAY, date(2026, 9, 30)), whole=True)
    earlier = EarlierLine(UUID(int=7), family.books.bills[0].bill_id, whole[0], LineAnswer.ACCEPTED)
    money = family.books.paid[0]
    lost = replace(money, on=date(2027, 2, 1), amount=-money.amount)
    books = replace(family.books, paid=(*family.books.paid, lost))
    family = replace(family, books=books, claimed=(earlier,), payables=family.payables[1:])
    lines, _ = judge([family], Period(DAY, date(2027, 12, 31)))
    assert {(line.days_from, line.days_until) for line in lines} == {(date(2027, 9, 2), date(2027, 12, 31))}


def test_a_claim_for_an_earlier_period_takes_nothing_back_of_a_later_one() -> None:
    senegal = ClaimedHousehold(household("SN-CMU", [1985], "general", "state"))
    senegal.claim(month(2026, 10))
    october = senegal.asked
    assert senegal.claim(month(2026, 9)) == []
    assert senegal.asked == october
    senegal.claim(Period(date(2026, 11, 1), date(2027, 9, 30)))
    assert senegal.asked == 3_500


def test_a_line_that_was_rejected_below_nothing_goes_back_only_when_asked_again() -> None:
    """A decision takes days away; the payer refuses the money, and is offered it again only on request."""
    senegal = ClaimedHousehold(household("SN-CMU", [1985], "general", "state", paid=0), days_may_wait=True)
    receipt = senegal.pays(DAY, 3_500)
    senegal.claim(month(2026, 9))
    senegal.loses(date(2026, 9, 11), 3_500, receipt)
    (back,) = senegal.claim(month(2026, 10), LineAnswer.REJECTED)
    assert rows([back]) == [("Name 0", "2026-09-11", "2026-09-30", 87 - 281)]
    assert senegal.claim(month(2026, 11)) == []
    assert senegal.reasons()["rejected"] == 87 - 281
    (again,) = senegal.claim(month(2026, 12), again=True)
    assert rows([again]) == rows([back])
    assert senegal.asked == 87
