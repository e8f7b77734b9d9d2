"""A worker freezes for longer than its lease and comes back: another took over, and its work changes nothing.

Here the lease is 2 s; `make chaos` freezes workers for 96 s under the real one.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proving.stage.programs import found_postgres
from proving.stage.wire_tap import Trap
from tests.end_to_end.faults.world import MONEY, FaultWorld
from tests.end_to_end.stories.world import until

LOCKED = ["FOR NO KEY UPDATE"]  # the lock of a payment that is being settled
# The query of one request's status: a transaction list may not hold it yet.
STATUS_QUERY = {"wave": "GET /wave/v1/checkout/sessions/cos-", "mtn": "GET /mtn/"}
# At the second place a pipeline has just ended, and only PostgreSQL 17 and later run the idle timer there.
PLACES = (
    ["SELECT receipts.", "DELETE FROM rights"] if found_postgres()[0].major >= 17 else ["SELECT receipts."]
)


@contextmanager
def frozen(ground: FaultWorld, trap: Trap) -> Iterator[str]:
    """Freezes the worker that reaches the trap, with its locks. Yields its name."""
    worker = trap.wait(15)
    ground.stage.kill(worker, signal.SIGSTOP)
    try:
        yield worker
    finally:
        ground.stage.kill(worker, signal.SIGCONT)
        trap.go_on()


@contextmanager
def witnessed(ground: FaultWorld, worker: str) -> Iterator[None]:
    """Waits until `worker` has settled the answer that it held."""
    trap = ground.trap([worker], after=LOCKED, moment="after")
    yield
    trap.wait(15)
    trap.go_on()


@pytest.mark.parametrize("at", PLACES)
def test_a_worker_frozen_in_mid_settlement_does_not_keep_the_payment_from_others(ground: FaultWorld, at: str):
    """PostgreSQL ends the idle transaction; else its locks would last as long as the freeze."""
    request = ground.request("mtn")
    until(lambda: ground.status(request) == "pending", what="pending")
    trap = ground.trap(MONEY, at=at, after=LOCKED)
    request.phone.answer()
    with frozen(ground, trap):
        ground.paid_once(request)
    ground.paid_once(request)


@pytest.mark.parametrize("operator", ["wave", "mtn"])
def test_a_worker_frozen_with_a_final_answer_in_its_hands_concludes_nothing_twice(
    ground: FaultWorld, operator: str
):
    request = ground.request(operator)
    until(lambda: ground.status(request) == "pending", what="pending")
    trap = ground.trap_answer(STATUS_QUERY[operator])
    request.phone.answer()
    with frozen(ground, trap) as worker:
        ground.paid_once(request)
        with witnessed(ground, worker):
            trap.release(5)  # before it resumes: else it may reach its own deadline first
            ground.stage.kill(worker, signal.SIGCONT)
    ground.paid_once(request)
    assert ground.flags(request) == []


@pytest.mark.parametrize("operator", ["wave", "mtn"])
def test_a_worker_frozen_while_it_asks_for_money_asks_the_payer_once(ground: FaultWorld, operator: str):
    phone = ground.joins(operator)
    trap = ground.trap_answer(f"POST /{operator}")
    request = ground.asks(phone)
    with frozen(ground, trap) as worker:
        until(lambda: ground.status(request) == "pending", what="another worker's asking")
        assert len(phone.prompts) == 1
        ground.settles(request)
        with witnessed(ground, worker):
            trap.release(5)  # before it resumes: else it may reach its own deadline first
            ground.stage.kill(worker, signal.SIGCONT)
    ground.paid_once(request)
    assert (phone.prompts, ground.flags(request)) == ([], [])
