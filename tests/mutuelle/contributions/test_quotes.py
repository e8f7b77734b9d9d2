"""Quotes worked by hand, and a property of every household: no unit of a price is lost or invented."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutuelle.contributions.quotes import PriceLine, birth_year, quote, share_prices
from mutuelle.errors import Refused
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import Category

TODAY = date(2026, 11, 22)
SIX = [1980, 1985, 2010, 2012, 2019, 2021]
SENEGAL, RWANDA, MALI = (schemes.get(code) for code in ("SN-CMU", "RW-CBHI", "ML-5050"))


def opens(q):
    return q.threshold, q.opens_from.isoformat(), q.opens_until.isoformat()


def test_senegal_six_people_none_indigent():
    q = quote(SENEGAL, SIX, on=TODAY)
    # 6 x 7 000 = 42 000, half by the State; 1 000 for the booklet. 22 November + 30 days = 22 December, then
    # 12 months.
    assert q.as_json() == {
        "scheme": "SN-CMU",
        "version": "2020-01-01",
        "currency": "XOF",
        "exponent": 0,
        "people": 6,
        "total": 42_000,
        "joining_fee": 1_000,
        "shares": {"member": 21_000, "state": 21_000},
        "opens": {"threshold": 21_000, "from": "2026-12-22", "until": "2027-12-21"},
        "not_covered": [],
    }
    assert q.lines == (
        PriceLine("member", 21_000, "SN-CMU/2020-01-01/general/member"),
        PriceLine("state", 21_000, "SN-CMU/2020-01-01/general/state"),
    )


@pytest.mark.parametrize("category", ["indigent", "scholarship"])
def test_senegal_the_state_pays_all_once_it_is_proven(category):
    claimed = quote(SENEGAL, SIX, on=TODAY, category=category)
    assert (claimed.category, claimed.billed_category, claimed.shares["member"]) == (
        category,
        "general",
        21_000,
    )
    checked = quote(SENEGAL, SIX, on=TODAY, category=category, checked=True)
    assert checked.shares == {"member": 0, "state": 42_000}
    assert [line.payer for line in checked.lines] == ["state"]
    assert opens(checked) == (0, "2026-12-22", "2027-12-21")


@pytest.mark.parametrize(
    ("category", "checked", "people", "billed", "member", "state", "threshold"),
    [
        # 5 x 5 000 = 25 000; 75 % = 18 750, up to 19 000.
        ("level-3", False, 5, "level-3", 25_000, 0, 19_000),
        # 5 x 4 000 = 20 000, the State 5 x 1 000; 75 % of 15 000 = 11 250, up to 12 000.
        ("level-2", True, 5, "level-2", 15_000, 5_000, 12_000),
        # Only claimed: as level 3.
        ("level-2", False, 5, "level-3", 25_000, 0, 19_000),
        ("level-1", False, 5, "level-3", 25_000, 0, 19_000),
        ("level-1", True, 5, "level-1", 0, 20_000, 0),
        # Dearer levels hold at once: 2 x 8 000, 75 % = 12 000; 3 x 20 000, 75 % = 45 000.
        ("level-4", False, 2, "level-4", 16_000, 0, 12_000),
        ("level-5", False, 3, "level-5", 60_000, 0, 45_000),
        (None, False, 5, "level-3", 25_000, 0, 19_000),
    ],
)
def test_rwanda_levels(category, checked, people, billed, member, state, threshold):
    q = quote(RWANDA, SIX[:people], on=TODAY, category=category, checked=checked)
    assert (q.billed_category, q.shares, q.threshold) == (
        billed,
        {"member": member, "state": state},
        threshold,
    )
    assert (q.joining_fee, q.currency, q.version) == (0, "RWF", "2026-07-01")
    assert (q.period_from, q.period_until) == (date(2026, 7, 1), date(2027, 6, 30))


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2026, 6, 20), (19_000, "2026-07-01", "2026-12-31")),  # paid ahead: not before 1 July
        (date(2026, 7, 1), (19_000, "2026-07-01", "2026-12-31")),
        (date(2026, 12, 31), (19_000, "2026-12-31", "2026-12-31")),
        (date(2027, 1, 1), (25_000, "2027-01-01", "2027-06-30")),  # 75 % opens nothing any more
        (date(2027, 5, 31), (25_000, "2027-05-31", "2027-06-30")),
        (date(2027, 6, 1), (19_000, "2027-07-01", "2027-12-31")),  # in June a new bill is for the coming year
    ],
)
def test_rwanda_opens_by_calendar(on, expected):
    assert opens(quote(RWANDA, SIX[:5], on=on, category="level-3")) == expected


def test_rwanda_one_person_of_level_2_opens_the_year_because_of_the_step():
    # 75 % of 3 000 = 2 250, up to 3 000: the whole share.
    assert opens(quote(RWANDA, [1990], on=TODAY, category="level-2", checked=True)) == (
        3_000,
        "2026-11-22",
        "2027-06-30",
    )


def test_mali_a_month_of_the_whole_household_opens_a_month():
    q = quote(MALI, SIX, on=TODAY)
    # 6 x 550 x 12 = 39 600, half is 19 800, a month of it 1 650 = 66 x 25. 22 November + 90 days = 20
    # February.
    assert (q.total, q.joining_fee, q.shares) == (39_600, 2_500, {"member": 19_800, "state": 19_800})
    assert opens(q) == (1_650, "2027-02-20", "2027-03-19")
    poor = quote(MALI, SIX, on=TODAY, category="indigent", checked=True)
    assert (poor.shares, *opens(poor)) == ({"member": 0, "state": 39_600}, 0, "2027-02-20", "2028-02-19")
    assert quote(MALI, SIX, on=TODAY, category="indigent").shares["member"] == 19_800


def test_a_renewal_follows_on_does_not_wait_and_does_not_join_again():
    q = quote(SENEGAL, SIX, on=TODAY, covered_until=date(2026, 12, 31))
    assert (q.joining_fee, *opens(q)) == (0, 21_000, "2027-01-01", "2027-12-31")
    late = quote(SENEGAL, SIX, on=TODAY, covered_until=date(2026, 1, 31))
    assert opens(late) == (21_000, "2026-11-22", "2027-11-21")
    early = quote(RWANDA, SIX[:5], on=date(2027, 4, 1), covered_until=date(2027, 6, 30))
    assert (early.period_from, *opens(early)) == (date(2027, 7, 1), 19_000, "2027-07-01", "2027-12-31")


def test_a_person_over_the_limit_is_named_not_silently_dropped():
    born = [1990] * 20 + [2015]
    q = quote(SENEGAL, born, on=TODAY)
    assert (q.people, q.total, q.not_covered) == (20, 140_000, ("over-limit:2015",))


@pytest.mark.parametrize(
    ("key", "scheme", "born", "more"),
    [
        ("quote.nobody", SENEGAL, [], {}),
        ("born.impossible", SENEGAL, [2027], {}),
        ("born.impossible", SENEGAL, [1905], {}),
        ("quote.too-many-people", RWANDA, [1990] * 26, {}),  # the whole household or no member
        ("category.unknown", RWANDA, SIX, {"category": "indigent"}),
        ("option.unknown", RWANDA, SIX, {"option": "month"}),
        ("scheme.not-in-force", RWANDA, SIX, {"on": date(2020, 5, 31)}),
        ("scheme.not-in-force", MALI, SIX, {"on": date(2019, 12, 31)}),
    ],
)
def test_what_cannot_be_priced_is_refused(key, scheme, born, more):
    with pytest.raises(Refused) as refused:
        quote(scheme, born, **{"on": TODAY, **more})
    assert refused.value.key == key


def shares_of(others, people, price):
    """The shares of a household under a category made up for the test."""
    payers = [{"payer": payer, "part": part, "source": "test"} for payer, part in others]
    made = {
        "code": "made",
        "label": {"fr": "x"},
        "price": {"year": price},
        "others": payers,
        "source": "test",
    }
    version = SENEGAL.on(TODAY).model_copy(update={"categories": (Category.model_validate(made),)})
    category = version.categories[0]
    return share_prices(version, category, [category.price["year"]] * people, "year")


def test_what_must_be_proven_first_has_a_price_only_once_it_is_proven():
    ramed = schemes.get("ML-RAMED")
    with pytest.raises(Refused, match=r"category\.prove-first"):
        quote(ramed, SIX[:1], on=TODAY, category="indigent")
    assert quote(ramed, SIX[:1], on=TODAY, category="indigent", checked=True).billed_category == "indigent"


def test_the_odd_unit_is_the_members():
    # 7 001 in halves is 3 500.5 each: the State's is rounded down.
    assert shares_of([("state", "0.5")], 1, 7_001) == {"member": 3_501, "state": 3_500}
    # Rounded per household, not per person: 2 x 7 001 = 14 002 in halves.
    assert shares_of([("state", "0.5")], 2, 7_001) == {"member": 7_001, "state": 7_001}


def test_where_the_member_pays_nothing_the_first_payer_carries_the_odd_unit():
    # RAMED's 85/15 of 99: 84.15 and 14.85.
    assert shares_of([("state", "0.85"), ("commune", "0.15")], 1, 99) == {
        "member": 0,
        "state": 85,
        "commune": 14,
    }


@given(st.integers(1, 30), st.integers(0, 100_000), st.integers(1, 50), st.integers(1, 50))
def test_shares_add_up_for_all_parts(people, price, state, commune):
    shares = shares_of([("state", f"{state}/100"), ("commune", f"{commune}/100")], people, price)
    assert sum(shares.values()) == people * price
    assert all(amount >= 0 for amount in shares.values())
    assert list(shares) == ["member", "state", "commune"]


@st.composite
def quote_cases(draw):
    scheme = draw(st.sampled_from([SENEGAL, RWANDA, MALI]))
    on = draw(st.dates(date(2026, 7, 1), date(2029, 12, 31)))
    category = draw(st.sampled_from([None, *(c.code for c in scheme.on(on).categories)]))
    born = draw(st.lists(st.integers(1930, 2026), min_size=1, max_size=22))
    return scheme, born, on, category, draw(st.booleans())


@given(quote_cases())
def test_every_quote_adds_up_and_opens_something_payable(case):
    scheme, born, on, category, checked = case
    q = quote(scheme, born, on=on, category=category, checked=checked)
    assert sum(q.shares.values()) == q.total == sum(line.amount for line in q.lines)
    assert next(iter(q.shares)) == "member"
    assert 0 <= q.threshold <= q.shares["member"]
    assert q.threshold % scheme.on(on).step == 0 or q.threshold == q.shares["member"]
    assert on <= q.opens_from <= q.opens_until
    assert q.people + len(q.not_covered) == len(born)


@given(quote_cases())
def test_a_claim_never_costs_less_than_its_proof(case):
    scheme, born, on, category, _ = case
    claimed, checked = (quote(scheme, born, on=on, category=category, checked=c) for c in (False, True))
    assert claimed.shares["member"] >= checked.shares["member"]


@pytest.mark.parametrize(
    ("digits", "adult", "year"),
    [
        (84, True, 1984),
        (8, True, 2008),
        (27, True, 1927),
        (0, True, 2000),
        (9, False, 2009),
        (26, False, 2026),
    ],
)
def test_two_digits_name_one_year(digits, adult, year):
    # On 22 November 2026 an adult is born in 2008 or before, a child in 2009 or after.
    assert birth_year(digits, adult, TODAY) == year


@pytest.mark.parametrize(
    ("digits", "adult", "key"),
    [
        (9, True, "born.not-adult"),  # 2009: 17
        (26, True, "born.not-adult"),  # 2026: a newborn; 1926 needs four digits
        (8, False, "born.not-child"),  # 2008: 18
        (27, False, "born.not-child"),  # 1927: 99
        (100, True, "born.two-digits"),
        (-1, False, "born.two-digits"),
    ],
)
def test_an_impossible_year_is_refused(digits, adult, key):
    with pytest.raises(Refused) as refused:
        birth_year(digits, adult, TODAY)
    assert refused.value.key == key


@given(st.integers(0, 99), st.integers(0, 365 * 10))
def test_every_two_digits_are_an_adult_or_a_child_never_both(digits, later):
    on = TODAY + timedelta(later)
    years = []
    for adult in (True, False):
        try:
            years.append(birth_year(digits, adult, on))
        except Refused:
            continue
    assert len(years) == 1
    assert years[0] % 100 == digits
