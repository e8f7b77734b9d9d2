"""Wave Business: the payer opens a link, a checkout session holds the status, a list proves every movement.

Sources: docs.wave.com, "Checkout API" (sessions, search, expire, error codes), "Balance & Reconciliation API"
(`GET /v1/transactions`), "Webhooks" (event types, `Wave-Signature`, shared secret), read 2026-11-21; field
list of a line as in the public client `wave-api-client`.

Not documented and so assumed: an open session whose payment was cancelled may still be paid, so that only its
expiry ends it. For the assumptions about the list see `wave_list`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx

from config.settings import Settings
from gateway import http_client
from gateway.momo import wave_list
from gateway.momo.wave_signature import is_genuine
from mutuelle import money, phone, references
from mutuelle.errors import Declined, Malformed, Unavailable, UnreadableProof
from mutuelle.money import Money
from mutuelle.payments.operators import Approval, CallbackHint, Movement, MovementPage, PaymentStatus, Status

STATUS = {
    ("open", "processing"): Status.PENDING,
    ("open", "cancelled"): Status.PENDING,
    ("complete", "processing"): Status.PENDING,
    ("complete", "succeeded"): Status.CONFIRMED,
    ("complete", "cancelled"): Status.FAILED,
    ("expired", "processing"): Status.EXPIRED,
    ("expired", "cancelled"): Status.EXPIRED,
    ("expired", "succeeded"): Status.CONFIRMED,  # proven money counts, whatever the state of the session
}
PAID = {words for words, status in STATUS.items() if status is Status.CONFIRMED}
BEST_FIRST = [Status.CONFIRMED, Status.PENDING, Status.FAILED, Status.EXPIRED]
REFUSING = {"request-validation-error"}
CHECKOUT_EVENTS = {"checkout.session.completed", "checkout.session.payment_failed"}
UNSOLICITED_EVENTS = {"merchant.payment_received", "b2b.payment_received"}


class Wave:
    """One business wallet. `credentials`: api_key, and signing_secrets or shared_secrets for callbacks."""

    approval: Approval = "link"
    give_up_s = 1800
    lists = True
    signs = True
    proofs: tuple[str, ...] = ("signing_secrets", "shared_secrets")

    def __init__(
        self, base_url: str, credentials: Mapping[str, str], http: httpx.Client | None = None
    ) -> None:
        self._url = base_url.rstrip("/") + "/v1"
        self._headers = {"Authorization": f"Bearer {credentials['api_key']}"}
        self._http = http or http_client.shared_client()

    @classmethod
    def connect(
        cls, settings: Settings, credentials: Mapping[str, str], http: httpx.Client | None = None
    ) -> Self:
        """The wallet with these `credentials`, at the address in the settings."""
        return cls(settings.wave_base_url, credentials, http)

    def request_payment(self, ref: UUID, payer: str, amount: Money, callback_url: str) -> PaymentStatus:
        """Makes a session that only `payer` can pay, or returns the status of an earlier one under `ref`.

        Expires open sessions beyond the first. Raises Declined with Wave's code, or Unavailable when the
        outcome is unknown.
        """
        sessions = self._search(ref)
        if sessions:
            best, *others = sessions
            is_paid = _status(best) is Status.CONFIRMED
            if not is_paid and any(_amount(session) != amount for session in sessions):
                raise Malformed("wave: a session under this reference asks for another amount")
            for session in others:
                if session.get("checkout_status") == "open":
                    self.expire(http_client.name(session.get("id"), "session id"))
            return _payment_status(best, ref)
        origin = "{0.scheme}://{0.netloc}/".format(urlsplit(callback_url))
        payload = {
            "amount": money.wire(amount),
            "currency": amount.currency,
            "client_reference": str(ref),
            "restrict_payer_mobile": phone.wire(payer),
            "success_url": origin,
            "error_url": origin,
        }
        answer = self._ask("POST", "/checkout/sessions", payload, extra={"Idempotency-Key": str(ref)})
        code = http_client.code_of(answer)
        if answer.status in (400, 422) and code in REFUSING:
            raise Declined(code)
        if answer.status not in (200, 201):
            raise Unavailable(f"wave: HTTP {answer.status} {code or 'without a code'} to a request")
        return _payment_status(http_client.json_of(answer, "wave"), ref)

    def fetch_status(self, ref: UUID, operator_ref: str | None) -> PaymentStatus | None:
        """The status of `ref`, by its session, else by search. None when Wave does not know it.

        When the session ended without money, searches as well: another session under `ref` may be paid.
        """
        if operator_ref:
            answer = self._ask("GET", f"/checkout/sessions/{quote(operator_ref, safe='')}")
            if answer.status == 200:
                status = _payment_status(http_client.json_of(answer, "wave"), ref)
                if status.status in (Status.CONFIRMED, Status.PENDING):
                    return status
            elif answer.status != 404:
                raise Unavailable(
                    f"wave: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to a query"
                )
        sessions = self._search(ref)
        return _payment_status(sessions[0], ref) if sessions else None

    def list_movements(self, day: date, cursor: str | None) -> MovementPage:
        """The wallet's receipts and reversals of `day` (UTC) after `cursor`, in Wave's order.

        Raises Malformed when the page cannot be read. See `wave_list.read_page`.
        """
        params = {"date": day.isoformat(), **({"after": cursor} if cursor else {})}
        answer = self._ask("GET", "/transactions", params=params)
        if answer.status != 200:
            raise Unavailable(
                f"wave: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to a list"
            )
        return wave_list.read_page(http_client.json_of(answer, "wave list"), self._transaction_of_session)

    def fetch_balance(self) -> Money:
        """What the wallet holds now. Raises Unavailable, or Malformed when the answer cannot be read."""
        answer = self._ask("GET", "/balance")
        if answer.status != 200:
            raise Unavailable(
                f"wave: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to a balance"
            )
        payload = http_client.json_of(answer, "wave")
        return money.parse_balance(payload.get("amount"), payload.get("currency"))

    def _transaction_of_session(self, session_id: str) -> object:
        """The transaction of a checkout session. None when it has none, or is unknown."""
        answer = self._ask("GET", f"/checkout/sessions/{quote(session_id, safe='')}")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Unavailable(f"wave: HTTP {answer.status} to a query about a reversal")
        return http_client.json_of(answer, "wave").get("transaction_id")

    def expire(self, operator_ref: str) -> None:
        """Closes a session so that it cannot be paid, unless it has ended (404, 409)."""
        answer = self._ask("POST", f"/checkout/sessions/{quote(operator_ref, safe='')}/expire")
        if answer.status not in (200, 204, 404, 409):
            raise Unavailable(
                f"wave: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to an expiry"
            )

    @staticmethod
    def read_callback(
        body: bytes, headers: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> CallbackHint:
        """Checks the origin, then reads the event. Raises Malformed only for a genuine message."""
        if not is_genuine(body, headers, secrets, now):
            return CallbackHint(authentic=False)
        event = http_client.read(body, "wave event")
        http_client.name(event.get("id"), "event id")  # Malformed without one
        kind, data = event.get("type"), event.get("data")
        if not isinstance(kind, str) or not isinstance(data, dict):
            raise Malformed("wave event: no type or no data")
        our_ref = references.normalize(data.get("client_reference")) if kind in CHECKOUT_EVENTS else None
        return CallbackHint(authentic=True, our_ref=our_ref, unsolicited=kind in UNSOLICITED_EVENTS)

    def _search(self, ref: UUID) -> list[dict[str, Any]]:
        """The sessions under `ref`: the paid one first, then live ones, then ended ones.

        Raises Unavailable when the status of one is unknown to us and none is paid.
        """
        answer = self._ask("GET", "/checkout/sessions/search", params={"client_reference": str(ref)})
        if answer.status == 404:
            return []
        if answer.status != 200:
            raise Unavailable(
                f"wave: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to a search"
            )
        sessions = http_client.json_of(answer, "wave").get("result")
        if not isinstance(sessions, list) or not all(isinstance(session, dict) for session in sessions):
            raise Unavailable("wave: a search answer without sessions")
        if any(_words(session) in PAID for session in sessions):
            sessions = [session for session in sessions if _words(session) in STATUS]
        return sorted(sessions, key=lambda session: BEST_FIRST.index(_status(session)))

    def _ask(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> http_client.HttpAnswer:
        return http_client.ask(
            self._http, "wave", method, self._url + path, {**self._headers, **(extra or {})}, payload, params
        )


def _words(session: dict[str, Any]) -> tuple[str | None, str | None]:
    return http_client.word(session.get("checkout_status")), http_client.word(session.get("payment_status"))


def _status(session: dict[str, Any]) -> Status:
    """Returns the status of a session. Raises Unavailable with Wave's own words when they are new to us."""
    words = _words(session)
    if words[0] is None or words[1] is None or words not in STATUS:
        raise Unavailable(f"wave: unknown status {words[0]!r} with {words[1]!r}")
    return STATUS[words[0], words[1]]


def _amount(session: dict[str, Any]) -> Money:
    return money.parse(session.get("amount"), session.get("currency"))


def _payment_status(session: dict[str, Any], ref: UUID) -> PaymentStatus:
    """A session as our status. A failed attempt (`last_payment_error`) does not end an open session.

    Raises UnreadableProof for a paid session that cannot be read whole, Malformed for another one.
    """
    status = _status(session)
    try:
        return _read_session(session, status, ref)
    except Malformed as error:
        if status is Status.CONFIRMED:
            raise UnreadableProof(str(error)) from error
        raise


def _read_session(session: dict[str, Any], status: Status, ref: UUID) -> PaymentStatus:
    if session.get("client_reference") != str(ref):
        raise Malformed("wave: the session is about another reference")
    error, expires = session.get("last_payment_error"), session.get("when_expires")
    return PaymentStatus(
        status,
        movement=_movement(session, ref) if status is Status.CONFIRMED else None,
        operator_ref=http_client.name(session.get("id"), "session id"),
        link=_link(session.get("wave_launch_url")) if status is Status.PENDING else None,
        reason=http_client.word(error.get("code")) if isinstance(error, dict) else None,
        expires=http_client.moment(expires) if expires else None,
    )


def _movement(session: dict[str, Any], ref: UUID) -> Movement:
    return Movement(
        transaction=http_client.name(session.get("transaction_id"), "transaction_id"),
        amount=_amount(session),
        at=http_client.moment(session.get("when_completed")),
        payer=wave_list.payer_of(session.get("payer_mobile")),
        reference=str(ref),
    )


def _link(url: object) -> str | None:
    """The link that the payer opens. It is sent by SMS, so that only a plain web address is accepted."""
    if url in (None, ""):
        return None
    if not isinstance(url, str) or len(url) > 300 or not url.isascii() or not url.isprintable() or " " in url:
        raise Malformed("wave: the link is not an address")
    if urlsplit(url).scheme not in ("https", "http"):
        raise Malformed("wave: the link is not a web address")
    return url
