"""Health reports in JSON what works and what waits; the SMS webhooks store now and read later."""

import re

import pytest
import redis

from mutuelle import crypto
from proving.stage.servers import Redis
from tests.gateway.hooks.world import SMS, WebWorld, event, signed
from tests.support.people import AWA

INCOMING = {
    "id": "msg-1",
    "from": AWA,
    "to": "21555",
    "text": "STOP",
    "date": "2026-11-22 09:00:00",
    "linkId": "",
    "cost": "0",
}
REPORT = {"id": "ATXid_1", "status": "Success", "phoneNumber": AWA, "networkCode": "99999"}


def notices(web: WebWorld, door: str) -> list[tuple[bytes, str, int]]:
    """Body, state and count of the notices of a door."""
    rows = web.rows("SELECT body, state, times FROM notices WHERE door = %s ORDER BY received_at", door)
    return [(crypto.open_words(body), state, times) for body, state, times in rows]


def test_sms_addresses_keep_every_message_and_a_repeat_changes_nothing(web: WebWorld):
    for door, payload in (
        ("incoming", INCOMING),
        ("delivery", REPORT),
        ("delivery", REPORT | {"status": "NeverHeardOf"}),
    ):
        answers = [web.send("POST", f"{SMS}/{door}", data=payload) for _ in range(3)]
        assert [(answer.status_code, answer.data) for answer in answers] == [(200, b"")] * 3
    assert [(state, times) for _, state, times in notices(web, "sms-incoming")] == [("new", 3)]
    assert [(state, times) for _, state, times in notices(web, "sms-delivery")] == [("new", 3)] * 2


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\0\xff", b"id=1&id=2", b"text=" + b"%00" * 5000, "text=😀".encode()]
)
def test_an_unreadable_incoming_sms_is_kept(web: WebWorld, body: bytes):
    assert (
        web.send(
            "POST", f"{SMS}/incoming", data=body, content_type="application/x-www-form-urlencoded"
        ).status_code
        == 200
    )
    assert body in [words for words, _, _ in notices(web, "sms-incoming")]


def test_live_queries_no_other_service(web: WebWorld):
    with web.no_database():
        assert web.send("GET", "/health/live").json == {"status": "live"}
    assert web.send("POST", "/health/live").status_code == 405


def test_ready_reports_what_waits_and_the_last_message_of_each_operator(web: WebWorld):
    body = event()
    web.send(
        "POST", "/momo/wave/a-path-token-of-at-least-128-bits-SN/callback", data=body, headers=signed(body)
    )
    answer = web.send("GET", "/health/ready")
    assert answer.status_code == 200
    report = answer.json
    assert (report["status"], report["redis"], report["database"]) == ("ready", "ok", "ok")
    assert report["oldest_notice_s"] >= 0
    assert report["oldest_message_s"] is None
    assert report["last_callback_s"]["wave"] >= 0
    assert not re.search(r"\+?\d{8,}", answer.get_data(as_text=True))


def test_ready_without_redis_reports_that_it_is_degraded(web: WebWorld, redis_server: Redis):
    redis_server.stop()
    try:
        answer = web.send("GET", "/health/ready")
        assert (answer.status_code, answer.json["status"]) == (200, "degraded")
        assert answer.json["redis"] == "does not answer"
        assert answer.json["database"] == "ok"
    finally:
        redis_server.start()


def test_ready_with_a_redis_that_evicts_is_degraded_and_names_the_policy(web: WebWorld):
    with redis.Redis.from_url(web.redis_url) as cache:
        cache.config_set("maxmemory-policy", "allkeys-lru")
        try:
            answer = web.send("GET", "/health/ready")
            assert (answer.status_code, answer.json["status"]) == (200, "degraded")
            assert "allkeys-lru" in answer.json["redis"]
        finally:
            cache.config_set("maxmemory-policy", "noeviction")


def test_ready_without_the_database_is_503_with_its_reason(web: WebWorld):
    with web.no_database():
        answer = web.send("GET", "/health/ready")
        assert (answer.status_code, answer.json["status"], answer.json["redis"]) == (503, "down", "ok")
        assert answer.json["database"] == "does not answer"
    assert web.send("GET", "/health/ready").status_code == 200
