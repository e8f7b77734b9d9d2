"""PostgreSQL is restarted, and everything of ours is deployed anew, while people join and pay. Each of them
pays once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx

from tests.end_to_end.faults.crowd import Farmer, crowd, payments_of
from tests.end_to_end.faults.voices import event
from tests.end_to_end.faults.world import DAILY, MESSAGES, MONEY, FaultWorld
from tests.end_to_end.stories.world import until

PEOPLE = 6
WITHIN_S = 45.0
PAUSE_S = 0.02


def all_paid_once(ground: FaultWorld, farmers: list[Farmer]) -> None:
    until(
        lambda: ground.hurry() or all(farmer.paid for farmer in farmers), WITHIN_S, what="everybody's receipt"
    )
    for farmer in farmers:
        told = payments_of(ground, farmer.phone)
        assert (told.count(("confirmed", 1)), sum(receipts for _, receipts in told)) == (1, 1), told
        assert ground.moved(farmer.phone) == 1
        assert len([text for text in farmer.phone.sms if "réf" in text]) <= 1


def test_postgres_restarted_under_load(ground: FaultWorld):
    with crowd(ground, PEOPLE) as farmers:
        until(
            lambda: sum(bool(payments_of(ground, farmer.phone)) for farmer in farmers) >= 3,
            what="some who pay",
        )
        ground.stage.restart("postgres")
        all_paid_once(ground, farmers)
    assert ground.stage.fallen() == []


@contextmanager
def callbacks(ground: FaultWorld) -> Iterator[dict[str, object]]:
    """An operator that calls back again and again, each time about something else: what we answered, by
    reference."""
    told: dict[str, object] = {}
    over = threading.Event()

    def call() -> None:
        while not over.wait(PAUSE_S):
            ref = str(uuid4())
            try:
                told[ref] = ground.callback("wave", event(ref))
            except httpx.ConnectError:
                told[ref] = "refused"
            except httpx.HTTPError as error:
                told[ref] = type(error).__name__

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    try:
        yield told
    finally:
        over.set()
        caller.join()


def test_a_deploy_under_load_loses_no_callback_that_was_accepted_and_leaves_no_turn_half_done(
    ground: FaultWorld,
):
    """On one machine with one web, callbacks are refused while it is away: whoever is refused has not been
    heard, and knows."""
    with crowd(ground, PEOPLE) as farmers, callbacks(ground) as told:
        until(
            lambda: sum(bool(payments_of(ground, farmer.phone)) for farmer in farmers) >= 3,
            what="some who pay",
        )
        ended = {}
        for name in ("web", *MONEY, *MESSAGES, *DAILY, "scheduler"):
            ground.stage.stop(name)
            ended[name] = ground.stage.exit_code(name)
            ground.stage.start(name)
        all_paid_once(ground, farmers)
    assert set(ended.values()) == {0}, ended
    assert set(told.values()) == {202, "refused"}, told
    accepted = [ref for ref, answer in told.items() if answer == 202]
    kept = ground.sql("SELECT count(*) FROM notices WHERE named_ref = ANY(%s::uuid[])", accepted)
    assert kept == [(len(accepted),)]
