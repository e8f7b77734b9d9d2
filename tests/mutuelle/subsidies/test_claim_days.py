"""Claims by covered days, worked out by hand: what each day is worth, changes, gaps, what goes back."""

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import pytest

from mutuelle.contributions.bill_change import Change, PriceBasis
from mutuelle.subsidies.claim_amounts import judge
from mutuelle.subsidies.claim_lines import ClaimMember, LineAnswer, Period
from tests.mutuelle.subsidies.claiming import ClaimedHousehold, month, month_after, rows
from tests.mutuelle.subsidies.test_rule_books import AUGUST, DAY, household

CHILD = UUID(int=9)


def test_mali_is_asked_for_the_three_months_that_four_people_were_covered() -> None:
    """Four at 6 600 a year, half by the State: 13 200. They pay 3 300 on 3 August, three months of their own
    half, wait 90 days, are covered from 1 November to 31 January, and then suspended: 3 300 for the State."""
    mali = ClaimedHousehold(household("ML-5050", [1985, 1988, 2012, 2015], "general", "state", paid=3_300))
    for number, year in ((8, 2026), (9, 2026), (10, 2026)):
        assert mali.claim(month(year, number)) == []
        assert mali.reasons() == {"not-open": 13_200}
    november = mali.claim(month(2026, 11))
    assert rows(november) == [(f"Name {n}", "2026-11-01", "2026-11-30", 275) for n in range(4)]
    assert {line.days for line in november} == {30}
    assert sum(line.amount for line in mali.claim(month(2026, 12))) == 1_100
    assert sum(line.amount for line in mali.claim(month(2027, 1))) == 1_100
    assert mali.asked == 3_300
    for number in range(2, 5):
        assert mali.claim(month(2027, number)) == []
        assert mali.reasons() == {"not-covered": 9_900}
    mali.pays(date(2027, 5, 10), 1_100)
    may = mali.claim(month(2027, 5))
    assert rows(may) == [(f"Name {n}", "2027-05-10", "2027-05-31", 275 * 22 // 31) for n in range(4)]
    june = mali.claim(month(2027, 6))
    assert rows(june) == [(f"Name {n}", "2027-06-01", "2027-06-09", 275 - 275 * 22 // 31) for n in range(4)]
    assert mali.asked == 4_400
    assert mali.claim(month(2027, 7)) == []


def test_one_claim_for_a_period_with_a_gap_has_a_line_for_each_span() -> None:
    mali = ClaimedHousehold(household("ML-5050", [1985], "general", "state", paid=275))
    mali.pays(date(2027, 1, 10), 550)
    lines = mali.claim(Period(date(2026, 8, 1), date(2027, 12, 31)))
    assert rows(lines) == [
        ("Name 0", "2026-11-01", "2026-11-30", 275),
        ("Name 0", "2027-01-10", "2027-03-09", 550),
    ]
    assert mali.asked == 825


def test_rwanda_is_asked_from_the_day_on_which_three_quarters_opened_the_year() -> None:
    """Level 2, five people: 1 000 each by the State. 12 000 of 15 000 are paid on 3 August. The year has
    twelve months from 1 July; one of them and 2 of 31 days were over."""
    rwanda = ClaimedHousehold(
        household("RW-CBHI", [1985, 1990, 2012, 2015, 2016], "level-2", "state", paid=12_000)
    )
    august = rwanda.claim(month(2026, 8))
    assert rows(august) == [
        (f"Name {n}", "2026-08-03", "2026-08-31", 1_000 * 29 // (12 * 31)) for n in range(5)
    ]
    for number in range(9, 13):
        rwanda.claim(month(2026, number))
    rwanda.pays(date(2026, 12, 20), 3_000)
    for number in range(1, 8):
        rwanda.claim(month(2027, number))
    assert rwanda.asked == 5 * (1_000 * (12 * 31 - 33) // (12 * 31))  # 911 each
    assert rwanda.reasons() == {"not-covered": 5 * 89}
    assert max(row.line.days_until for row in rwanda.household.claimed) == date(2027, 6, 30)


def test_rwanda_is_asked_for_the_whole_year_when_it_was_covered_whole() -> None:
    whole = household("RW-CBHI", [1985, 1990], "level-2", "state", paid=0)
    first = date(2026, 7, 1)
    bill = replace(whole.books.bills[0], issued=first)
    payable = replace(whole.payables[0], issued=first, on_day=first)
    people = tuple(replace(member, since=first) for member in whole.members)
    proofs = tuple(replace(proof, since=first) for proof in whole.proofs)
    whole = replace(
        whole, members=people, proofs=proofs, payables=(payable,), books=replace(whole.books, bills=(bill,))
    )
    rwanda = ClaimedHousehold(whole)
    rwanda.pays(first, bill.member_share)
    sums = [sum(line.amount for line in rwanda.claim(month(2026, n))) for n in range(7, 13)]
    sums += [sum(line.amount for line in rwanda.claim(month(2027, n))) for n in range(1, 7)]
    assert sums == [2 * (1_000 * n // 12 - 1_000 * (n - 1) // 12) for n in range(1, 13)]
    assert rwanda.asked == payable.amount == 2_000


@pytest.mark.parametrize(
    ("scheme", "category", "payer", "each", "until"),
    [
        ("SN-CMU", "general", "state", 3_500, date(2027, 10, 31)),
        ("SN-CMU", "indigent", "state", 7_000, date(2027, 10, 31)),
        ("ML-RAMED", "indigent", "state", None, date(2027, 12, 31)),
        ("ML-RAMED", "indigent", "commune", None, date(2027, 12, 31)),
        ("MR-CNASS", "general", "state", 45_000, date(2028, 3, 31)),
        ("CI-CMU", "ram", "state", 1_000, date(2027, 1, 31)),
    ],
)
def test_month_by_month_a_period_that_was_covered_whole_is_the_payers_part(
    scheme: str, category: str, payer: str, each: int | None, until: date
) -> None:
    """Senegal, RAMED in Mali, Mauritania in hundredths of an ouguiya, RAM in Côte d'Ivoire."""
    claimed = ClaimedHousehold(household(scheme, [1985, 1990, 2015], category, payer))
    owed = claimed.household.payables[0].amount
    assert each is None or owed == 3 * each
    period, sums = AUGUST, []
    while period.until <= until:
        sums.append(sum(line.amount for line in claimed.claim(period)))
        assert claimed.asked == sum(sums)
        period = month_after(period)
    assert claimed.asked == owed
    assert claimed.reasons() == {}
    assert sums[-1] == 0
    by_member = {
        member.id: sum(r.line.amount for r in claimed.household.claimed if r.line.member_id == member.id)
        for member in claimed.household.members
    }
    assert sum(by_member.values()) == owed
    assert max(by_member.values()) - min(by_member.values()) <= 2


def test_who_has_no_name_yet_is_asked_for_later_with_all_days_since_cover_began() -> None:
    senegal = ClaimedHousehold(household("SN-CMU", [1985, 2015], "general", "state"))
    named = senegal.household.members
    senegal.household = replace(senegal.household, members=(named[0], replace(named[1], name=None)))
    assert senegal.claim(month(2026, 9)) == []
    assert senegal.reasons() == {"provisional": 2 * 281, "not-covered": 2 * (3_500 - 281)}
    senegal.household = replace(senegal.household, members=named)
    october = senegal.claim(month(2026, 10))
    assert [row[:3] for row in rows(october)] == [(f"Name {n}", "2026-09-02", "2026-10-31") for n in range(2)]


def test_a_year_of_birth_that_is_corrected_leaves_the_parts_of_a_bill_as_they_were_priced() -> None:
    """RAM in Côte d'Ivoire, free below five: the child of 14 is found to be three after the first claim."""
    ivory = ClaimedHousehold(household("CI-CMU", [1985, 2012], "ram", "state"))
    ivory.claim(Period(DAY, date(2026, 11, 15)))
    head, child = ivory.household.members
    ivory.household = replace(ivory.household, members=(head, replace(child, born=2023)))
    ivory.claim(Period(DAY, date(2026, 12, 31)))
    units = {row.line.member_id: 0 for row in ivory.household.claimed}
    for row in ivory.household.claimed:
        units[row.line.member_id] += row.line.amount
    assert units == {head.id: 1_000, child.id: 1_000}


def test_nothing_is_asked_before_the_day_is_over() -> None:
    senegal = ClaimedHousehold(household("SN-CMU", [1985], "general", "state"))
    assert senegal.claim(Period(DAY, date(2026, 9, 1))) == []
    (line,) = senegal.claim(Period(DAY, date(2026, 9, 2)))
    assert (line.days_from, line.days_until, line.amount) == (
        date(2026, 9, 2),
        date(2026, 9, 2),
        3_500 // (12 * 30),
    )


def with_change(
    claimed: ClaimedHousehold,
    day: date,
    units: int,
    reason: str,
    *,
    joins: ClaimMember | None = None,
    leaves: int | None = None,
    member_share: int = 0,
) -> None:
    """Writes a change of the bill from a day on: a member joins or leaves, or the State's part changes."""
    family = claimed.household
    members = family.members + ((joins,) if joins else ())
    members = tuple(replace(m, until=day) if n == leaves else m for n, m in enumerate(members))
    born = tuple(member.born for member in members if member.until is None)
    base, bill = family.payables[0], family.books.bills[0]
    line = replace(base, line_id=uuid4(), on_day=day, amount=units, reason=reason, born=born)
    change = Change(day, member_share, units + member_share, PriceBasis(bill.version, base.category, born))
    bills = (replace(bill, changes=(*bill.changes, change)), *family.books.bills[1:])
    claimed.household = replace(
        family,
        members=members,
        payables=(*family.payables, line),
        books=replace(family.books, bills=bills),
    )


def test_who_left_is_not_asked_for_after_leaving_and_no_more_than_the_bill_owes() -> None:
    """3 500 each from 2 September. Name 2 leaves on 10 October: eleven months go back, the month under way
    with them, so that 3 500 - 3 208 = 292 are owed. 280 were asked by 30 September."""
    senegal = ClaimedHousehold(household("SN-CMU", [1985, 1990, 2015], "general", "state"))
    september = senegal.claim(month(2026, 9))
    assert [line.amount for line in september] == [3_500 * 29 // 360] * 3
    with_change(senegal, date(2026, 10, 10), -3_208, "household", leaves=2, member_share=-3_208)
    october = senegal.claim(month(2026, 10))
    assert rows(october)[2] == ("Name 2", "2026-10-01", "2026-10-10", 292 - 281)
    senegal.claim(Period(date(2026, 11, 1), date(2027, 9, 30)))
    assert senegal.asked == 2 * 3_500 + 292
    assert senegal.reasons() == {}


def test_what_the_month_under_way_gives_back_is_taken_back_from_the_last_days() -> None:
    """Name 1 leaves on 20 September: all twelve months go back. What was asked by 10 September goes back."""
    senegal = ClaimedHousehold(household("SN-CMU", [1985, 2015], "general", "state"))
    claimed = senegal.claim(Period(DAY, date(2026, 9, 10)), None)
    assert [line.amount for line in claimed] == [3_500 * 9 // 360] * 2
    with_change(senegal, date(2026, 9, 20), -3_500, "household", leaves=1, member_share=-3_500)
    senegal.claim(Period(DAY, date(2026, 9, 30)), None)
    assert senegal.reasons()["waiting"] == -87
    senegal.answers(LineAnswer.ACCEPTED)
    back = senegal.claim(month(2026, 10))
    assert [(line.name, line.days_from, line.days_until, line.amount) for line in back][-1:] == [
        ("Name 1", date(2026, 9, 2), date(2026, 9, 10), -87)
    ]
    assert back[-1].corrects == senegal.household.claimed[1].id
    assert senegal.claim(month(2026, 10)) == []


def test_who_came_is_asked_over_the_months_that_are_left() -> None:
    """A child comes on 2 March, half a year after the cover began: 3 500 * 6 / 12 = 1 750 over six months."""
    senegal = ClaimedHousehold(household("SN-CMU", [1985], "general", "state"))
    child = ClaimMember(CHILD, False, "Child", 2026, date(2027, 3, 2), None)
    senegal.claim(Period(DAY, date(2027, 2, 28)))
    with_change(senegal, date(2027, 3, 2), 1_750, "household", joins=child)
    lines = senegal.claim(month(2027, 3))
    # By 28 February five months and 27 of 28 days, by 31 March six months and 30 of 31 days.
    head = 3_500 * (6 * 31 + 30) // (12 * 31) - 3_500 * (5 * 28 + 27) // (12 * 28)
    assert rows(lines) == [
        ("Name 0", "2027-03-01", "2027-03-31", head),
        ("Child", "2027-03-02", "2027-03-31", 1_750 * 30 // (6 * 31)),
    ]
    senegal.claim(Period(date(2027, 4, 1), date(2027, 9, 30)))
    assert senegal.asked == 5_250


def test_a_smaller_part_is_asked_at_its_new_price_from_its_day_on() -> None:
    """The State's part falls by 1 200 on 2 March, half a year after the cover began: 100 a month before it
    was 292, 92 after it."""
    senegal = ClaimedHousehold(household("SN-CMU", [1985], "general", "state"))
    senegal.claim(Period(DAY, date(2027, 3, 1)), None)
    assert senegal.asked == 1_750
    with_change(senegal, date(2027, 3, 2), -1_200, "category", member_share=0)
    line, *others = senegal.claim(Period(date(2027, 3, 2), date(2027, 4, 1)))
    assert (line.amount, others) == ((1_750 - 1_200) // 6, [])
    senegal.claim(Period(date(2027, 4, 1), date(2027, 9, 30)))
    assert senegal.asked == 3_500 - 1_200
    assert senegal.reasons() == {}


def test_rejected_days_are_asked_again_only_when_a_person_says_so() -> None:
    senegal = ClaimedHousehold(household("SN-CMU", [1985], "general", "state"))
    (rejected,) = senegal.claim(Period(DAY, date(2026, 10, 1)), LineAnswer.REJECTED)
    assert rejected.amount == 291
    (line,) = senegal.claim(month(2026, 10))
    assert line.days_from == date(2026, 10, 2)
    assert senegal.reasons()["rejected"] == 291
    again = senegal.claim(month(2026, 11), again=True)
    assert [(line.amount, line.corrects) for line in again][:1] == [(291, senegal.household.claimed[0].id)]
    senegal.claim(Period(date(2026, 12, 1), date(2027, 9, 30)))
    assert senegal.asked == 3_500


def test_days_that_are_lost_are_taken_back_once_their_line_is_accepted() -> None:
    """The payment is reversed under a day that was already claimed: its days from then on go back."""
    senegal = ClaimedHousehold(household("SN-CMU", [1985], "general", "state", paid=0), days_may_wait=True)
    receipt = senegal.pays(DAY, 3_500)
    senegal.claim(Period(DAY, date(2026, 10, 1)), None)
    senegal.loses(date(2026, 9, 17), 3_500, receipt)
    assert senegal.claim(month(2026, 10)) == []
    assert senegal.reasons()["waiting"] == 145 - 291
    senegal.answers(LineAnswer.ACCEPTED)
    (back,) = senegal.claim(month(2026, 11), None)
    assert rows([back]) == [("Name 0", "2026-09-17", "2026-10-01", 145 - 291)]
    assert back.corrects == senegal.household.claimed[0].id
    assert senegal.claim(month(2026, 12)) == []
    senegal.answers(LineAnswer.ACCEPTED)
    senegal.pays(date(2027, 1, 5), 3_500)
    lines = senegal.claim(Period(date(2027, 1, 1), date(2028, 1, 31)))
    assert lines[0].days_from > date(2027, 1, 4)
    assert senegal.asked <= 3_500


def test_a_bill_that_was_claimed_whole_before_is_not_asked_again_by_days() -> None:
    """The line of an older claim has no days: what it asked for stands."""
    senegal = ClaimedHousehold(household("SN-CMU", [1985], "general", "state"))
    lines, _ = judge([senegal.household], Period(DAY, date(2026, 9, 30)), whole=True)
    assert [(line.amount, line.days) for line in lines] == [(3_500, None)]
    senegal.claim(month(2026, 9), None)
    senegal.household = replace(
        senegal.household,
        claimed=(replace(senegal.household.claimed[0], line=lines[0], answer=LineAnswer.ACCEPTED),),
    )
    assert senegal.claim(month(2026, 12)) == []
