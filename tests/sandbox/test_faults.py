"""Tests that faults repeat with the seed and never change the recorded movements."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.fault_draws import Faults, Subject
from tests.sandbox.test_mtn import ASK as MTN_ASK
from tests.sandbox.test_mtn import headers
from tests.sandbox.test_wave import ASK, wave
from tests.sandbox.world import AWA, MUTESI, Product, Sandbox

REQUESTS_AND_CALLBACKS = ("duplicate", "drop", "reorder", "timeout_before", "timeout_after", "http_500")


def pay(sandbox: Sandbox, reference: str = "ref-1") -> None:
    payload = ASK | {"client_reference": reference, "restrict_payer_mobile": AWA}
    session = wave(sandbox, "POST", "/checkout/sessions", json=payload).json()
    sandbox.post(f"/phones/{AWA}/prompts/{session['id']}", {"answer": "approve"})


def request_to_pay(
    sandbox: Sandbox, product: Product, reference: str, auth: dict[str, str]
) -> httpx.Response:
    more = {"X-Reference-Id": reference, "X-Callback-Url": f"{product.url}/momo/mtn"}
    return sandbox.http.post("/mtn/collection/v1_0/requesttopay", json=MTN_ASK, headers=auth | more)


def test_a_draw_depends_on_what_it_is_about_and_on_nothing_else() -> None:
    def luck(seed: int) -> list[bool]:
        faults = Faults()
        faults.set({"seed": seed, "drop": 0.5})
        subjects = [
            Subject("wave", "SN-1", payer, str(uuid.uuid4()))
            for payer in ("+221770000001", "+221770000002") * 50
        ]
        return [faults.strikes("drop", subject, 1) for subject in subjects]

    assert luck(1) == luck(1)
    assert luck(1) != luck(2)
    assert 30 < sum(luck(1)) < 70


def test_the_order_between_payers_does_not_matter() -> None:
    def luck(payers: list[str]) -> dict[str, list[bool]]:
        faults = Faults()
        faults.set({"seed": 5, "drop": 0.5})
        draws: dict[str, list[bool]] = {}
        for place, payer in enumerate(payers):
            draws.setdefault(payer, []).append(
                faults.strikes("drop", Subject("mtn", "RW-1", payer, str(place)), 1)
            )
        return draws

    assert luck(["a", "b"] * 20) == luck(["a"] * 20 + ["b"] * 20)


def test_lines_of_a_list_are_unreadable_in_their_first_three_hours(sandbox: Sandbox) -> None:
    three_hours_ago = datetime.now(UTC) - timedelta(hours=3)
    payment = {"from": AWA, "to": "SN-1"}
    for amount in range(1, 41):
        sandbox.post("/operators/wave/pay", payment | {"amount": amount})
        sandbox.post("/operators/wave/pay", payment | {"amount": amount, "at": three_hours_ago.isoformat()})
    days = sorted({moment.date().isoformat() for moment in (three_hours_ago, datetime.now(UTC))})

    def broken() -> list[tuple[str, bool]]:
        """Returns the broken lines, and whether they are of three hours ago."""
        pages = [wave(sandbox, "GET", "/transactions", params={"date": day}).json() for day in days]
        lines = [line for page in pages for line in page["items"]]
        assert len(lines) == 80
        return [
            (line["transaction_id"], line["timestamp"][:19] == three_hours_ago.isoformat()[:19])
            for line in lines
            if (line["fee"], line["is_reversal"], line["amount"].isdecimal()) != ("0", False, True)
            or not line["timestamp"]
        ]

    assert broken() == []
    sandbox.post("/faults", {"seed": 3, "unreadable": 0.5})
    first = broken()
    assert 5 < len(first) < 35
    assert not any(old for _, old in first)
    assert broken() == first


def test_a_page_comes_in_another_order_and_only_one_operator_has_faults(sandbox: Sandbox) -> None:
    for amount in (1, 2, 3):
        sandbox.post("/operators/wave/pay", {"from": AWA, "to": "SN-1", "amount": amount})
    amounts = {}
    for only in ("wave", "mtn"):
        sandbox.post("/faults", {"misordered": 1, "only": only})
        lines = wave(sandbox, "GET", "/transactions").json()["items"]
        amounts[only] = [line["amount"] for line in lines]
    assert amounts == {"wave": ["3", "2", "1"], "mtn": ["1", "2", "3"]}
    sandbox.post("/faults", {"only": "orange"}, status=400)


def test_faults_are_shown_with_what_was_drawn_and_refused_when_wrong(sandbox: Sandbox) -> None:
    shown = sandbox.post("/faults", {"seed": 7, "drop": 0.25, "delay_s": 2})
    assert (shown["seed"], shown["drop"], shown["delay_s"], shown["duplicate"]) == (7, 0.25, 2, 0)
    assert sandbox.get("/faults")["drawn"] == dict.fromkeys(
        (*REQUESTS_AND_CALLBACKS, "unreadable", "misordered", "delay"), 0
    )
    for wrong in (
        {"drop": 2},
        {"drop": "1"},
        {"lightning": 1},
        {"seed": 1.5},
        {"drop": True},
        {"delay_s": -1},
    ):
        assert sandbox.post("/faults", wrong, status=400)["do"]
    assert sandbox.get("/faults")["seed"] == 7


def test_a_duplicate_comes_twice_with_the_same_event(sandbox: Sandbox, product: Product) -> None:
    sandbox.post("/faults", {"duplicate": 1})
    pay(sandbox)
    first, second = product.wait("/momo/wave/SN-1", 2)
    assert first.body == second.body
    assert sandbox.get("/faults")["drawn"]["duplicate"] == 1
    assert len(sandbox.get("/truth")) == 1


def test_a_dropped_mtn_callback_is_lost_for_ever(sandbox: Sandbox, product: Product) -> None:
    sandbox.post("/faults", {"drop": 1})
    reference = str(uuid.uuid4())
    assert request_to_pay(sandbox, product, reference, headers(sandbox)).status_code == 202
    sandbox.post(f"/phones/{MUTESI}/prompts/{reference}", {"answer": "approve"})
    assert sandbox.quiet() == {"waiting": 0, "in_flight": 0, "delivered": 0, "refused": 0, "dropped": 1}
    assert product.at("/momo/mtn") == []
    assert len(sandbox.get("/truth")) == 1


def test_a_dropped_wave_webhook_comes_again(sandbox: Sandbox, product: Product) -> None:
    sandbox.post("/faults", {"drop": 1})
    pay(sandbox)
    sandbox.running.world.kernel.callbacks.wait_for_counts(10, dropped=1)
    sandbox.post("/faults", {})
    assert len(product.wait("/momo/wave/SN-1")) == 1


def test_a_delayed_callback_leaves_when_its_time_has_come(sandbox: Sandbox, product: Product) -> None:
    sandbox.post("/faults", {"delay_s": 3600})
    pay(sandbox)
    assert sandbox.get("/outgoing")["waiting"] == 1
    assert product.at("/momo/wave/SN-1") == []
    sandbox.pass_time(3600)
    product.wait("/momo/wave/SN-1")


def test_a_reordered_callback_lets_the_next_one_pass(sandbox: Sandbox, product: Product) -> None:
    sandbox.post("/faults", {"reorder": 1})
    pay(sandbox, "first")
    sandbox.post("/faults", {})
    pay(sandbox, "second")
    webhooks = product.wait("/momo/wave/SN-1", 2)
    assert [webhook.json["data"]["client_reference"] for webhook in webhooks] == ["second", "first"]


@pytest.mark.parametrize(
    ("fault", "happened"), [("timeout_before", 404), ("timeout_after", 200), ("http_500", 404)]
)
def test_an_mtn_request_goes_wrong_before_or_after_its_effect(
    sandbox: Sandbox, product: Product, fault: str, happened: int
) -> None:
    auth, reference = headers(sandbox), str(uuid.uuid4())
    sandbox.post("/faults", {fault: 1, "timeout_s": 0})
    if fault == "http_500":
        assert request_to_pay(sandbox, product, reference, auth).status_code == 500
    else:
        with pytest.raises(httpx.TransportError):
            request_to_pay(sandbox, product, reference, auth)
    sandbox.post("/faults", {})
    answer = sandbox.http.get(f"/mtn/collection/v1_0/requesttopay/{reference}", headers=auth)
    assert answer.status_code == happened
    assert request_to_pay(sandbox, product, reference, auth).status_code == (409 if happened == 200 else 202)


@pytest.mark.parametrize(
    ("fault", "sessions"), [("timeout_before", 0), ("timeout_after", 1), ("http_500", 0)]
)
def test_a_wave_request_goes_wrong_before_or_after_its_effect(
    sandbox: Sandbox, fault: str, sessions: int
) -> None:
    sandbox.post("/faults", {fault: 1, "timeout_s": 0})
    if fault == "http_500":
        assert wave(sandbox, "POST", "/checkout/sessions", json=ASK).status_code == 500
    else:
        with pytest.raises(httpx.TransportError):
            wave(sandbox, "POST", "/checkout/sessions", json=ASK)
    assert sandbox.get("/faults")["drawn"][fault] == 1
    sandbox.post("/faults", {})
    matches = wave(sandbox, "GET", "/checkout/sessions/search", params={"client_reference": "ref-1"}).json()
    assert len(matches["result"]) == sessions


def test_an_sms_may_be_sent_though_the_answer_is_lost(sandbox: Sandbox) -> None:
    sandbox.post("/faults", {"timeout_after": 1, "timeout_s": 0})
    form = {"username": "sandbox-demo", "to": AWA, "message": "Bonjour"}
    with pytest.raises(httpx.TransportError):
        sandbox.http.post("/africastalking/version1/messaging", data=form, headers={"apiKey": "at-key"})
    assert len(sandbox.get(f"/phones/{AWA}/sms")) == 1


def test_a_duplicated_turn_is_posted_twice(sandbox: Sandbox, product: Product) -> None:
    sandbox.post("/faults", {"duplicate": 1})
    product.will_answer("/ussd/sn", "CON Bienvenue")
    sandbox.post(f"/phones/{AWA}/dial", {"code": "*384*55#"})
    first, second = product.at("/ussd/sn")
    assert first.body == second.body


def test_a_run_repeats(start: Any, product: Product) -> None:
    def run() -> tuple[list[Any], Any]:
        sandbox = start()
        auth = headers(sandbox)
        sandbox.post("/faults", {"seed": 11, "http_500": 0.3, "timeout_after": 0.3, "timeout_s": 0})
        outcomes: list[Any] = []
        for _ in range(20):
            try:
                outcomes.append(request_to_pay(sandbox, product, str(uuid.uuid4()), auth).status_code)
            except httpx.TransportError:
                outcomes.append("cut")
        drawn = sandbox.get("/faults")["drawn"]
        sandbox.running.stop()
        return outcomes, drawn

    once = run()
    assert once == run()
    assert {500, 202, "cut"} == set(once[0])
