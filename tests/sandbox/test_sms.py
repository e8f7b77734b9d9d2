"""Tests the aggregator's SMS service: send answer, delivery reports and incoming messages."""

import re
from typing import Any

import httpx
import pytest

from tests.sandbox.world import AWA, Product, Sandbox


def send(sandbox: Sandbox, key: str = "at-key", **changes: str) -> httpx.Response:
    form = {
        "username": "sandbox-demo",
        "to": AWA,
        "message": "Bonjour Awa",
        "from": "MUTUELLE",
        "bulkSMSMode": "1",
    } | changes
    auth = {"apiKey": key, "Accept": "application/json"}
    return sandbox.http.post("/africastalking/version1/messaging", data=form, headers=auth)


def test_a_message_is_accepted_delivered_and_reported(sandbox: Sandbox, product: Product) -> None:
    answer = send(sandbox, to=f"{AWA},+221770000002")
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    result = answer.json()["SMSMessageData"]
    assert result["Message"] == "Sent to 2/2 Total Cost: KES 1.6000"
    first, second = result["Recipients"]
    assert set(first) == {"statusCode", "number", "status", "cost", "messageId"}
    assert (first["statusCode"], first["number"], first["status"], first["cost"]) == (
        101,
        AWA,
        "Success",
        "KES 0.8000",
    )
    assert re.fullmatch(r"ATXid_[0-9a-f]{32}", first["messageId"])
    assert second["messageId"] != first["messageId"]

    [message] = sandbox.get(f"/phones/{AWA}/sms")
    assert (message["from"], message["text"]) == ("MUTUELLE", "Bonjour Awa")
    reports = [report for report in product.wait("/sms/delivery", 4) if report.form["phoneNumber"] == AWA]
    assert [report.form for report in reports] == [
        {"id": first["messageId"], "status": status, "phoneNumber": AWA, "networkCode": "99999"}
        for status in ("Sent", "Success")
    ]
    assert reports[0].headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("changes", [{"key": "wrong"}, {"username": "other"}])
def test_a_wrong_key_is_401_in_plain_text(sandbox: Sandbox, changes: dict[str, str]) -> None:
    answer = send(sandbox, **changes)
    assert (answer.status_code, answer.text) == (401, "The supplied authentication is invalid")
    assert answer.headers["content-type"].startswith("text/plain")
    assert sandbox.get(f"/phones/{AWA}/sms") == []


def test_a_missing_field_is_400_and_a_bad_number_is_refused_alone(sandbox: Sandbox) -> None:
    assert send(sandbox, message="").status_code == 400
    result = send(sandbox, to=f"770000001,{AWA}").json()["SMSMessageData"]
    assert result["Message"].startswith("Sent to 1/2 ")
    bad = {
        "statusCode": 403,
        "number": "770000001",
        "status": "InvalidPhoneNumber",
        "cost": "0",
        "messageId": "None",
    }
    assert result["Recipients"][0] == bad


def test_outcomes_can_be_planned(sandbox: Sandbox, product: Product) -> None:
    sandbox.post("/sms/next", {"statusCode": 405, "status": "InsufficientBalance"})
    sandbox.post("/sms/next", {"status": "Rejected", "failureReason": "UserInBlackList"})
    sandbox.post("/sms/next", {"reports": ["Buffered", "LostAtSea"]})
    refused = send(sandbox).json()["SMSMessageData"]["Recipients"][0]
    assert (refused["statusCode"], refused["status"], refused["messageId"]) == (
        405,
        "InsufficientBalance",
        "None",
    )
    for _ in range(2):
        assert send(sandbox).json()["SMSMessageData"]["Recipients"][0]["statusCode"] == 101
    reports = [report.form for report in product.wait("/sms/delivery", 3)]
    assert {report["status"] for report in reports} == {"Rejected", "Buffered", "LostAtSea"}
    assert {report.get("failureReason") for report in reports} == {"UserInBlackList", None}
    assert sandbox.get(f"/phones/{AWA}/sms") == []
    send(sandbox)
    assert len(sandbox.get(f"/phones/{AWA}/sms")) == 1


def test_the_content_type_trap_of_the_sdk_can_be_set(start: Any) -> None:
    sandbox = start(africastalking={"json_type": "application/json; charset=utf-8"})
    assert send(sandbox).headers["content-type"] == "application/json; charset=utf-8"


def test_an_unknown_sender_is_refused_when_senders_are_listed(start: Any) -> None:
    sandbox = start(africastalking={"sms": {"senders": ["MUTUELLE"]}})
    assert send(sandbox, **{"from": "OTHER"}).json() == {
        "SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}
    }
    assert len(send(sandbox).json()["SMSMessageData"]["Recipients"]) == 1


def test_a_phone_writes_to_us_until_we_listen(sandbox: Sandbox, product: Product) -> None:
    product.will_answer("/sms/incoming", "no", 503)
    key = sandbox.post(f"/phones/{AWA}/sms", {"to": "38455", "text": "AIDE é"})["id"]
    product.wait("/sms/incoming")
    product.will_answer("/sms/incoming", "")
    first, again = product.wait("/sms/incoming", 2)
    assert set(first.form) == {"date", "from", "id", "linkId", "text", "to", "cost", "networkCode"}
    assert (first.form["from"], first.form["to"], first.form["text"], first.form["id"]) == (
        AWA,
        "38455",
        "AIDE é",
        key,
    )
    assert again.form == first.form


def test_without_an_address_nothing_is_sent(start: Any) -> None:
    sandbox = start(africastalking={"sms": {}})
    assert send(sandbox).status_code == 201
    assert sandbox.quiet()["delivered"] == 0
    sandbox.post(f"/phones/{AWA}/sms", {"to": "38455", "text": "AIDE"}, status=501)
