"""PostgreSQL restarts, or a new release is deployed, while people join and pay: each pays once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx

from tests.end_to_end.faults.farmers import Farmer, farmers_that_pay, payments_of
from tests.end_to_end.faults.operator_callbacks import wave_event
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
        requests = payments_of(ground, farmer.phone)
        assert (requests.count(("confirmed", 1)), sum(receipts for _, receipts in requests)) == (1, 1), (
            requests
        )
        assert ground.moved(farmer.phone) == 1
        assert len([text for text in farmer.phone.sms if "réf" in text]) <= 1


def test_postgres_restarted_under_load(ground: FaultWorld):
    with farmers_that_pay(ground, PEOPLE) as farmers:
        until(
            lambda: sum(bool(payments_of(ground, farmer.phone)) for farmer in farmers) >= 3,
            what="some who pay",
        )
        ground.stage.restart("postgres")
        all_paid_once(ground, farmers)
    assert ground.stage.fallen() == []


@contextmanager
def callbacks(ground: FaultWorld) -> Iterator[dict[str, object]]:
    """Posts callbacks about new references without pause. Yields our answer to each, by reference."""
    answers: dict[str, object] = {}
    over = threading.Event()

    def call() -> None:
        while not over.wait(PAUSE_S):
            ref = str(uuid4())
            try:
                answers[ref] = ground.callback("wave", wave_event(ref))
            except httpx.ConnectError:
                answers[ref] = "refused"
            except httpx.HTTPError as error:
                answers[ref] = type(error).__name__

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    try:
        yield answers
    finally:
        over.set()
        caller.join()


def test_a_deploy_under_load_loses_no_callback_that_was_accepted_and_leaves_no_turn_half_done(
    ground: FaultWorld,
):
    """On one machine with one web, connections are refused while it restarts, so the operator knows."""
    with farmers_that_pay(ground, PEOPLE) as farmers, callbacks(ground) as answers:
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
    assert set(answers.values()) == {202, "refused"}, answers
    accepted = [ref for ref, answer in answers.items() if answer == 202]
    stored = ground.sql("SELECT count(*) FROM notices WHERE named_ref = ANY(%s::uuid[])", accepted)
    assert stored == [(len(accepted),)]
