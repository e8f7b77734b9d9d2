"""Tests the sandbox with `wave-business-api` 1.0.0, a public client, and compares it with our adapter.

Sandbox and product then cannot share one misreading of Wave's documents unnoticed.
"""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from wave_business_api import WaveClient, WebhookVerifier
from wave_business_api.exceptions import (
    WaveAuthError,
    WaveIdempotencyError,
    WaveNotFoundError,
    WaveServerError,
    WaveValidationError,
    WaveWebhookError,
)

from gateway.momo.wave import Wave
from mutuelle.money import Money
from mutuelle.payments.operators import Status
from tests.sandbox.world import AWA, Product, ReceivedRequest, Sandbox

SECRET = "secret_SN-1"
HOOK = "/momo/wave/SN-1"
ASKED = {"currency": "XOF", "success_url": "https://m.example/ok", "error_url": "https://m.example/no"}


@pytest.fixture
def client(wave_url: str) -> WaveClient:
    return WaveClient("wave_SN-1", base_url=wave_url)


@pytest.fixture
def ours(sandbox: Sandbox) -> Wave:
    """The product's own adapter on the same wallet."""
    return Wave(f"{sandbox.running.url}/wave", {"api_key": "wave_SN-1"})


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def test_a_session_is_made_paid_found_and_listed(client: WaveClient, sandbox: Sandbox) -> None:
    made = client.checkout.create_session(
        "5000", client_reference="order-42", restrict_payer_mobile=AWA, **ASKED
    )
    assert (made["checkout_status"], made["payment_status"], made["amount"]) == ("open", "processing", "5000")
    assert made["wave_launch_url"].endswith(made["id"])
    sandbox.post(f"/phones/{AWA}/prompts/{made['id']}", {"answer": "approve"})
    paid = client.checkout.get_session(made["id"])
    assert (paid["checkout_status"], paid["payment_status"]) == ("complete", "succeeded")
    assert client.checkout.get_session_by_transaction(paid["transaction_id"])["id"] == made["id"]
    assert [session["id"] for session in client.checkout.search_sessions("order-42")] == [made["id"]]
    assert client.balance.get() == {"amount": "5000", "currency": "XOF"}
    (line,) = client.balance.get_all_transactions(date=today())
    assert (line["transaction_id"], line["amount"], line["client_reference"]) == (
        paid["transaction_id"],
        "5000",
        "order-42",
    )


def test_its_pages_end_where_the_list_ends(client: WaveClient, sandbox: Sandbox) -> None:
    sums = [str(amount) for amount in range(100, 800, 100)]
    for amount in sums:
        sandbox.post("/operators/wave/pay", {"from": AWA, "to": "SN-1", "amount": int(amount)})
    amounts, cursor = [], None
    while True:
        page = client.balance.get_transactions(date=today(), after=cursor, first=3)
        amounts += [item["amount"] for item in page["items"]]
        cursor = page["page_info"]["end_cursor"]
        if not page["page_info"]["has_next_page"]:
            break
    assert amounts == sums


def test_a_refund_is_one_reversal_line_however_often_it_is_asked(
    client: WaveClient, sandbox: Sandbox, ours: Wave
) -> None:
    sandbox.post("/operators/wave/pay", {"from": AWA, "to": "SN-1", "amount": 700})
    (paid,) = client.balance.get_all_transactions()
    client.balance.refund_transaction(paid["transaction_id"])
    client.balance.refund_transaction(paid["transaction_id"])
    lines = list(client.balance.get_all_transactions())
    assert [(line["amount"], line["is_reversal"]) for line in lines] == [("700", False), ("-700", True)]
    read = ours.list_movements(datetime.now(UTC).date(), None).movements
    assert [(moved.amount.units, moved.reverses) for moved in read] == [
        (700, None),
        (700, paid["transaction_id"]),
    ]


def test_every_refusal_is_one_it_knows(client: WaveClient, sandbox: Sandbox, wave_url: str) -> None:
    with pytest.raises(WaveAuthError):
        WaveClient("another key", base_url=wave_url).balance.get()
    with pytest.raises(WaveNotFoundError) as missing:
        client.checkout.get_session("cos-nobody")
    assert missing.value.error_code == "checkout-session-not-found"
    with pytest.raises(WaveValidationError):
        client.checkout.create_session("12.50", **ASKED)
    made = client.checkout.create_session("500", restrict_payer_mobile=AWA, **ASKED)
    sandbox.post(f"/phones/{AWA}/prompts/{made['id']}", {"answer": "approve"})
    with pytest.raises(WaveIdempotencyError):
        client.checkout.expire_session(made["id"])
    sandbox.post("/faults", {"http_500": 1})
    with pytest.raises(WaveServerError):
        client.balance.get()


def test_what_one_asks_the_other_reads(client: WaveClient, ours: Wave, sandbox: Sandbox) -> None:
    """Our adapter takes up a session that the client opened under our reference, and the other way round."""
    their_ref, our_ref = uuid4(), uuid4()
    made = client.checkout.create_session(
        "900", client_reference=str(their_ref), restrict_payer_mobile=AWA, **ASKED
    )
    result = ours.request_payment(their_ref, AWA, Money(900, "XOF"), "http://127.0.0.1/callback")
    assert (result.status, result.operator_ref, result.link) == (
        Status.PENDING,
        made["id"],
        made["wave_launch_url"],
    )
    assert len(client.checkout.search_sessions(str(their_ref))) == 1, "no second session was made"
    other = ours.request_payment(our_ref, AWA, Money(300, "XOF"), "http://127.0.0.1/callback")
    assert other.operator_ref
    sandbox.post(f"/phones/{AWA}/prompts/{other.operator_ref}", {"answer": "approve"})
    paid, proof = (
        client.checkout.get_session(other.operator_ref),
        ours.fetch_status(our_ref, other.operator_ref),
    )
    assert proof
    assert proof.movement
    assert (paid["client_reference"], paid["transaction_id"]) == (str(our_ref), proof.movement.transaction)
    client.checkout.expire_session(made["id"])
    ended = ours.fetch_status(their_ref, made["id"])
    assert ended
    assert ended.status is Status.EXPIRED


def _events(sandbox: Sandbox, product: Product) -> list[ReceivedRequest]:
    """Returns one webhook of every kind that the sandbox sends."""
    declined, paid = _session(sandbox), _session(sandbox)
    sandbox.post(f"/phones/{AWA}/prompts/{declined}", {"answer": "decline"})
    sandbox.post(f"/phones/{AWA}/prompts/{paid}", {"answer": "approve"})
    sandbox.post("/operators/wave/pay", {"from": AWA, "to": "SN-1", "amount": 5})
    return product.wait(HOOK, 3)


def _session(sandbox: Sandbox) -> str:
    payload = {"amount": "800", "client_reference": str(uuid4()), "restrict_payer_mobile": AWA, **ASKED}
    answer = sandbox.http.post(
        "/wave/v1/checkout/sessions", json=payload, headers={"Authorization": "Bearer wave_SN-1"}
    )
    return str(answer.json()["id"])


def test_its_verifier_accepts_every_webhook_and_ours_agrees(sandbox: Sandbox, product: Product) -> None:
    verifier, kinds = WebhookVerifier(signing_secret=SECRET), set()
    for webhook in _events(sandbox, product):
        event = verifier.verify_and_parse(
            webhook.body.decode(), wave_signature=webhook.headers["wave-signature"]
        )
        kinds.add(verifier.get_event_type(event))
        hint = Wave.read_callback(
            webhook.body, webhook.headers, {"signing_secrets": SECRET}, datetime.now(UTC)
        )
        assert hint.authentic
        named = verifier.get_event_data(event).get("client_reference")
        assert hint.our_ref == (str(UUID(named)) if named else None)
        assert hint.unsolicited is (event["type"] == "merchant.payment_received")
    assert kinds == {
        "checkout.session.payment_failed",
        "checkout.session.completed",
        "merchant.payment_received",
    }


@pytest.mark.parametrize("forgery", ["another secret", "another body", "an old stamp", "no v1"])
def test_what_its_verifier_refuses_ours_refuses(sandbox: Sandbox, product: Product, forgery: str) -> None:
    webhook = _events(sandbox, product)[0]
    secret, body, signature = SECRET, webhook.body, webhook.headers["wave-signature"]
    if forgery == "another secret":
        secret = "secret_ML-1"
    elif forgery == "another body":
        body = body.replace(b"800", b"900")
    elif forgery == "an old stamp":
        stamp = signature.partition(",")[0].removeprefix("t=")
        signature = signature.replace(stamp, str(int(stamp) - 301))
    else:
        signature = signature.replace("v1=", "v0=")
    with pytest.raises(WaveWebhookError):
        WebhookVerifier(signing_secret=secret).verify_and_parse(body.decode(), wave_signature=signature)
    hint = Wave.read_callback(
        body, {"Wave-Signature": signature}, {"signing_secrets": secret}, datetime.now(UTC)
    )
    assert hint.authentic is False
