"""A worker dies, freezes or runs twice between lease and settlement: the row ends the same way."""

from typing import Any

import pytest

from mutuelle import db, outbox
from mutuelle.payments.operators import PaymentStatus, Status
from tests.workers.world import WorkerWorld, together
from workers import batch, payment_requests

LEASE_S = 151


class Dying:
    """A real operator account; the worker dies after its answer, before it can store it."""

    def __init__(self, real: Any, deaths: int = 1, error: type[BaseException] = SystemExit) -> None:
        self.real, self.deaths, self.error = real, deaths, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def _die(self) -> None:
        if self.deaths:
            self.deaths -= 1
            raise self.error

    def request_payment(self, *args: Any) -> PaymentStatus:
        status: PaymentStatus = self.real.request_payment(*args)
        self._die()
        return status

    def fetch_status(self, *args: Any) -> PaymentStatus | None:
        status: PaymentStatus | None = self.real.fetch_status(*args)
        self._die()
        return status


def make_mortal(town: WorkerWorld, operator: str, error: type[BaseException], deaths: int = 1) -> None:
    account = town.account(operator)
    town.services._accounts[account.id, account.credentials] = Dying(
        town.services.operator(account), deaths, error
    )  # type: ignore


@pytest.mark.parametrize("error", [SystemExit, RuntimeError], ids=["killed", "our own mistake"])
@pytest.mark.parametrize("operator", ["wave", "mtn"])
def test_a_worker_that_dies_after_the_request_was_received_asks_no_payer_twice(
    town: WorkerWorld, operator: str, error: type[BaseException]
) -> None:
    home = town.joins(operator)
    payment = town.asks(home)
    make_mortal(town, operator, error)
    try:
        town.collect()
    except SystemExit:
        assert town.collect() == 0, "its lease still holds"
    assert town.status(payment) == "requested"
    town.pass_time(LEASE_S)
    assert town.collect() == 1
    assert (town.status(payment), len(town.prompts(home))) == ("pending", 1)
    town.answers(home)
    town.read_callbacks()
    assert (town.parts(), len(town.truth())) == ({"bill": 3_000}, 1)


@pytest.mark.parametrize("door", ["callback", "poll"])
def test_a_worker_that_dies_before_it_can_settle_leaves_the_money_to_the_next(
    town: WorkerWorld, door: str
) -> None:
    home = town.joins("mtn")
    payment = town.asks(home)
    town.collect()
    town.faults(drop=0 if door == "callback" else 1)
    town.answers(home)
    town.pass_time(5)
    make_mortal(town, "mtn", SystemExit)
    step = town.read_callbacks if door == "callback" else town.poll
    with pytest.raises(SystemExit):
        step()
    assert (town.parts(), step()) == ({}, 0)
    town.pass_time(LEASE_S)
    assert step() == 1
    assert (town.status(payment), town.parts(), town.sms()) == ("confirmed", {"bill": 3_000}, ["receipt"])


def test_a_slow_worker_that_outlives_its_lease_concludes_nothing_twice(town: WorkerWorld) -> None:
    """Both workers have an answer, the slow one an older one. The second conclusion changes nothing."""
    home = town.joins("mtn")
    payment = town.asks(home)
    with db.transaction(db.Role.WORKER) as session:
        (slow,) = outbox.lease(session, "collect", "mtn", limit=1, lease_s=1)
    request = payment_requests.look_up(town.services, payment.tenant_id, payment.id)
    town.pass_time(2)
    town.collect()
    town.answers(home)
    old = PaymentStatus(Status.PENDING, operator_ref=str(payment.ref))
    new = town.services.operator(home.account).fetch_status(payment.ref, None)
    assert new is not None
    for status in (new, old, new, PaymentStatus(Status.UNKNOWN)):
        payment_requests.conclude(request, status, "poll", slow)
    assert together(6, lambda _: payment_requests.conclude(request, new, "poll", slow)) == [None] * 6
    town.work()
    assert (town.status(payment), town.parts(), town.sms(), town.flags()) == (
        "confirmed",
        {"bill": 3_000},
        ["receipt"],
        [],
    )
    assert [(task.state, task.outcome) for task in town.tasks("collect")] == [("done", "pending")]


def test_four_workers_at_once_take_each_row_once(town: WorkerWorld) -> None:
    homes = [town.joins("mtn", phone=f"+25078{number:07d}") for number in range(12)]
    for home in homes:
        town.asks(home)
    assert sum(together(4, lambda _: town.collect())) == 12
    for home in homes:
        town.answers(home, quiet=False)
    town.sandbox.quiet()
    town.pass_time(5)
    assert sum(together(4, lambda place: (town.poll, town.read_callbacks)[place % 2]())) >= 12
    town.work()
    assert (len(town.receipts()), town.parts(), town.sms()) == (12, {"bill": 36_000}, ["receipt"] * 12)


def test_a_row_is_not_begun_when_half_of_its_lease_is_over() -> None:
    done: list[int] = []
    batch.for_each([1, 2, 3], done.append, lambda row, why: None, lease_s=0)
    assert done == []


def test_a_request_our_own_code_fails_on_has_an_end_and_a_person(town: WorkerWorld) -> None:
    home = town.joins()
    payment = town.asks(home)
    make_mortal(town, "wave", RuntimeError, deaths=99)
    for _ in range(20):
        town.collect()
        town.pass_time(250)
    assert (town.status(payment), town.flags()) == ("expired", ["no-answer", "stuck"])
