"""Tests Wave's checkout, webhooks, transaction list and refunds field by field."""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.world import AWA, Product, Sandbox

ASK = {
    "amount": "1000",
    "currency": "XOF",
    "success_url": "https://example.org/ok",
    "error_url": "https://example.org/ko",
    "client_reference": "ref-1",
}
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def wave(sandbox: Sandbox, method: str, path: str, account: str = "SN-1", **more: Any) -> httpx.Response:
    return sandbox.http.request(
        method, f"/wave/v1{path}", headers={"Authorization": f"Bearer wave_{account}"}, **more
    )


def open_session(sandbox: Sandbox, **changes: Any) -> dict[str, Any]:
    answer = wave(sandbox, "POST", "/checkout/sessions", json=ASK | changes)
    assert answer.status_code == 200, answer.text
    session: dict[str, Any] = answer.json()
    return session


def approve(sandbox: Sandbox, session: dict[str, Any], phone: str = AWA) -> Any:
    return sandbox.post(f"/phones/{phone}/prompts/{session['id']}", {"answer": "approve"})


def test_a_session_has_waves_fields(sandbox: Sandbox) -> None:
    session = open_session(sandbox)
    assert re.fullmatch(r"cos-[0-9a-z]{13}", session["id"])
    assert session["amount"] == "1000"
    assert session["currency"] == "XOF"
    assert session["checkout_status"] == "open"
    assert session["payment_status"] == "processing"
    assert session["client_reference"] == "ref-1"
    assert session["business_name"] == "Mutuelle SN-1"
    assert session["transaction_id"] is None
    assert session["last_payment_error"] is None
    assert session["when_completed"] is None
    assert session["wave_launch_url"].endswith(f"/wave/c/{session['id']}")
    assert re.fullmatch(STAMP, session["when_created"])
    assert re.fullmatch(STAMP, session["when_expires"])
    assert not [name for name in session if name.startswith("_")]
    assert wave(sandbox, "GET", f"/checkout/sessions/{session['id']}").json() == session


def test_a_paid_session_moves_money_and_sends_a_signed_webhook(sandbox: Sandbox, product: Product) -> None:
    session = open_session(sandbox, restrict_payer_mobile=AWA)
    [prompt] = sandbox.get(f"/phones/{AWA}/prompts")
    assert (prompt["id"], prompt["kind"], prompt["operator"]) == (session["id"], "link", "wave")
    assert (prompt["amount"], prompt["currency"]) == (1000, "XOF")
    assert approve(sandbox, session) == {"id": session["id"], "status": "succeeded"}
    assert sandbox.get(f"/phones/{AWA}/prompts") == []

    [webhook] = product.wait("/momo/wave/SN-1")
    assert webhook.method == "POST"
    assert webhook.headers["content-type"] == "application/json"
    stamp, signature = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", webhook.headers["wave-signature"]).groups()
    assert hmac.new(b"secret_SN-1", stamp.encode() + webhook.body, hashlib.sha256).hexdigest() == signature
    event = webhook.json
    assert set(event) == {"id", "type", "data"}
    assert event["id"].startswith("EV_")
    assert event["type"] == "checkout.session.completed"
    data = event["data"]
    assert data["id"] == session["id"]
    assert (data["amount"], data["currency"], data["client_reference"]) == ("1000", "XOF", "ref-1")
    assert (data["checkout_status"], data["payment_status"]) == ("complete", "succeeded")
    assert re.fullmatch(r"T[A-Z0-9]{10}", data["transaction_id"])
    assert re.fullmatch(STAMP, data["when_completed"])

    assert wave(sandbox, "GET", f"/checkout/sessions/{session['id']}").json() == data
    assert (
        wave(sandbox, "GET", "/checkout/sessions", params={"transaction_id": data["transaction_id"]}).json()
        == data
    )
    [moved] = sandbox.get("/truth")
    assert moved["reversed"] is False
    assert moved["at"] == data["when_completed"]
    facts = ("wave", "SN-1", AWA, 1000, "XOF", "ref-1", data["transaction_id"])
    names = ("operator", "account", "payer", "amount", "currency", "reference", "transaction")
    assert tuple(moved[name] for name in names) == facts


def test_a_link_in_an_sms_becomes_a_prompt(sandbox: Sandbox) -> None:
    session = open_session(sandbox)
    assert sandbox.get(f"/phones/{AWA}/prompts") == []
    form = {"username": "sandbox-demo", "to": AWA, "message": f"Payez ici : {session['wave_launch_url']}."}
    sandbox.http.post("/africastalking/version1/messaging", data=form, headers={"apiKey": "at-key"})
    assert [prompt["id"] for prompt in sandbox.get(f"/phones/{AWA}/prompts")] == [session["id"]]


def test_a_reference_may_have_several_sessions(sandbox: Sandbox) -> None:
    sessions = [open_session(sandbox), open_session(sandbox), open_session(sandbox, client_reference="other")]
    matches = wave(sandbox, "GET", "/checkout/sessions/search", params={"client_reference": "ref-1"}).json()
    assert matches == {"result": sessions[:2]}
    assert wave(sandbox, "GET", "/checkout/sessions/search", params={"client_reference": "none"}).json() == {
        "result": []
    }


def test_another_accounts_key_sees_nothing(sandbox: Sandbox) -> None:
    session = open_session(sandbox)
    approve(sandbox, session)
    transaction = sandbox.get("/truth")[0]["transaction"]
    assert wave(sandbox, "GET", f"/checkout/sessions/{session['id']}", "ML-1").status_code == 404
    assert (
        wave(sandbox, "GET", "/checkout/sessions", "ML-1", params={"transaction_id": transaction}).status_code
        == 404
    )
    search = wave(sandbox, "GET", "/checkout/sessions/search", "ML-1", params={"client_reference": "ref-1"})
    assert search.json() == {"result": []}
    assert wave(sandbox, "GET", "/transactions", "ML-1").json()["items"] == []
    assert wave(sandbox, "POST", f"/transactions/{transaction}/refund", "ML-1").status_code == 404
    assert wave(sandbox, "GET", "/balance", "ML-1").json() == {"amount": "0", "currency": "XOF"}
    assert wave(sandbox, "GET", "/balance").json() == {"amount": "1000", "currency": "XOF"}


def test_a_refusal_fails_the_payment_and_moves_nothing(sandbox: Sandbox, product: Product) -> None:
    session = open_session(sandbox, restrict_payer_mobile=AWA)
    sandbox.post(f"/phones/{AWA}/prompts/{session['id']}", {"answer": "decline"})
    event = product.wait("/momo/wave/SN-1")[0].json
    assert event["type"] == "checkout.session.payment_failed"
    assert event["data"]["last_payment_error"] == {
        "code": "payment-failure",
        "message": "The payment failed.",
    }
    assert event["data"]["transaction_id"] is None
    assert sandbox.get("/truth") == []
    assert sandbox.get(f"/phones/{AWA}/prompts") == []


def test_a_short_wallet_and_a_wrong_payer_fail(sandbox: Sandbox, product: Product) -> None:
    session = open_session(sandbox, restrict_payer_mobile=AWA)
    sandbox.post(f"/phones/{AWA}/wallet", {"balance": 999})
    approve(sandbox, session)
    approve(sandbox, session, "+221770000002")
    codes = {
        webhook.json["data"]["last_payment_error"]["code"] for webhook in product.wait("/momo/wave/SN-1", 2)
    }
    assert codes == {"insufficient-funds", "payer-mobile-mismatch"}
    sandbox.post(f"/phones/{AWA}/wallet", {"balance": 1000})
    assert approve(sandbox, session)["status"] == "succeeded"
    assert sandbox.get(f"/phones/{AWA}")["balance"] == 0


def test_a_session_expires_after_thirty_minutes_or_on_demand(sandbox: Sandbox) -> None:
    first, second = open_session(sandbox), open_session(sandbox)
    answer = wave(sandbox, "POST", f"/checkout/sessions/{first['id']}/expire")
    assert (answer.status_code, answer.content) == (200, b"")
    sandbox.pass_time(30 * 60)
    for session in (first, second):
        now = wave(sandbox, "GET", f"/checkout/sessions/{session['id']}").json()
        assert (now["checkout_status"], now["payment_status"]) == ("expired", "cancelled")
        sandbox.post(f"/phones/{AWA}/prompts/{session['id']}", {"answer": "approve"}, status=409)


def test_an_unsolicited_payment_is_announced_without_reference(sandbox: Sandbox, product: Product) -> None:
    payload = {"from": AWA, "to": "SN-1", "amount": 2500}
    transaction = sandbox.post("/operators/wave/pay", payload)["transaction"]
    event = product.wait("/momo/wave/SN-1")[0].json
    assert event["type"] == "merchant.payment_received"
    assert set(event["data"]) == {"id", "amount", "currency", "sender_mobile", "merchant_id", "when_created"}
    assert event["data"]["id"] == transaction
    assert transaction.startswith("T_")
    assert event["data"]["sender_mobile"] == AWA
    assert event["data"]["merchant_id"] == "M_SN-1"
    [line] = wave(sandbox, "GET", "/transactions").json()["items"]
    assert line["client_reference"] is None
    assert line["transaction_type"] == "merchant_payment"
    sandbox.post("/operators/wave/pay", payload | {"reference": "1234567890"}, status=501)
    sandbox.post("/operators/wave/pay", {"from": AWA, "amount": 5}, status=404)


def test_the_transaction_list_and_its_reversal_line(sandbox: Sandbox) -> None:
    session = open_session(sandbox)
    approve(sandbox, session)
    transaction = sandbox.get("/truth")[0]["transaction"]
    sandbox.post("/operators/wave/reverse", {"transaction": transaction})
    page = wave(sandbox, "GET", "/transactions").json()
    assert set(page) == {"page_info", "date", "items"}
    assert page["page_info"]["has_next_page"] is False
    paid, back = page["items"]
    assert paid["transaction_id"] == transaction
    assert (paid["amount"], paid["fee"], paid["balance"], paid["currency"]) == ("1000", "0", "1000", "XOF")
    assert (paid["is_reversal"], paid["client_reference"], paid["counterparty_mobile"]) == (
        False,
        "ref-1",
        AWA,
    )
    assert (paid["transaction_type"], paid["checkout_api_session_id"]) == ("api_checkout", session["id"])
    assert re.fullmatch(STAMP, paid["timestamp"])
    assert back["transaction_id"] != transaction
    assert (back["amount"], back["balance"], back["is_reversal"]) == ("-1000", "0", True)
    assert (back["client_reference"], back["checkout_api_session_id"]) == ("ref-1", session["id"])
    assert (back["transaction_type"], back["payment_reason"]) == (
        "api_checkout_refund",
        f"Refund of {transaction}",
    )
    assert sandbox.get("/truth")[0]["reversed"] is True
    statement = sandbox.get(f"/operators/wave/statement?account=SN-1&date={page['date']}")
    assert statement == page
    assert wave(sandbox, "GET", "/transactions", params={"date": "2020-01-01"}).json()["items"] == []


def test_a_refund_is_idempotent(sandbox: Sandbox) -> None:
    session = open_session(sandbox)
    assert wave(sandbox, "POST", f"/checkout/sessions/{session['id']}/refund").status_code == 409
    approve(sandbox, session)
    for _ in range(2):
        answer = wave(sandbox, "POST", f"/checkout/sessions/{session['id']}/refund")
        assert (answer.status_code, answer.content) == (200, b"")
    assert len(wave(sandbox, "GET", "/transactions").json()["items"]) == 2
    assert sandbox.get(f"/phones/{AWA}")["balance"] == 10_000_000


def test_pages_follow_each_other(sandbox: Sandbox) -> None:
    for amount in (1, 2, 3):
        sandbox.post("/operators/wave/pay", {"from": AWA, "to": "SN-1", "amount": amount})
    amounts, after = [], None
    while True:
        params = {"first": "2"} | ({"after": after} if after else {})
        page = wave(sandbox, "GET", "/transactions", params=params).json()
        amounts += [line["amount"] for line in page["items"]]
        after = page["page_info"]["end_cursor"]
        if not page["page_info"]["has_next_page"]:
            break
    assert amounts == ["1", "2", "3"]


def test_a_payment_of_an_earlier_moment_is_listed_among_the_lines_of_that_time(sandbox: Sandbox) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for amount, ago_s in ((1, 20), (2, 10), (3, 15)):
        payload = {"from": AWA, "to": "SN-1", "amount": amount}
        at = now - timedelta(seconds=ago_s)
        sandbox.post("/operators/wave/pay", payload | {"at": at.isoformat()})
    days = sorted({(now - timedelta(seconds=ago_s)).date().isoformat() for ago_s in (20, 10)})
    pages = [wave(sandbox, "GET", "/transactions", params={"date": day}).json() for day in days]
    assert [line["amount"] for page in pages for line in page["items"]] == ["1", "3", "2"]
    assert [movement["amount"] for movement in sandbox.get("/truth")] == [1, 2, 3]
    later = (now + timedelta(hours=1)).isoformat()
    sandbox.post("/operators/wave/pay", {"from": AWA, "to": "SN-1", "amount": 4, "at": later}, status=400)


def test_a_fee_is_taken_from_the_merchants_line_only(start: Any) -> None:
    account = {
        "account": "SN-9",
        "currency": "XOF",
        "api_key": "wave_SN-9",
        "signing_secret": "s",
        "merchant_id": "M",
        "business_name": "B",
        "fee_permille": 10,
    }
    sandbox = start(wave=[account])
    sandbox.post("/operators/wave/pay", {"from": AWA, "amount": 1000})
    [line] = wave(sandbox, "GET", "/transactions", "SN-9").json()["items"]
    assert (line["amount"], line["fee"], line["balance"]) == ("990", "10", "990")
    assert sandbox.get("/truth")[0]["amount"] == 1000


def test_a_webhook_is_repeated_until_a_2xx(sandbox: Sandbox, product: Product) -> None:
    product.will_answer("/momo/wave/SN-1", "no", 503)
    approve(sandbox, open_session(sandbox))
    product.wait("/momo/wave/SN-1")
    product.will_answer("/momo/wave/SN-1", "")
    first, again = product.wait("/momo/wave/SN-1", 2)
    assert again.body == first.body
    assert sandbox.quiet()["delivered"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 1000},
        {"amount": "10.5"},
        {"amount": "0"},
        {"amount": None},
        {"currency": "RWF"},
        {"success_url": "ftp://x"},
        {"error_url": None},
        {"client_reference": 7},
        {"restrict_payer_mobile": "770000001"},
    ],
)
def test_a_malformed_request_is_refused_in_waves_words(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    answer = wave(sandbox, "POST", "/checkout/sessions", json=ASK | changes)
    assert answer.status_code == 400
    assert answer.json()["code"] == "request-validation-error"
    assert next(iter(changes)) in answer.json()["message"]


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic wave_SN-1"}]
)
def test_a_wrong_key_is_401(sandbox: Sandbox, header: dict[str, str]) -> None:
    answer = sandbox.http.get("/wave/v1/balance", headers=header)
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message"}


def test_a_browser_can_pay_from_the_link(sandbox: Sandbox) -> None:
    session = open_session(sandbox)
    path = f"/wave/c/{session['id']}"
    assert "1 000 XOF" in sandbox.http.get(path).text
    assert sandbox.http.post(path, data={"mobile": "77", "answer": "approve"}).status_code == 400
    assert "Payé" in sandbox.http.post(path, data={"mobile": "+221 77 000 00 01", "answer": "approve"}).text
    assert sandbox.get("/truth")[0]["payer"] == AWA
    assert sandbox.http.get("/wave/c/cos-nothing").status_code == 404
