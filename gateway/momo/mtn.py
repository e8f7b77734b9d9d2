"""MTN MoMo Collections: pushes a prompt to the payer's phone and queries the status under our own UUID.

Sources: momodeveloper.mtn.com, API documentation "Collections" (requesttopay, reasons, 409 on a reused
reference, 404 on an unknown one) and "Callback" (PUT or POST, sent once, never again, unsigned), read
2026-11-21; the messages as captured from `mtn-momo-client` 2.0.1.

Not documented and so assumed: `reason` is a bare string or an object; every optional field may be missing.
Messages have no time. The callback is sent when the payment ends, so that the arrival of one that reports
success dates the money; without one the moment of our query does. Where `financialTransactionId` is missing,
our UUID names the receipt.
"""

import base64
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any, Self
from uuid import UUID

import httpx

from config.settings import Settings
from gateway import http_client
from mutuelle import clock, money, phone, references
from mutuelle.errors import Declined, Malformed, Unavailable, UnreadableProof
from mutuelle.money import Money
from mutuelle.payments.operators import Approval, CallbackHint, Movement, MovementPage, PaymentStatus, Status

STATUS = {
    "PENDING": Status.PENDING,
    "ONGOING": Status.PENDING,
    "DELAYED": Status.PENDING,
    "SUCCESSFUL": Status.CONFIRMED,
    "FAILED": Status.FAILED,
}
EXPIRED = {"EXPIRED", "COULD_NOT_PERFORM_TRANSACTION"}  # not approved within five minutes
REFUSING = {
    "PAYER_NOT_FOUND",
    "PAYEE_NOT_FOUND",
    "NOT_ENOUGH_FUNDS",
    "PAYER_LIMIT_REACHED",
    "PAYEE_NOT_ALLOWED_TO_RECEIVE",
    "NOT_ALLOWED",
    "NOT_ALLOWED_TARGET_ENVIRONMENT",
    "INVALID_CALLBACK_URL_HOST",
    "INVALID_CURRENCY",
    "APPROVAL_REJECTED",
    "REJECTED",
    "TRANSACTION_CANCELED",
    "PAYMENT_NOT_APPROVED",
    "LOW_BALANCE_OR_PAYEE_LIMIT_REACHED_OR_NOT_ALLOWED",
}
TOKEN_MARGIN_S = 60


class Mtn:
    """One Collections account. `credentials`: api_user, api_key, subscription_key; else KeyError."""

    approval: Approval = "push"
    give_up_s = 300
    lists = False
    signs = False
    proofs: tuple[str, ...] = ()

    def __init__(
        self,
        base_url: str,
        target_environment: str,
        credentials: Mapping[str, str],
        http: httpx.Client | None = None,
    ) -> None:
        self._url = base_url.rstrip("/") + "/collection"
        self._market = target_environment
        self._login = base64.b64encode(
            f"{credentials['api_user']}:{credentials['api_key']}".encode()
        ).decode()
        self._subscription = credentials["subscription_key"]
        self._http = http or http_client.shared_client()
        self._lock = Lock()
        self._token: tuple[str, datetime] | None = None

    @classmethod
    def connect(
        cls, settings: Settings, credentials: Mapping[str, str], http: httpx.Client | None = None
    ) -> Self:
        """The account with these `credentials`, at the address in the settings."""
        return cls(settings.mtn_base_url, settings.mtn_target_environment, credentials, http)

    def request_payment(self, ref: UUID, payer: str, amount: Money, callback_url: str) -> PaymentStatus:
        """Pushes a prompt of `amount` to `payer`. `pending` also when `ref` was accepted before (409).

        Raises Declined with MTN's code, or Unavailable when the outcome is unknown.
        """
        payload = {
            "amount": money.wire(amount),
            "currency": amount.currency,
            "externalId": str(ref),
            "payer": {"partyIdType": "MSISDN", "partyId": phone.wire(payer).removeprefix("+")},
            "payerMessage": "",
            "payeeNote": "",
        }
        extra = {"X-Reference-Id": str(ref), "X-Callback-Url": callback_url}
        answer = self._ask("POST", "/v1_0/requesttopay", extra, payload)
        code = http_client.code_of(answer)
        if answer.status == 202 or (answer.status == 409 and code == "RESOURCE_ALREADY_EXIST"):
            expires = clock.now() + timedelta(seconds=self.give_up_s)
            return PaymentStatus(Status.PENDING, operator_ref=str(ref), expires=expires)
        if 400 <= answer.status < 500 and code in REFUSING:
            raise Declined(code)
        raise Unavailable(f"mtn: HTTP {answer.status} {code or 'without a code'} to a request")

    def fetch_status(self, ref: UUID, operator_ref: str | None) -> PaymentStatus | None:
        """The status of `ref`. None when MTN does not know it.

        Raises Unavailable for an unknown answer, UnreadableProof when its money cannot be read or is not of
        `ref`.
        """
        answer = self._ask("GET", f"/v1_0/requesttopay/{ref}", {})
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Unavailable(
                f"mtn: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to a query"
            )
        return _payment_status(http_client.json_of(answer, "mtn"), ref)

    def list_movements(self, day: date, cursor: str | None) -> MovementPage:
        """Raises Declined: MTN offers no list (`lists` is False)."""
        raise Declined("NO_TRANSACTION_LIST")

    def fetch_balance(self) -> Money:
        """What the account holds now. Raises Unavailable, or Malformed when the answer cannot be read."""
        answer = self._ask("GET", "/v1_0/account/balance", {})
        if answer.status != 200:
            raise Unavailable(
                f"mtn: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to a balance"
            )
        payload = http_client.json_of(answer, "mtn")
        return money.parse_balance(payload.get("availableBalance"), payload.get("currency"))

    @staticmethod
    def read_callback(
        body: bytes, headers: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> CallbackHint:
        """What a PUT or POST seems to say. It is not signed; our reference is in its path, too."""
        payload = http_client.read(body, "mtn callback")
        status, our_ref = payload.get("status"), payload.get("externalId")
        if not isinstance(status, str) or not (our_ref or payload.get("financialTransactionId")):
            raise Malformed("mtn callback: no status, or nothing to tell the payment by")
        success_at = now if STATUS.get(status) is Status.CONFIRMED else None
        return CallbackHint(authentic=None, our_ref=references.normalize(our_ref), success_at=success_at)

    def _ask(
        self, method: str, path: str, extra: Mapping[str, str], payload: Mapping[str, Any] | None = None
    ) -> http_client.HttpAnswer:
        """Makes one exchange with the access token. Fetches a new token once after a 401."""
        answer = http_client.HttpAnswer(401, b"")
        for attempt in range(2):
            headers = {
                "Authorization": f"Bearer {self._bearer(renew=attempt > 0)}",
                "Ocp-Apim-Subscription-Key": self._subscription,
                "X-Target-Environment": self._market,
                **extra,
            }
            answer = http_client.ask(self._http, "mtn", method, self._url + path, headers, payload)
            if answer.status != 401:
                return answer
        raise Unavailable("mtn: HTTP 401 with a fresh token")

    def _bearer(self, renew: bool) -> str:
        """The access token. Fetches one when there is none, when it is about to expire, or on `renew`."""
        with self._lock:
            if self._token and not renew and clock.now() < self._token[1]:
                return self._token[0]
            headers = {
                "Authorization": f"Basic {self._login}",
                "Ocp-Apim-Subscription-Key": self._subscription,
            }
            answer = http_client.ask(self._http, "mtn", "POST", self._url + "/token/", headers)
            if answer.status != 200:
                raise Unavailable(f"mtn: HTTP {answer.status} to a token request")
            payload = http_client.json_of(answer, "mtn token")
            token, seconds = payload.get("access_token"), payload.get("expires_in")
            if not isinstance(token, str) or not token.isascii() or not token.isprintable():
                raise Unavailable("mtn: a token answer without a token")
            lifetime_s = seconds if isinstance(seconds, int) and 0 < seconds <= 86_400 else TOKEN_MARGIN_S
            self._token = (
                token,
                clock.now() + timedelta(seconds=max(lifetime_s - TOKEN_MARGIN_S, lifetime_s // 2)),
            )
            return token


def _payment_status(payload: dict[str, Any], ref: UUID) -> PaymentStatus:
    """MTN's answer about `ref` as our status."""
    word = http_client.word(payload.get("status"))
    if word not in STATUS:
        raise Unavailable(f"mtn: unknown status {word!r}")
    status = STATUS[word]
    try:
        if payload.get("externalId") not in (None, "", str(ref)):
            raise Malformed("mtn: the answer is about another reference")
        if status is Status.CONFIRMED:
            return PaymentStatus(status, movement=_movement(payload, ref), operator_ref=str(ref))
    except Malformed as error:
        if status is Status.CONFIRMED:
            raise UnreadableProof(str(error)) from error
        raise
    reason = _reason(payload.get("reason"))
    if status is Status.FAILED and reason in EXPIRED:
        status = Status.EXPIRED
    return PaymentStatus(status, operator_ref=str(ref), reason=reason)


def _movement(payload: dict[str, Any], ref: UUID) -> Movement:
    """The money of a confirmed payment. Only the transaction has a default: our UUID."""
    transaction = payload.get("financialTransactionId")
    return Movement(
        transaction=str(ref)
        if transaction in (None, "")
        else http_client.name(transaction, "financialTransactionId"),
        amount=money.parse(payload.get("amount"), payload.get("currency")),
        at=clock.now(),
        dated=False,
        payer=_payer(payload.get("payer")),
        reference=str(ref),
    )


def _payer(payer: object) -> str | None:
    """The payer's number, which is only a hint. None when it is missing or masked."""
    party_id = (
        payer.get("partyId") if isinstance(payer, dict) and payer.get("partyIdType") == "MSISDN" else None
    )
    if not isinstance(party_id, str) or not party_id.isascii():
        return None
    number = "+" + party_id.removeprefix("+")
    try:
        return phone.normalize(number, "BJ" if number.startswith("+229") else None)
    except Malformed:
        return None


def _reason(reason: object) -> str | None:
    """The raw code, which comes bare or as `{"code", "message"}`."""
    return http_client.word(reason.get("code") if isinstance(reason, dict) else reason)
