"""MTN over real HTTP: known answers are read, missing facts are never invented."""

import json
from datetime import date, timedelta

import pytest

from gateway.http_client import NotSent
from gateway.momo.mtn import REFUSING, Mtn
from mutuelle import clock
from mutuelle.errors import Declined, Unavailable, UnreadableProof
from mutuelle.payments.operators import Status
from tests.gateway.momo.mtn_world import (
    ASK,
    AWA,
    CALLBACK,
    KEYS,
    RECORDED,
    REF,
    SUM,
    TOKEN,
    ask,
    recorded,
    status_of,
)


def test_a_request_names_payer_amount_and_our_reference(mtn, stranger):
    stranger.answers[ASK] = (202, b"")
    standing = ask(mtn)
    assert (standing.status, standing.operator_ref, standing.movement) == (Status.PENDING, str(REF), None)
    (request,) = stranger.requests_to(*ASK)
    assert request.json["amount"] == "7000"
    assert request.json["currency"] == "RWF"
    assert request.json["externalId"] == str(REF)
    assert request.json["payer"] == {"partyIdType": "MSISDN", "partyId": "250788000001"}
    headers = {
        "authorization": "Bearer one",
        "ocp-apim-subscription-key": "sub",
        "x-target-environment": "mtnrwanda",
        "x-reference-id": str(REF),
        "x-callback-url": CALLBACK,
    }
    assert headers.items() <= request.headers.items()
    (login,) = stranger.requests_to(*TOKEN)
    assert login.headers["authorization"] == "Basic dXNlcjprZXk="


def test_a_reference_accepted_before_is_pending(mtn, stranger):
    stranger.answers[ASK] = (409, {"code": "RESOURCE_ALREADY_EXIST", "message": "Duplicated reference id."})
    assert ask(mtn).status is Status.PENDING


@pytest.mark.parametrize("code", sorted(REFUSING))
def test_a_known_refusal_is_final(mtn, stranger, code):
    stranger.answers[ASK] = (400, {"code": code, "message": "no"})
    with pytest.raises(Declined) as refused:
        ask(mtn)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"code": "NOT_ENOUGH_FUNDS"}),
        (503, b"<html>busy</html>"),
        (429, {"statusCode": 429, "message": "Rate limit is exceeded."}),
        (409, {"code": "SOMETHING_ELSE"}),
        (400, {"code": "A_NEW_CODE"}),
        (400, b"Bad request"),
        (400, b"[" * 100_000),
        (302, b"", {"Location": "http://127.0.0.1:1/"}),
        (200, {}),
        (404, {"statusCode": 404, "message": "Resource not found"}),
        "hang",
        "drop",
    ],
)
def test_an_answer_we_cannot_rely_on_leaves_the_outcome_unknown(mtn, stranger, answer):
    stranger.answers[ASK] = answer
    with pytest.raises(Unavailable) as unknown:
        ask(mtn)
    assert not isinstance(unknown.value, NotSent)
    assert "788000001" not in str(unknown.value)


def test_an_unreachable_address_counts_as_not_sent(unreachable_url, http):
    with pytest.raises(NotSent):
        ask(Mtn(unreachable_url, "mtnrwanda", KEYS, http))


def test_an_endless_answer_is_cut(mtn, stranger):
    stranger.answers[ASK] = (202, b"x" * (5 * 2**20))
    with pytest.raises(Unavailable, match="too large"):
        ask(mtn)


def test_a_token_is_fetched_once_and_again_when_it_ends(mtn, stranger):
    stranger.answers[ASK] = (202, b"")
    ask(mtn)
    ask(mtn)
    assert len(stranger.requests_to(*TOKEN)) == 1
    clock.install(clock.Source(shift_s=3600))
    try:
        ask(mtn)
    finally:
        clock.install(clock.Source())
    assert len(stranger.requests_to(*TOKEN)) == 2


def test_a_refused_token_is_fetched_anew_once(mtn, stranger):
    stranger.answers[ASK] = [(401, {"statusCode": 401, "message": "expired"}), (202, b"")]
    assert ask(mtn).status is Status.PENDING
    assert len(stranger.requests_to(*TOKEN)) == 2
    stranger.answers[ASK] = (401, b"")
    with pytest.raises(Unavailable, match="401"):
        ask(mtn)
    assert len(stranger.requests_to(*ASK)) == 4


@pytest.mark.parametrize(
    "answer",
    [(401, {"error": "login_failed"}), (200, {}), (200, b"no"), (500, b""), (200, {"access_token": 1})],
)
def test_without_a_token_nothing_is_asked(stranger, http, answer):
    stranger.answers[TOKEN] = answer
    with pytest.raises(Unavailable):
        ask(Mtn(stranger.url, "mtnrwanda", KEYS, http))
    assert not stranger.requests_to(*ASK)


def test_every_recorded_answer_is_understood(mtn, stranger):
    expected = {"expired": Status.EXPIRED, "failed": Status.FAILED, "successful": Status.CONFIRMED}
    for path in RECORDED.glob("*.json"):
        standing = status_of(mtn, stranger, json.loads(path.read_bytes()))
        assert standing.status is expected.get(path.stem.split("_")[0], Status.PENDING), path.stem
        assert (standing.movement is not None) == (standing.status is Status.CONFIRMED)


def test_proven_money_names_its_transaction_and_payer(mtn, stranger):
    before = clock.now()
    movement = status_of(mtn, stranger, recorded("successful")).movement
    assert (movement.transaction, movement.amount, movement.payer) == ("23503452", SUM, AWA)
    assert (movement.reference, movement.reverses, movement.fee) == (str(REF), None, None)
    assert timedelta(0) <= movement.at - before < timedelta(seconds=60)


def test_without_its_own_name_a_transaction_takes_ours(mtn, stranger):
    movement = status_of(mtn, stranger, recorded("successful_bare")).movement
    assert (movement.transaction, movement.payer) == (str(REF), None)


@pytest.mark.parametrize("amount", ["7000.00", "7000.0", 7000, 7000.0])
def test_a_numeric_transaction_and_a_decimal_amount_are_read(mtn, stranger, amount):
    movement = status_of(
        mtn, stranger, {**recorded("successful"), "financialTransactionId": 23503452, "amount": amount}
    ).movement
    assert (movement.transaction, movement.amount) == ("23503452", SUM)


def test_a_failure_keeps_the_raw_reason(mtn, stranger):
    assert status_of(mtn, stranger, recorded("failed_not_enough_funds")).reason == "NOT_ENOUGH_FUNDS"
    assert status_of(mtn, stranger, recorded("failed_reason_object")).reason == "PAYMENT_NOT_APPROVED"
    assert status_of(mtn, stranger, recorded("failed_without_reason")).reason is None
    assert (
        status_of(mtn, stranger, {**recorded("pending"), "status": "FAILED", "reason": "A_NEW_ONE"}).reason
        == "A_NEW_ONE"
    )


def test_an_unknown_reference_has_no_payment(mtn, stranger):
    assert status_of(mtn, stranger, {"code": "RESOURCE_NOT_FOUND"}, 404) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "12.5"},
        {"amount": "-7000"},
        {"amount": "0"},
        {"amount": 7000.5},
        {"amount": None},
        {"amount": "9" * 21},
        {"amount": "1" + "0" * 15},
        {"amount": "NaN"},
        {"amount": "7e3"},
        {"currency": "EUR"},
        {"currency": None},
        {"externalId": "someone-elses"},
        {"financialTransactionId": {"id": 1}},
        {"financialTransactionId": "a b"},
    ],
)
def test_money_that_cannot_be_read_is_never_defaulted(mtn, stranger, changed):
    with pytest.raises(UnreadableProof):
        status_of(mtn, stranger, {**recorded("successful"), **changed})


@pytest.mark.parametrize(
    ("http_status", "payload"),
    [
        (200, {"status": "REVOKED"}),
        (200, {}),
        (200, []),
        (200, b"<html>"),
        (200, {"status": 3}),
        (500, {}),
        (403, {}),
        (202, b""),
    ],
)
def test_an_answer_we_do_not_know_is_asked_again(mtn, stranger, http_status, payload):
    with pytest.raises(Unavailable):
        status_of(mtn, stranger, payload, http_status)


def test_an_unknown_status_is_named_but_nothing_else_is_quoted(mtn, stranger):
    with pytest.raises(Unavailable, match="REVOKED"):
        status_of(mtn, stranger, {"status": "REVOKED"})
    with pytest.raises(Unavailable) as unknown:
        status_of(mtn, stranger, {"status": "Awa Diop +250788000001"})
    assert "Awa" not in str(unknown.value)


def test_there_is_no_list(mtn):
    assert not mtn.lists
    with pytest.raises(Declined, match="NO_TRANSACTION_LIST"):
        mtn.list_movements(date(2026, 11, 21), None)
