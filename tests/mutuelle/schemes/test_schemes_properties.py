"""Properties of every shipped scheme and every rule.

Shares add up, a claim never costs less than its proof, paying more never closes rights, and the order of
payments does not matter.
"""

from datetime import date, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import quote
from mutuelle.cover import household_rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.household_rights import intervals, next_opening
from mutuelle.errors import Refused
from mutuelle.schemes import schemes
from tests.mutuelle.schemes.world import category, scheme

DAY = timedelta(1)
FIRST = date(2026, 7, 1)
FAMILY = [1980, 1985, 2010, 2012, 2019, 2023]
REFUSED = {"category.no-price", "category.prove-first", "category.elsewhere", "quote.too-many-people"}
LAPSE = scheme(
    waiting={"days": 30, "after_lapse": 20},
    lapse={"grace_days": 12, "after_days": 40, "join_again_days": 300},
    opening={"early": [{"paid": "0.4", "months": 3}, {"paid": "0.8", "months": 7}], "of": "price"},
    pricing={"basis": "adult-child", "free_below": 5},
    categories=[
        category(
            {"year": 7_000},
            ages=[{"below": 18, "price": {"year": 3_333}}],
            others=[
                {"payer": "state", "part": "1/3", "source": "x"},
                {"payer": "commune", "part": "0.1", "source": "x"},
            ],
        )
    ],
)
MONTHLY = scheme(
    "ML-5050", lapse={"grace_days": 5, "after_days": 10}, waiting={"months": 1, "days": 3, "after_lapse": 15}
)
FIXED = scheme("RW-CBHI", lapse={"grace_days": 30})
EVERY = [*schemes.load().values(), LAPSE, MONTHLY, FIXED]
PRICED = [scheme for scheme in EVERY if scheme.status == "ready"]


@st.composite
def quote_requests(draw):
    """A request for a quote under any scheme, on any day on which one of its versions is in force."""
    book = draw(st.sampled_from(EVERY))
    first = min(version.since for version in book.versions)
    on = draw(st.dates(first, date(2029, 12, 31)))
    choices = {}
    if draw(st.booleans()):
        choices["covered_until"] = on + draw(st.integers(-500, 60)) * DAY
    version = book.on(max(on, choices.get("covered_until", on - DAY) + DAY))  # whose categories can be billed
    choices["category"] = draw(st.sampled_from([None, *(rule.code for rule in version.category_choices)]))
    choices["option"] = draw(st.sampled_from([None, *(rule.code for rule in version.options)]))
    born = draw(st.lists(st.integers(on.year - 95, on.year), min_size=1, max_size=27))
    return book, born, on, choices


def quote_or_none(*arguments, **choices):
    """The quote, or None if the scheme's rules refuse one."""
    try:
        return quote(*arguments, **choices)
    except Refused as refused:
        if refused.key in REFUSED:
            return None
        raise


@given(quote_requests(), st.booleans())
def test_shares_add_up_for_every_scheme_category_and_household(case, checked):
    book, born, on, choices = case
    q = quote_or_none(book, born, on=on, checked=checked, **choices)
    if q is None:
        return
    assert sum(q.shares.values()) == q.total == sum(line.amount for line in q.lines)
    assert all(amount >= 0 for amount in q.shares.values())
    assert next(iter(q.shares)) == "member"
    step = book.version(date.fromisoformat(q.version)).step
    assert 0 <= q.threshold <= q.shares["member"]
    assert q.threshold % step == 0 or q.threshold == q.shares["member"]
    assert on <= q.opens_from
    assert q.people + len(q.not_covered) == len(born)


@given(quote_requests())
def test_a_claim_never_costs_less_than_its_proof(case):
    book, born, on, choices = case
    claimed, checked = (
        quote_or_none(book, born, on=on, checked=proven, **choices) for proven in (False, True)
    )
    if claimed and checked:
        assert claimed.shares["member"] >= checked.shares["member"]


def due(book, issued, bill_id, option=None):
    q = quote(book, FAMILY, on=issued, checked=True, option=option)
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


@st.composite
def cases(draw):
    """One to three bills of a scheme, with any of its periods, and money of any day."""
    book = draw(st.sampled_from(PRICED))
    issued = FIRST + draw(st.integers(0, 200)) * DAY
    bills = []
    for number in range(draw(st.integers(1, 3))):
        options = [option.code for option in book.on(issued).options]
        bills.append(due(book, issued, UUID(int=number + 1), draw(st.sampled_from(options))))
        issued += draw(st.integers(1, 500)) * DAY
    paid = draw(st.lists(payments(bills), max_size=6))
    return (
        book,
        bills,
        [BillPayment(p.bill_id, p.on, p.amount, UUID(int=100 + i)) for i, p in enumerate(paid)],
    )


def payments(bills, since=FIRST):
    return st.builds(
        lambda bill, share, days: BillPayment(
            bill.bill_id, since + days * DAY, max(1, bill.issued_share * share // 12)
        ),
        st.sampled_from(bills),
        st.integers(0, 13),
        st.integers(0, 1000),
    )


def open_days(timeline):
    days = (FIRST + n * DAY for n in range(0, 3000, 5))
    return {day for day in days if household_rights.on(timeline, day).state == "open"}


@given(cases(), st.data())
def test_more_money_today_never_closes_a_day_of_any_scheme(case, data):
    book, bills, paid = case
    last = max([*(p.on for p in paid), *(b.issued for b in bills)])
    more = data.draw(payments(bills, since=last))
    assert open_days(intervals(book.version, bills, paid)) <= open_days(
        intervals(book.version, bills, [*paid, more])
    )


@given(cases(), st.randoms())
def test_the_order_in_which_news_arrives_does_not_matter_to_any_scheme(case, chance):
    book, bills, paid = case
    back = [BillPayment(p.bill_id, p.on + 40 * DAY, -p.amount, p.receipt) for p in paid[:1]]
    mixed_bills, mixed_paid = bills[:], [*paid, *back]
    chance.shuffle(mixed_bills)
    chance.shuffle(mixed_paid)
    assert intervals(book.version, mixed_bills, mixed_paid) == intervals(book.version, bills, [*paid, *back])
    today = FIRST + 100 * DAY
    assert next_opening(book.version, mixed_bills, mixed_paid, today) == next_opening(
        book.version, bills, [*paid, *back], today
    )


@given(cases(), st.integers(0, 900))
def test_a_past_day_of_any_scheme_is_what_was_known_on_it(case, later):
    book, bills, paid = case
    day = FIRST + later * DAY
    then = intervals(book.version, [b for b in bills if b.issued <= day], [p for p in paid if p.on <= day])
    assert (
        household_rights.on(then, day).state
        == household_rights.on(intervals(book.version, bills, paid), day).state
    )


@given(cases(), st.integers(0, 900))
def test_the_named_sum_opens_cover_under_any_scheme(case, later):
    book, bills, paid = case
    today = FIRST + later * DAY
    bills, paid = [b for b in bills if b.issued <= today], [p for p in paid if p.on <= today]
    opening = next_opening(book.version, bills, paid, today)
    if not opening.left_to_open:
        return
    laid, amount = [], opening.left_to_open
    for bill in sorted(bills, key=lambda b: (b.issued, str(b.bill_id))):
        left = max(0, bill.issued_share - sum(p.amount for p in paid if p.bill_id == bill.bill_id))
        laid.append(BillPayment(bill.bill_id, today, min(left, amount)))
        amount -= min(left, amount)
    before, after = (intervals(book.version, bills, money) for money in (paid, [*paid, *laid]))
    assert household_rights.on(before, opening.opens_from).state != "open"
    assert (
        household_rights.on(after, opening.opens_from).state
        == household_rights.on(after, opening.opens_until).state
        == "open"
    )
