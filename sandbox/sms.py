"""Simulates the aggregator's SMS service: accepts messages, delivers them, reports, and forwards replies."""

import json
import re
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from sandbox.callback_sender import Callback
from sandbox.fault_draws import Subject
from sandbox.kernel import Kernel, random_name
from sandbox.phones import Phones

GATEWAY = "africastalking"
HEX = "0123456789abcdef"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
INCOMING_RETRY_S = 12 * 3600
ACCEPTED = {100: "Processed", 101: "Success", 102: "Queued"}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a message: `code` and `status` in the API answer, then the delivery reports."""

    code: int = 101
    status: str = "Success"
    reports: tuple[str, ...] = ("Sent", "Success")
    failure_reason: str = ""


class Sms:
    """Each recipient uses up one `planned` outcome; without one, the message is delivered."""

    def __init__(self, kernel: Kernel, phones: Phones) -> None:
        self._kernel = kernel
        self._account = kernel.settings.africastalking
        self._phones = phones
        self.planned: deque[Outcome] = deque()

    def recipient(self, number: str, sender: str, message: str) -> dict[str, object]:
        """Accepts or refuses one recipient. Returns its entry of `Recipients`."""
        if not re.fullmatch(r"\+[1-9][0-9]{7,14}", number):
            return _recipient_answer(403, number, "InvalidPhoneNumber")
        with self._kernel.lock:
            outcome = self.planned.popleft() if self.planned else Outcome()
        if outcome.code not in ACCEPTED:
            return _recipient_answer(outcome.code, number, outcome.status)
        message_id = f"ATXid_{random_name(HEX, 32)}"
        if not outcome.reports or outcome.reports[-1] == "Success":
            self._phones.receive_sms(number, sender, message)
        self._report(message_id, number, outcome)
        return _recipient_answer(outcome.code, number, outcome.status, message_id, self._account.sms_cost)

    def _report(self, message_id: str, number: str, outcome: Outcome) -> None:
        """Queues the delivery reports, each to be sent after the one before."""
        if self._account.delivery is None:
            return
        subject = Subject(GATEWAY, self._account.username, number, message_id)
        callback: Callback | None = None
        for status in reversed(outcome.reports):
            form = {
                "id": message_id,
                "status": status,
                "phoneNumber": number,
                "networkCode": self._account.network_code,
            }
            if status in ("Rejected", "Failed"):
                form["failureReason"] = outcome.failure_reason or "DeliveryFailure"
            body = urlencode(form).encode()
            callback = Callback(
                subject, f"sms.{status}", self._account.delivery, body, lambda _: FORM, then=callback
            )
        if callback is not None:
            self._kernel.callbacks.post(callback)

    def from_phone(self, phone: str, to: str, text: str) -> str | None:
        """Sends a phone's message to the product, with retries. Returns its id, or None without a URL."""
        if self._account.incoming is None:
            return None
        message_id = random_name(HEX, 8) + "-" + random_name(HEX, 4) + "-" + random_name(HEX, 12)
        form = {
            "date": self._kernel.clock.now().strftime("%Y-%m-%d %H:%M:%S"),
            "from": phone,
            "id": message_id,
            "linkId": "",
            "text": text,
            "to": to,
            "cost": "0",
            "networkCode": self._account.network_code,
        }
        subject = Subject(GATEWAY, self._account.username, phone, message_id)
        body = urlencode(form).encode()
        callback = Callback(
            subject,
            "sms.incoming",
            self._account.incoming,
            body,
            lambda _: FORM,
            retry_for_s=INCOMING_RETRY_S,
        )
        self._kernel.callbacks.post(callback)
        return message_id


def _recipient_answer(
    code: int, number: str, status: str, message_id: str = "None", cost: str = "0"
) -> dict[str, object]:
    return {"statusCode": code, "number": number, "status": status, "cost": cost, "messageId": message_id}


def blueprint(kernel: Kernel, sms: Sms) -> Blueprint:
    """`POST /africastalking/version1/messaging`: form body, headers `apiKey` and `Accept`, answer 201."""
    bp = Blueprint("africastalking", __name__, url_prefix="/africastalking")
    account = kernel.settings.africastalking

    @bp.post("/version1/messaging")
    def send() -> Response:
        form = request.form
        if request.headers.get("apiKey") != account.api_key or form.get("username") != account.username:
            return _plain("The supplied authentication is invalid", 401)
        if not form.get("to") or not form.get("message"):
            return _plain("Request is missing required form field 'to' or 'message'", 400)
        numbers = [number.strip() for number in form["to"].split(",")]
        subject = Subject(GATEWAY, account.username, numbers[0], random_name(HEX, 16))
        fault = kernel.draw_fault(subject, "sms.send")
        if fault == "http_500":
            return _plain("Internal Server Error", 500)
        if fault == "timeout_before":
            return kernel.no_answer()
        answer = _send(kernel, sms, numbers, form.get("from", "AFRICASTKNG"), form["message"])
        if fault == "timeout_after":
            kernel.hang_up()
        return answer

    return bp


def _send(kernel: Kernel, sms: Sms, numbers: list[str], sender: str, message: str) -> Response:
    account = kernel.settings.africastalking
    if account.senders and sender not in account.senders:
        return _json(kernel, "InvalidSenderId", [])
    recipients = [sms.recipient(number, sender, message) for number in numbers]
    accepted = sum(1 for recipient in recipients if recipient["messageId"] != "None")
    currency, _, unit_cost = account.sms_cost.partition(" ")
    decimals = len(unit_cost.partition(".")[2])
    total = int(unit_cost.replace(".", "") or 0) * accepted
    digits = str(total).rjust(decimals + 1, "0")
    cost = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
    return _json(kernel, f"Sent to {accepted}/{len(numbers)} Total Cost: {currency} {cost}", recipients)


def _json(kernel: Kernel, message: str, recipients: list[dict[str, object]]) -> Response:
    content_type = kernel.settings.africastalking.json_type
    body = json.dumps({"SMSMessageData": {"Message": message, "Recipients": recipients}})
    answer = Response(body, status=201)
    answer.headers["Content-Type"] = content_type
    return answer


def _plain(text: str, status: int) -> Response:
    return Response(text, status=status, content_type="text/plain; charset=utf-8")
