"""Africa's Talking SMS: what was sent, what was certainly not, and what may have been."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http_client import NotSent
from gateway.sms import SMS
from gateway.sms.africastalking import AfricasTalking
from gateway.sms.message import MaybeSent, SendResult
from mutuelle.errors import Declined, Malformed

SEND = ("POST", "/version1/messaging")
AWA, BAKARY, COUMBA = "+221770000001", "+221770000002", "+221770000003"


def answer_about(*recipients, message="Sent to 1/1 Total Cost: XOF 15"):
    return {"SMSMessageData": {"Message": message, "Recipients": list(recipients)}}


def line(number, code=101, status="Success", named="ATXid_1", cost="XOF 15"):
    return {"statusCode": code, "number": number, "status": status, "cost": cost, "messageId": named}


@pytest.fixture
def route(stranger, http):
    return AfricasTalking(stranger.url, "mutuelle", "secret-key", "MUTUELLE", http)


def test_a_message_goes_out_with_the_sdks_fields(route, stranger):
    stranger.answers[SEND] = (201, answer_about(line(AWA)))
    assert route.send([AWA], "Merci, reçu") == (SendResult(AWA, True, "ATXid_1", "Success"),)
    (request,) = stranger.requests_to(*SEND)
    assert request.form == {
        "username": "mutuelle",
        "to": AWA,
        "message": "Merci, reçu",
        "bulkSMSMode": "1",
        "from": "MUTUELLE",
    }
    assert request.headers["apikey"] == "secret-key"
    assert request.headers["accept"] == "application/json"


def test_without_a_sender_the_field_is_left_out(stranger, http):
    stranger.answers[SEND] = (201, answer_about(line(AWA)))
    AfricasTalking(stranger.url + "/", "mutuelle", "secret-key", http=http).send([AWA], "x")
    assert "from" not in stranger.requests_to(*SEND)[0].form


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "text/html"])
def test_json_is_read_under_any_content_type(route, stranger, content_type):
    stranger.content_type = content_type
    stranger.answers[SEND] = (201, answer_about(line(AWA)))
    assert route.send([AWA], "x")[0].accepted


def test_each_recipient_has_an_answer_of_its_own(route, stranger):
    refused = line(BAKARY, 406, "UserInBlacklist", "None", "0")
    stranger.answers[SEND] = (201, answer_about(refused, line(AWA, 102, "Queued")))
    awa, bakary, coumba, again = route.send([AWA, BAKARY, COUMBA, AWA], "x")
    assert awa.accepted
    assert (bakary.accepted, bakary.message_id, bakary.reason) == (False, None, "UserInBlacklist")
    assert (coumba.accepted, coumba.reason) == (False, "NotListed")
    assert again == awa
    assert stranger.requests_to(*SEND)[0].form["to"] == f"{AWA},{BAKARY},{COUMBA}"


@pytest.mark.parametrize("code", [100, 101, 102])
def test_accepted_codes(route, stranger, code):
    stranger.answers[SEND] = (201, answer_about(line(AWA, code)))
    assert route.send([AWA], "x")[0].accepted


@pytest.mark.parametrize("code", [401, 402, 403, 404, 405, 406, 407, 409, 500, 501, 502, 999, 0, -1])
def test_any_other_code_is_a_refusal(route, stranger, code):
    stranger.answers[SEND] = (201, answer_about(line(AWA, code, "InsufficientBalance", "None", "0")))
    assert not route.send([AWA], "x")[0].accepted


def test_a_refusal_of_everything_names_its_reason(route, stranger):
    stranger.answers[SEND] = (201, answer_about(message="InvalidSenderId"))
    assert route.send([AWA], "x") == (SendResult(AWA, False, None, "InvalidSenderId"),)


def test_an_unreachable_address_counts_as_not_sent(unreachable_url, http):
    with pytest.raises(NotSent):
        AfricasTalking(unreachable_url, "mutuelle", "k", http=http).send([AWA], "x")


@pytest.mark.parametrize("answer", [(401, b"The supplied authentication is invalid"), (429, b"slow down")])
def test_refused_credentials_and_throttling_are_surely_not_sent(route, stranger, answer):
    stranger.answers[SEND] = answer
    with pytest.raises(NotSent):
        route.send([AWA], "x")


@pytest.mark.parametrize(
    "answer",
    [
        "hang",
        "drop",
        (500, b"Internal Server Error"),
        (504, b""),
        (302, b"", {"Location": "http://127.0.0.1:1/"}),
        (201, b""),
        (201, b"<html>"),
        (201, []),
        (201, {"SMSMessageData": None}),
        (201, {"SMSMessageData": {"Message": "?", "Recipients": None}}),
        (201, answer_about({"number": AWA, "status": "Success"})),
        (201, answer_about("x")),
        (201, b"x" * (5 * 2**20)),
    ],
)
def test_what_may_have_gone_out_is_never_sent_again_by_itself(route, stranger, answer):
    stranger.answers[SEND] = answer
    with pytest.raises(MaybeSent):
        route.send([AWA], "x")
    assert len(stranger.requests_to(*SEND)) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_a_refused_request_needs_a_person(route, stranger, status):
    stranger.answers[SEND] = (status, b"Request is missing required form field 'to'")
    with pytest.raises(Declined, match=f"HTTP_{status}"):
        route.send([AWA], "x")


@pytest.mark.parametrize("numbers", [["221770000001"], ["+2237"], ["+22177 0000001"], [AWA, ""], AWA])
def test_a_number_that_is_none_stops_everything_and_is_not_quoted(route, stranger, numbers):
    with pytest.raises(Malformed) as refused:
        route.send(numbers, "x")
    assert "770000001" not in str(refused.value)
    assert not stranger.requests


def test_an_empty_list_of_recipients_sends_nothing(route, stranger):
    assert route.send([], "x") == ()
    assert not stranger.requests


def test_two_accounts_do_not_share_anything(stranger, http):
    stranger.answers[SEND] = (201, answer_about(line(AWA)))
    first, second = (AfricasTalking(stranger.url, name, f"key-{name}", http=http) for name in ("one", "two"))
    first.send([AWA], "x")
    second.send([AWA], "x")
    first.send([AWA], "x")
    assert [request.form["username"] for request in stranger.requests] == ["one", "two", "one"]
    assert [request.headers["apikey"] for request in stranger.requests] == ["key-one", "key-two", "key-one"]


REPORT = {"id": "ATXid_1", "status": "Success", "phoneNumber": AWA, "networkCode": "60801", "retryCount": "0"}


@pytest.mark.parametrize(
    ("status", "final", "delivered"),
    [
        ("Sent", False, None),
        ("Submitted", False, None),
        ("Buffered", False, None),
        ("Success", True, True),
        ("Rejected", True, False),
        ("Failed", True, False),
        ("AbsentSubscriber", True, False),
        ("Expired", True, False),
        ("SomethingNew", False, None),
    ],
)
def test_a_delivery_report(status, final, delivered):
    report = SMS["africastalking"].read_delivery({**REPORT, "status": status}.items())
    assert (report.message_id, report.status, report.final, report.delivered) == (
        "ATXid_1",
        status,
        final,
        delivered,
    )


def test_the_reason_of_a_failure_stays_as_it_came():
    report = SMS["africastalking"].read_delivery(
        {**REPORT, "status": "Failed", "failureReason": "NotNetworkSubcriber"}.items()
    )
    assert report.reason == "NotNetworkSubcriber"


INCOMING = {
    "date": "2026-11-21T06:04:45Z",
    "from": AWA,
    "id": "b5bf1f2c",
    "linkId": "",
    "text": "Cotisation\nÉté 5000",
    "to": "24500",
    "cost": "0",
    "networkCode": "60801",
}


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ("2026-11-21T06:04:45Z", datetime(2026, 11, 21, 6, 4, 45, tzinfo=UTC)),
        ("2026-11-21 06:04:45", datetime(2026, 11, 21, 6, 4, 45, tzinfo=UTC)),
        ("2026-11-21T08:34:18.445Z", datetime(2026, 11, 21, 8, 34, 18, 445000, tzinfo=UTC)),
        ("", None),
    ],
)
def test_an_incoming_message(date, at):
    incoming = SMS["africastalking"].read_incoming({**INCOMING, "date": date}.items())
    assert (incoming.id, incoming.sender, incoming.to, incoming.text, incoming.at) == (
        "b5bf1f2c",
        AWA,
        "24500",
        "Cotisation\nÉté 5000",
        at,
    )
    assert AWA not in repr(incoming)
    assert "Cotisation" not in repr(incoming)


@pytest.mark.parametrize("missing", ["id", "from", "to", "text"])
def test_an_incoming_message_without_a_field_is_malformed(missing):
    with pytest.raises(Malformed):
        SMS["africastalking"].read_incoming([pair for pair in INCOMING.items() if pair[0] != missing])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ""),
        ("id", "x" * 129),
        ("text", "a\x00b"),
        ("text", "a" * 40_001),
        ("date", "hier"),
        ("from", ""),
    ],
)
def test_an_incoming_message_with_a_bad_field_is_malformed(name, value):
    with pytest.raises(Malformed):
        SMS["africastalking"].read_incoming({**INCOMING, name: value}.items())


NAMES = st.sampled_from(sorted({*REPORT, *INCOMING, "failureReason"}))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(NAMES, st.text() | st.sampled_from([*REPORT.values(), *INCOMING.values()])), max_size=12
    )
)
def test_readers_raise_no_error_but_malformed(pairs):
    for reader in (AfricasTalking.read_delivery, AfricasTalking.read_incoming):
        with suppress(Malformed):
            reader(pairs)
