"""A turn has two seconds in every state of Redis (I9).

Once Redis did not answer it gets no other command, and none after the deadline.
"""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from gateway.doorbell import Doorbell
from gateway.hooks import ussd
from gateway.session_cache import ANSWER_S, RedisBudget, Sessions
from menus import idempotent_turn
from mutuelle import db
from tests.gateway.hooks.world import WebWorld, screen


@pytest.fixture
def hung() -> Iterator[Redis]:
    """A Redis that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        yield Redis.from_url(url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S)


@pytest.fixture
def slow(web: WebWorld, hung: Redis, monkeypatch: pytest.MonkeyPatch) -> WebWorld:
    """Redis hangs, and the database takes the rest of each turn."""
    answer = idempotent_turn.answer

    def answer_late(request: Any, *args: Any) -> Any:
        response = answer(request, *args)
        time.sleep(request.deadline.left_s - 0.02)  # just in time
        return response

    services = web.client.application.extensions["mutuelle"]
    replaced = {"sessions": Sessions(hung, session_s=9, draft_s=9), "doorbell": Doorbell(hung)}
    for name, service in replaced.items():
        monkeypatch.setitem(services.__dict__, name, service)
    monkeypatch.setattr(ussd.idempotent_turn, "answer", answer_late)
    return web


def test_a_turn_that_acts_with_a_hung_redis_and_a_slow_database_keeps_its_two_seconds(slow: WebWorld):
    for text in ("", "3*1*1*1*0*85", "3*1*1*1*0*85*1"):
        began = time.monotonic()
        shown = screen(slow.turn(text, "ATUid_slow"))
        assert time.monotonic() - began < 2.0
    assert shown.startswith("END Bienvenue")


def test_a_redis_that_falls_silent_after_the_first_answer_is_asked_once_more_only(web: WebWorld, hung: Redis):
    budget = RedisBudget(db.Deadline(60))
    sessions = Sessions(hung, session_s=9, draft_s=9)
    began = time.monotonic()
    assert [sessions.recall("t", str(turn), budget) for turn in range(5)] == [None] * 5
    assert time.monotonic() - began < 2 * ANSWER_S
    assert budget.is_spent


def test_after_the_deadline_redis_is_asked_nothing(web: WebWorld, hung: Redis):
    past = db.Deadline(0)
    began = time.monotonic()
    assert Sessions(hung, session_s=9, draft_s=9).recall("t", "s", RedisBudget(past)) is None
    assert Doorbell(hung).ring("money", "messages", deadline=past) is False
    assert time.monotonic() - began < ANSWER_S
