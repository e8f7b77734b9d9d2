"""Tests that the timetable repeats, fits and is complete, and that a broken promise is detected."""

import threading
from collections.abc import Iterator

import pytest

from mutuelle import crypto
from proving.chaos import verdict
from proving.chaos.breaker import ProcessControl
from proving.chaos.people import ShownResults
from proving.chaos.timetable import QUICK_FAULTS, REDIS_FAULTS, lanes
from proving.stage.server_files import CannotStart

MINUTES = 6.0


@pytest.mark.parametrize("seed", range(20))
def test_a_seed_always_means_the_same_timetable_and_everything_is_over_in_time(seed: int):
    table = lanes(seed, MINUTES)
    assert table == lanes(seed, MINUTES)
    for lane in table:
        for event, following in zip(lane, [*lane[1:], None], strict=True):
            end_s = event.at_s + event.lasts_s
            assert end_s <= (following.at_s if following else MINUTES * 60)


@pytest.mark.parametrize("seed", range(20))
def test_six_minutes_contain_every_kind_of_fault(seed: int):
    frozen, of_redis, quick = lanes(seed, MINUTES)
    assert len(frozen) >= 2
    assert {event.kind for event in of_redis} == {kind.name for kind in REDIS_FAULTS}
    assert {event.kind for event in quick} == {kind.name for kind in QUICK_FAULTS}


def test_two_seeds_are_two_timetables():
    assert lanes(1, MINUTES) != lanes(2, MINUTES)


def test_a_member_who_is_none_and_a_payment_that_is_none_are_found():
    crypto.use("p" * 32, "s" * 32)
    shown = ShownResults(members={"+1", "+2"})
    shown.payment_requests["+2"] = 2

    def count(query: str, phone: bytes) -> int:
        return int(phone == crypto.blind_index("+2"))

    assert list(verdict._broken_promises(shown, count)) == [
        "+1 was told to be a member and is none",
        "+2 was told 2 times that a payment is under way, and has fewer",
    ]


@pytest.fixture
def hands() -> Iterator[tuple[ProcessControl, list[int]]]:
    """A process control served by a thread, which runs `meanwhile` between acts."""
    hands, over, lifted = ProcessControl(), threading.Event(), list[int]()
    thread = threading.Thread(
        target=hands.serve, args=(lambda: lifted.append(threading.get_ident()), over.is_set)
    )
    thread.start()
    yield hands, lifted
    over.set()
    thread.join()


def test_one_thread_does_what_all_others_ask_for(hands: tuple[ProcessControl, list[int]]):
    threads: list[int] = []
    askers = [
        threading.Thread(target=hands[0].do, args=(lambda: threads.append(threading.get_ident()),))
        for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(threads) == 4
    assert len(set(threads)) == 1
    assert threads[0] not in {asker.ident for asker in askers}


def test_a_refused_action_raises_in_the_caller(hands: tuple[ProcessControl, list[int]]):
    def refuse() -> None:
        raise CannotStart("no")

    with pytest.raises(CannotStart, match="no"):
        hands[0].do(refuse)
