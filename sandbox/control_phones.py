"""The control API of phones: dial, reply, hang up, read and send SMS, answer prompts, set a wallet."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.journal import Row
from sandbox.refusal import Refusal, phone_number, text_field, whole_amount
from sandbox.sms import GATEWAY, Outcome
from sandbox.world import World

ANSWERS = ("approve", "decline", "ignore")


def body() -> dict[str, Any]:
    """Returns the JSON object of a control request; an empty body is an empty object."""
    if not request.get_data():
        return {}
    payload = request.get_json(silent=True, force=True)
    if not isinstance(payload, dict):
        raise Refusal(400, "the body is not a JSON object", "send JSON, as {…}")
    return payload


def prompts(world: World, phone: str) -> list[Row]:
    """Lists the payments that wait for the subscriber's answer, in the form of `/phones/{msisdn}/prompts`.

    `kind` is `push` (MTN) or `link` (Wave); `amount` is a whole number of units.
    """
    requests = [
        {
            "id": row["_reference"],
            "kind": "push",
            "operator": "mtn",
            "amount": int(row["amount"]),
            "currency": row["currency"],
            "from": world.mtn.accounts[row["_account"]].business_name,
            "note": row["payerMessage"],
            "url": None,
        }
        for row in world.mtn.for_phone(phone)
    ]
    links = [
        {
            "id": row["id"],
            "kind": "link",
            "operator": "wave",
            "amount": int(row["amount"]),
            "currency": row["currency"],
            "from": row["business_name"],
            "note": "",
            "url": row["wave_launch_url"],
        }
        for row in world.wave.for_phone(phone)
    ]
    return requests + links


def answer_prompt(world: World, phone: str, key: str, answer: str, amount: int | None = None) -> str:
    """Applies the subscriber's answer. Returns the payment's status in the operator's own word.

    `amount` is what an approval moves, by the operator's fault, instead of what was asked for.
    """
    if key.startswith("cos-"):
        if answer == "ignore":
            world.wave.ignore(key, phone)
            return "processing"
        approves = answer == "approve"
        row = world.wave.approve(key, phone, amount) if approves else world.wave.decline(key, phone)
        return str(row["payment_status"])
    if answer == "ignore":
        world.mtn.ignore(key, phone)
        return "PENDING"
    row = world.mtn.approve(key, phone, amount) if answer == "approve" else world.mtn.decline(key, phone)
    return str(row["status"])


def ussd(world: World) -> Blueprint:
    """The phone's USSD session; the number is digits with or without `+`."""
    bp = Blueprint("phones_ussd", __name__, url_prefix="/phones/<msisdn>")

    @bp.get("")
    def show(msisdn: str) -> Response:
        phone = phone_number(msisdn)
        session = world.ussd.last(phone)
        screen = session.as_json() if session else {"session": None, "screen": "", "open": False}
        return jsonify({"phone": phone, **screen, "balance": world.phones.balance(phone)})

    @bp.post("/dial")
    def dial(msisdn: str) -> Response:
        phone, payload = phone_number(msisdn), body()
        gateway = text_field(payload, "gateway", GATEWAY)
        if gateway != GATEWAY:
            raise Refusal(404, f"no gateway {gateway!r} here", f"use {GATEWAY!r}")
        return jsonify(world.ussd.dial(phone, text_field(payload, "code").strip()).as_json())

    @bp.post("/reply")
    def reply(msisdn: str) -> Response:
        return jsonify(world.ussd.reply(phone_number(msisdn), text_field(body(), "input")).as_json())

    @bp.post("/hangup")
    def hang_up(msisdn: str) -> Response:
        session = world.ussd.hang_up(phone_number(msisdn))
        return jsonify(session.as_json() if session else {"session": None, "screen": "", "open": False})

    return bp


def blueprint(world: World) -> Blueprint:
    """The phone's SMS, prompts and wallet, under `/phones/{msisdn}`."""
    bp = Blueprint("phones", __name__, url_prefix="/phones/<msisdn>")

    @bp.get("/sms")
    def inbox(msisdn: str) -> Response:
        return jsonify(world.phones.inbox(phone_number(msisdn)))

    @bp.post("/sms")
    def write(msisdn: str) -> Response:
        phone, payload = phone_number(msisdn), body()
        key = world.sms.from_phone(phone, text_field(payload, "to"), text_field(payload, "text"))
        if key is None:
            raise Refusal(
                501,
                "no incoming-SMS address is configured",
                "set africastalking.sms.incoming in the configuration",
            )
        return jsonify({"id": key})

    @bp.get("/prompts")
    def waiting(msisdn: str) -> Response:
        return jsonify(prompts(world, phone_number(msisdn)))

    @bp.post("/prompts/<key>")
    def answer(msisdn: str, key: str) -> Response:
        phone, choice = phone_number(msisdn), text_field(body(), "answer")
        if choice not in ANSWERS:
            raise Refusal(400, f"unknown answer {choice!r}", f"use one of {', '.join(ANSWERS)}")
        amount = whole_amount(body()["amount"]) if "amount" in body() else None
        return jsonify({"id": key, "status": answer_prompt(world, phone, key, choice, amount)})

    @bp.post("/wallet")
    def wallet(msisdn: str) -> Response:
        phone, balance = phone_number(msisdn), whole_amount(body().get("balance"), at_least=0)
        with world.kernel.lock:
            world.kernel.journal.put(world.phones.wallet_change(phone, balance))
        return jsonify({"phone": phone, "balance": balance})

    return bp


def planned_outcome(payload: dict[str, Any]) -> Outcome:
    """Reads an outcome: `statusCode` sets the API answer, `reports` or `status` the delivery reports."""
    reports = payload.get("reports")
    if reports is not None and not (
        isinstance(reports, list) and all(isinstance(word, str) for word in reports)
    ):
        raise Refusal(400, "reports is not a list of words", 'send {"reports": ["Sent", "Failed"]}')
    reason = text_field(payload, "failureReason", "")
    if "statusCode" in payload:
        code = whole_amount(payload["statusCode"], at_least=100)
        return Outcome(
            code, text_field(payload, "status", "Success"), tuple(reports or ("Sent", "Success")), reason
        )
    if reports is None:
        reports = [text_field(payload, "status")]
    return Outcome(reports=tuple(reports), failure_reason=reason)
