"""Tests that turns and end-of-session reports have the form of Africa's Talking."""

import re

import pytest

from tests.sandbox.world import AWA, Product, Sandbox


def test_a_session_is_a_growing_transcript(sandbox: Sandbox, product: Product) -> None:
    product.will_answer("/ussd/sn", "CON Bienvenue\n1. Payer")
    first = sandbox.post("/phones/221770000001/dial", {"code": "*384*55#", "gateway": "africastalking"})
    assert first["screen"] == "Bienvenue\n1. Payer"
    assert first["open"] is True
    assert re.fullmatch(r"ATUid_[0-9a-f]{32}", first["session"])
    sandbox.post("/phones/+221770000001/reply", {"input": "1"})
    product.will_answer("/ussd/sn", "END Merci")
    last = sandbox.post("/phones/+221770000001/reply", {"input": "3*2"})
    assert last == {"session": first["session"], "screen": "Merci", "open": False}

    turns = product.at("/ussd/sn")
    assert [turn.form for turn in turns] == [
        {
            "sessionId": first["session"],
            "phoneNumber": AWA,
            "networkCode": "99999",
            "serviceCode": "*384*55#",
            "text": text,
        }
        for text in ("", "1", "1*3*2")
    ]
    assert {turn.method for turn in turns} == {"POST"}
    assert {turn.headers["content-type"] for turn in turns} == {"application/x-www-form-urlencoded"}
    assert b"phoneNumber=%2B221770000001" in turns[0].body
    assert b"text=&" in turns[0].body + b"&"

    [end] = product.wait("/ussd/events")
    assert set(end.form) == {
        "date",
        "sessionId",
        "serviceCode",
        "networkCode",
        "phoneNumber",
        "status",
        "cost",
        "durationInMillis",
        "hopsCount",
        "hopsMetadata",
        "input",
        "lastAppResponse",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", end.form["date"])
    assert end.form["status"] == "Success"
    assert end.form["hopsCount"] == "3"
    assert end.form["input"] == "1*3*2"
    assert end.form["lastAppResponse"] == "END Merci"
    assert end.form["durationInMillis"].isdigit()


def test_a_shortcut_is_the_known_code_and_a_first_text(sandbox: Sandbox, product: Product) -> None:
    product.will_answer("/ussd/sn", "CON Payer")
    sandbox.post("/phones/221770000001/dial", {"code": "*384*55*2*1#"})
    [turn] = product.at("/ussd/sn")
    assert turn.form["serviceCode"] == "*384*55#"
    assert turn.form["text"] == "2*1"


@pytest.mark.parametrize(
    ("body", "status", "kind", "error"),
    [
        ("Bonjour", 200, "text/plain", "instead of 'CON ' or 'END '"),
        (" CON Bonjour", 200, "text/plain", "instead of 'CON ' or 'END '"),
        ("", 200, "text/plain", "instead of 'CON ' or 'END '"),
        ("CON Bonjour", 500, "text/plain", "HTTP 500"),
        ("CON Bonjour", 200, "text/html", "text/html"),
        ("CON " + "a" * 179, 200, "text/plain", "183 septets"),
        ("CON " + "ɛ" * 77, 200, "text/plain", "81 UCS-2"),
    ],
)
def test_a_bad_answer_ends_the_session_as_failed(
    sandbox: Sandbox, product: Product, body: str, status: int, kind: str, error: str
) -> None:
    product.will_answer("/ussd/sn", body, status, Content_Type=kind)
    answer = sandbox.post("/phones/221770000001/dial", {"code": "*384*55#"})
    assert answer["open"] is False
    assert error in answer["error"]
    [end] = product.wait("/ussd/events")
    assert end.form["status"] == "Failed"
    assert error in end.form["errorMessage"]


def test_a_screen_of_182_septets_passes(sandbox: Sandbox, product: Product) -> None:
    product.will_answer("/ussd/sn", "CON " + "é" * 174 + "€€")
    assert sandbox.post("/phones/221770000001/dial", {"code": "*384*55#"})["open"] is True


def test_hanging_up_dialling_again_and_waiting_too_long_are_incomplete(
    sandbox: Sandbox, product: Product
) -> None:
    product.will_answer("/ussd/sn", "CON Bienvenue")
    sandbox.post("/phones/221770000001/dial", {"code": "*384*55#"})
    assert sandbox.post("/phones/221770000001/hangup")["open"] is False
    sandbox.post("/phones/221770000001/dial", {"code": "*384*55#"})
    sandbox.post("/phones/221770000001/dial", {"code": "*384*55#"})
    sandbox.pass_time(181)
    ends = product.wait("/ussd/events", 3)
    assert {end.form["status"] for end in ends} == {"Incomplete"}
    assert int(max((end.form["durationInMillis"] for end in ends), key=int)) >= 180_000
    refused = sandbox.post("/phones/221770000001/reply", {"input": "1"}, status=409)
    assert refused["do"] == "dial first"


def test_hop_labels_are_echoed_and_joined(sandbox: Sandbox, product: Product) -> None:
    product.will_answer("/ussd/sn", "CON Bienvenue", at_ussd_hop_metadata="home")
    sandbox.post("/phones/221770000001/dial", {"code": "*384*55#"})
    product.will_answer("/ussd/sn", "END Merci", at_ussd_hop_metadata="pay")
    sandbox.post("/phones/221770000001/reply", {"input": "1"})
    assert "at-ussd-hop-metadata" not in product.at("/ussd/sn")[0].headers
    assert product.at("/ussd/sn")[1].headers["at-ussd-hop-metadata"] == "home"
    assert product.wait("/ussd/events")[0].form["hopsMetadata"] == "home|pay"


def test_an_unreachable_product_is_reported(start, product: Product) -> None:  # type: ignore[no-untyped-def]
    codes = {"*1#": {"url": "http://127.0.0.1:9/ussd", "events": f"{product.url}/ussd/events"}}
    sandbox = start(africastalking={"service_codes": codes})
    answer = sandbox.post("/phones/221770000001/dial", {"code": "*1#"})
    assert "could not be reached" in answer["error"]
    assert product.wait("/ussd/events")[0].form["status"] == "Failed"


@pytest.mark.parametrize(
    ("path", "payload", "status"),
    [
        ("/phones/221770000001/dial", {"code": "*999#"}, 404),
        ("/phones/221770000001/dial", {}, 400),
        ("/phones/221770000001/dial", {"code": "*384*55#", "gateway": "hubtel"}, 404),
        ("/phones/77/dial", {"code": "*384*55#"}, 400),
        ("/phones/221770000001/reply", {"input": "1"}, 409),
        ("/phones/221770000001/reply", {"input": "1\n2"}, 400),
        ("/phones/221770000001/reply", ["1"], 400),
    ],
)
def test_a_wrong_order_is_refused_clearly(sandbox: Sandbox, path: str, payload: object, status: int) -> None:
    refused = sandbox.post(path, payload, status=status)
    assert refused["error"]
    assert refused["do"]
