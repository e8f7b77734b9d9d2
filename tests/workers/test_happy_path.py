"""The normal case, and the same with one source missing: callback, poll or list."""

import pytest

from tests.workers.world import WorkerWorld

OPERATORS = pytest.mark.parametrize("operator", ["wave", "mtn"])


@OPERATORS
def test_a_callback_triggers_the_query_whose_answer_settles_the_payment(
    town: WorkerWorld, operator: str
) -> None:
    home = town.joins(operator)
    payment = town.asks(home)
    assert town.collect() == 1
    assert town.status(payment) == "pending"
    town.answers(home)
    assert town.parts() == {}, "the callback itself credits nothing"
    assert town.read_callbacks() == 1
    assert (town.status(payment), town.parts()) == ("confirmed", {"bill": 3_000})
    assert town.sms() == (["link", "receipt"] if operator == "wave" else ["receipt"])
    assert [notice.state for notice in town.notices()] == ["done"]


@OPERATORS
def test_a_lost_callback_costs_seconds(town: WorkerWorld, operator: str) -> None:
    home = town.joins(operator)
    payment = town.asks(home)
    town.faults(drop=1)
    town.collect()
    assert town.poll() == 0, "it is not due yet"
    town.answers(home, quiet=False)
    town.pass_time(5)
    assert town.poll() == 1
    assert (town.status(payment), town.parts(), town.notices()) == ("confirmed", {"bill": 3_000}, [])


def test_the_list_settles_a_payment_without_a_callback_or_poll(town: WorkerWorld) -> None:
    home = town.joins()
    payment = town.asks(home)
    town.collect()
    town.faults(drop=1)
    town.answers(home, quiet=False)
    assert town.pull() > 0
    assert (town.status(payment), town.parts(), town.sms()) == (
        "confirmed",
        {"bill": 3_000},
        ["link", "receipt"],
    )
    town.pass_time(5)
    assert town.poll() == 1, "it asks once more and hears nothing new"
    assert [task.state for task in town.tasks("poll")] == ["done"]
    assert town.sms() == ["link", "receipt"]
