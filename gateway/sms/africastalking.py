"""Sends SMS through Africa's Talking, with its SDK over our own transport; one object per account.

Sources: developers.africastalking.com/docs/sms/sending/bulk (fields, status codes), /sms/notifications
(delivery reports, incoming messages), read 2026-11-21 in public copies; `africastalking` 2.0.3 read and run;
`ussd-sms.md` §2.

The SDK makes the fields and knows the paths. This module corrects its faults: module globals (we build the
service ourselves), a fixed address (`AT_BASE_URL`), JSON read only under one exact content type, the HTTP
status that it drops, transport errors that it lets through, a phone number in the text of its ValueError, and
`"None"` for no message id.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx
from africastalking.SMS import SMSService

from config.settings import Settings
from gateway import forms, http_client
from gateway.sms.message import Delivery, IncomingSms, MaybeSent, SendResult
from mutuelle import phone
from mutuelle.errors import Declined, Unavailable

ACCEPTED = {100, 101, 102}  # Processed, Sent, Queued
LOST = {"Rejected", "Failed", "AbsentSubscriber", "Expired"}
TEXT_MAX = 40_000  # 255 concatenated parts of 153 septets


class _Service(SMSService):  # type: ignore[misc]  # the SDK has no types
    """The SDK's service over `http_client`: all its calls go through `_make_request`."""

    def __init__(self, base_url: str, username: str, api_key: str, http: httpx.Client) -> None:
        super().__init__(username, api_key)
        self._baseUrl = self._contentUrl = base_url.rstrip("/") + "/version1"
        self._http = http

    def _make_request(
        self,
        url: str,
        method: str,
        headers: Mapping[str, str],
        data: Mapping[str, Any],
        params: Any,
        **_: Any,
    ) -> http_client.HttpAnswer:
        return http_client.ask(self._http, "africastalking", method, url, headers, params=params, form=data)


class AfricasTalking:
    """One application at Africa's Talking. `sender` is the sender id, empty for the aggregator's own."""

    def __init__(
        self, base_url: str, username: str, api_key: str, sender: str = "", http: httpx.Client | None = None
    ) -> None:
        self._service = _Service(base_url, username, api_key, http or http_client.shared_client())
        self._sender = sender or None

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """The application that the settings name."""
        return cls(settings.at_base_url, settings.at_username, settings.at_api_key, settings.at_sender)

    def send(self, recipients: Sequence[str], text: str) -> tuple[SendResult, ...]:
        """Sends `text` once to each recipient (E.164, else Malformed). Returns their results in order.

        Raises http_client.NotSent when no SMS can have left (no connection, refused credentials, throttling):
        try later. Raises MaybeSent when one may have left (time-out, 5xx, an unreadable answer): never send
        again automatically. Raises Declined when the request itself was refused: staff must look.
        """
        numbers = [phone.wire(number) for number in recipients]
        if not numbers:
            return ()
        try:
            answer = self._service.send(text, list(dict.fromkeys(numbers)), sender_id=self._sender)
        except http_client.NotSent:
            raise
        except Unavailable as error:
            raise MaybeSent(str(error)) from None
        if answer.status in (401, 429):
            raise http_client.NotSent(f"africastalking: HTTP {answer.status}")
        if 400 <= answer.status < 500:
            raise Declined(f"HTTP_{answer.status}")
        if not 200 <= answer.status < 300:
            raise MaybeSent(f"africastalking: HTTP {answer.status}")
        data = _read_answer(answer)
        return tuple(_result(number, data, alone=len(set(numbers)) == 1) for number in numbers)

    @staticmethod
    def read_delivery(pairs: forms.Pairs) -> Delivery:
        """A delivery report. Unknown statuses are kept as they came and are not final."""
        form = forms.fields(pairs)
        status = forms.text(form, "status", 64)
        return Delivery(
            message_id=forms.text(form, "id", 128),
            status=status,
            final=status == "Success" or status in LOST,
            delivered=True if status == "Success" else False if status in LOST else None,
            reason=forms.optional(form, "failureReason", 64),
        )

    @staticmethod
    def read_incoming(pairs: forms.Pairs) -> IncomingSms:
        """An SMS to our short code. The aggregator repeats it for 12 hours until we answer 200."""
        form = forms.fields(pairs)
        return IncomingSms(
            id=forms.text(form, "id", 128),
            sender=forms.text(form, "from", 40),
            to=forms.text(form, "to", 40),
            text=forms.text(form, "text", TEXT_MAX, empty=True, lines=True),
            at=forms.moment(form, "date"),
        )


def _read_answer(answer: http_client.HttpAnswer) -> dict[str, Any]:
    """The `SMSMessageData` of an answer, whatever its content type. Raises MaybeSent if it is unreadable."""
    try:
        data = http_client.json_of(answer, "africastalking").get("SMSMessageData")
    except Unavailable as error:
        raise MaybeSent(str(error)) from None
    lines = data.get("Recipients") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(lines, list) or not all(map(_is_line, lines)):
        raise MaybeSent("africastalking: an answer without recipients")
    return data


def _is_line(line: object) -> bool:
    return (
        isinstance(line, dict) and type(line.get("statusCode")) is int and isinstance(line.get("number"), str)
    )


def _result(number: str, data: Mapping[str, Any], alone: bool) -> SendResult:
    """The result for `number`. If it has no line of its own, the whole answer's message is the reason.

    `alone`: `number` was the only recipient, so that a single line is about it, however it spells the number.
    """
    lines = data["Recipients"]
    default = lines[0] if alone and len(lines) == 1 else None
    line = next((line for line in lines if line["number"] == number), default)
    if line is None:
        return SendResult(number, False, None, http_client.word(data.get("Message")) or "NotListed")
    message_id = line.get("messageId")
    usable = isinstance(message_id, str) and message_id not in ("", "None") and len(message_id) <= 128
    return SendResult(
        recipient=number,
        accepted=line["statusCode"] in ACCEPTED,
        message_id=message_id if usable else None,
        reason=http_client.word(line.get("status")),
    )
