"""The webhooks on the real web server: bodies without a length, huge or half sent, and a hanging database."""

import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import pytest

from tests.end_to_end.stories.world import SENEGAL, StoryWorld

FORM = {"phoneNumber": "+221770009999", "networkCode": "99999", "serviceCode": SENEGAL, "text": ""}
HEAD = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"


def pieces(body: bytes, each: int = 1000) -> Iterator[bytes]:
    """Yields a body in pieces, so that it is sent without its length."""
    yield from (body[at : at + each] for at in range(0, len(body), each))


def raw(world: StoryWorld, words: bytes, within_s: float = 10.0) -> bytes:
    """Sends these bytes. Returns the server's answer, empty if it closes or is silent for `within_s`."""
    where = urlsplit(world.stage.web_url)
    with socket.create_connection((where.hostname, where.port), timeout=within_s) as line:
        line.sendall(words)
        try:
            return line.recv(65_536)
        except (TimeoutError, ConnectionResetError):
            return b""


def test_a_chunked_body_is_read_whole(world: StoryWorld):
    body = urlencode(FORM | {"sessionId": "ATUid_pieces"}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert world.http.post(world.webhook, content=pieces(body, 10), headers=kind).text.startswith("CON ")
    callback = world.endpoints["momo"]["mtn"]["RW-HUYE"]["callback"]
    notice = b'{"status": "FAILED", "externalId": "x"}'.ljust(64 * 1024)
    ((before,),) = world.sql("SELECT count(*) FROM notices")
    assert world.http.post(callback, content=pieces(notice)).status_code == 202
    # The second is the same notice: both bodies were read whole.
    assert world.http.post(callback, content=notice).status_code == 202
    assert world.sql("SELECT count(*) FROM notices") == [(before + 1,)]
    assert world.http.post(callback, content=pieces(notice + b" ")).status_code == 413


@pytest.mark.parametrize("size", [64 * 1024 + 1, 2**20, 10 * 2**20])
def test_a_huge_body_is_413_with_or_without_its_length(world: StoryWorld, size: int):
    for address in (world.webhook, world.endpoints["momo"]["mtn"]["RW-HUYE"]["callback"]):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert world.http.post(address, content=b"text=" + b"1" * size, headers=kind).status_code == 413
        assert (
            world.http.post(address, content=pieces(b"text=" + b"1" * size, 60_000), headers=kind).status_code
            == 413
        )
    assert world.turn("+221770009998", "ATUid_after_huge", "").text.startswith("CON ")


def test_an_incomplete_request_blocks_no_other(world: StoryWorld):
    head = HEAD.format(path=urlsplit(world.webhook).path).encode()
    # More would fill a process: the reverse proxy prevents that.
    with ThreadPoolExecutor(3) as threads:
        slow = [
            threads.submit(raw, world, head + b"Content-Length: 500\r\n\r\nsessionId=x", 2.0)
            for _ in range(3)
        ]
        began = time.monotonic()
        response = world.turn("+221770009997", "ATUid_beside", "")
        assert response.text.startswith("CON ")
        assert time.monotonic() - began < 1
        assert all(b"500 Internal" not in request.result() for request in slow)


@pytest.mark.parametrize(
    "words",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"POST /ussd/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n" * 50,
    ],
)
def test_input_that_is_not_http_is_refused_without_our_text(world: StoryWorld, words: bytes):
    answer = raw(world, words, within_s=1.0)
    assert b"Traceback" not in answer
    assert world.turn("+221770009996", "ATUid_after_noise", "").status_code == 200


def test_a_postgres_that_hangs_lets_pure_turns_pass_and_serves_again_when_it_returns(world: StoryWorld):
    phone = "+221770009995"
    for text in ("", "3"):
        world.turn(phone, "ATUid_hang", text)
    world.stage.kill("postgres", signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert "Votre ménage" in world.turn(phone, "ATUid_hang", "3*1").text
        assert time.monotonic() - began < 2
    finally:
        world.stage.kill("postgres", signal.SIGCONT)
    assert "Combien d'adultes" in world.turn(phone, "ATUid_hang", "3*1*1").text
    assert world.turn(phone, "ATUid_hang2", "").text.startswith("CON ")
