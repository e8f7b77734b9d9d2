"""Adapters and sandbox, written independently from the same documents, agree over HTTP."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from http.server import HTTPServer
from uuid import uuid4

import httpx
import pytest

from gateway import http_client
from gateway.momo.mtn import Mtn
from gateway.momo.wave import Wave
from gateway.sms.africastalking import AfricasTalking
from mutuelle import clock
from mutuelle.money import Money
from mutuelle.payments.operators import Status

AWA = "+221770000001"
JEAN = "+250788000001"
CALLBACK = "https://ussd.example.org/callback"
SECRETS = {"signing_secrets": "wave-signing-secret"}


@pytest.fixture
def outside(tmp_path, stranger):
    """A sandbox of our own whose callbacks come to the stranger; gives its control client."""
    with HTTPServer(("127.0.0.1", 0), None) as free:
        port = free.server_port
    stranger.answers["POST", "/wave"] = (200, {})
    wallet = {
        "account": "w1",
        "currency": "XOF",
        "api_key": "wave-key",
        "merchant_id": "M_1",
        "business_name": "Mutuelle",
    }
    mtn = {"account": "m1", "currency": "RWF", "api_user": "u", "api_key": "k", "subscription_key": "s"}
    config = {
        "port": port,
        "journal": str(tmp_path / "journal"),
        "africastalking": {
            "username": "mutuelle",
            "api_key": "at-key",
            "json_type": "application/json; charset=utf-8",
        },
        "wave": [
            {
                **wallet,
                **{
                    "signing_secret": "wave-signing-secret",
                    "callback": stranger.url + "/wave",
                    "fee_permille": 10,
                },
            }
        ],
        "mtn": [{**mtn, "target_environment": "mtnrwanda"}],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "sandbox", str(tmp_path / "config.json")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with process, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as control:
        assert f":{port}/" in process.stderr.readline()
        for phone in (AWA, JEAN):
            control.post(f"/phones/{phone}/wallet", json={"balance": 100_000}).raise_for_status()
        yield control
        process.terminate()
        process.stderr.read()


@pytest.fixture
def patient():
    with http_client.client() as client:
        yield client


def answer_prompt(outside, phone, answer):
    (prompt,) = outside.get(f"/phones/{phone}/prompts").json()
    outside.post(f"/phones/{phone}/prompts/{prompt['id']}", json={"answer": answer}).raise_for_status()
    return prompt


def test_wave_from_the_link_to_the_refund(outside, stranger, patient):
    wave = Wave(f"{outside.base_url}/wave", {"api_key": "wave-key"}, patient)
    ref, amount = uuid4(), Money(5000, "XOF")
    requested = wave.request_payment(ref, AWA, amount, CALLBACK)
    again = wave.request_payment(ref, AWA, amount, CALLBACK)
    assert requested == again
    assert (requested.status, requested.link.startswith("http")) == (Status.PENDING, True)

    answer_prompt(outside, AWA, "approve")
    standing = wave.fetch_status(ref, requested.operator_ref)
    assert (standing.status, standing.movement.amount) == (Status.CONFIRMED, amount)
    assert wave.fetch_status(ref, None) == standing
    assert wave.fetch_status(uuid4(), None) is None

    outside.post("/operators/wave/pay", json={"from": AWA, "to": "w1", "amount": 2500}).raise_for_status()
    outside.post(
        "/operators/wave/reverse", json={"transaction": standing.movement.transaction}
    ).raise_for_status()
    paid, unasked, back = wave.list_movements(datetime.now(UTC).date(), None).movements
    assert (paid.transaction, paid.amount, paid.fee, paid.payer) == (
        standing.movement.transaction,
        amount,
        50,
        AWA,
    )
    assert (paid.reference, unasked.reference, unasked.amount) == (str(ref), None, Money(2500, "XOF"))
    assert (back.reverses, back.amount) == (paid.transaction, amount)

    while len(requests := stranger.requests_to("POST", "/wave")) < 2:
        assert outside.get("/outgoing").status_code == 200
    hints = [Wave.read_callback(client.body, client.headers, SECRETS, clock.now()) for client in requests]
    assert {hint.authentic for hint in hints} == {True}
    assert {(hint.our_ref, hint.unsolicited) for hint in hints} == {(str(ref), False), (None, True)}
    assert not Wave.read_callback(
        requests[0].body + b" ", requests[0].headers, SECRETS, clock.now()
    ).authentic


def test_an_open_wave_session_outlives_a_refusal_but_not_its_expiry(outside, patient):
    wave = Wave(f"{outside.base_url}/wave", {"api_key": "wave-key"}, patient)
    ref = uuid4()
    requested = wave.request_payment(ref, AWA, Money(5000, "XOF"), CALLBACK)
    answer_prompt(outside, AWA, "decline")
    assert wave.fetch_status(ref, requested.operator_ref).status is Status.PENDING
    wave.expire(requested.operator_ref)
    assert wave.fetch_status(ref, requested.operator_ref).status is Status.EXPIRED
    wave.expire(requested.operator_ref)


@pytest.mark.parametrize(("answer", "status"), [("approve", Status.CONFIRMED), ("decline", Status.FAILED)])
def test_mtn_from_the_prompt_to_the_truth(outside, stranger, patient, answer, status):
    keys = {"api_user": "u", "api_key": "k", "subscription_key": "s"}
    mtn = Mtn(f"{outside.base_url}/mtn", "mtnrwanda", keys, patient)
    ref, amount = uuid4(), Money(7000, "RWF")
    path = f"/mtn/{ref}"
    assert mtn.fetch_status(ref, None) is None
    for _ in range(2):  # the second is a 409
        assert mtn.request_payment(ref, JEAN, amount, stranger.url + path).status is Status.PENDING
    assert mtn.fetch_status(ref, None).status is Status.PENDING
    answer_prompt(outside, JEAN, answer)
    standing = mtn.fetch_status(ref, None)
    assert standing.status is status
    if status is Status.CONFIRMED:
        (truth,) = outside.get("/truth").json()
        assert (standing.movement.transaction, standing.movement.amount.units) == (
            truth["transaction"],
            truth["amount"],
        )
        assert standing.movement.payer == JEAN
    else:
        assert standing.reason == "APPROVAL_REJECTED"
    while not (requests := [*stranger.requests_to("POST", path), *stranger.requests_to("PUT", path)]):
        assert outside.get("/outgoing").status_code == 200
    assert Mtn.read_callback(requests[0].body, requests[0].headers, {}, clock.now()).our_ref == str(ref)


def test_an_sms_arrives_though_the_content_type_names_a_charset(outside, patient):
    route = AfricasTalking(f"{outside.base_url}/africastalking", "mutuelle", "at-key", http=patient)
    awa, jean = route.send([AWA, JEAN], "Merci Awa : 5 000 FCFA reçus.")
    assert (awa.accepted, jean.accepted) == (True, True)
    assert awa.message_id != jean.message_id
    assert "Merci Awa" in json.dumps(outside.get(f"/phones/{AWA}/sms").json(), ensure_ascii=False)
