"""Mobile money webhooks: each message is stored before it is answered, forged ones apart; none credits."""

import hashlib
import io
import json
import uuid

import pytest

from mutuelle import crypto
from tests.gateway.hooks.world import MTN, SMS, USSD, WAVE, WebWorld, event, signed
from tests.support.people import AWA, IMANA, TOKEN

MTN_SAYS = {"financialTransactionId": "23503452", "externalId": "x", "amount": "7000", "currency": "RWF",
            "payer": {"partyIdType": "MSISDN", "partyId": IMANA[1:]}, "status": "SUCCESSFUL"}  # fmt: skip


def stored(web: WebWorld, body: bytes) -> list[tuple[str, bool | None, int]]:
    """State, authenticity and count of the notices that hold exactly this body, by decrypting them all."""
    rows = web.rows("SELECT body, state, authentic, times FROM notices ORDER BY received_at")
    return [
        (state, authentic, times)
        for sealed, state, authentic, times in rows
        if crypto.open_words(sealed) == body
    ]


def books(web: WebWorld) -> list[tuple[object, ...]]:
    """The rows that no callback may change."""
    counted = [
        f"(SELECT count(*) FROM {name})"
        for name in ("receipts", "allocations", "postings", "payments", "rights", "outbox")
    ]
    return web.rows(f"SELECT {', '.join(counted)}")


def post(web: WebWorld, body: bytes, path: str = WAVE, method: str = "POST", **headers: str) -> int:
    before = books(web)
    answer = web.send(method, path, data=body, headers=headers)
    assert books(web) == before
    assert AWA not in answer.get_data(as_text=True)
    return answer.status_code


@pytest.mark.parametrize(
    "path",
    [
        WAVE.replace(TOKEN, "wrong"), WAVE.replace(TOKEN, "wrong") + "/x", WAVE + "x",
        WAVE.replace("wave", "nobody"), WAVE.replace("wave", "mtn"), MTN.replace("mtn", "wave"),
        f"/momo/wave/{TOKEN}/callback", f"/momo/africastalking/{TOKEN}/callback",
        WAVE.removesuffix("/callback"), "/momo/wave", USSD.replace("ussd", "momo") + "/callback",
        f"/sms/wave/{TOKEN}/incoming", f"{SMS}-SN/incoming", f"{SMS}/other",
    ],
)  # fmt: skip
def test_a_wrong_token_operator_or_route_is_404_and_keeps_nothing(web: WebWorld, path: str):
    before = web.rows("SELECT count(*) FROM notices")
    for method in ("POST", "PUT", "GET"):
        body = event()
        assert web.send(method, path, data=body, headers=signed(body)).status_code in (404, 405)
    assert web.send("POST", path, data=b"{}").status_code == 404
    assert web.rows("SELECT count(*) FROM notices") == before


def test_a_signed_callback_is_stored_raw_and_a_repeat_is_counted(web: WebWorld):
    body = event()
    assert [post(web, body, **signed(body)) for _ in range(3)] == [202] * 3
    assert stored(web, body) == [("new", True, 3)]
    sealed = web.rows("SELECT body FROM notices")
    assert not [row for (row,) in sealed if b"cos-1" in bytes(row)]


@pytest.mark.parametrize(
    "headers",
    [
        lambda body: {},
        lambda body: {"Wave-Signature": ""},
        lambda body: {"Wave-Signature": "t=1,v1=00"},
        lambda body: {"Wave-Signature": "é" * 50},
        lambda body: signed(body, secret="another"),
        lambda body: signed(body + b" "),
        lambda body: signed(body, age_s=301),
        lambda body: signed(body, age_s=-301),
        lambda body: {"Authorization": "Bearer whsec_test"},
    ],
    ids=[
        "none",
        "empty",
        "short",
        "letters",
        "another secret",
        "another body",
        "old",
        "from the future",
        "bearer",
    ],
)
def test_a_bad_or_missing_signature_is_401_and_kept_as_rejected(web: WebWorld, headers):
    body = event()
    web.change("UPDATE notices SET received_at = received_at - interval '2 minutes'")
    assert post(web, body, **headers(body)) == 401
    assert stored(web, body) == [("rejected", False, 1)]
    assert post(web, body, **signed(body)) == 202  # a forged copy hides no genuine word
    assert sorted(stored(web, body)) == [("new", True, 1), ("rejected", False, 1)]


def test_forged_callbacks_are_kept_sixty_a_minute_and_always_answered_401(web: WebWorld):
    web.change("UPDATE notices SET received_at = received_at - interval '2 minutes'")
    rejected = "SELECT count(*) FROM notices WHERE state = 'rejected'"
    ((before,),) = web.rows(rejected)
    assert {post(web, event(), **{"Wave-Signature": "t=1,v1=00"}) for _ in range(70)} == {401}
    assert web.rows(rejected) == [(before + 60,)]
    body = event()
    assert post(web, body, **signed(body)) == 202  # a flood of forgeries blocks no genuine callback
    assert stored(web, body) == [("new", True, 1)]
    web.change("UPDATE notices SET received_at = received_at - interval '2 minutes'")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"id": 1}', b"x" * 60_000, b"[" * 30_000]
)
def test_unreadable_signed_callbacks_are_kept_and_open_a_case(web: WebWorld, body: bytes):
    assert post(web, body, **signed(body)) == 202
    assert stored(web, body)[0][2] == 1
    assert web.rows("SELECT count(*) FROM flags WHERE kind = 'unreadable' AND closed_at IS NULL") == [(1,)]


def test_a_reference_that_was_never_made_is_kept_and_answered_like_any_other(web: WebWorld):
    body = event(client_reference="not-a-reference")
    assert post(web, body, **signed(body)) == 202
    ref = uuid.uuid4()
    body = json.dumps(MTN_SAYS | {"externalId": str(ref)}).encode()
    assert post(web, body, f"{MTN}/{ref}", "PUT") == 202
    assert web.rows("SELECT state FROM notices WHERE named_ref = %s", ref) == [("new",)]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_mtn_may_put_or_post(web: WebWorld, method: str):
    ref = uuid.uuid4()
    body = json.dumps(MTN_SAYS | {"externalId": str(ref), "payeeNote": method}).encode()
    assert post(web, body, f"{MTN}/{ref}", method, **{"Content-Type": "application/json"}) == 202
    assert stored(web, body) == [("new", None, 1)]


AMOUNTS = ("7000.5", "-7000", "9" * 400, 7e300, None, [], "0", "NaN", "7 000")
ODD_MONEY = [
    *({"amount": amount} for amount in AMOUNTS),
    *({"currency": code} for code in ("XOF", "EUR", None, 0)),
]


@pytest.mark.parametrize("odd", ODD_MONEY, ids=str)
def test_odd_amounts_in_a_callback_are_kept_and_change_nothing(web: WebWorld, odd: dict[str, object]):
    ref = uuid.uuid4()
    body = json.dumps(MTN_SAYS | {"externalId": str(ref)} | odd).encode()
    assert post(web, body, f"{MTN}/{ref}", "PUT") == 202
    assert stored(web, body)[0][2] == 1
    signed_body = event(**odd)
    assert post(web, signed_body, **signed(signed_body)) == 202


@pytest.mark.parametrize(
    "body",
    [b"{{", b"<xml>", b"\0\1\2", b"status=SUCCESSFUL", b'{"status": 1}', b'{"status": "SUCCESSFUL"}', b"[1"],
)
def test_an_unreadable_mtn_callback_is_kept(web: WebWorld, body: bytes):
    ref = uuid.uuid4()
    assert post(web, body, f"{MTN}/{ref}", "PUT") == 202
    assert [times for _, _, times in stored(web, body)] == [1]
    assert web.rows("SELECT state FROM notices WHERE named_ref = %s", ref) == [
        ("new",)
    ]  # the status query is woken


@pytest.mark.parametrize(
    "path_ref", ["not-a-uuid", "1234", "%00%ff", "a/b", "x" * 3000, "{0}/", "urn:uuid:{0}", "é"]
)
def test_any_reference_in_the_path_is_accepted_and_kept(web: WebWorld, path_ref: str):
    ref = uuid.uuid4()
    body = json.dumps(MTN_SAYS | {"externalId": "nothing of ours", "payeeNote": str(ref)}).encode()
    assert post(web, body, f"{MTN}/{path_ref.format(ref)}", "PUT") == 202
    assert stored(web, body) == [("new", None, 1)]
    assert len(web.rows("SELECT FROM notices WHERE named_ref = %s", ref)) == ("{0}" in path_ref)
    assert post(web, event(), f"{WAVE}/{path_ref}") == 401


@pytest.mark.parametrize("method", ["PUT", "POST", "GET"])
def test_a_reference_in_the_path_and_nothing_else_is_kept_and_triggers_a_query(web: WebWorld, method: str):
    ref = uuid.uuid4()
    assert [post(web, b"", f"{MTN}/{ref}", method) for _ in range(2)] == [202, 202]
    assert stored(web, str(ref).encode()) == [("new", None, 2)]
    assert web.rows("SELECT state FROM notices WHERE named_ref = %s", ref) == [("new",)]
    assert post(web, b"", f"{MTN}/{method}-says-nothing", method) == 202
    assert stored(web, f"{method}-says-nothing".encode()) == [("new", None, 1)]


def test_a_ping_is_answered_and_a_query_is_kept(web: WebWorld):
    before = web.rows("SELECT count(*) FROM notices")
    assert [web.send("GET", path).status_code for path in (WAVE, MTN)] == [200, 200]
    assert web.send("POST", MTN).status_code == 200
    assert web.rows("SELECT count(*) FROM notices") == before
    assert post(web, b"", f"{MTN}?status=SUCCESSFUL&externalId=7", "GET") == 202
    assert [times for _, _, times in stored(web, b"status=SUCCESSFUL&externalId=7")] == [1]


def test_exactly_64_kb_pass_and_one_byte_more_does_not(web: WebWorld):
    body = b'{"pad": "' + b"x" * (64 * 1024 - 11) + b'"}'
    assert len(body) == 64 * 1024
    assert post(web, body, MTN) == 202
    assert post(web, body + b" ", MTN) == 413


def test_of_a_body_too_large_size_and_digest_are_kept_up_to_a_rate_and_a_case_is_opened(web: WebWorld):
    web.change("UPDATE notices SET received_at = received_at - interval '2 minutes'")
    web.change("UPDATE flags SET closed_at = opened_at")
    count = "SELECT count(*) FROM notices WHERE state = 'rejected' AND outcome = 'too large'"
    ((before,),) = web.rows(count)
    body = uuid.uuid4().bytes + b"x" * 64 * 1024
    assert post(web, body, MTN.replace(TOKEN, "wrong")) == 404
    assert web.rows(count) == [(before,)]
    assert {post(web, body, path) for path in (MTN, f"{MTN}/{uuid.uuid4()}", MTN)} == {413}
    evidence = {"size": len(body), "sha256_of_the_first_64_kB": hashlib.sha256(body[: 64 * 1024]).hexdigest()}
    assert stored(web, json.dumps(evidence).encode()) == [("rejected", None, 3)]
    assert web.rows("SELECT kind FROM flags WHERE closed_at IS NULL") == [("unreadable",)]
    assert {post(web, uuid.uuid4().bytes + body, MTN) for _ in range(70)} == {413}
    assert web.rows(count) == [(before + 60,)]
    web.change("UPDATE notices SET received_at = received_at - interval '2 minutes'")


def test_a_body_too_large_that_comes_in_pieces_is_known_by_its_beginning(web: WebWorld):
    body = uuid.uuid4().bytes + b"x" * 64 * 1024

    def pieces(path: str) -> int:
        options = {"input_stream": io.BytesIO(body), "headers": {"Transfer-Encoding": "chunked"}}
        return web.send(
            "POST", path, environ_overrides={"wsgi.input_terminated": True}, **options
        ).status_code

    assert [pieces(path) for path in (MTN, MTN.replace(TOKEN, "wrong"))] == [413, 404]
    evidence = {"size": None, "sha256_of_the_first_64_kB": hashlib.sha256(body[: 64 * 1024]).hexdigest()}
    assert stored(web, json.dumps(evidence).encode()) == [("rejected", None, 1)]


def test_without_the_database_the_operator_is_answered_to_retry(web: WebWorld):
    body = event()
    with web.no_database():
        for path in (WAVE, MTN, f"{SMS}/incoming", f"{SMS}/delivery"):
            answer = web.send("POST", path, data=body, headers=signed(body))
            assert answer.status_code == 503
    assert stored(web, body) == []
    assert post(web, body, **signed(body)) == 202
