"""Serves Wave's HTTP API (checkout sessions, transaction list, balance, refunds) and the payer's page."""

import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, render_template, request

from sandbox import wave_list_faults
from sandbox.clock import iso
from sandbox.fault_draws import Subject
from sandbox.journal import Row
from sandbox.kernel import Kernel, random_name
from sandbox.refusal import Refusal, phone_number
from sandbox.settings import WaveAccount
from sandbox.wave_book import WaveBook, public
from sandbox.wave_webhook import CAPITALS, OPERATOR

PAGE_MOST = 1000


class WaveError(Exception):
    """An error in Wave's form: `{"code","message"}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class WaveApi:
    """The views of `/wave/v1`. A Bearer key gives access to one account only."""

    def __init__(self, kernel: Kernel, book: WaveBook) -> None:
        self._kernel, self._book = kernel, book
        self._keys = {account.api_key: account for account in book.accounts.values()}

    def caller(self) -> WaveAccount:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            raise WaveError(
                401, "missing-auth-header", "The Authorization header is missing or is not a Bearer key."
            )
        if key not in self._keys:
            raise WaveError(401, "invalid-auth", "The API key is not valid.")
        return self._keys[key]

    def _own_session(self, key: str) -> Row:
        return _require_session(self._book.session(key, self.caller().account))

    def _carry_out(self, operation: str, payment: Row | None, effect: Callable[[], Row | None]) -> Response:
        """Calls `effect` unless a fault comes before it; withholds its answer if a fault comes after it.

        Faults are drawn for `payment`, or for no payment in particular.
        """
        payer = (payment or {}).get("restrict_payer_mobile") or ""
        reference = (payment or {}).get("client_reference") or (payment or {}).get("id") or operation
        fault = self._kernel.draw_fault(Subject(OPERATOR, self.caller().account, payer, reference), operation)
        if fault == "http_500":
            raise WaveError(500, "internal-server-error", "The request could not be processed.")
        if fault == "timeout_before":
            return self._kernel.no_answer()
        body = effect()
        if fault == "timeout_after":
            self._kernel.hang_up()
        return Response(status=200) if body is None else jsonify(body)

    def create(self) -> Response:
        account = self.caller()
        payload = _check_request(request.get_json(silent=True), account)
        payment = {**payload, "id": random_name(CAPITALS, 8)}
        return self._carry_out(
            "wave.create", payment, lambda: public(self._book.open_session(account, payload))
        )

    def show(self, key: str) -> Response:
        row = self._own_session(key)
        return self._carry_out("wave.show", row, lambda: public(row))

    def by_transaction(self) -> Response:
        account, transaction = self.caller(), request.args.get("transaction_id", "")
        row = _require_session(self._book.by_transaction(account.account, transaction))
        return self._carry_out("wave.show", row, lambda: public(row))

    def search(self) -> Response:
        account, reference = self.caller(), request.args.get("client_reference", "")
        if not reference:
            raise WaveError(400, "request-validation-error", "client_reference is required.")
        rows = self._book.by_reference(account.account, reference)
        payment = rows[0] if rows else {"client_reference": reference}
        return self._carry_out("wave.search", payment, lambda: {"result": [public(row) for row in rows]})

    def expire(self, key: str) -> Response:
        row = self._own_session(key)
        if row["checkout_status"] == "complete":
            raise WaveError(
                409, "checkout-session-already-complete", "A completed session cannot be expired."
            )
        return self._carry_out("wave.expire", row, lambda: self._book.expire(row))

    def refund(self, key: str) -> Response:
        row = self._own_session(key)
        if row["checkout_status"] != "complete":
            raise WaveError(409, "checkout-refund-failed", "Only a completed session can be refunded.")
        return self._carry_out(
            "wave.refund", row, lambda: _refund(self._book, self.caller(), row["transaction_id"])
        )

    def refund_transaction(self, transaction: str) -> Response:
        account = self.caller()
        return self._carry_out("wave.refund", None, lambda: _refund(self._book, account, transaction))

    def transactions(self) -> Response:
        account = self.caller()
        date = request.args.get("date") or iso(self._kernel.clock.now())[:10]
        page = transaction_page(
            self._book, account.account, date, request.args.get("after"), request.args.get("first")
        )
        page["items"] = wave_list_faults.spoil(self._kernel, account, page["items"])
        return self._carry_out("wave.list", None, lambda: page)

    def balance(self) -> Response:
        account = self.caller()
        body = {"amount": str(self._book.balance(account.account)), "currency": account.currency}
        return self._carry_out("wave.balance", None, lambda: body)


def blueprint(kernel: Kernel, book: WaveBook) -> Blueprint:
    """Everything under `/wave/v1`."""
    bp = Blueprint("wave", __name__, url_prefix="/wave/v1")
    api = WaveApi(kernel, book)
    bp.get("/balance")(api.balance)
    bp.get("/transactions")(api.transactions)
    bp.post("/transactions/<transaction>/refund")(api.refund_transaction)
    bp.post("/checkout/sessions")(api.create)
    bp.get("/checkout/sessions")(api.by_transaction)
    bp.get("/checkout/sessions/search")(api.search)
    bp.get("/checkout/sessions/<key>")(api.show)
    bp.post("/checkout/sessions/<key>/expire")(api.expire)
    bp.post("/checkout/sessions/<key>/refund")(api.refund)

    @bp.errorhandler(WaveError)
    def render_error(error: WaveError) -> tuple[Response, int]:
        return jsonify({"code": error.code, "message": str(error)}), error.status

    return bp


def _require_session(row: Row | None) -> Row:
    if row is None:
        raise WaveError(404, "checkout-session-not-found", "The checkout session was not found.")
    return row


def _refund(book: WaveBook, account: WaveAccount, transaction: str) -> None:
    try:
        book.reverse(transaction, account.account)
    except Refusal as refusal:
        raise WaveError(404, "transaction-not-found", "The transaction was not found.") from refusal


def transaction_page(
    book: WaveBook, account: str, date: str, after: str | None, first: str | None = None
) -> Row:
    """Returns one page of a day: `{"page_info","date","items"}`. The cursor encodes the line's position."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", date):
        raise WaveError(400, "request-validation-error", "date must be YYYY-MM-DD.")
    try:
        start = int(base64.urlsafe_b64decode(after.encode()).decode()) if after else 0
        size = min(int(first or PAGE_MOST), PAGE_MOST)
    except ValueError as error:
        raise WaveError(400, "request-validation-error", "The cursor is not valid.") from error
    lines = book.lines(account, date)
    items = lines[start : start + max(size, 1)]
    end = start + len(items)
    info = {
        "start_cursor": after or None,
        "end_cursor": base64.urlsafe_b64encode(str(end).encode()).decode() if items else None,
        "has_next_page": end < len(lines),
    }
    return {"page_info": info, "date": date, "items": items}


def _check_request(payload: Any, account: WaveAccount) -> dict[str, Any]:
    """Checks the body of a session request; a wrong field is 400 request-validation-error, as at Wave."""

    def wrong(field: str, why: str) -> WaveError:
        return WaveError(400, "request-validation-error", f"{field}: {why}")

    if not isinstance(payload, dict):
        raise wrong("body", "must be a JSON object")
    if not isinstance(payload.get("amount"), str) or not re.fullmatch(r"[1-9][0-9]{0,11}", payload["amount"]):
        raise wrong("amount", "must be a string holding a whole number greater than zero")
    if payload.get("currency") != account.currency:
        raise wrong("currency", f"must be {account.currency}")
    for field in ("success_url", "error_url"):
        url = payload.get(field)
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            raise wrong(field, "must be a URL")
    for field in ("client_reference", "restrict_payer_mobile", "aggregated_merchant_id"):
        value = payload.get(field)
        if value is not None and (not isinstance(value, str) or not 0 < len(value) <= 255):
            raise wrong(field, "must be a string of at most 255 characters")
    mobile = payload.get("restrict_payer_mobile")
    if mobile is not None and not re.fullmatch(r"\+[1-9][0-9]{7,14}", mobile):
        raise wrong("restrict_payer_mobile", "must be in international form, as +221…")
    return payload


def payer_page(book: WaveBook) -> Blueprint:
    """`/wave/c/cos-…`: the page that a payer opens by the link; a form without JavaScript."""
    bp = Blueprint("wave_payer", __name__, url_prefix="/wave/c")

    @bp.get("/<key>")
    def show(key: str) -> tuple[str, int]:
        row = book.session(key)
        return render_template("wave_pay.html", session=row, refusal=None), 200 if row else 404

    @bp.post("/<key>")
    def answer(key: str) -> tuple[str, int]:
        refusal = None
        try:
            phone = phone_number(re.sub(r"[ .-]", "", request.form.get("mobile", "")))
            (book.approve if request.form.get("answer") == "approve" else book.decline)(key, phone)
        except Refusal as error:
            refusal = error
        row = book.session(key)
        page = render_template("wave_pay.html", session=row, refusal=refusal)
        return page, refusal.status if refusal else 200

    return bp
