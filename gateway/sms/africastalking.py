"""Africa's Talking SMS through its own SDK, one object per account, over our own transport.

Sources: developers.africastalking.com/docs/sms/sending/bulk (fields, status codes), /sms/notifications
(delivery reports, incoming messages), read 2026-11-21 in public copies; `africastalking` 2.0.3 read and run;
`ussd-sms.md` §2.

The SDK makes the fields and knows the paths. What it gets wrong is cured here, one by one: its module globals
(we build the service ourselves), the fixed address (`AT_BASE_URL`), JSON understood only under one exact
content type, the HTTP status it throws away, transport errors it lets through, a phone number in the text of
its ValueError, `"None"` for no message id.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx
from africastalking.SMS import SMSService

from config.settings import Settings
from gateway import forms, http_client
from gateway.sms.message import Delivery, Incoming, MaybeSent, SendResult
from mutuelle import phone
from mutuelle.errors import Declined, Unavailable

ACCEPTED = {100, 101, 102}  # Processed, Sent, Queued
ON_THE_WAY = {"Sent", "Submitted", "Buffered"}
LOST = {"Rejected", "Failed", "AbsentSubscriber", "Expired"}
TEXT_MAX = 40_000  # 255 concatenated parts of 153 septets


class _Service(SMSService):  # type: ignore[misc]  # the SDK has no types
    """The SDK's service speaking through `wire`: `_make_request` is the one door all its calls go through."""

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
    """One application. `sender` is the sender id, empty for the aggregator's own."""

    def __init__(
        self, base_url: str, username: str, api_key: str, sender: str = "", http: httpx.Client | None = None
    ) -> None:
        self._service = _Service(base_url, username, api_key, http or http_client.shared_client())
        self._sender = sender or None

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """The application the settings name."""
        return cls(settings.at_base_url, settings.at_username, settings.at_api_key, settings.at_sender)

    def send(self, recipients: Sequence[str], text: str) -> tuple[SendResult, ...]:
        """Send `text` once to each recipient (E.164; Malformed if one is not) and say what became of each, in
        order.

        wire.NotSent when nothing can have gone out (no connection, refused credentials, throttling): again
        later. MaybeSent when something may have (time-out, 5xx, an answer we cannot read): never again by
        itself. Declined when the request itself was refused: a person must look.
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
        said = _said(answer)
        return tuple(_sent(number, said, alone=len(set(numbers)) == 1) for number in numbers)

    @staticmethod
    def read_delivery(pairs: forms.Pairs) -> Delivery:
        """A delivery report; unknown statuses are kept as they came and end nothing."""
        form = forms.fields(pairs)
        status = forms.text(form, "status", 64)
        return Delivery(
            message_id=forms.text(form, "id", 128),
            status=status,
            final=status == "Success" or status in LOST,
            delivered=True if status == "Success" else False if status in LOST else None,
            reason=forms.maybe(form, "failureReason", 64),
        )

    @staticmethod
    def read_incoming(pairs: forms.Pairs) -> Incoming:
        """An SMS to our short code. It is delivered again for 12 hours until we answer 200."""
        form = forms.fields(pairs)
        return Incoming(
            id=forms.text(form, "id", 128),
            sender=forms.text(form, "from", 40),
            to=forms.text(form, "to", 40),
            text=forms.text(form, "text", TEXT_MAX, empty=True, lines=True),
            at=forms.moment(form, "date"),
        )


def _said(answer: http_client.HttpAnswer) -> dict[str, Any]:
    """`SMSMessageData`, whatever the content type said; MaybeSent when it is not there or a recipient cannot
    be read."""
    try:
        said = http_client.answered(answer, "africastalking").get("SMSMessageData")
    except Unavailable as error:
        raise MaybeSent(str(error)) from None
    told = said.get("Recipients") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(told, list) or not all(map(_understood, told)):
        raise MaybeSent("africastalking: an answer without recipients")
    return said


def _understood(told: object) -> bool:
    return (
        isinstance(told, dict) and type(told.get("statusCode")) is int and isinstance(told.get("number"), str)
    )


def _sent(number: str, said: Mapping[str, Any], alone: bool) -> SendResult:
    """What the answer holds about `number`; without a line of its own it was refused for the reason of the
    whole answer."""
    told = said["Recipients"]
    mine = next(
        (one for one in told if one["number"] == number), told[0] if alone and len(told) == 1 else None
    )
    if mine is None:
        return SendResult(
            number, False, None, None, http_client.word(said.get("Message")) or "NotListed", None
        )
    named, cost = mine.get("messageId"), mine.get("cost")
    return SendResult(
        recipient=number,
        accepted=mine["statusCode"] in ACCEPTED,
        message_id=named
        if isinstance(named, str) and named not in ("", "None") and len(named) <= 128
        else None,
        code=mine["statusCode"],
        reason=http_client.word(mine.get("status")),
        cost=cost if isinstance(cost, str) and len(cost) <= 40 else None,
    )
