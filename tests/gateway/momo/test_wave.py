"""Wave over real HTTP: one session per reference, and the status of a session as ours."""

import json
from datetime import UTC, datetime

import pytest

from gateway.http_client import NotSent
from gateway.momo.wave import STATUS
from mutuelle.errors import Declined, Malformed, Unavailable, UnreadableProof
from mutuelle.payments.operators import Movement, Status
from tests.gateway.momo.wave_world import (
    AWA,
    CREATE,
    RECORDED,
    REF,
    SEARCH,
    SESSION,
    SHOW,
    SUM,
    ask,
    recorded,
)

# --- asking


def test_a_session_is_made_that_only_the_payer_can_pay(wave, stranger):
    stranger.answers[CREATE] = (200, recorded("session_open"))
    standing = ask(wave)
    assert (standing.status, standing.operator_ref) == (Status.PENDING, SESSION)
    assert standing.link == "https://pay.wave.com/c/cos-18qq25rgr100a?a=5000&c=XOF"
    assert standing.expires == datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
    (request,) = stranger.requests_to(*CREATE)
    assert request.json == {
        "amount": "5000",
        "currency": "XOF",
        "client_reference": str(REF),
        "restrict_payer_mobile": AWA,
        "success_url": "https://ussd.example.org/",
        "error_url": "https://ussd.example.org/",
    }
    assert request.headers["authorization"] == "Bearer wave_sn_test"
    assert request.headers["idempotency-key"] == str(REF)
    assert stranger.requests_to(*SEARCH)[0].query == {"client_reference": str(REF)}


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
    assert not stranger.requests_to(*CREATE)


def test_of_several_sessions_the_paid_one_wins_and_open_ones_are_expired(wave, stranger):
    opened = [{**recorded("session_open"), "id": f"cos-extra{n}"} for n in range(2)]
    stranger.answers[SEARCH] = (
        200,
        {"result": [opened[0], recorded("session_expired"), recorded("session_complete"), opened[1]]},
    )
    for session in opened:
        stranger.answers["POST", f"/v1/checkout/sessions/{session['id']}/expire"] = (200, b"")
    standing = ask(wave)
    assert (standing.status, standing.movement.transaction) == (Status.CONFIRMED, "TCN4Y4ZC3FM")
    assert [request.path.split("/")[-2] for request in stranger.requests if request.method == "POST"] == [
        "cos-extra0",
        "cos-extra1",
    ]


def test_a_session_of_another_amount_is_a_contradiction(wave, stranger):
    stranger.answers[SEARCH] = (200, {"result": [{**recorded("session_open"), "amount": "50"}]})
    with pytest.raises(Malformed):
        ask(wave)


def test_a_paid_session_that_cannot_be_read_is_proof_and_no_other_is_made(wave, stranger):
    paid = {**recorded("session_complete"), "amount": "5000,00"}
    stranger.answers[SEARCH] = (200, {"result": [paid]})
    with pytest.raises(UnreadableProof):
        ask(wave)
    assert not stranger.requests_to(*CREATE)


def test_a_session_of_an_unknown_status_does_not_hide_the_paid_one(wave, stranger):
    strange = {**recorded("session_open"), "id": "cos-x", "payment_status": "disputed"}
    stranger.answers[SEARCH] = (200, {"result": [strange, recorded("session_complete")]})
    assert (ask(wave).status, wave.fetch_status(REF, None).status) == (Status.CONFIRMED, Status.CONFIRMED)
    stranger.answers[SEARCH] = (200, {"result": [strange, recorded("session_expired")]})
    with pytest.raises(Unavailable):
        wave.fetch_status(REF, None)


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
    assert not stranger.requests_to(*CREATE)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://é.example", "https://a b", 7, "https://" + "a" * 300]
)
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
    assert {(session["checkout_status"], session["payment_status"]) for session in sessions} == set(STATUS)


def test_proven_money_is_gross_and_dated_by_wave(wave, stranger):
    stranger.answers[SHOW] = (200, recorded("session_complete"))
    movement = wave.fetch_status(REF, SESSION).movement
    assert movement == Movement(
        "TCN4Y4ZC3FM", SUM, datetime(2026, 11, 21, 10, 4, 31, tzinfo=UTC), None, str(REF)
    )


@pytest.mark.parametrize("amount", ["5000.00", "5000.0", 5000, 5000.0])
def test_an_amount_is_read_exactly_in_every_form(wave, stranger, amount):
    stranger.answers[SHOW] = (200, {**recorded("session_complete"), "amount": amount})
    assert wave.fetch_status(REF, SESSION).movement.amount == SUM


def test_an_earlier_session_that_was_paid_is_found_behind_an_expired_one(wave, stranger):
    stranger.answers[SHOW] = (200, recorded("session_expired"))
    stranger.answers[SEARCH] = (
        200,
        {"result": [recorded("session_expired"), {**recorded("session_complete"), "id": "cos-other"}]},
    )
    assert wave.fetch_status(REF, SESSION).status is Status.CONFIRMED


def test_an_unknown_reference_has_no_payment(wave):
    assert wave.fetch_status(REF, None) is None
    assert wave.fetch_status(REF, SESSION) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "12.5"},
        {"amount": "-5000"},
        {"amount": 5000.5},
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
    with pytest.raises(UnreadableProof):
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
    assert stranger.requests[0].path == "/v1/checkout/sessions/..%2F..%2Fbalance%3Fx%3D1/expire"


# --- the list
