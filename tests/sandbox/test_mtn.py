"""Tests MTN MoMo Collections field by field: token, request to pay, status and the one callback."""

import csv
import uuid
from typing import Any

import httpx
import pytest

from tests.sandbox.world import MUTESI, Product, Sandbox

ASK = {
    "amount": "3000",
    "currency": "RWF",
    "externalId": "order-1",
    "payer": {"partyIdType": "MSISDN", "partyId": "250780000001"},
    "payerMessage": "Mutuelle",
    "payeeNote": "note",
}


def token(sandbox: Sandbox, account: str = "RW-1") -> str:
    answer = sandbox.http.post(
        "/mtn/collection/token/",
        auth=(f"user-{account}", f"key-{account}"),
        headers={"Ocp-Apim-Subscription-Key": f"sub-{account}"},
    )
    assert answer.status_code == 200, answer.text
    payload = answer.json()
    assert set(payload) == {"access_token", "token_type", "expires_in"}
    assert payload["expires_in"] == 3600
    return str(payload["access_token"])


def headers(sandbox: Sandbox, account: str = "RW-1", **more: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token(sandbox, account)}",
        "Ocp-Apim-Subscription-Key": f"sub-{account}",
        "X-Target-Environment": "mtnrwanda",
        **more,
    }


def request_to_pay(
    sandbox: Sandbox, product: Product, reference: str | None = None, **changes: Any
) -> tuple[str, httpx.Response]:
    reference = reference or str(uuid.uuid4())
    auth = headers(sandbox) | {"X-Reference-Id": reference, "X-Callback-Url": f"{product.url}/momo/mtn"}
    return reference, sandbox.http.post("/mtn/collection/v1_0/requesttopay", json=ASK | changes, headers=auth)


def status(sandbox: Sandbox, reference: str, account: str = "RW-1") -> httpx.Response:
    return sandbox.http.get(
        f"/mtn/collection/v1_0/requesttopay/{reference}", headers=headers(sandbox, account)
    )


def test_an_approved_request_moves_money_and_calls_back_once(sandbox: Sandbox, product: Product) -> None:
    reference, answer = request_to_pay(sandbox, product)
    assert (answer.status_code, answer.content) == (202, b"")
    assert status(sandbox, reference).json() == {**ASK, "status": "PENDING"}
    [prompt] = sandbox.get("/phones/250780000001/prompts")
    assert (prompt["id"], prompt["kind"], prompt["operator"]) == (reference, "push", "mtn")
    assert (prompt["amount"], prompt["currency"], prompt["from"]) == (3000, "RWF", "Mutuelle RW-1")
    product.will_answer("/momo/mtn", "no", 500)
    sandbox.post(f"/phones/{MUTESI}/prompts/{reference}", {"answer": "approve"})
    [callback] = product.wait("/momo/mtn")
    assert callback.method in ("PUT", "POST")
    payload = callback.json
    assert payload.pop("financialTransactionId").isdigit()
    assert payload == {**ASK, "status": "SUCCESSFUL"}
    assert reference not in callback.body.decode()
    assert status(sandbox, reference).json() == callback.json
    sandbox.pass_time(3600)
    assert sandbox.quiet()["refused"] == 1
    assert len(product.at("/momo/mtn")) == 1
    [moved] = sandbox.get("/truth")
    facts = (
        "mtn",
        "RW-1",
        MUTESI,
        3000,
        "RWF",
        reference,
        "order-1",
        callback.json["financialTransactionId"],
    )
    names = ("operator", "account", "payer", "amount", "currency", "reference", "external", "transaction")
    assert tuple(moved[name] for name in names) == facts


@pytest.mark.parametrize(
    ("answer", "reason"), [("decline", "APPROVAL_REJECTED"), ("ignore", "COULD_NOT_PERFORM_TRANSACTION")]
)
def test_a_request_not_approved_fails_with_a_bare_reason(
    sandbox: Sandbox, product: Product, answer: str, reason: str
) -> None:
    reference, _ = request_to_pay(sandbox, product)
    sandbox.post(f"/phones/{MUTESI}/prompts/{reference}", {"answer": answer})
    assert sandbox.get(f"/phones/{MUTESI}/prompts") == []
    if answer == "ignore":
        assert status(sandbox, reference).json()["status"] == "PENDING"
        sandbox.pass_time(5 * 60)
    [callback] = product.wait("/momo/mtn")
    assert callback.json == {**ASK, "status": "FAILED", "reason": reason}
    assert status(sandbox, reference).json() == callback.json
    assert sandbox.get("/truth") == []
    sandbox.post(f"/phones/{MUTESI}/prompts/{reference}", {"answer": "approve"}, status=409)


def test_a_short_wallet_is_not_enough_funds(sandbox: Sandbox, product: Product) -> None:
    sandbox.post(f"/phones/{MUTESI}/wallet", {"balance": 2999})
    reference, _ = request_to_pay(sandbox, product)
    sandbox.post(f"/phones/{MUTESI}/prompts/{reference}", {"answer": "approve"})
    assert status(sandbox, reference).json()["reason"] == "NOT_ENOUGH_FUNDS"
    assert sandbox.get(f"/phones/{MUTESI}")["balance"] == 2999


def test_callbacks_come_by_put_and_by_post(sandbox: Sandbox, product: Product) -> None:
    for _ in range(2):
        reference, _answer = request_to_pay(sandbox, product)
        sandbox.post(f"/phones/{MUTESI}/prompts/{reference}", {"answer": "approve"})
    assert {callback.method for callback in product.wait("/momo/mtn", 2)} == {"PUT", "POST"}


def test_the_same_reference_is_409_and_an_unknown_one_404(sandbox: Sandbox, product: Product) -> None:
    reference, _ = request_to_pay(sandbox, product)
    _, again = request_to_pay(sandbox, product, reference, amount="9")
    assert again.status_code == 409
    assert again.json()["code"] == "RESOURCE_ALREADY_EXIST"
    assert status(sandbox, reference).json()["amount"] == "3000"
    missing = status(sandbox, str(uuid.uuid4()))
    assert missing.status_code == 404
    assert missing.json()["code"] == "RESOURCE_NOT_FOUND"
    assert status(sandbox, reference, "RW-2").status_code == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 3000}, 400),
        ({"amount": "30.5"}, 400),
        ({"amount": "0"}, 400),
        ({"payer": {"partyIdType": "MSISDN", "partyId": "+250780000001"}}, 400),
        ({"payer": "250780000001"}, 400),
        ({"externalId": None}, 400),
        ({"currency": "EUR"}, 500),
    ],
)
def test_a_malformed_request_is_refused(
    sandbox: Sandbox, product: Product, changes: dict[str, Any], code: int
) -> None:
    _, answer = request_to_pay(sandbox, product, **changes)
    assert answer.status_code == code
    assert set(answer.json()) == {"code", "message"}
    assert sandbox.get(f"/phones/{MUTESI}/prompts") == []


@pytest.mark.parametrize("reference", ["abc", "6f9619ff-8b86-d011-b42d-00c04fc964ff", ""])
def test_the_reference_must_be_a_uuid4(sandbox: Sandbox, reference: str) -> None:
    auth = headers(sandbox) | {"X-Reference-Id": reference}
    assert sandbox.http.post("/mtn/collection/v1_0/requesttopay", json=ASK, headers=auth).status_code == 400


def test_credentials_are_checked(sandbox: Sandbox) -> None:
    path = "/mtn/collection/v1_0/account/balance"
    good = headers(sandbox)
    assert sandbox.http.get(path, headers=good).json() == {"availableBalance": "0", "currency": "RWF"}
    for name, value, code in (
        ("Authorization", "Bearer wrong", 401),
        ("Ocp-Apim-Subscription-Key", "sub-RW-2", 401),
        ("Ocp-Apim-Subscription-Key", "wrong", 401),
        ("X-Target-Environment", "sandbox", 500),
    ):
        assert sandbox.http.get(path, headers=good | {name: value}).status_code == code
    key = {"Ocp-Apim-Subscription-Key": "sub-RW-1"}
    assert (
        sandbox.http.post("/mtn/collection/token/", auth=("user-RW-1", "wrong"), headers=key).status_code
        == 401
    )
    assert sandbox.http.post("/mtn/collection/token/", auth=("user-RW-1", "key-RW-1")).status_code == 401
    sandbox.pass_time(3600)
    assert sandbox.http.get(path, headers=good).status_code == 401


def test_what_has_no_known_format_is_501_and_the_statement_says_it_is_assumed(
    sandbox: Sandbox, product: Product
) -> None:
    sandbox.post("/operators/mtn/pay", {"from": MUTESI, "amount": 5}, status=501)
    sandbox.post("/operators/mtn/reverse", {"transaction": "1"}, status=501)
    reference, _ = request_to_pay(sandbox, product)
    sandbox.post(f"/phones/{MUTESI}/prompts/{reference}", {"answer": "approve"})
    text = sandbox.http.get("/operators/mtn/statement?account=RW-1").text
    note, *rows = text.splitlines()
    assert note.startswith("# Assumed layout")
    [row] = csv.DictReader(rows)
    moved = sandbox.get("/truth")[0]
    assert row["Id"] == moved["transaction"]
    assert (row["External id"], row["From"], row["Amount"], row["Currency"]) == (
        "order-1",
        "250780000001",
        "3000",
        "RWF",
    )
    assert sandbox.get("/operators/mtn/statement?account=XX", status=404)["do"]
