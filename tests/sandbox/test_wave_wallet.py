"""Tests what changes a merchant's Wave wallet after a payment: parts that go back, fees, other amounts."""

from datetime import UTC, datetime, timedelta

from tests.sandbox.test_wave import approve, open_session, wave
from tests.sandbox.world import AWA, Sandbox


def test_a_payment_can_go_back_in_parts(sandbox: Sandbox) -> None:
    approve(sandbox, open_session(sandbox))
    transaction = sandbox.get("/truth")[0]["transaction"]
    returned = []
    for amount in (300, 200, 900):
        answer = sandbox.post("/operators/wave/reverse", {"transaction": transaction, "amount": amount})
        returned.append((answer["returned"], answer["reversed"]))
    assert returned == [(300, False), (500, False), (1000, True)]
    lines = wave(sandbox, "GET", "/transactions").json()["items"]
    assert [line["amount"] for line in lines] == ["1000", "-300", "-200", "-500"]
    assert sandbox.get(f"/phones/{AWA}")["balance"] == 10_000_000


def test_a_corrected_fee_changes_its_line_and_the_balance(sandbox: Sandbox) -> None:
    payment = {"from": AWA, "to": "SN-1"}
    before = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    transaction = sandbox.post("/operators/wave/pay", payment | {"amount": 1000, "at": before})["transaction"]
    sandbox.post("/operators/wave/pay", payment | {"amount": 500})
    sandbox.post("/operators/wave/fee", {"transaction": transaction, "fee": 10})
    lines = wave(sandbox, "GET", "/transactions").json()["items"]
    assert [(line["amount"], line["fee"]) for line in lines] == [("990", "10"), ("500", "0")]
    assert wave(sandbox, "GET", "/balance").json()["amount"] == "1490"
    sandbox.post("/operators/wave/fee", {"transaction": "T_NONE", "fee": 10}, status=404)
    sandbox.post("/operators/wave/fee", {"transaction": transaction, "fee": 1000}, status=400)


def test_an_approval_may_move_another_amount(sandbox: Sandbox) -> None:
    session = open_session(sandbox)
    sandbox.post(f"/phones/{AWA}/prompts/{session['id']}", {"answer": "approve", "amount": 700})
    assert wave(sandbox, "GET", f"/checkout/sessions/{session['id']}").json()["amount"] == "700"
    assert sandbox.get("/truth")[0]["amount"] == 700
