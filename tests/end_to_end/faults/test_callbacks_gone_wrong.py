"""Callbacks twice, at once, never, late, out of order, early, forged or replayed: money moves once."""

import pytest

from tests.end_to_end.faults.operator_callbacks import at_once, mtn_callback, wave_event
from tests.end_to_end.faults.world import MONEY, FaultWorld
from tests.end_to_end.stories.world import until

each_operator = pytest.mark.parametrize("operator", ["wave", "mtn"])
LATE_S = 240  # less than a signature is valid


def forged_callback(operator: str, ref: str) -> bytes:
    return wave_event(ref) if operator == "wave" else mtn_callback(ref)


@each_operator
def test_a_callback_that_comes_twice_is_one_receipt(ground: FaultWorld, operator: str):
    ground.faults(duplicate=1)
    request = ground.request(operator)
    ground.settles(request)
    until(lambda: [notice.times for notice in ground.notices(request)] == [2], what="the second one")
    assert ground.receipts(request) == 1


@each_operator
def test_a_callback_that_comes_twenty_times_at_once_is_one_receipt(ground: FaultWorld, operator: str):
    ground.faults(drop=1)
    request = ground.request(operator)
    request.phone.answer()
    body = forged_callback(operator, request.ref)
    assert at_once(20, lambda: ground.callback(operator, body)) == [202] * 20
    ground.paid_once(request)
    assert [notice.times for notice in ground.notices(request)] == [20]


@each_operator
def test_a_callback_that_never_comes_costs_seconds(ground: FaultWorld, operator: str):
    ground.faults(drop=1)
    request = ground.request(operator)
    ground.settles(request)
    assert ground.drawn("drop") >= 1
    assert ground.notices(request) == []


@each_operator
def test_a_callback_that_comes_minutes_after_the_money_was_recorded_is_ignored_as_outdated(
    ground: FaultWorld, operator: str
):
    request = ground.request(operator)
    until(lambda: request.phone.prompts, what="a prompt")
    ground.faults(delay_s=LATE_S)
    request.phone.answer()
    ground.hurry()
    ground.paid_once(request)
    assert ground.notices(request) == []
    with ground.later_outside(LATE_S):
        until(lambda: ground.notices(request), what="the late callback")
    until(lambda: ground.notices(request)[0].state == "done")
    assert ground.drawn("delay") >= 1
    ground.paid_once(request)


def test_a_failure_reported_after_the_later_success_is_ignored_as_outdated(ground: FaultWorld):
    request = ground.request("wave")
    (prompt,) = until(lambda: request.phone.prompts, what="a prompt")
    ground.faults(reorder=1)
    ground.answers(request, prompt["id"], "decline")
    ground.faults()
    ground.answers(request, prompt["id"], "approve")
    until(lambda: len(ground.notices(request)) == 2, what="both callbacks")
    assert [b"payment_failed" in notice.body for notice in ground.notices(request)] == [False, True]
    ground.paid_once(request)
    assert ground.flags(request) == []


def test_callbacks_of_two_payments_may_change_places(ground: FaultWorld):
    first, second = ground.request("wave"), ground.request("wave")
    for request in (first, second):
        until(lambda request=request: request.phone.prompts, what="a prompt")
    ground.faults(reorder=1)
    first.phone.answer()
    ground.faults()
    second.phone.answer()
    for request in (first, second):
        ground.paid_once(request)
    notices = [
        until(lambda request=request: ground.notices(request), what="a callback")[0]
        for request in (second, first)
    ]
    assert notices[0].received_at < notices[1].received_at


@each_operator
def test_a_callback_that_comes_before_we_have_written_down_that_the_operator_took_the_request(
    ground: FaultWorld, operator: str
):
    phone = ground.joins(operator)
    trap = ground.trap(MONEY, after=["UPDATE payments SET"])
    request = ground.asks(phone)
    trap.wait(10)
    assert ground.status(request) == "requested", (
        "the reference is committed before the operator hears it, its answer is not"
    )
    request.phone.answer()
    until(lambda: ground.notices(request), what="the callback")
    assert ground.status(request) == "requested"
    trap.go_on()
    ground.paid_once(request)
    assert ground.flags(request) == []


def test_a_callback_that_wave_did_not_sign_is_refused_kept_and_credits_nothing(ground: FaultWorld):
    request = ground.request("wave")
    until(lambda: request.phone.prompts, what="a prompt")
    body = wave_event(request.ref)
    before = ground.rejected()
    assert ground.callback("wave", body, secret="wave_somebody_elses") == 401
    assert ground.callback("wave", body, age_s=400) == 401, "signed well, but long ago"
    assert (ground.rejected() - before, ground.notices(request)) == (1, []), (
        "the same body, stored once and never read"
    )
    assert (ground.status(request), ground.moved(request.phone), ground.receipts(request)) == (
        "pending",
        0,
        0,
    )
    ground.settles(request)


def test_a_callback_that_mtn_did_not_send_only_triggers_a_query(ground: FaultWorld):
    request = ground.request("mtn")
    until(lambda: request.phone.prompts, what="a prompt")
    assert ground.callback("mtn", mtn_callback(request.ref)) == 202
    until(lambda: ground.notices(request)[0].state == "done", what="an end of the forged one")
    assert ground.notices(request)[0].outcome == "pending", "that is the status at MTN"
    assert (ground.status(request), ground.moved(request.phone), ground.receipts(request)) == (
        "pending",
        0,
        0,
    )
    ground.settles(request)


@each_operator
def test_a_callback_that_is_played_back_later_changes_nothing(ground: FaultWorld, operator: str):
    request = ground.request(operator)
    ground.settles(request)
    (notice,) = until(lambda: ground.notices(request), what="the callback")
    assert at_once(3, lambda: ground.callback(operator, notice.body)) == [202] * 3
    if operator == "wave":
        assert ground.callback(operator, notice.body, age_s=400) == 401
    assert [notice.times for notice in ground.notices(request)] == [4]
    ground.paid_once(request)


def test_after_a_failure_neither_its_echo_nor_a_forged_success_changes_anything(ground: FaultWorld):
    phone = ground.joins("mtn")
    failed = ground.asks(phone)
    phone.answer("decline")
    until(lambda: ground.status(failed) == "failed", what="the refusal")
    again = ground.asks(phone)
    assert ground.callback("mtn", mtn_callback(failed.ref)) == 202
    (echo,) = [notice for notice in ground.notices(failed) if b"APPROVAL_REJECTED" in notice.body]
    assert ground.callback("mtn", echo.body, ref=failed.ref) == 202
    until(lambda: {notice.state for notice in ground.notices(failed)} == {"done"}, what="an end of both")
    assert (ground.status(failed), ground.status(again), ground.receipts(failed)) == ("failed", "pending", 0)
    ground.settles(again)
    assert ground.status(failed) == "failed"


def test_money_that_comes_after_a_reported_failure_is_recorded_and_opens_a_case(
    ground: FaultWorld,
):
    """The sandbox never revokes a final status: the test writes the earlier failure itself."""
    request = ground.request("mtn")
    until(lambda: request.phone.prompts, what="a prompt")
    ground.do("UPDATE payments SET status = 'failed' WHERE ref::text = %s", request.ref)
    ground.settles(request, status="failed")
    assert ground.flags(request) == ["contradiction"]


def test_money_that_comes_after_we_had_given_up_is_recorded_and_opens_a_case(ground: FaultWorld):
    """The operator gave no final status in its time: the test moves the expiry by an hour."""
    request = ground.request("mtn")
    until(lambda: ground.status(request) == "pending", what="pending")
    ground.do(
        "UPDATE payments SET expires_at = expires_at - interval '1 hour' WHERE ref::text = %s", request.ref
    )
    ground.hurry()
    until(lambda: ground.status(request) == "expired", what="our giving up")
    ground.settles(request)
    assert ground.flags(request) == ["late", "no-answer"]


def test_a_success_reported_for_an_expired_request_credits_nothing(ground: FaultWorld):
    request = ground.request("wave")
    until(lambda: ground.status(request) == "pending", what="pending")
    with ground.later_outside(3600):
        ground.hurry()
        until(lambda: ground.status(request) == "expired", what="the expiry at Wave")
    assert ground.callback("wave", wave_event(request.ref)) == 202
    until(
        lambda: [notice.outcome for notice in ground.notices(request)] == ["expired"],
        what="what Wave itself says",
    )
    assert (ground.status(request), ground.moved(request.phone), ground.receipts(request)) == (
        "expired",
        0,
        0,
    )
