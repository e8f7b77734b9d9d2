"""Rules that no shipped book uses yet: their effect on prices and rights, each figure worked beside it."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import quote
from mutuelle.cover import household_rights, member_rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.household_rights import NextOpening, intervals, next_opening
from mutuelle.cover.member_rights import DatedStatus, InsuredPerson
from mutuelle.errors import Refused
from tests.mutuelle.schemes.world import category, scheme

TODAY = date(2026, 11, 22)
FAMILY = [1980, 1985, 2010, 2019, 2023]  # 46, 41, 16, 7 and 3 years old
ONE, TWO = UUID(int=1), UUID(int=2)
HALF = [{"payer": "state", "part": "0.5", "source": "made up"}]


def due(book, issued, bill_id=ONE, covered_until=None):
    q = quote(book, FAMILY, on=issued, covered_until=covered_until)
    version = date.fromisoformat(q.version)
    return BillState(
        bill_id,
        "dues",
        issued,
        book.code,
        version,
        q.option,
        q.shares["member"],
        q.total,
        q.period_from,
        q.period_until,
    )


def states(book, dues, paid):
    return [(i.state, i.since.isoformat()) for i in intervals(book.version, dues, paid)]


@pytest.mark.parametrize(
    ("pricing", "ages", "total", "member"),
    [
        ({"basis": "person"}, [], 35_000, 17_500),  # 5 x 7 000
        ({"basis": "person", "free_below": 5}, [], 28_000, 14_000),  # the child of 3 is free: 4 x 7 000
        ({"basis": "household"}, [], 7_000, 3_500),  # one price for all five
        # Adults 2 x 7 000 = 14 000, children below 18: 3 x 2 001 = 6 003; 20 003 in halves, the odd unit is
        # the member's.
        ({"basis": "adult-child"}, [{"below": 18, "price": {"year": 2_001}}], 20_003, 10_002),
        # 14 000; at 16: 4 000; at 7 and 3: 2 x 1 000.
        (
            {"basis": "age"},
            [{"below": 10, "price": {"year": 1_000}}, {"below": 18, "price": {"year": 4_000}}],
            20_000,
            10_000,
        ),
    ],
)
def test_a_price_follows_its_basis(pricing, ages, total, member):
    book = scheme(pricing=pricing, categories=[category({"year": 7_000}, ages=ages, others=HALF)])
    q = quote(book, FAMILY, on=TODAY)
    assert (q.total, q.shares, q.people) == (total, {"member": member, "state": total - member}, 5)


def test_an_amount_of_a_payer_is_for_each_price_charged():
    # 4 of 5 pay 7 000, the State 1 000 of each: 28 000, 4 000 and 24 000. For a household's one price it is 1
    # 000 once.
    fixed = [{"payer": "state", "amount": {"year": 1_000}, "source": "made up"}]
    each = category({"year": 7_000}, others=fixed)
    book = scheme(pricing={"basis": "person", "free_below": 5}, categories=[each])
    assert quote(book, FAMILY, on=TODAY).shares == {"member": 24_000, "state": 4_000}
    book = scheme(pricing={"basis": "household"}, categories=[each])
    assert quote(book, FAMILY, on=TODAY).shares == {"member": 6_000, "state": 1_000}


def test_a_joining_fee_may_be_for_each_covered_person():
    book = scheme(joining={"amount": 1_000, "per": "person"})
    assert quote(book, FAMILY, on=TODAY).joining_fee == 5_000
    assert quote(book, FAMILY, on=TODAY, covered_until=date(2026, 12, 31)).joining_fee == 0
    small = scheme(
        joining={"amount": 1_000, "per": "person"}, household={"people_max": 3, "beyond": "not-covered"}
    )
    assert quote(small, FAMILY, on=TODAY).joining_fee == 3_000


def test_the_next_person_may_be_refused_with_the_household():
    book = scheme(household={"people_max": 4, "beyond": "refused"})
    with pytest.raises(Refused) as refused:
        quote(book, FAMILY, on=TODAY)
    assert (refused.value.key, refused.value.values) == ("quote.too-many-people", {"people": 5, "most": 4})


def test_a_threshold_may_be_a_part_of_the_whole_price():
    # 5 x 7 000 = 35 000; 30 % is 10 500 of the member's 17 500. Of the member's share it would be 5 250, up
    # to 5 300.
    whole = scheme(opening={"early": [{"paid": "0.3", "months": 4}], "of": "price"})
    assert quote(whole, FAMILY, on=TODAY).threshold == 10_500
    own = scheme(opening={"early": [{"paid": "0.3", "months": 4}]})
    assert quote(own, FAMILY, on=TODAY).threshold == 5_300
    # 75 % of 35 000 is more than the member owes: all of the share, which opens the whole year.
    most = scheme(opening={"early": [{"paid": "0.75", "months": 4}], "of": "price"})
    assert quote(most, FAMILY, on=TODAY).threshold == 17_500
    assert (
        household_rights.on(
            intervals(whole.version, [due(whole, TODAY)], [BillPayment(ONE, TODAY, 10_500)]), TODAY
        ).state
        == "waiting"
    )


def test_waiting_may_be_months_and_days():
    # 30 November + 3 months = 28 February, + 2 days = 2 March.
    book = scheme(waiting={"months": 3, "days": 2})
    q = quote(book, FAMILY, on=date(2026, 11, 30))
    assert (q.opens_from, q.opens_until) == (date(2027, 3, 2), date(2028, 3, 1))


LAPSE = scheme(
    waiting={"days": 30, "after_lapse": 10},
    lapse={"grace_days": 15, "after_days": 60, "join_again_days": 365},
)
# Opens 22 December 2026 to 21 December 2027, with grace to 5 January 2028.
FULL = BillPayment(ONE, TODAY, 17_500)


@pytest.mark.parametrize(
    ("paid_on", "opens", "until", "fee"),
    [
        (date(2027, 12, 21), "2027-12-22", "2028-12-21", 0),  # in time
        (date(2028, 1, 5), "2027-12-22", "2028-12-21", 0),  # the last day of grace: the days of grace count
        (date(2028, 1, 6), "2028-01-06", "2029-01-05", 0),  # the day after: covered from that day
        # 60 days without cover (6 January to 5 March): no lapse yet
        (date(2028, 3, 6), "2028-03-06", "2029-03-05", 0),
        (date(2028, 3, 7), "2028-03-17", "2029-03-16", 0),  # 61 days: a lapse, 10 days of waiting
        (date(2029, 1, 5), "2029-01-15", "2030-01-14", 0),  # 365 days without cover
        # 366: as if never covered, 30 days and the joining fee
        (date(2029, 1, 6), "2029-02-05", "2030-02-04", 1_000),
    ],
)
def test_grace_and_lapse_move_what_a_late_renewal_opens(paid_on, opens, until, fee):
    q = quote(LAPSE, FAMILY, on=paid_on, covered_until=date(2027, 12, 21))
    assert (max(q.opens_from, paid_on), q.opens_until.isoformat(), q.joining_fee) == (
        max(date.fromisoformat(opens), paid_on), until, fee)  # fmt: skip
    renewal = due(LAPSE, date(2027, 12, 1), TWO, covered_until=date(2027, 12, 21))
    timeline = intervals(
        LAPSE.version, [due(LAPSE, TODAY), renewal], [FULL, BillPayment(TWO, paid_on, 17_500)]
    )
    assert household_rights.on(timeline, max(date.fromisoformat(opens), paid_on)).state == "open"
    assert household_rights.on(timeline, date.fromisoformat(until)).state == "open"
    after_grace = date.fromisoformat(until) + timedelta(16)  # 15 days of grace
    assert household_rights.on(timeline, after_grace).state == "lapsed"


def test_grace_is_covered_and_then_over():
    assert states(LAPSE, [due(LAPSE, TODAY)], [FULL]) == [
        ("waiting", "2026-11-22"),
        ("open", "2026-12-22"),
        ("lapsed", "2028-01-06"),
    ]
    # A renewal in the days of grace would open days after them, to a year after the paid days.
    renewal = due(LAPSE, date(2027, 12, 1), TWO, covered_until=date(2027, 12, 21))
    opening = next_opening(LAPSE.version, [due(LAPSE, TODAY), renewal], [FULL], date(2028, 1, 2))
    assert opening == NextOpening(17_500, date(2028, 1, 6), date(2028, 12, 21))


def test_grace_after_a_fixed_year():
    book = scheme("RW-CBHI", lapse={"grace_days": 10})
    bill = due(book, date(2026, 7, 1))
    assert states(book, [bill], [BillPayment(ONE, date(2026, 7, 1), 25_000)]) == [
        ("open", "2026-07-01"),
        ("lapsed", "2027-07-11"),
    ]


SPARES = scheme(
    waiting={"days": 30, "waived_below": 5, "waived": ["pregnant"]},
    household={"people_max": 5, "beyond": "not-covered"},
)


@pytest.mark.parametrize(
    ("place", "classes", "state"),
    [
        (0, (), "waiting"),
        (0, ("pregnant",), "open"),
        (0, ("champion",), "waiting"),
        (3, (), "waiting"),  # 7 years old
        (4, (), "open"),  # 3 years old
        (5, ("pregnant",), "never"),  # the sixth of five
    ],
)
def test_one_member_may_be_spared_the_waiting_or_left_out(place, classes, state):
    born = [*FAMILY, 2024]
    statuses = tuple(DatedStatus(code, TODAY) for code in classes)
    people = [
        InsuredPerson(UUID(int=i), i == 0, year, TODAY, statuses=statuses) for i, year in enumerate(born)
    ]
    timeline = member_rights.timeline(SPARES.version, [due(SPARES, TODAY)], [FULL], people, people[place])
    interval = household_rights.on(timeline, date(2026, 12, 1))
    assert interval.state == state
    assert (interval.reason == "rights.over-limit") == (state == "never")
    assert household_rights.on(timeline, TODAY - timedelta(1)).state == "never"
