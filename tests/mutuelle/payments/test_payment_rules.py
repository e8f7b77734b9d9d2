"""Pure rules of payments: whose money it is, which status follows which, what a withdrawal takes first."""

import pytest

from mutuelle.payments import allocation, payments, refunds
from mutuelle.payments.attribution import HouseholdMatch, NoMatch, RequestMatch, attribute
from mutuelle.payments.operators import Status


def test_a_phone_of_several_households_or_a_masked_one_identifies_no_household() -> None:
    first, two = ("t", "a"), ("t", "b")
    assert attribute(None, True, [first]) == HouseholdMatch(
        first, "payer's phone is registered to this household only"
    )  # type: ignore
    assert attribute(None, True, [first, two]) == NoMatch("payer's phone is registered to several households")
    assert attribute(None, False, []) == NoMatch("payer's phone is masked and there is no reference of ours")
    assert attribute(two, True, [first]) == RequestMatch(two)  # type: ignore


def test_an_older_status_changes_nothing_after_any_later_ones() -> None:
    """By the transitive closure of the table of moves: a status that leads to the current one is older."""

    class Still:
        settled_at = None

        def __init__(self, status: Status) -> None:
            self.status = status

    for current in (Status.CONFIRMED, Status.REVERSED):
        for older in (Status.REQUESTED, Status.UNKNOWN, Status.PENDING, Status.EXPIRED):
            assert payments.transition(Still(current), older) is False  # type: ignore[arg-type]
    for current, news in (
        (Status.UNKNOWN, Status.PENDING),
        (Status.PENDING, Status.UNKNOWN),
        (Status.EXPIRED, Status.CONFIRMED),
    ):
        assert payments.transition(Still(current), news) is True  # type: ignore[arg-type]
    for current, against in ((Status.FAILED, Status.CONFIRMED), (Status.CONFIRMED, Status.FAILED)):
        with pytest.raises(ValueError):
            payments.transition(Still(current), against)  # type: ignore[arg-type]


def test_units_are_taken_off_in_order_and_never_more_than_there_are() -> None:
    assert allocation.WITHDRAWAL_ORDER == ("suspense", "credit", "bill")
    assert set(refunds.REASONS) == {"not-ours", "twice", "too-much", "asked", "other"}
