"""Wave's HTTP API as documented: checkout sessions, transaction list, balance, refunds, and the page a payer opens."""

import base64
import re
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, render_template, request

from sandbox.clock import iso
from sandbox.faults import Subject
from sandbox.journal import Row
from sandbox.kernel import Kernel, made_up
from sandbox.refusal import Refusal, phone_number
from sandbox.settings import WaveAccount
from sandbox.wave_book import WaveBook, public
from sandbox.wave_webhook import CAPITALS, OPERATOR

PAGE_MOST = 1000


class WaveError(Exception):
    """An error in Wave's own shape: `{"code","message"}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def blueprint(kernel: Kernel, book: WaveBook) -> Blueprint:
    """Everything under `/wave/v1`, for holders of a Bearer key; one key sees one account only."""
    bp = Blueprint("wave", __name__, url_prefix="/wave/v1")
    keys = {account.api_key: account for account in book.accounts.values()}

    @bp.errorhandler(WaveError)
    def told(error: WaveError) -> tuple[Response, int]:
        return jsonify({"code": error.code, "message": str(error)}), error.status

    def caller() -> WaveAccount:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            raise WaveError(401, "missing-auth-header", "The Authorization header is missing or is not a Bearer key.")
        if key not in keys:
            raise WaveError(401, "invalid-auth", "The API key is not valid.")
        return keys[key]

    def own(key: str) -> Row:
        row = book.session(key, caller().account)
        if row is None:
            raise WaveError(404, "checkout-session-not-found", "The checkout session was not found.")
        return row

    def pay_for(account: WaveAccount, row: Row | None, doing: str) -> str | None:
        """Draw the faults of a request about `row` (or about no payment in particular)."""
        payer = (row or {}).get("restrict_payer_mobile") or ""
        reference = (row or {}).get("client_reference") or (row or {}).get("id") or doing
        return kernel.struck(Subject(OPERATOR, account.account, payer, reference), doing)

    def carry_out(fault: str | None, answer: Any) -> Response:
        """Do it (`answer` is called) unless a fault came before; lose the answer if a fault comes after."""
        if fault == "http_500":
            raise WaveError(500, "internal-server-error", "The request could not be processed.")
        if fault == "timeout_before":
            return kernel.silence()
        said = answer()
        if fault == "timeout_after":
            kernel.hang_up()
        return Response(status=200) if said is None else jsonify(said)

    @bp.post("/checkout/sessions")
    def create() -> Response:
        account = caller()
        asked = _checked(request.get_json(silent=True), account)
        known = {**asked, "id": made_up(CAPITALS, 8)}
        return carry_out(pay_for(account, known, "wave.create"), lambda: public(book.open_session(account, asked)))

    @bp.get("/checkout/sessions/<key>")
    def show(key: str) -> Response:
        row = own(key)
        return carry_out(pay_for(caller(), row, "wave.show"), lambda: public(row))

    @bp.get("/checkout/sessions")
    def by_transaction() -> Response:
        account, transaction = caller(), request.args.get("transaction_id", "")
        row = book.by_transaction(account.account, transaction)
        if row is None:
            raise WaveError(404, "checkout-session-not-found", "The checkout session was not found.")
        return carry_out(pay_for(account, row, "wave.show"), lambda: public(row))

    @bp.get("/checkout/sessions/search")
    def search() -> Response:
        account, reference = caller(), request.args.get("client_reference", "")
        if not reference:
            raise WaveError(400, "request-validation-error", "client_reference is required.")
        rows = book.by_reference(account.account, reference)
        return carry_out(
            pay_for(account, rows[0] if rows else {"client_reference": reference}, "wave.search"),
            lambda: {"result": [public(row) for row in rows]},
        )

    @bp.post("/checkout/sessions/<key>/expire")
    def expire(key: str) -> Response:
        row = own(key)
        if row["checkout_status"] == "complete":
            raise WaveError(409, "checkout-session-already-complete", "A completed session cannot be expired.")
        return carry_out(pay_for(caller(), row, "wave.expire"), lambda: book.expire(row))

    @bp.post("/checkout/sessions/<key>/refund")
    def refund(key: str) -> Response:
        row = own(key)
        if row["checkout_status"] != "complete":
            raise WaveError(409, "checkout-refund-failed", "Only a completed session can be refunded.")
        return carry_out(pay_for(caller(), row, "wave.refund"), lambda: _refund(book, caller(), row["transaction_id"]))

    @bp.post("/transactions/<transaction>/refund")
    def refund_transaction(transaction: str) -> Response:
        account = caller()
        return carry_out(pay_for(account, None, "wave.refund"), lambda: _refund(book, account, transaction))

    @bp.get("/transactions")
    def transactions() -> Response:
        account = caller()
        date = request.args.get("date") or iso(kernel.clock.now())[:10]
        page = transaction_page(book, account.account, date, request.args.get("after"), request.args.get("first"))
        return carry_out(pay_for(account, None, "wave.list"), lambda: page)

    @bp.get("/balance")
    def balance() -> Response:
        account = caller()
        amount = str(book.balance(account.account))
        return carry_out(pay_for(account, None, "wave.balance"), lambda: {"amount": amount, "currency": account.currency})

    return bp


def _refund(book: WaveBook, account: WaveAccount, transaction: str) -> None:
    try:
        book.reverse(transaction, account.account)
    except Refusal as refusal:
        raise WaveError(404, "transaction-not-found", "The transaction was not found.") from refusal


def transaction_page(book: WaveBook, account: str, date: str, after: str | None, first: str | None = None) -> Row:
    """One page of a day: `{"page_info","date","items"}`; a cursor is opaque to the caller (the place of the line)."""
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


def _checked(asked: Any, account: WaveAccount) -> dict[str, Any]:
    """The body of a session request, refused as Wave does (400 request-validation-error) when a field is wrong."""

    def wrong(field: str, why: str) -> WaveError:
        return WaveError(400, "request-validation-error", f"{field}: {why}")

    if not isinstance(asked, dict):
        raise wrong("body", "must be a JSON object")
    if not isinstance(asked.get("amount"), str) or not re.fullmatch(r"[1-9][0-9]{0,11}", asked["amount"]):
        raise wrong("amount", "must be a string holding a whole number greater than zero")
    if asked.get("currency") != account.currency:
        raise wrong("currency", f"must be {account.currency}")
    for field in ("success_url", "error_url"):
        url = asked.get(field)
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            raise wrong(field, "must be a URL")
    for field in ("client_reference", "restrict_payer_mobile", "aggregated_merchant_id"):
        value = asked.get(field)
        if value is not None and (not isinstance(value, str) or not 0 < len(value) <= 255):
            raise wrong(field, "must be a string of at most 255 characters")
    mobile = asked.get("restrict_payer_mobile")
    if mobile is not None and not re.fullmatch(r"\+[1-9][0-9]{7,14}", mobile):
        raise wrong("restrict_payer_mobile", "must be in international form, as +221…")
    return asked


def payer_page(book: WaveBook) -> Blueprint:
    """`/wave/c/cos-…`: what a payer sees on opening the link; a form, no JavaScript."""
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
        return render_template("wave_pay.html", session=row, refusal=refusal), refusal.status if refusal else 200

    return bp
