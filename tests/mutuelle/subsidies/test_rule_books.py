"""Claims under the rule books: commune and State, fixed years, free members, claims when billed."""

from dataclasses import replace
from datetime import date
from typing import Literal
from uuid import UUID, uuid4

import pytest

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import quote
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.schemes import schemes
from mutuelle.subsidies.claim_amounts import judge
from mutuelle.subsidies.claim_lines import (
    ClaimHousehold,
    ClaimMember,
    ClaimProof,
    DraftLine,
    EarlierLine,
    LeftOutAmount,
    PayableLine,
    Period,
)
from tests.mutuelle.schemes import world

pytestmark = pytest.mark.usefixtures("whole_periods")
DAY = date(2026, 8, 3)
Answer = Literal["accepted", "rejected"] | None
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))


def household(
    scheme: str, born: list[int], category: str, payer: str, *, paid: int | None = None, proven: bool = True
) -> ClaimHousehold:
    """Returns a household billed on 3 August in a verified category; the member's share is paid that day."""
    price = quote(schemes.get(scheme), born, on=DAY, category=category, checked=True)
    bill, version = uuid4(), date.fromisoformat(price.version)
    period = (price.period_from, price.period_until) if price.period_from and price.period_until else None
    owed = BillState(
        bill_id=bill,
        kind="dues",
        issued=DAY,
        period_from=price.period_from,
        period_until=price.period_until,
        scheme=scheme,
        version=version,
        option=price.option,
        issued_total=price.total,
        issued_share=price.shares["member"],
        line_id=uuid4(),
    )
    units = price.shares["member"] if paid is None else paid
    money = (BillPayment(bill, DAY, units, uuid4()),) if units else ()
    people = tuple(
        ClaimMember(UUID(int=n + 1), n == 0, f"Name {n}", year, DAY, None) for n, year in enumerate(born)
    )
    payables = tuple(
        PayableLine(
            uuid4(),
            bill,
            DAY,
            DAY,
            line.amount,
            line.rule,
            scheme,
            version,
            price.option,
            tuple(born),
            period,
            payer,
        )
        for line in price.lines
        if line.payer == payer
    )
    proofs = (ClaimProof(uuid4(), category, proven, "document", DAY, None),)
    return ClaimHousehold(
        uuid4(), "9515893698", people, proofs, DAY, HouseholdBooks((owed,), money), payables, ()
    )


def amounts(judged: tuple[list[DraftLine], list[LeftOutAmount]]) -> tuple[list[int], dict[str, int]]:
    return [line.amount for line in judged[0]], {part.reason: part.amount for part in judged[1]}


def test_rwanda_asks_for_the_fixed_year_once_three_quarters_are_paid() -> None:
    """Level 2, five people: the member pays 15 000, the State 5 000; 75 % in steps of 1 000 are 12 000."""
    opened, short = (
        household("RW-CBHI", [1985, 1990, 2012, 2015, 2016], "level-2", "state", paid=units)
        for units in (12_000, 11_000)
    )
    lines, left_out = judge([opened], AUGUST)
    assert ([line.amount for line in lines], left_out) == ([1_000] * 5, [])
    assert {(line.days_from, line.days_until) for line in lines} == {(DAY, date(2027, 6, 30))}
    assert amounts(judge([short], AUGUST)) == ([], {"not-open": 5_000})


def test_state_and_commune_are_asked_for_their_own_parts() -> None:
    """Mali's RAMED: 85 % and 15 % of each price, nothing by the member; rights open with the bill."""
    for payer in ("state", "commune"):
        indigent = household("ML-RAMED", [1985, 1990, 2015], "indigent", payer)
        lines, left_out = judge([indigent], AUGUST)
        assert sum(line.amount for line in lines) == indigent.payables[0].amount
        assert (len(lines), left_out) == (3, [])
        assert amounts(judge([replace(indigent, proofs=())], AUGUST))[1] == {
            "evidence-missing": indigent.payables[0].amount
        }


def test_who_costs_nothing_has_no_line() -> None:
    """Cote d'Ivoire's RAM: the State pays 1 000 a month from the age of five; a child of three is free."""
    poor = household("CI-CMU", [1985, 1990, 2012, 2023], "ram", "state")
    waiting = Period(AUGUST.since, date(2026, 12, 31))
    lines, _ = judge([poor], waiting)
    assert {(line.born, line.amount) for line in lines} == {(1985, 1_000), (1990, 1_000), (2012, 1_000)}


def test_odd_units_go_to_the_head_and_people_beyond_the_limit_are_not_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = world.scheme(
        "SN-CMU",
        household={"people_max": 2, "beyond": "not-covered"},
        subsidy=world.WHOLE_PERIODS,
    )
    monkeypatch.setattr(schemes, "known", lambda: {"SN-CMU": book})
    three = household("SN-CMU", [1985, 1990, 2015], "general", "state")
    odd = replace(three, payables=(replace(three.payables[0], amount=7_001),))
    lines, _ = judge([odd], Period(AUGUST.since, date(2026, 9, 30)))
    assert [(line.name, line.amount) for line in lines] == [("Name 0", 3_501), ("Name 1", 3_500)]


def test_a_book_may_say_that_a_bill_is_claimed_once_written(monkeypatch: pytest.MonkeyPatch) -> None:
    unpaid = household("SN-CMU", [1985, 1990], "general", "state", paid=0)
    assert amounts(judge([unpaid], AUGUST)) == ([], {"not-open": 7_000})
    book = world.scheme("SN-CMU", subsidy={"claimable": "when-billed", "clause": "Decree 1, section 2"})
    monkeypatch.setattr(schemes, "known", lambda: {"SN-CMU": book})
    lines, left_out = judge([unpaid], AUGUST)
    assert ([line.amount for line in lines], left_out) == ([3_500, 3_500], [])
    assert (lines[0].days_from, lines[0].days_until) == (DAY, date(2027, 8, 2))


def test_a_book_in_which_others_pay_must_say_when_that_may_be_claimed() -> None:
    book = schemes.get("SN-CMU").model_dump(by_alias=True, mode="python", exclude_none=True)
    rules = world._parts_in_quotes(book["versions"][0])
    del rules["subsidy"]
    with pytest.raises(ValueError, match="say when that may be claimed"):
        schemes.Scheme.model_validate({**book, "versions": [rules]})


def test_a_bill_that_became_smaller_is_taken_back_only_as_far_as_it_was_claimed() -> None:
    """A negative line on the day a member left: claimed whole with the bill, not at all without it."""
    level = household("RW-CBHI", [1985, 1990], "level-2", "state")
    payable = level.payables[0]
    less = replace(payable, line_id=uuid4(), on_day=date(2026, 8, 20), amount=-501)
    lines, left_out = judge([replace(level, payables=(less, payable))], AUGUST)
    assert ([line.amount for line in lines], left_out) == ([1_000, 1_000, -251, -250], [])
    assert {line.days_from for line in lines} == {DAY, date(2026, 8, 20)}
    assert lines[0].evidence.startswith("document vu, depuis le 2026-08-03, dossier ")
    assert amounts(judge([replace(level, payables=(less,))], AUGUST)) == ([], {"nothing-back": -501})
    claimed = tuple(EarlierLine(uuid4(), payable.bill_id, line, "accepted") for line in lines[:2])
    later = Period(date(2026, 8, 10), AUGUST.until)
    assert amounts(judge([replace(level, payables=(less,), claimed=claimed)], later)) == ([-251, -250], {})


def test_nothing_goes_back_before_the_plus_is_answered_and_nothing_that_never_came() -> None:
    """2 000 asked, then the bill shrinks by 501: the State never gets back what it did not pay."""
    level = household("RW-CBHI", [1985, 1990], "level-2", "state")
    plus = level.payables[0]
    minus = replace(plus, line_id=uuid4(), on_day=date(2026, 8, 20), amount=-501)
    whole, later = replace(level, payables=(plus, minus)), Period(date(2026, 8, 10), AUGUST.until)
    claimed, _ = judge([level], AUGUST)

    def answered(answer: Answer, lines: list[DraftLine]) -> tuple[EarlierLine, ...]:
        return tuple(EarlierLine(uuid4(), plus.bill_id, line, answer) for line in lines)

    def judged(*earlier_lines: EarlierLine, again: bool = False) -> tuple[list[int], dict[str, int]]:
        return amounts(judge([replace(whole, claimed=earlier_lines)], later, again=again))

    assert judged(*answered(None, claimed))[0] == []
    assert judged(*answered(None, claimed))[1]["waiting"] == -501
    assert judged(*answered("accepted", claimed))[0] == [-251, -250]
    assert judged(*answered("rejected", claimed))[0] == []
    assert judged(*answered("rejected", claimed))[1]["nothing-back"] == -501
    assert judged(*answered("accepted", claimed[:1]), *answered(None, claimed[1:])) == (
        [-251],
        {"waiting": -250},
    )

    both, _ = judge([whole], AUGUST)  # in one claim, so that no more is asked than is due
    rejected, decreases = answered("rejected", both[:2]), answered("accepted", both[2:])
    lines, _ = judge([replace(whole, claimed=(*rejected, *decreases))], later)
    assert [(line.amount, line.corrects) for line in lines] == [
        (251, decreases[0].id),
        (250, decreases[1].id),
    ]
    assert sum(earlier.line.amount for earlier in decreases) + sum(line.amount for line in lines) == 0
    assert judged(*rejected, *decreases, again=True)[0] == [1_000, 1_000]
    assert judged(*rejected, *decreases, *answered("accepted", lines))[0] == []
    assert judged(*rejected, *decreases, *answered("accepted", lines), again=True)[0] == [
        1_000,
        1_000,
        -251,
        -250,
    ]


def test_who_gave_back_a_part_of_a_bill_is_not_asked_for_that_part_again() -> None:
    """Three at 3 500. A correction of -3 000: the State takes it for two, and rejects the third's -1 000; the
    third leaves, -3 500. Asked again, their -1 000 has nothing to go back from, and is not laid on the two,
    who gave back theirs."""
    family = household("SN-CMU", [1985, 1990, 2015], "general", "state")
    base, september, october = family.payables[0], date(2026, 9, 10), date(2026, 10, 10)
    correction = replace(base, line_id=uuid4(), on_day=september, amount=-3_000, reason="correction")
    departure = replace(base, line_id=uuid4(), on_day=october, amount=-3_500, reason="household")
    people = (*family.members[:2], replace(family.members[2], until=october))
    family = replace(family, members=people, payables=(base, correction))
    period = Period(AUGUST.since, date(2026, 10, 31))
    lines, _ = judge([family], period)
    assert [line.amount for line in lines] == [3_500] * 3 + [-1_000] * 3
    answers: list[Answer] = ["accepted"] * 5 + ["rejected"]
    claimed = tuple(
        EarlierLine(uuid4(), base.bill_id, line, answer) for line, answer in zip(lines, answers, strict=True)
    )
    family = replace(family, payables=(base, correction, departure), claimed=claimed)
    lines, _ = judge([family], period)
    assert [(line.name, line.amount) for line in lines] == [("Name 2", -3_500)]
    family = replace(family, claimed=(*claimed, EarlierLine(uuid4(), base.bill_id, lines[0], "accepted")))
    assert judge([family], period, again=True)[0] == []


def test_a_change_of_price_is_claimed_for_the_member_who_came_or_left() -> None:
    """Level 2, the State pays 1 000 for each; a child comes on the tenth and leaves on the twentieth."""
    level, ten, twenty = (
        household("RW-CBHI", [1985, 1990], "level-2", "state"),
        date(2026, 8, 10),
        date(2026, 8, 20),
    )
    child = ClaimMember(UUID(int=9), False, "Child", 2026, ten, twenty)
    base = level.payables[0]
    more = replace(base, line_id=uuid4(), on_day=ten, amount=917, reason="household")
    less = replace(base, line_id=uuid4(), on_day=twenty, amount=-833, reason="household")
    lines, left_out = judge(
        [replace(level, members=(*level.members, child), payables=(base, more, less))], AUGUST
    )
    assert [(line.name, line.amount) for line in lines] == [
        ("Name 0", 1_000),
        ("Name 1", 1_000),
        ("Child", 917),
        ("Child", -833),
    ]
    assert left_out == []
    unnamed = replace(child, name=None)
    lines, left_out = judge(
        [replace(level, members=(*level.members, unnamed), payables=(base, more, less))], AUGUST
    )
    assert (sum(line.amount for line in lines), {part.amount for part in left_out}) == (2_000, {917, -833})


@pytest.mark.parametrize(
    ("reason", "payer"), [("category", "state"), ("correction", "state"), ("household", "sponsor")]
)
def test_what_else_changes_on_the_day_of_a_birth_is_not_claimed_in_the_childs_name(
    reason: str, payer: str
) -> None:
    """On the tenth a child is born and the category is proven: only the birth is in the child's name."""
    level, ten = household("RW-CBHI", [1985, 1990], "level-2", "state"), date(2026, 8, 10)
    child, base = ClaimMember(UUID(int=9), False, "Child", 2026, ten, None), level.payables[0]
    born = replace(base, line_id=uuid4(), on_day=ten, amount=917, reason="household")
    proven = replace(
        base, line_id=uuid4(), on_day=ten, amount=900, born=(1985, 1990, 2026), reason=reason, payer=payer
    )
    lines, left_out = judge(
        [replace(level, members=(*level.members, child), payables=(base, born, proven))], AUGUST
    )
    claimed = {
        payable.line_id: [(line.name, line.amount) for line in lines if line.bill_line_id == payable.line_id]
        for payable in (born, proven)
    }
    assert claimed == {
        born.line_id: [("Child", 917)],
        proven.line_id: [("Name 0", 300), ("Name 1", 300), ("Child", 300)],
    }
    assert left_out == []
