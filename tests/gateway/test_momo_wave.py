"""Wave on a real wire: one session per reference, every line of the list understood, every callback judged."""

import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.momo import OPERATORS
from gateway.momo.wave import STATUS, Wave
from gateway.wire import NotSent
from mutuelle.errors import Declined, Malformed, Unavailable
from mutuelle.money import Money
from mutuelle.operator import Movement, Status

RECORDED = Path(__file__).parent.parent / "callbacks" / "wave"
REF = UUID("3f0f6a5e-6f0e-4a5c-9f0a-2d3f6b1c7e11")
SESSION = "cos-18qq25rgr100a"
CREATE, SEARCH = ("POST", "/v1/checkout/sessions"), ("GET", "/v1/checkout/sessions/search")
SHOW, LIST = ("GET", f"/v1/checkout/sessions/{SESSION}"), ("GET", "/v1/transactions")
AWA, SUM, CALLBACK = "+221770000001", Money(5000, "XOF"), "https://ussd.example.org/momo/wave/t0ken/callback"
DAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)


def recorded(name):
    return json.loads((RECORDED / f"{name}.json").read_bytes())


@pytest.fixture
def wave(stranger, http):
    stranger.answers[SEARCH] = (200, {"result": []})
    return Wave(stranger.url, {"api_key": "wave_sn_test"}, http)


def ask(wave):
    return wave.request_payment(REF, AWA, SUM, CALLBACK)


# --- asking


def test_a_session_is_made_that_only_the_payer_can_pay(wave, stranger):
    stranger.answers[CREATE] = (200, recorded("session_open"))
    standing = ask(wave)
    assert (standing.status, standing.operator_ref) == (Status.PENDING, SESSION)
    assert standing.link == "https://pay.wave.com/c/cos-18qq25rgr100a?a=5000&c=XOF"
    assert standing.expires == datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
    (heard,) = stranger.asked(*CREATE)
    assert heard.json == {
        "amount": "5000",
        "currency": "XOF",
        "client_reference": str(REF),
        "restrict_payer_mobile": AWA,
        "success_url": "https://ussd.example.org/",
        "error_url": "https://ussd.example.org/",
    }
    assert heard.headers["authorization"] == "Bearer wave_sn_test"
    assert heard.headers["idempotency-key"] == str(REF)
    assert stranger.asked(*SEARCH)[0].query == {"client_reference": str(REF)}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("session_open", Status.PENDING),
        ("session_complete", Status.CONFIRMED),
        ("session_complete_processing", Status.PENDING),
        ("session_expired", Status.EXPIRED),
    ],
)
def test_a_session_under_this_reference_is_taken_up_and_none_is_made(wave, stranger, name, status):
    stranger.answers[SEARCH] = (200, {"result": [recorded(name)]})
    assert ask(wave).status is status
    assert not stranger.asked(*CREATE)


def test_of_several_sessions_the_paid_one_wins_and_open_ones_are_expired(wave, stranger):
    opened = [{**recorded("session_open"), "id": f"cos-extra{n}"} for n in range(2)]
    stranger.answers[SEARCH] = (
        200,
        {"result": [opened[0], recorded("session_expired"), recorded("session_complete"), opened[1]]},
    )
    for one in opened:
        stranger.answers["POST", f"/v1/checkout/sessions/{one['id']}/expire"] = (200, b"")
    standing = ask(wave)
    assert (standing.status, standing.movement.transaction) == (Status.CONFIRMED, "TCN4Y4ZC3FM")
    assert [heard.path.split("/")[-2] for heard in stranger.heard if heard.method == "POST"] == ["cos-extra0", "cos-extra1"]


def test_a_session_of_another_amount_is_a_contradiction(wave, stranger):
    stranger.answers[SEARCH] = (200, {"result": [{**recorded("session_open"), "amount": "50"}]})
    with pytest.raises(Malformed):
        ask(wave)


def test_a_known_refusal_is_final(wave, stranger):
    stranger.answers[CREATE] = (422, {"code": "request-validation-error", "message": "no", "details": []})
    with pytest.raises(Declined, match="request-validation-error"):
        ask(wave)


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"code": "internal-server-error"}),
        (401, {"code": "invalid-auth"}),
        (403, {"code": "disabled-wallet"}),
        (429, {"code": "too-many-requests"}),
        (400, {"code": "a-new-code"}),
        (409, {"code": "idempotency-mismatch"}),
        (302, b"", {"Location": "http://127.0.0.1:1/"}),
        (200, b"<html>"),
        (200, {"checkout_status": "paused", "payment_status": "processing"}),
        "hang",
        "drop",
    ],
)
def test_an_answer_we_cannot_rely_on_leaves_the_outcome_unknown(wave, stranger, answer):
    stranger.answers[CREATE] = answer
    with pytest.raises(Unavailable) as unknown:
        ask(wave)
    assert not isinstance(unknown.value, NotSent)


@pytest.mark.parametrize("answer", [(500, {}), (200, {}), (200, {"result": [1]}), (200, b"no"), "hang"])
def test_without_a_search_nothing_is_made(wave, stranger, answer):
    stranger.answers[SEARCH] = answer
    with pytest.raises(Unavailable):
        ask(wave)
    assert not stranger.asked(*CREATE)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://é.example", "https://a b", 7, "https://" + "a" * 300])
def test_a_link_that_is_no_web_address_never_reaches_a_member(wave, stranger, link):
    stranger.answers[CREATE] = (200, {**recorded("session_open"), "wave_launch_url": link})
    with pytest.raises(Malformed):
        ask(wave)


# --- the truth about a reference


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("session_open", Status.PENDING, None),
        ("session_open_after_a_failed_attempt", Status.PENDING, "insufficient-funds"),
        ("session_complete_processing", Status.PENDING, None),
        ("session_complete", Status.CONFIRMED, None),
        ("session_complete_cancelled", Status.FAILED, "insufficient-funds"),
        ("session_expired", Status.EXPIRED, None),
        ("session_expired_processing", Status.EXPIRED, None),
        ("session_expired_but_paid", Status.CONFIRMED, None),
    ],
)
def test_every_recorded_session_is_understood(wave, stranger, name, status, reason):
    stranger.answers[SHOW] = (200, recorded(name))
    stranger.answers[SEARCH] = (200, {"result": [recorded(name)]})
    for operator_ref in (SESSION, None):
        standing = wave.fetch_status(REF, operator_ref)
        assert (standing.status, standing.reason) == (status, reason)
        assert (standing.movement is not None) == (status is Status.CONFIRMED)


def test_a_recorded_session_stands_for_every_pair_of_words():
    sessions = [json.loads(path.read_bytes()) for path in RECORDED.glob("session_*.json")]
    assert {(one["checkout_status"], one["payment_status"]) for one in sessions} == set(STATUS)


def test_proven_money_is_gross_and_dated_by_wave(wave, stranger):
    stranger.answers[SHOW] = (200, recorded("session_complete"))
    movement = wave.fetch_status(REF, SESSION).movement
    assert movement == Movement("TCN4Y4ZC3FM", SUM, datetime(2026, 11, 21, 10, 4, 31, tzinfo=UTC), None, str(REF))


def test_an_earlier_session_that_was_paid_is_found_behind_an_expired_one(wave, stranger):
    stranger.answers[SHOW] = (200, recorded("session_expired"))
    stranger.answers[SEARCH] = (
        200,
        {"result": [recorded("session_expired"), {**recorded("session_complete"), "id": "cos-other"}]},
    )
    assert wave.fetch_status(REF, SESSION).status is Status.CONFIRMED


def test_a_reference_nobody_knows_is_none(wave):
    assert wave.fetch_status(REF, None) is None
    assert wave.fetch_status(REF, SESSION) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "12.5"},
        {"amount": "-5000"},
        {"amount": 5000.0},
        {"amount": "1" + "0" * 15},
        {"currency": "EUR"},
        {"transaction_id": None},
        {"transaction_id": "T\n1"},
        {"when_completed": None},
        {"when_completed": "yesterday"},
        {"when_completed": "0001-01-01T00:00:00+23:00"},
        {"client_reference": "another"},
        {"client_reference": None},
        {"id": None},
    ],
)
def test_money_that_cannot_be_read_is_never_defaulted(wave, stranger, changed):
    stranger.answers[SHOW] = (200, {**recorded("session_complete"), **changed})
    with pytest.raises(Malformed):
        wave.fetch_status(REF, SESSION)


def test_an_unknown_word_is_named(wave, stranger):
    stranger.answers[SHOW] = (200, {**recorded("session_complete"), "payment_status": "disputed"})
    with pytest.raises(Unavailable, match="disputed"):
        wave.fetch_status(REF, SESSION)


@pytest.mark.parametrize("http_status", [200, 204, 404, 409])
def test_expiring_a_session_that_ended_is_quiet(wave, stranger, http_status):
    stranger.answers["POST", f"/v1/checkout/sessions/{SESSION}/expire"] = (http_status, b"")
    wave.expire(SESSION)


def test_a_session_name_cannot_leave_its_path(wave, stranger):
    wave.expire("../../balance?x=1")
    assert stranger.heard[0].path == "/v1/checkout/sessions/..%2F..%2Fbalance%3Fx%3D1/expire"


# --- the list


def test_the_recorded_list_gives_receipts_and_reversals_only(wave, stranger):
    stranger.answers[LIST] = (200, recorded("transactions"))
    page = wave.list_movements(DAY, None)
    paid, unasked, taken_back = page.movements
    assert (paid.transaction, paid.amount, paid.fee, paid.payer) == ("TCN4Y4ZC3FM", SUM, 50, AWA)
    assert (paid.reference, paid.reverses) == (str(REF), None)
    assert (unasked.amount, unasked.payer, unasked.reference, unasked.fee) == (Money(2500, "XOF"), None, None, 0)
    assert (taken_back.transaction, taken_back.reverses, taken_back.amount) == ("T_REFUND00001", "TCN4Y4ZC3FM", SUM)
    assert (page.cursor, page.more) == ("bmV4dA==", True)
    assert stranger.asked(*LIST)[0].query == {"date": "2026-11-21"}


def test_the_cursor_goes_back_as_it_came_and_an_empty_last_page_has_none(wave, stranger):
    info = {"start_cursor": "bmV4dA==", "end_cursor": None, "has_next_page": False}
    stranger.answers[LIST] = (200, {"page_info": info, "date": "2026-11-21", "items": []})
    page = wave.list_movements(DAY, "bmV4dA==")
    assert (page.movements, page.cursor, page.more) == ((), None, False)
    assert stranger.asked(*LIST)[0].query == {"date": "2026-11-21", "after": "bmV4dA=="}


def one_line(wave, stranger, **changed):
    line = {**recorded("transactions")["items"][0], **changed}
    info = {"end_cursor": "x", "has_next_page": False}
    stranger.answers[LIST] = (200, {"page_info": info, "date": "2026-11-21", "items": [line]})
    return wave.list_movements(DAY, None).movements


REVERSAL = {"is_reversal": True, "amount": "-4950", "fee": "-50", "transaction_id": "T_BACK", "payment_reason": None}


@pytest.mark.parametrize(
    ("changed", "reverses"),
    [
        ({"payment_reason": "Refund of T_FIRST"}, "T_FIRST"),
        ({"original_transaction_id": "T_FIRST"}, "T_FIRST"),
        ({"transaction_id": "T_FIRST", "checkout_api_session_id": None}, "T_FIRST"),
        ({}, "TCN4Y4ZC3FM"),
    ],
)
def test_a_reversal_names_what_it_takes_back(wave, stranger, changed, reverses):
    stranger.answers[SHOW] = (200, recorded("session_complete"))
    (movement,) = one_line(wave, stranger, **{**REVERSAL, **changed})
    assert (movement.reverses, movement.amount) == (reverses, SUM)


def test_a_reversal_whose_session_cannot_be_asked_waits(wave, stranger):
    stranger.answers[SHOW] = (500, {})
    with pytest.raises(Unavailable):
        one_line(wave, stranger, **REVERSAL)


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "12.5"},
        {"amount": "--5"},
        {"amount": "+5"},
        {"amount": "0"},
        {"amount": 5000},
        {"amount": None},
        {"amount": "1" + "0" * 15},
        {"currency": "EUR"},
        {"fee": "0.5"},
        {"fee": 50},
        {"fee": "x"},
        {"is_reversal": "false"},
        {"timestamp": "2026-11-21 10:00:00"},
        {"transaction_id": None},
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_never_defaulted(wave, stranger, changed):
    bad, good = {**recorded("transactions")["items"][0], **changed}, recorded("transactions")["items"][0]
    info = {"end_cursor": "x", "has_next_page": False}
    stranger.answers[LIST] = (200, {"page_info": info, "date": "2026-11-21", "items": [bad, good]})
    page = wave.list_movements(DAY, None)
    assert [line.transaction for line in page.movements] == [good["transaction_id"]]
    assert len(page.unreadable) == 1


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"page_info": {}, "items": []},
        {"page_info": {"has_next_page": True, "end_cursor": None}, "items": []},
        {"page_info": {"has_next_page": False, "end_cursor": 7}, "items": []},
        {"page_info": {"has_next_page": False}, "items": None},
    ],
)
def test_a_page_of_another_shape_is_malformed(wave, stranger, said):
    stranger.answers[LIST] = (200, said)
    with pytest.raises(Malformed):
        wave.list_movements(DAY, None)


@pytest.mark.parametrize("answer", [(500, {}), (200, b"no"), (401, {"code": "invalid-auth"}), "drop"])
def test_a_list_that_does_not_come_is_asked_again(wave, stranger, answer):
    stranger.answers[LIST] = answer
    with pytest.raises(Unavailable):
        wave.list_movements(DAY, None)


# --- callbacks

NEW = "new_secret"
SECRETS = {"api_key": "x", "signing_secrets": f"old_secret, {NEW}"}
EVENT = (RECORDED / "event_session_completed.json").read_bytes()


def signed(body, secret=NEW, at=NOW, stamp=None):
    stamp = str(int(at.timestamp())) if stamp is None else stamp
    return f"t={stamp},v1={hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest()}"


def hint(body, signature=None, secrets=SECRETS, **headers):
    if signature is not None:
        headers["Wave-Signature"] = signature
    return OPERATORS["wave"].read_callback(body, headers, secrets, NOW)


@pytest.mark.parametrize(
    ("name", "ours", "unsolicited"),
    [
        ("event_session_completed", True, False),
        ("event_payment_failed", True, False),
        ("event_session_without_reference", False, False),
        ("event_payment_received", False, True),
        ("event_b2b_payment_received", False, True),
        ("event_b2b_payment_failed", False, False),
        ("event_test", False, False),
        ("event_of_a_new_type", False, False),
    ],
)
def test_every_recorded_event_is_understood(name, ours, unsolicited):
    body = (RECORDED / f"{name}.json").read_bytes()
    one = hint(body, signed(body))
    assert (one.authentic, one.unsolicited) == (True, unsolicited)
    assert one.our_ref == (str(REF) if ours else None)
    assert one.key == json.loads(body)["id"]


def test_both_secrets_hold_during_a_rotation_and_any_of_several_marks_may_fit():
    assert hint(EVENT, signed(EVENT, "old_secret")).authentic
    both = signed(EVENT, "forgotten") + "," + signed(EVENT, "new_secret").split(",")[1]
    assert hint(EVENT, both).authentic
    assert hint(EVENT, None, **{"wave-signature": signed(EVENT)}).authentic


def test_a_signature_is_good_for_five_minutes_either_way():
    for seconds, authentic in ((300, True), (-300, True), (301, False), (-301, False)):
        assert hint(EVENT, signed(EVENT, at=NOW - timedelta(seconds=seconds))).authentic is authentic


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "t=,v1=",
        "v1=00",
        signed(EVENT, "forgotten"),
        signed(EVENT).replace("v1", "v0"),
        signed(EVENT).upper(),
        signed(EVENT) + ",t=1",
        signed(EVENT, stamp="²"),
        signed(EVENT, stamp="9" * 13),
        "t=1,v1=" + "é" * 64,
        "\ud800",
    ],
)
def test_a_doubtful_origin_is_not_believed(signature):
    one = hint(EVENT, signature)
    assert (one.authentic, one.our_ref, one.unsolicited) == (False, None, False)
    assert one.key != "EV_QvEZuDSQbLdI"


def test_one_flipped_bit_anywhere_breaks_the_signature():
    signature = signed(EVENT)
    for at in range(0, len(EVENT), 7):
        flipped = bytearray(EVENT)
        flipped[at] ^= 1
        assert hint(bytes(flipped), signature).authentic is False
    stamp, mark = signature.split(",")
    for at in range(len("v1="), len(mark)):
        changed = mark[:at] + ("0" if mark[at] != "0" else "1") + mark[at + 1 :]
        assert hint(EVENT, f"{stamp},{changed}").authentic is False


def test_without_secrets_nothing_is_genuine():
    for secrets in ({}, {"signing_secrets": ""}, {"signing_secrets": " , "}):
        assert hint(EVENT, signed(EVENT, ""), secrets).authentic is False
        assert hint(EVENT, None, secrets, Authorization="Bearer ").authentic is False


def test_the_shared_secret_strategy():
    secrets = {"shared_secrets": "was,is"}
    assert hint(EVENT, None, secrets, Authorization="Bearer is").authentic
    assert hint(EVENT, None, secrets, authorization="Bearer was").authentic
    assert not hint(EVENT, None, secrets, Authorization="Bearer will").authentic
    assert not hint(EVENT, None, secrets, Authorization="is").authentic


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id":"EV_1"}',
        b'{"id":"EV_1","type":"x"}',
        b'{"id":"E V","type":"x","data":{}}',
        b"[" * 50_000,
        b"\xff",
    ],
)
def test_a_genuine_message_of_another_shape_is_malformed_and_a_forged_one_is_only_forged(body):
    with pytest.raises(Malformed):
        hint(body, signed(body))
    assert hint(body, signed(body, "forged")).authentic is False


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["checkout.session.completed", str(REF)]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("client_reference"), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["id", "type", "data"]), ANY), st.binary(max_size=60), st.text(max_size=60))
def test_the_reader_only_ever_says_malformed(said, noise, signature):
    for body in (json.dumps({**json.loads(EVENT), **said}).encode(), noise):
        for mark in (signed(body), signature):
            with suppress(Malformed):
                hint(body, mark)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(recorded("transactions")["items"][5])), ANY))
def test_any_line_is_understood_or_refused(said):
    wave = Wave("http://wave", {"api_key": "k"}, _AlwaysAbsent())
    with suppress(Malformed, Unavailable):
        movement = wave._line({**recorded("transactions")["items"][5], **said})
        assert movement is None or (movement.amount.units > 0 and movement.transaction)


class _AlwaysAbsent:
    """The least of an HTTP client: whatever is asked, the operator does not know it."""

    def stream(self, *_, **__):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_): ...

    def iter_raw(self):
        return [b"{}"]

    status_code = 404
