"""Chaos: the timetable repeats, fits and leaves nothing out; a promise that is not kept is found."""

import threading
from collections.abc import Iterator

import pytest

from mutuelle import crypto
from proving.chaos import verdict
from proving.chaos.breaker import Hands
from proving.chaos.people import Told
from proving.chaos.timetable import OF_REDIS, QUICK, lanes
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
def test_in_six_minutes_everything_befalls_somebody(seed: int):
    frozen, of_redis, quick = lanes(seed, MINUTES)
    assert len(frozen) >= 2
    assert {event.kind for event in of_redis} == {kind.name for kind in OF_REDIS}
    assert {event.kind for event in quick} == {kind.name for kind in QUICK}


def test_two_seeds_are_two_timetables():
    assert lanes(1, MINUTES) != lanes(2, MINUTES)


def test_a_member_who_is_none_and_a_payment_that_is_none_are_found():
    crypto.use("p" * 32, "s" * 32)
    told = Told(members={"+1", "+2"})
    told.askers["+2"] = 2

    def count(query: str, phone: bytes) -> int:
        return int(phone == crypto.blind_index("+2"))

    assert list(verdict._promises(told, count)) == [
        "+1 was told to be a member and is none",
        "+2 was told 2 times that a payment is under way, and has fewer",
    ]


@pytest.fixture
def hands() -> Iterator[tuple[Hands, list[int]]]:
    """Hands that are served by a thread, which lifts what has fallen when nobody asks."""
    hands, over, lifted = Hands(), threading.Event(), list[int]()
    thread = threading.Thread(
        target=hands.serve, args=(lambda: lifted.append(threading.get_ident()), over.is_set)
    )
    thread.start()
    yield hands, lifted
    over.set()
    thread.join()


def test_one_thread_does_what_all_others_ask_for(hands: tuple[Hands, list[int]]):
    seen: list[int] = []
    askers = [
        threading.Thread(target=hands[0].do, args=(lambda: seen.append(threading.get_ident()),))
        for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(seen) == 4
    assert len(set(seen)) == 1
    assert seen[0] not in {asker.ident for asker in askers}


def test_who_asked_hears_that_it_could_not_be_done(hands: tuple[Hands, list[int]]):
    def refuse() -> None:
        raise CannotStart("no")

    with pytest.raises(CannotStart, match="no"):
        hands[0].do(refuse)
