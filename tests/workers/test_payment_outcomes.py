"""Every request ends: declined, without funds, expired or given up; later money is still recorded."""

import pytest

from mutuelle.payments.payments import Payment
from tests.workers.world import Home, WorkerWorld


def collected(town: WorkerWorld, operator: str = "mtn", amount: int = 3_000) -> tuple[Home, Payment]:
    home = town.joins(operator)
    payment = town.asks(home, amount)
    town.collect()
    return home, payment


@pytest.mark.parametrize("why", ["declines", "has no money"])
def test_a_payer_who_declines_at_mtn_or_has_no_money_gets_one_sms(town: WorkerWorld, why: str) -> None:
    home, payment = collected(town)
    if why == "has no money":
        town.sandbox.post(f"/phones/{home.phone}/wallet", {"balance": 0})
    town.answers(home, "decline" if why == "declines" else "approve")
    town.work()
    town.pass_time(5)
    town.work()
    assert (town.status(payment), town.parts(), town.sms()) == ("failed", {}, ["failed"])
    assert town.asks(home, key="second")


@pytest.mark.parametrize("why", ["declines", "has no money", "ignores it"])
def test_a_wave_link_that_was_not_paid_stays_open_until_it_expires(town: WorkerWorld, why: str) -> None:
    home, payment = collected(town, "wave")
    if why == "has no money":
        town.sandbox.post(f"/phones/{home.phone}/wallet", {"balance": 0})
    town.answers(home, {"declines": "decline", "ignores it": "ignore"}.get(why, "approve"))
    town.work()
    assert town.status(payment) == "pending"
    for _ in range(2):
        town.pass_time(1_000)
        town.work()
    assert (town.status(payment), town.parts(), town.sms()) == ("expired", {}, ["link", "expired"])


def test_mtn_ends_an_unanswered_prompt(town: WorkerWorld) -> None:
    _, payment = collected(town)
    town.pass_time(301)
    town.sandbox.quiet()
    town.work()
    assert (town.status(payment), town.sms()) == ("expired", ["expired"])
    assert [notice.outcome for notice in town.notices()] == ["expired"]


@pytest.mark.parametrize("operator", ["wave", "mtn"])
def test_a_silent_operator_is_given_up_by_us_and_its_late_answer_is_still_taken(
    town: WorkerWorld, operator: str
) -> None:
    home, payment = collected(town, operator)
    town.faults(http_500=1, drop=1)
    town.answers(home, quiet=False)
    for _ in range(12):
        town.pass_time(300)
        town.poll()
    assert (town.status(payment), town.flags(), town.parts()) == ("expired", ["no-answer"], {})
    second = town.asks(home, key="second")
    town.faults(drop=1)
    town.pass_time(3_600)
    assert town.poll() == 1, "an ended request is still asked about, each hour"
    assert (town.status(payment), town.parts(), town.flags()) == (
        "confirmed",
        {"bill": 3_000},
        ["late", "no-answer"],
    )
    assert (town.status(second), [task.state for task in town.tasks("poll")]) == ("requested", ["done"])
    assert [kind for kind in town.sms() if kind != "link"] == ["expired", "receipt"], (
        "the household is told both times"
    )


def test_we_stop_asking_about_a_request_after_three_days(town: WorkerWorld) -> None:
    collected(town)
    town.faults(http_500=1, drop=1)
    queries = 0
    for _ in range(45):
        town.pass_time(7_201)
        queries += town.poll()
    assert 34 < queries < 40
    assert ([task.state for task in town.tasks("poll")], town.flags()) == (["done"], ["no-answer"])


def test_an_operator_answer_after_we_gave_up_is_no_contradiction(town: WorkerWorld) -> None:
    home, payment = collected(town)
    town.faults(http_500=1, drop=1)
    for _ in range(12):
        town.pass_time(300)
        town.poll()
    town.faults()
    town.pass_time(3_600)
    town.poll()
    assert (town.status(payment), town.flags(), town.prompts(home)) == ("expired", ["no-answer"], [])
    assert town.sms() == ["expired"], "said once, when we gave up; the operator's word later is no news"


def test_wave_money_that_a_lost_session_brought_late_is_found_in_the_list(town: WorkerWorld) -> None:
    """The payer paid in the last second; callbacks and polls were lost until we had given the session up."""
    home, payment = collected(town, "wave")
    town.faults(drop=1, http_500=1)
    town.answers(home, quiet=False)
    for _ in range(12):
        town.pass_time(300)
        town.poll()
    assert town.status(payment) == "expired"
    town.faults(drop=1)
    town.pull()
    assert (town.status(payment), town.parts(), town.flags()) == (
        "confirmed",
        {"bill": 3_000},
        ["late", "no-answer"],
    )


def test_an_sms_about_a_payment_goes_to_its_own_household_only(town: WorkerWorld) -> None:
    home, _ = collected(town)
    other: Home = town.joins("mtn", phone="+250780000009")
    town.answers(home, "decline")
    town.work()
    by_home = {message.household_id for message in town.messages() if message.kind == "failed"}
    assert by_home == {home.id}
    assert other.id not in by_home
