"""A member class opens cover from the day of noting, at any age, and never changes an earlier day."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import zip_longest
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menus import texts
from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import quote
from mutuelle.cover import household_rights, member_rights
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.explain import explain
from mutuelle.cover.explain_facts import BillBasis, ExplainFacts
from mutuelle.cover.member_rights import DatedStatus, InsuredPerson
from mutuelle.schemes import schemes
from tests.mutuelle.schemes.world import scheme

DAY = timedelta(1)
SPARES = scheme(waiting={"days": 30, "waived": ["pregnant"]})
BILL = UUID(int=1)
JOINED, NOTED = date(2026, 11, 22), date(2026, 12, 2)


def cover_of_dependant(classes: tuple[DatedStatus, ...], paid: date = JOINED) -> list[tuple[str, str]]:
    """The dependant's cover in a household of two that paid under a scheme with 30 days of waiting."""
    price = quote(SPARES, [1985, 1990], on=JOINED)
    due = BillState(
        BILL,
        "dues",
        JOINED,
        SPARES.code,
        date.fromisoformat(price.version),
        price.option,
        price.shares["member"],
        price.total,
    )
    money = [BillPayment(BILL, paid, price.shares["member"])]
    family = [
        InsuredPerson(UUID(int=1), True, 1985, JOINED),
        InsuredPerson(UUID(int=2), False, 1990, JOINED, statuses=classes),
    ]
    timeline = member_rights.timeline(SPARES.version, [due], money, family, family[1])
    return [(part.state, part.since.isoformat()) for part in timeline]


def test_who_is_noted_while_the_household_waits_is_covered_from_that_day() -> None:
    waits = [("waiting", "2026-11-22"), ("open", "2026-12-22"), ("lapsed", "2027-12-22")]
    assert cover_of_dependant(()) == waits
    spared = [("waiting", "2026-11-22"), ("open", "2026-12-02"), ("lapsed", "2027-12-22")]
    assert cover_of_dependant((DatedStatus("pregnant", NOTED),)) == spared
    ended = DatedStatus("pregnant", NOTED, date(2026, 12, 10))
    assert cover_of_dependant((ended,)) == spared, "what is open stays open"
    assert cover_of_dependant((DatedStatus("disabled", NOTED),)) == waits
    paid_later = cover_of_dependant((ended,), paid=date(2026, 12, 20))
    assert paid_later[-2] == ("open", "2027-01-19")


@given(
    noted_on=st.dates(JOINED, JOINED + timedelta(60)),
    paid=st.dates(JOINED, JOINED + timedelta(60)),
    lasts=st.integers(0, 60),
)
def test_no_day_before_it_was_noted_changes(noted_on: date, paid: date, lasts: int) -> None:
    def state(day: date, line: list[tuple[str, str]]) -> str:
        return next(state for state, since in reversed(line) if since <= day.isoformat())

    with_it, without = (
        cover_of_dependant((DatedStatus("pregnant", noted_on, noted_on + timedelta(lasts)),), paid),
        cover_of_dependant((), paid),
    )
    for day in (JOINED + timedelta(days) for days in range(120)):
        assert state(day, with_it) == state(day, without) or (
            day >= noted_on and state(day, with_it) == "open"
        )


ANY_AGE = scheme(
    dependants={"child_below": 14, "disabled_any_age": True},
    waiting={"days": 0},
    adjustment={"prorata": "whole", "tariff": "next-period"},
)


def child_state_by_day(
    classes: tuple[DatedStatus, ...], paid: Sequence[BillPayment] = ()
) -> Callable[[date], str]:
    """The state by day of a child of fifteen that only a class covers; the household paid for the head."""
    price = quote(ANY_AGE, [1985], on=JOINED)
    share, version = price.shares["member"], date.fromisoformat(price.version)
    more = [Change(status.since, share, price.total) for status in classes]
    less = [Change(status.until, -share, -price.total) for status in classes if status.until]
    due = BillState(
        BILL,
        "dues",
        JOINED,
        ANY_AGE.code,
        version,
        price.option,
        share,
        price.total,
        changes=tuple(sorted(more + less, key=lambda status: status.on)),
    )
    family = [
        InsuredPerson(UUID(int=1), True, 1985, JOINED),
        InsuredPerson(UUID(int=2), False, 2011, JOINED, statuses=classes),
    ]
    line = member_rights.timeline(
        ANY_AGE.version, [due], [BillPayment(BILL, JOINED, share), *paid], family, family[1]
    )
    return lambda day: household_rights.on(line, day).state


def test_who_is_noted_again_is_not_covered_between() -> None:
    first, again = (
        DatedStatus("disabled", JOINED + DAY, JOINED + 10 * DAY),
        DatedStatus("disabled", JOINED + 12 * DAY),
    )
    paid = [BillPayment(BILL, JOINED + DAY, 3_500), BillPayment(BILL, JOINED + 10 * DAY, -3_500, freed=True)]
    once = child_state_by_day((first,), paid)
    unpaid = child_state_by_day((first, again), paid)
    twice = child_state_by_day((first, again), [*paid, BillPayment(BILL, JOINED + 20 * DAY, 3_500)])
    days = [JOINED + days * DAY for days in (0, 1, 10, 11, 12, 19, 20)]
    assert [once(day) for day in days] == ["never", "open", "open", "never", "never", "never", "never"]
    assert [unpaid(day) for day in days] == ["never", "open", "open", "never", "lapsed", "lapsed", "lapsed"]
    assert [twice(day) for day in days] == ["never", "open", "open", "never", "lapsed", "lapsed", "open"]


@given(
    days=st.lists(st.integers(0, 40), min_size=3, max_size=6, unique=True).map(sorted),
    money=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 3_500)), max_size=4),
)
def test_noting_a_class_again_changes_no_day_before(days: list[int], money: list[tuple[int, int]]) -> None:
    times = [DatedStatus("disabled", JOINED + since * DAY, JOINED + (until or 99) * DAY)
             for since, until in zip_longest(days[::2], days[1::2])]  # fmt: skip
    paid = [BillPayment(BILL, JOINED + on * DAY, amount) for on, amount in money]
    before, after = child_state_by_day(tuple(times[:-1]), paid), child_state_by_day(tuple(times), paid)
    for day in (JOINED + day * DAY for day in range((times[-1].since - JOINED).days)):
        assert before(day) == after(day), day


def test_the_explanation_shows_that_the_waiting_was_waived_and_not_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(schemes.known(), "SN-CMU", SPARES)
    price = quote(SPARES, [1985, 1990], on=JOINED)
    owed = BillState(
        BILL,
        "dues",
        JOINED,
        "SN-CMU",
        date.fromisoformat(price.version),
        price.option,
        price.shares["member"],
        price.total,
    )
    her = InsuredPerson(UUID(int=2), False, 1990, JOINED, statuses=(DatedStatus("pregnant", NOTED),))
    case = ExplainFacts(
        "1234567890",
        "XOF",
        "Africa/Dakar",
        HouseholdBooks((owed,), (BillPayment(BILL, JOINED, 7_000),)),
        {BILL: BillBasis((1985, 1990), "general", price.shares)},
        people=[InsuredPerson(UUID(int=1), True, 1985, JOINED), her],
    )
    french = explain(case, date(2026, 12, 5), texts.read("fr", "rights"), her)
    assert (
        "  Attente jusqu'au 22/12/2026 : les règles en dispensent ce membre, couvert dès le 02/12/2026"
        in french
    )
    assert "02/12/2026" in " ".join(explain(case, date(2026, 12, 5), texts.read("en", "rights"), her))
    assert not any("enceinte" in line or "pregnan" in line for line in french)
