"""Serves MTN MoMo Collections over HTTP: token, request to pay, its status, the balance."""

import base64
import re
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.fault_draws import Subject
from sandbox.kernel import Kernel
from sandbox.mtn_book import OPERATOR, MtnBook, status_answer
from sandbox.settings import MtnAccount
from sandbox.truth import Truth

TOKEN_LIFE_S = 3600
KEY = "Ocp-Apim-Subscription-Key"


class MtnError(Exception):
    """An error in MTN's form: `{"code","message"}`, or `{"statusCode","message"}` for authentication."""

    def __init__(self, status: int, body: dict[str, Any] | None) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


def coded_error(status: int, code: str, message: str) -> MtnError:
    return MtnError(status, {"code": code, "message": message})


class Authentication:
    """Checks Basic credentials for a token, then the Bearer token, always with the subscription key.

    Tokens do not survive a restart: a client must be able to fetch another after a 401 anyway.
    """

    def __init__(self, kernel: Kernel, book: MtnBook) -> None:
        self._clock = kernel.clock
        self._accounts = list(book.accounts.values())
        self._tokens: dict[str, tuple[MtnAccount, datetime]] = {}

    def issue_token(self) -> dict[str, Any]:
        header = request.headers.get("Authorization")
        account = next((account for account in self._accounts if header == _basic(account)), None)
        self._check_subscription(account)
        if account is None:
            raise MtnError(401, {"error": "login_failed"})
        token = secrets.token_urlsafe(48)
        self._tokens[token] = (account, self._clock.now() + timedelta(seconds=TOKEN_LIFE_S))
        return {"access_token": token, "token_type": "access_token", "expires_in": TOKEN_LIFE_S}

    def caller(self) -> MtnAccount:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        account, until = self._tokens.get(token, (None, self._clock.now()))
        self._check_subscription(account)
        if scheme != "Bearer" or account is None or self._clock.now() >= until:
            raise MtnError(
                401,
                {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid or expired."},
            )
        if request.headers.get("X-Target-Environment") != account.target_environment:
            raise coded_error(
                500, "NOT_ALLOWED_TARGET_ENVIRONMENT", "Access to target environment is forbidden."
            )
        return account

    def _check_subscription(self, account: MtnAccount | None) -> None:
        key = request.headers.get(KEY)
        if not key:
            raise MtnError(
                401, {"statusCode": 401, "message": "Access denied due to missing subscription key."}
            )
        owners = [owner for owner in self._accounts if owner.subscription_key == key]
        if not owners or (account is not None and account.subscription_key != key):
            raise MtnError(
                401, {"statusCode": 401, "message": "Access denied due to invalid subscription key."}
            )


def _basic(account: MtnAccount) -> str:
    return "Basic " + base64.b64encode(f"{account.api_user}:{account.api_key}".encode()).decode()


def blueprint(kernel: Kernel, book: MtnBook, truth: Truth) -> Blueprint:
    """Everything under `/mtn/collection`."""
    bp = Blueprint("mtn", __name__, url_prefix="/mtn/collection")
    authentication = Authentication(kernel, book)

    @bp.errorhandler(MtnError)
    def render_error(error: MtnError) -> Response:
        answer = jsonify(error.body) if error.body else Response()
        answer.status_code = error.status
        return answer

    @bp.post("/token/")
    def token() -> Response:
        return jsonify(authentication.issue_token())

    @bp.post("/v1_0/requesttopay")
    def request_to_pay() -> Response:
        account = authentication.caller()
        reference, payload = _reference(), _check_request(request.get_json(silent=True), account)
        callback = request.headers.get("X-Callback-Url")
        subject = Subject(OPERATOR, account.account, "+" + payload["payer"]["partyId"], reference)

        def effect() -> Response:
            if not book.request(account, reference, payload, callback):
                raise coded_error(
                    409, "RESOURCE_ALREADY_EXIST", "Duplicated reference id. Creation of resource failed."
                )
            return Response(status=202)

        return _carry_out(kernel, subject, "mtn.request", effect)

    @bp.get("/v1_0/requesttopay/<reference>")
    def status(reference: str) -> Response:
        account = authentication.caller()
        row = book.find(account.account, reference)
        payer = "+" + row["payer"]["partyId"] if row else ""

        def effect() -> Response:
            if row is None:
                raise coded_error(404, "RESOURCE_NOT_FOUND", "Requested resource was not found.")
            return jsonify(status_answer(row, account))

        subject = Subject(OPERATOR, account.account, payer, reference)
        return _carry_out(kernel, subject, "mtn.status", effect)

    @bp.get("/v1_0/account/balance")
    def balance() -> Response:
        account = authentication.caller()
        total = sum(
            row["amount"] for row in truth.movements(OPERATOR, account.account) if not row["reversed"]
        )
        return jsonify({"availableBalance": str(total), "currency": account.currency})

    return bp


def _carry_out(kernel: Kernel, subject: Subject, operation: str, effect: Callable[[], Response]) -> Response:
    """Calls `effect` unless a fault comes before it; withholds its answer if a fault comes after it."""
    fault = kernel.draw_fault(subject, operation)
    if fault == "http_500":
        raise coded_error(500, "INTERNAL_PROCESSING_ERROR", "An internal error occurred while processing.")
    if fault == "timeout_before":
        return kernel.no_answer()
    answer = effect()
    if fault == "timeout_after":
        kernel.hang_up()
    return answer


def _reference() -> str:
    """Returns the request's X-Reference-Id, which must be a UUID version 4."""
    reference = request.headers.get("X-Reference-Id", "")
    try:
        valid = str(uuid.UUID(reference)) == reference.lower() and uuid.UUID(reference).version == 4
    except ValueError:
        valid = False
    if not valid:
        raise coded_error(400, "INVALID_REFERENCE_ID", "X-Reference-Id must be a UUID version 4.")
    return reference


def _check_request(payload: Any, account: MtnAccount) -> dict[str, Any]:
    """Checks a request to pay. A malformed body is 400, another currency 500 INVALID_CURRENCY, as at MTN."""
    bad = coded_error(
        400, "BAD_REQUEST", "amount, currency, externalId and payer{partyIdType,partyId} must be strings."
    )
    if not isinstance(payload, dict) or not isinstance(payload.get("payer"), dict):
        raise bad
    payer = payload["payer"]
    texts = [payload.get("amount"), payload.get("currency"), payload.get("externalId"), payer.get("partyId")]
    if not all(isinstance(text, str) for text in texts) or payer.get("partyIdType") != "MSISDN":
        raise bad
    if not re.fullmatch(r"[1-9][0-9]{0,11}", payload["amount"]) or not re.fullmatch(
        r"[1-9][0-9]{7,14}", payer["partyId"]
    ):
        raise bad
    if any(
        not isinstance(payload.get(field, ""), str) or len(payload.get(field, "")) > 160
        for field in ("payerMessage", "payeeNote")
    ):
        raise bad
    if payload["currency"] != account.currency:
        raise coded_error(500, "INVALID_CURRENCY", "Currency not supported.")
    return payload
