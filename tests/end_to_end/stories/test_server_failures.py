"""Redis, the web or PostgreSQL falls, or a row is locked: the phone always gets a valid screen."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from tests.end_to_end.stories.world import RWANDA, SENEGAL, StoryWorld, until


def hops(*typed: str) -> list[str]:
    """Returns the transcripts that an aggregator sends for these inputs, one per turn."""
    return ["*".join(typed[:end]) for end in range(len(typed) + 1)]


JOIN = hops("3", "1", "1", "2", "1", "808512", "1")
JOIN_RWANDA = hops("3", "1", "3", "2", "1", "808512", "1")
THINGS_FALL = True  # a traceback in the logs is allowed
TURN_S = 2.0  # I9


def valid(answer: httpx.Response) -> str:
    """Checks that the aggregator accepts this answer. Returns the screen."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith(("CON ", "END "))
    assert len(answer.text) <= 160
    assert "Traceback" not in answer.text
    return answer.text


@pytest.fixture(autouse=True)
def nothing_is_left_down(world: StoryWorld) -> Iterator[None]:
    """Restarts what fell, as `make run` does, and waits until the web is ready."""
    yield
    for name in world.stage.fallen():
        world.stage.restart(name)
    until(
        lambda: world.http.get(f"{world.stage.web_url}/health/ready").json().get("status") == "ready",
        what="health",
    )


def test_a_join_completes_though_the_cache_is_wiped_at_every_turn(world: StoryWorld):
    phone = world.phone(SENEGAL)
    for text in JOIN:
        world.wipe_cache()
        screen = valid(world.turn(phone.number, "ATUid_wiped", text))
    if screen.startswith("CON"):  # a Confirm without a recorded effect is shown again
        assert "J'adhère" in screen
        screen = valid(world.turn(phone.number, "ATUid_wiped", JOIN[-1] + "*1"))
    assert screen.startswith("END Bienvenue")
    world.wipe_cache()
    assert valid(world.turn(phone.number, "ATUid_wiped", JOIN[-1])) == screen
    assert "Numéro de membre" in phone.wait_sms("Numéro de membre")


def test_without_redis_people_join_and_pay_and_all_is_notified_when_it_returns(world: StoryWorld):
    phone = world.phone(RWANDA)
    world.stage.stop("redis")
    try:
        slowest = 0.0
        for text in JOIN_RWANDA:
            began = time.monotonic()
            screen = valid(world.turn(phone.number, "ATUid_dark", text, RWANDA))
            slowest = max(slowest, time.monotonic() - began)
        assert screen.startswith("END Bienvenue"), screen
        for text in ("", "2", "2*1", "2*1*1"):
            began = time.monotonic()
            screen = valid(world.turn(phone.number, "ATUid_dark_pay", text, RWANDA))
            slowest = max(slowest, time.monotonic() - began)
        assert screen.startswith("END Demande envoyée"), screen
        assert slowest < TURN_S
        health = world.http.get(f"{world.stage.web_url}/health/ready")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
    finally:
        world.stage.start("redis")
    assert "Numéro de membre" in phone.wait_sms("Numéro de membre")
    phone.answer()
    assert "Reste 0 RWF" in phone.wait_sms("réf")
    assert world.stage.fallen() == []


def test_workers_outlive_a_redis_that_goes_away_again_and_again(world: StoryWorld):
    for _ in range(3):
        world.stage.kill("redis")
        world.stage.restart("redis")
    phone = world.phone(SENEGAL)
    phone.join()
    assert "Reste 0 FCFA" in phone.pay()
    assert world.stage.fallen() == []


def test_a_redis_that_hangs_costs_a_turn_less_than_two_seconds(world: StoryWorld):
    phone = world.phone(SENEGAL)
    world.stage.kill("redis", signal.SIGSTOP)
    try:
        for text in JOIN:
            began = time.monotonic()
            screen = valid(world.turn(phone.number, "ATUid_frozen", text))
            assert time.monotonic() - began < TURN_S, text
        assert screen.startswith("END Bienvenue")
    finally:
        world.stage.kill("redis", signal.SIGCONT)
    phone.wait_sms("Numéro de membre")


def test_a_web_that_is_killed_in_mid_dialogue_goes_on(world: StoryWorld):
    phone = world.phone(SENEGAL)
    for text in JOIN[:4]:
        valid(world.turn(phone.number, "ATUid_killed", text))
    world.stage.kill("web")
    world.stage.restart("web")
    for text in JOIN[4:]:
        screen = valid(world.turn(phone.number, "ATUid_killed", text))
    assert screen.startswith("END Bienvenue")


def test_postgres_restarting_in_mid_dialogue_is_polite_and_then_forgotten(world: StoryWorld):
    phone = world.phone(SENEGAL)
    for text in JOIN[:7]:
        valid(world.turn(phone.number, "ATUid_pg", text))
    world.stage.stop("postgres")
    try:
        began = time.monotonic()
        screen = valid(world.turn(phone.number, "ATUid_pg", JOIN[7]))
        assert screen.startswith("END ")
        assert "indisponible" in screen
        assert "indisponible" in valid(world.turn(phone.number, "ATUid_new", ""))
        assert time.monotonic() - began < 2 * TURN_S
        assert world.http.get(f"{world.stage.web_url}/health/ready").status_code == 503
        assert world.http.get(f"{world.stage.web_url}/health/live").status_code == 200
        callback = world.endpoints["momo"]["wave"]["SN-DIENDER"]["callback"]
        assert world.http.post(callback, json={}).status_code == 503
        assert (
            world.http.post(
                world.endpoints["sms"]["africastalking"]["incoming"], data={"id": "1"}
            ).status_code
            == 503
        )
    finally:
        world.stage.start("postgres")
    screen = until(lambda: valid(world.turn(phone.number, "ATUid_pg", JOIN[7])), what="the join")
    assert screen.startswith("END Bienvenue")
    phone.wait_sms("Numéro de membre")
    assert "Reste 0 FCFA" in phone.pay()
    assert world.stage.fallen() == []


def test_postgres_killed_hard_loses_nothing_that_was_confirmed(world: StoryWorld):
    phone = world.phone(RWANDA)
    phone.join(category="3")
    number = world.number_of(phone)
    phone.go("2", "1", "1")
    world.stage.kill("postgres")
    world.stage.restart("postgres")
    phone.answer()
    assert "Reste 0 RWF" in phone.wait_sms("réf")
    assert world.mutuelle("members", "show", number)[1]["owed"] == 0
    assert world.stage.fallen() == []


@contextmanager
def held(world: StoryWorld, query: str, *values: object) -> Iterator[None]:
    """Locks these rows or tables in another transaction for the time of the block."""
    with psycopg.connect(world.stage.postgres.superuser_url("mutuelle")) as connection:
        connection.execute(query, values)
        yield
        connection.rollback()


@pytest.mark.parametrize(
    "table", ["households", "ussd_sessions", "ussd_effects", "tenants", "outbox", "service_codes"]
)
def test_a_table_that_is_held_ends_a_turn_politely_within_two_seconds(world: StoryWorld, table: str):
    phone = world.phone(SENEGAL)
    for text in JOIN[:7]:
        valid(world.turn(phone.number, f"ATUid_held_{table}", text))
    with held(world, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"):
        for session, text in ((f"ATUid_first_{table}", ""), (f"ATUid_held_{table}", JOIN[7])):
            began = time.monotonic()
            screen = valid(world.turn(phone.number, session, text))
            assert time.monotonic() - began < TURN_S, (table, text)
            assert screen.startswith(("CON ", "END Bienvenue")) or "indisponible" in screen
    screen = valid(world.turn(phone.number, f"ATUid_held_{table}", JOIN[7]))
    assert screen.startswith("END Bienvenue"), screen


def test_a_session_row_that_is_held_ends_the_acting_turn_politely_within_two_seconds(world: StoryWorld):
    phone = world.phone(SENEGAL)
    for text in JOIN[:7]:
        valid(world.turn(phone.number, "ATUid_row", text))
    with held(world, "SELECT FROM ussd_sessions WHERE foreign_id = %s FOR UPDATE", "ATUid_row"):
        began = time.monotonic()
        screen = valid(world.turn(phone.number, "ATUid_row", JOIN[7]))
        assert time.monotonic() - began < TURN_S
        assert "indisponible" in screen
    assert valid(world.turn(phone.number, "ATUid_row", JOIN[7])).startswith("END Bienvenue")
