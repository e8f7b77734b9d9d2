"""One silent operator costs only itself: lanes of their own, and a circuit that opens."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import pytest

from mutuelle import clock, db
from mutuelle.errors import Declined, Unavailable
from mutuelle.money import Money
from mutuelle.payments import list_cursor
from mutuelle.payments.operators import MovementPage, PaymentStatus
from tests.workers.world import WorkerWorld
from workers import circuits, lanes, queues, services
from workers.circuits import Circuit, GuardedOperator
from workers.lanes import RowSource

WAIT_S = 30


def until(is_true: Callable[[], object]) -> None:
    began = monotonic()
    while not is_true():
        assert monotonic() < began + WAIT_S
        sleep(0.02)


class HeldOperator:
    """An operator that keeps every request until it is released, and then answers none."""

    approval, give_up_s, lists, signs, proofs = "push", 900, False, False, ()

    def __init__(self) -> None:
        self.released, self.count = threading.Event(), 0

    def _hold(self) -> None:
        self.count += 1
        self.released.wait(WAIT_S)
        raise Unavailable("no answer")

    def request_payment(self, ref: UUID, payer: str, amount: Money, callback_url: str) -> PaymentStatus:
        self._hold()
        raise AssertionError

    def fetch_status(self, ref: UUID, operator_ref: str | None) -> PaymentStatus | None:
        self._hold()
        raise AssertionError

    def list_movements(self, day: date, cursor: str | None) -> MovementPage:
        raise AssertionError

    def fetch_balance(self) -> Money | None:
        return None


def test_three_hundred_requests_to_a_silent_operator_hold_up_no_other(town: WorkerWorld) -> None:
    """The silent operator answers only after the other one was asked twice and its list was read."""
    for number in range(300):
        town.asks(town.joins("mtn", phone=f"+25078{number:07d}"))
    first = town.joins("wave")
    town.asks(first)
    held, account = HeldOperator(), town.account("mtn")
    town.services._accounts[(account.id, account.credentials)] = GuardedOperator(held, Circuit())
    services.install(town.services)
    with ThreadPoolExecutor() as pool:
        job = pool.submit(queues.money)
        try:
            until(lambda: town.prompts(first))
            until(lambda: list_was_read(town))
            second = town.joins("wave", phone="+221770000077")
            town.asks(second)
            until(lambda: town.prompts(second))
            assert held.count == lanes.PER_LANE  # and no more of its rows were leased
            assert not job.done()
        finally:
            held.released.set()
        job.result()
    assert held.count < 300  # its circuit opened
    assert {task.state for task in town.tasks("collect")} == {"waiting", "done"}


def list_was_read(town: WorkerWorld) -> bool:
    account = town.account("wave")
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        return list_cursor.read_until(session, account.tenant_id, account.id) is not None


def source(lane: str, rows: list[int], work: Callable[[int], object], kind: str = "row") -> RowSource:
    def lease(limit: int) -> list[int]:
        leased, rows[:] = rows[:limit], rows[limit:]
        return leased

    return RowSource(lane, kind, lease, work, lambda row, reason: None)


def test_a_lane_that_is_busy_is_looked_past_for_rows_that_become_due_elsewhere() -> None:
    held, slow, fast, done = threading.Event(), [1], list[int](), list[int]()
    looks = 0

    def look() -> list[RowSource]:
        nonlocal looks
        looks += 1
        if looks == 2:
            fast.append(2)
        due = [source("slow", slow, lambda row: held.wait(WAIT_S))] if slow else []
        return [*due, *([source("fast", fast, lambda row: (done.append(row), held.set()))] if fast else [])]

    assert lanes.run(look) == 2
    assert done == [2]


def test_a_process_that_is_stopping_ends_its_rows_and_leases_no_more() -> None:
    stopping, done = threading.Event(), list[int]()
    rows = list(range(100))

    def work(row: int) -> None:
        done.append(row)
        stopping.set()

    count = lanes.run(lambda: [source("lane", rows, work)] if rows else [], is_stopping=stopping.is_set)
    assert count == len(done) <= 2 * lanes.PER_LANE
    assert sorted([*done, *rows]) == list(range(100))


def test_kinds_of_one_lane_take_turns() -> None:
    """Four threads: eight rows of the first kind do not all come before the second kind."""
    order, one_by_one = list[str](), threading.Lock()

    def work(name: str) -> Callable[[int], object]:
        def note(row: int) -> None:
            with one_by_one:
                order.append(name)

        return note

    first, second = list(range(40)), list(range(4))

    def look() -> list[RowSource]:
        due = [source("lane", first, work("poll"), "poll")] if first else []
        return [*due, *([source("lane", second, work("callback"), "callback")] if second else [])]

    assert lanes.run(look) == 44
    assert order.index("callback") <= 3 * lanes.PER_LANE


def test_a_row_that_fails_is_put_back_and_the_others_go_on() -> None:
    rows, done, put_back = list(range(20)), list[int](), list[Any]()

    def work(row: int) -> None:
        if row == 3:
            raise ValueError
        done.append(row)

    def look() -> list[RowSource]:
        if not rows:
            return []
        failing = source("lane", rows, work)
        return [RowSource("lane", "row", failing.lease, work, lambda row, why: put_back.append((row, why)))]

    assert lanes.run(look) == 20
    assert sorted(done) == [row for row in range(20) if row != 3]
    assert put_back == [(3, "ValueError")]


@pytest.fixture
def moment() -> Any:
    began = datetime(2026, 11, 22, 9, tzinfo=UTC)

    def it_is(seconds: float) -> None:
        clock.install(clock.Source(now=lambda: began + timedelta(seconds=seconds)))

    it_is(0)
    yield it_is
    clock.install(clock.Source())


def test_a_circuit_opens_lets_one_try_after_a_while_and_closes_with_an_answer(moment: Any) -> None:
    circuit, calls = Circuit(), list[int]()

    def silent() -> None:
        calls.append(1)
        raise Unavailable("no answer")

    for _ in range(circuits.OPENS_AFTER + 5):
        with pytest.raises(Unavailable):
            circuit.call(silent)
    assert len(calls) == circuits.OPENS_AFTER
    moment(circuits.OPEN_FOR.total_seconds() + 1)
    for _ in range(3):
        with pytest.raises(Unavailable):
            circuit.call(silent)
    assert len(calls) == circuits.OPENS_AFTER + 1  # one of them tried
    moment(2 * circuits.OPEN_FOR.total_seconds() + 2)
    assert [circuit.call(lambda: "answer") for _ in range(3)] == ["answer"] * 3


def test_a_refusal_is_an_answer(moment: Any) -> None:
    circuit = Circuit()

    def refuses() -> None:
        raise Declined("LIMIT")

    for _ in range(circuits.OPENS_AFTER + 1):
        with pytest.raises(Declined):
            circuit.call(refuses)
