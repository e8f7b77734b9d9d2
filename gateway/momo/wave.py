"""Wave Business: the payer opens a link, a checkout session holds what became of it, and a list proves every
movement.

Sources: docs.wave.com, "Checkout API" (sessions, search, expire, error codes), "Balance & Reconciliation API"
(`GET /v1/transactions`), "Webhooks" (event types, `Wave-Signature`, shared secret), read 2026-11-21; field
list of a line as in the public client `wave-api-client`; our research notes, `mobile-money.md` §1.4.

Not documented and so assumed. A line's `amount` is what the wallet changed by (so that client describes it):
gross less `fee`, negative for money that left, which is no receipt and is skipped unless it takes a receipt
back; gross is therefore the size of amount plus the size of fee. No field is documented to name the original
of a reversal: we look at `ORIGINAL`, at `payment_reason` ("Refund of T…"), then ask for the checkout session
of the line; failing all, the line's own `transaction_id` is taken to be the original's. An open session whose
payment was cancelled may still be paid, so that only its expiry ends it.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx

from config.settings import Settings
from gateway import http_client
from gateway.momo.wave_signature import genuine
from mutuelle import money, phone, references
from mutuelle.errors import Declined, Malformed, Unavailable
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
    ("expired", "succeeded"): Status.CONFIRMED,  # proven money counts, whatever became of the session
}
BEST_FIRST = [Status.CONFIRMED, Status.PENDING, Status.FAILED, Status.EXPIRED]
REFUSING = {"request-validation-error"}
ORIGINAL = ("original_transaction_id", "reversed_transaction_id", "refunded_transaction_id")
REFUND_OF = re.compile(r"Refund of ([A-Za-z0-9_-]{1,80})")
PAID_OUT = {
    "api_payout_reversal",
    "bulk_payment_reversal",
    "b2b_payment_reversal",
}  # our own payouts, coming back
OURS = {"checkout.session.completed", "checkout.session.payment_failed"}
UNSOLICITED = {"merchant.payment_received", "b2b.payment_received"}


class Wave:
    """One business wallet. `credentials`: api_key; signing_secrets and shared_secrets serve
    `read_callback`."""

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
        """The wallet whose `credentials` these are, at the address the settings give."""
        return cls(settings.wave_base_url, credentials, http)

    def request_payment(self, ref: UUID, payer: str, amount: Money, callback_url: str) -> PaymentStatus:
        """Make a session that only `payer` can pay, or take up the one made before under `ref`, whatever
        became of it.

        Live sessions beyond the first are expired. Declined with Wave's code; Unavailable when what happened
        is unknown.
        """
        known = self._search(ref)
        if known:
            if any(_asked(session) != amount for session in known):
                raise Malformed("wave: a session under this reference asks for another amount")
            best, *others = known
            for session in others:
                if session.get("checkout_status") == "open":
                    self.expire(http_client.name(session.get("id"), "session id"))
            return _standing(best, ref)
        origin = "{0.scheme}://{0.netloc}/".format(urlsplit(callback_url))
        said = {
            "amount": money.wire(amount),
            "currency": amount.currency,
            "client_reference": str(ref),
            "restrict_payer_mobile": phone.wire(payer),
            "success_url": origin,
            "error_url": origin,
        }
        answer = self._ask("POST", "/checkout/sessions", said, extra={"Idempotency-Key": str(ref)})
        code = http_client.code_of(answer)
        if answer.status in (400, 422) and code in REFUSING:
            raise Declined(code)
        if answer.status not in (200, 201):
            raise Unavailable(f"wave: HTTP {answer.status} {code or 'without a code'} to a request")
        return _standing(http_client.answered(answer, "wave"), ref)

    def fetch_status(self, ref: UUID, operator_ref: str | None) -> PaymentStatus | None:
        """What became of `ref`, by its session, else by search; None when Wave never heard of it.

        A session that ended without money is searched around once: an earlier attempt under `ref` may have
        been paid.
        """
        if operator_ref:
            answer = self._ask("GET", f"/checkout/sessions/{quote(operator_ref, safe='')}")
            if answer.status == 200:
                standing = _standing(http_client.answered(answer, "wave"), ref)
                if standing.status in (Status.CONFIRMED, Status.PENDING):
                    return standing
            elif answer.status != 404:
                raise Unavailable(
                    f"wave: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to a query"
                )
        known = self._search(ref)
        return _standing(known[0], ref) if known else None

    def list_movements(self, day: date, cursor: str | None) -> MovementPage:
        """The wallet's receipts and reversals of `day` (UTC) after `cursor`, as Wave orders them.

        A line that cannot be read is named and holds no other back; Malformed when the page itself cannot be
        read.
        """
        params = {"date": day.isoformat(), **({"after": cursor} if cursor else {})}
        answer = self._ask("GET", "/transactions", params=params)
        if answer.status != 200:
            raise Unavailable(
                f"wave: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to a list"
            )
        said = http_client.answered(answer, "wave list")
        info, items = said.get("page_info"), said.get("items")
        if (
            not isinstance(info, dict)
            or not isinstance(items, list)
            or not isinstance(info.get("has_next_page"), bool)
        ):
            raise Malformed("wave list: no page_info or no items")
        after, more = info.get("end_cursor"), info["has_next_page"]
        if not (isinstance(after, str) and 0 < len(after) <= 500) and (more or after not in (None, "")):
            raise Malformed("wave list: more pages but no cursor")
        movements, unreadable = [], []
        for item in items:
            try:
                movements.append(self._line(item))
            except Malformed:
                unreadable.append(_called(item))
        return MovementPage(tuple(line for line in movements if line), after or None, more, tuple(unreadable))

    def expire(self, operator_ref: str) -> None:
        """Close a session so that nobody can pay it. Quiet when it had ended (404, 409); Unavailable when
        unsure."""
        answer = self._ask("POST", f"/checkout/sessions/{quote(operator_ref, safe='')}/expire")
        if answer.status not in (200, 204, 404, 409):
            raise Unavailable(
                f"wave: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to an expiry"
            )

    @staticmethod
    def read_callback(
        body: bytes, headers: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> CallbackHint:
        """Verifies the origin, then parses. Malformed only when a genuine message cannot be parsed."""
        if not genuine(body, headers, secrets, now):
            return CallbackHint(authentic=False)
        event = http_client.read(body, "wave event")
        http_client.name(event.get("id"), "event id")  # Malformed without one
        kind, about = event.get("type"), event.get("data")
        if not isinstance(kind, str) or not isinstance(about, dict):
            raise Malformed("wave event: no type or no data")
        ours = references.normalize(about.get("client_reference")) if kind in OURS else None
        return CallbackHint(key=key, authentic=True, our_ref=ours, unsolicited=kind in UNSOLICITED)

    def _search(self, ref: UUID) -> list[dict[str, Any]]:
        """The sessions under `ref`: the paid one first, then live ones, then ended ones."""
        answer = self._ask("GET", "/checkout/sessions/search", params={"client_reference": str(ref)})
        if answer.status == 404:
            return []
        if answer.status != 200:
            raise Unavailable(
                f"wave: HTTP {answer.status} {http_client.code_of(answer) or 'without a code'} to a search"
            )
        found = http_client.answered(answer, "wave").get("result")
        if not isinstance(found, list) or not all(isinstance(session, dict) for session in found):
            raise Unavailable("wave: a search answer without sessions")
        return sorted(found, key=lambda session: BEST_FIRST.index(_status(session)))

    def _line(self, item: object) -> Movement | None:
        """A line of the list; None for money that left without taking a receipt back (a payout, a sweep to
        the bank)."""
        if not isinstance(item, dict) or not isinstance(item.get("is_reversal"), bool | None):
            raise Malformed("wave list: a line is not understood")
        amount, fee, left = _gross(item)
        reversal = bool(item.get("is_reversal"))
        if (left and not reversal) or (not left and item.get("transaction_type") in PAID_OUT):
            return None
        reference = item.get("client_reference")
        return Movement(
            transaction=http_client.name(item.get("transaction_id"), "transaction_id"),
            amount=amount,
            at=http_client.moment(item.get("timestamp")),
            payer=_payer(item.get("counterparty_mobile")),
            reference=reference[:255] if isinstance(reference, str) and reference else None,
            reverses=self._original(item) if reversal else None,
            fee=fee,
        )

    def _original(self, item: dict[str, Any]) -> str:
        """The transaction a reversal line takes back, by the surest of the ways this module's promise
        lists."""
        named = next((item[field] for field in ORIGINAL if item.get(field)), None)
        reason, session = item.get("payment_reason"), item.get("checkout_api_session_id")
        if named is None and isinstance(reason, str) and (found := REFUND_OF.fullmatch(reason)):
            named = found[1]
        if named is None and isinstance(session, str) and session:
            answer = self._ask("GET", f"/checkout/sessions/{quote(session, safe='')}")
            if answer.status == 200:
                named = http_client.answered(answer, "wave").get("transaction_id")
            elif answer.status != 404:
                raise Unavailable(f"wave: HTTP {answer.status} to a query about a reversal")
        return http_client.name(named or item.get("transaction_id"), "original transaction")

    def _ask(
        self,
        method: str,
        path: str,
        said: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> http_client.HttpAnswer:
        return http_client.ask(
            self._http, "wave", method, self._url + path, {**self._headers, **(extra or {})}, said, params
        )


def _status(session: dict[str, Any]) -> Status:
    """Where a session stands; Unavailable names the words when we do not know them."""
    words = http_client.word(session.get("checkout_status")), http_client.word(session.get("payment_status"))
    if words[0] is None or words[1] is None or words not in STATUS:
        raise Unavailable(f"wave: unknown status {words[0]!r} with {words[1]!r}")
    return STATUS[words[0], words[1]]


def _asked(session: dict[str, Any]) -> Money:
    return money.parse(session.get("amount"), session.get("currency"))


def _standing(session: dict[str, Any], ref: UUID) -> PaymentStatus:
    """A session in our words. A failed attempt (`last_payment_error`) does not end an open session."""
    status = _status(session)
    if session.get("client_reference") != str(ref):
        raise Malformed("wave: the session is about another reference")
    error, expires = session.get("last_payment_error"), session.get("when_expires")
    return PaymentStatus(
        status,
        movement=_paid(session, ref) if status is Status.CONFIRMED else None,
        operator_ref=http_client.name(session.get("id"), "session id"),
        link=_link(session.get("wave_launch_url")) if status is Status.PENDING else None,
        reason=http_client.word(error.get("code")) if isinstance(error, dict) else None,
        expires=http_client.moment(expires) if expires else None,
    )


def _paid(session: dict[str, Any], ref: UUID) -> Movement:
    return Movement(
        transaction=http_client.name(session.get("transaction_id"), "transaction_id"),
        amount=_asked(session),
        at=http_client.moment(session.get("when_completed")),
        payer=_payer(session.get("payer_mobile")),
        reference=str(ref),
    )


def _gross(item: dict[str, Any]) -> tuple[Money, int, bool]:
    """What a line moved, whole, in positive units; the fee in it; and whether it left the wallet."""
    written, fee = item.get("amount"), item.get("fee")
    if not isinstance(written, str) or not isinstance(fee, str | None):
        raise Malformed("wave list: amount and fee are strings")
    net = money.parse(written.removeprefix("-"), item.get("currency"))
    none = not fee or not fee.removeprefix("-").strip("0.")
    units = 0 if none or fee is None else money.parse(fee.removeprefix("-"), net.currency).units
    return Money(net.units + units, net.currency), units, written.startswith("-")


def _called(item: object) -> str:
    """A name for a line we cannot read: the same each time, and nothing personal in it."""
    named = http_client.word(item.get("transaction_id")) if isinstance(item, dict) else None
    return named or "line-" + hashlib.sha256(repr(item).encode(errors="replace")).hexdigest()[:16]


def _payer(number: object) -> str | None:
    """The payer's number, None when it is missing or masked."""
    try:
        return phone.wire(number)
    except Malformed:
        return None


def _link(url: object) -> str | None:
    """What the payer opens; it goes out by SMS, so that only a plain web address passes."""
    if url in (None, ""):
        return None
    if not isinstance(url, str) or len(url) > 300 or not url.isascii() or not url.isprintable() or " " in url:
        raise Malformed("wave: the link is not an address")
    if urlsplit(url).scheme not in ("https", "http"):
        raise Malformed("wave: the link is not a web address")
    return url
