"""Repeated and forged callbacks, and other people's references: none of them credits anything."""

import hashlib
import hmac
import json
from uuid import uuid4

import pytest

from mutuelle import clock, crypto, inbox
from tests.workers.world import Home, WorkerWorld, together


def event(home: Home, ref: object, amount: int = 3_000) -> bytes:
    about = {"id": "cos-1", "amount": str(amount), "currency": "XOF", "checkout_status": "complete",
             "payment_status": "succeeded", "client_reference": str(ref), "transaction_id": "T1"}  # fmt: skip
    return json.dumps({"id": f"EV_{ref}", "type": "checkout.session.completed", "data": about}).encode()


def signed(home: Home, body: bytes, age_s: int = 0) -> dict[str, str]:
    """The headers with which Wave signs `body`, `age_s` seconds ago."""
    secret = crypto.open_credentials(home.account.credentials)["signing_secrets"].encode()
    stamp = str(int(clock.now().timestamp()) - age_s)
    digest = hmac.new(secret, stamp.encode() + body, hashlib.sha256).hexdigest()
    return {"Wave-Signature": f"t={stamp},v1={digest}"}


@pytest.mark.parametrize("operator", ["wave", "mtn"])
def test_the_same_callback_twenty_times_at_once_is_one_receipt(town: WorkerWorld, operator: str) -> None:
    home = town.joins(operator)
    payment = town.asks(home)
    town.collect()
    town.answers(home, quiet=False)
    payload = {"externalId": str(payment.ref), "status": "SUCCESSFUL", "amount": "3000", "currency": "RWF"}
    body = event(home, payment.ref) if operator == "wave" else json.dumps(payload).encode()
    headers = signed(home, body) if operator == "wave" else {}
    assert together(20, lambda _: town.calls_back(operator, body, headers)) == [202] * 20
    town.sandbox.quiet()
    assert sorted(notice.times for notice in town.notices()) == [1, 20], "the operator's own one, and these"
    assert sum(together(4, lambda _: town.read_callbacks())) == 2
    assert (len(town.receipts()), town.parts(), town.sms().count("receipt")) == (1, {"bill": 3_000}, 1)


@pytest.mark.parametrize(
    "fault", ["no signature", "another secret", "one bit of the body", "six minutes old"]
)
def test_a_wave_callback_of_unproven_origin_is_kept_as_rejected_and_triggers_nothing(
    town: WorkerWorld, fault: str
) -> None:
    home = town.joins()
    payment = town.asks(home)
    town.collect()
    body = event(home, payment.ref)
    headers = signed(home, body, age_s=360 if fault == "six minutes old" else 0)
    if fault == "no signature":
        headers = {}
    elif fault == "another secret":
        headers["Wave-Signature"] = headers["Wave-Signature"][:-4] + "0000"
    elif fault == "one bit of the body":
        body = bytes([*body[:-1], body[-1] ^ 1])
    assert town.calls_back("wave", body, headers) == 401
    (notice,) = town.notices()
    assert (notice.state, notice.authentic, notice.words) == ("rejected", False, body)
    assert (town.read_callbacks(), town.parts(), town.status(payment)) == (0, {}, "pending")


def test_a_forger_cannot_fill_our_inbox(town: WorkerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "REJECTED_PER_MINUTE", 6)
    home = town.joins()
    assert [town.calls_back("wave", event(home, uuid4())) for _ in range(9)] == [401] * 9
    assert len(town.notices()) == 6
    town.pass_time(61)
    assert town.calls_back("wave", event(home, uuid4())) == 401
    assert len(town.notices()) == 7


def test_a_forged_body_does_not_hide_the_genuine_one(town: WorkerWorld) -> None:
    home = town.joins()
    payment = town.asks(home)
    town.collect()
    town.faults(drop=1)
    town.answers(home, quiet=False)
    body = event(home, payment.ref)
    assert town.calls_back("wave", body) == 401
    assert town.calls_back("wave", body, signed(home, body)) == 202
    assert (town.read_callbacks(), town.parts()) == (1, {"bill": 3_000})


@pytest.mark.parametrize("method_ref", ["in the body", "in the path"])
def test_an_mtn_callback_proves_nothing_and_only_triggers_a_query(town: WorkerWorld, method_ref: str) -> None:
    home = town.joins("mtn")
    payment = town.asks(home)
    town.collect()
    payload = {"financialTransactionId": "1", "status": "SUCCESSFUL", "amount": "9000000", "currency": "RWF"}
    if method_ref == "in the body":
        payload["externalId"] = str(payment.ref)
    assert town.calls_back("mtn", json.dumps(payload).encode(), ref=str(payment.ref)) == 202
    assert town.read_callbacks() == 1
    assert (town.status(payment), town.parts(), town.flags()) == ("pending", {}, [])
    town.answers(home)
    town.read_callbacks()
    assert town.parts() == {"bill": 3_000}


@pytest.mark.parametrize("operator", ["wave", "mtn"])
def test_an_unknown_reference_is_answered_and_concluded(town: WorkerWorld, operator: str) -> None:
    home = town.joins(operator)
    body = (
        event(home, uuid4())
        if operator == "wave"
        else json.dumps({"externalId": str(uuid4()), "status": "FAILED"}).encode()
    )
    assert town.calls_back(operator, body, signed(home, body) if operator == "wave" else {}) == 202
    assert town.read_callbacks() == 1
    (notice,) = town.notices()
    assert (notice.state, notice.outcome) == ("done", "names no request of this account")


def test_a_callback_on_another_mutuelles_address_touches_nothing(town: WorkerWorld) -> None:
    """A callback with Senegal's reference comes to Mali's wallet, with Mali's signature."""
    home = town.joins()
    payment = town.asks(home)
    town.collect()
    mali = next(code for code in town.endpoints["momo"]["wave"] if code != home.account.code)
    owner = Home(town.account_of(mali), home.id, home.number, home.phone)
    body = event(home, payment.ref)
    assert town.calls_back("wave", body, signed(owner, body), code=mali) == 202
    town.read_callbacks()
    assert (town.status(payment), [notice.outcome for notice in town.notices()]) == (
        "pending",
        ["names no request of this account"],
    )


def test_genuine_callbacks_that_cannot_be_parsed_open_a_case(town: WorkerWorld) -> None:
    home = town.joins()
    body = b'{"id": "EV_1", "type": 7}'
    assert town.calls_back("wave", body, signed(home, body)) == 202
    assert (town.read_callbacks(), town.flags()) == (1, ["unreadable"])


def test_an_operator_that_is_silent_when_called_back_is_asked_again_and_then_left_to_the_poll(
    town: WorkerWorld,
) -> None:
    home = town.joins("mtn")
    payment = town.asks(home)
    town.collect()
    town.answers(home)
    town.faults(http_500=1)
    while any(notice.state == "new" for notice in town.notices()):
        town.read_callbacks()
        town.pass_time(60)
    (notice,) = town.notices()
    assert (notice.state, notice.outcome, notice.attempts) == ("done", "left to the poll", 8)
    town.faults()
    town.poll()
    assert (town.status(payment), town.parts()) == ("confirmed", {"bill": 3_000})
