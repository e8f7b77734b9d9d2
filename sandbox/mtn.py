"""MTN MoMo Collections over HTTP: token, request to pay, its status, the balance."""

import base64
import re
import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.faults import Subject
from sandbox.kernel import Kernel
from sandbox.mtn_book import OPERATOR, MtnBook, status_answer
from sandbox.settings import MtnAccount
from sandbox.truth import Truth

TOKEN_LIFE_S = 3600
KEY = "Ocp-Apim-Subscription-Key"


class MtnError(Exception):
    """An error in MTN's own shape; the body is `{"code","message"}` except at the front door
    (`{"statusCode","message"}`)."""

    def __init__(self, status: int, body: dict[str, Any] | None) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


def coded(status: int, code: str, message: str) -> MtnError:
    return MtnError(status, {"code": code, "message": message})


class FrontDoor:
    """Who is calling: Basic credentials for a token, then a Bearer token, always with the subscription key.

    Tokens are forgotten at a restart: a client must be ready to fetch another after a 401 anyway.
    """

    def __init__(self, kernel: Kernel, book: MtnBook) -> None:
        self._clock = kernel.clock
        self._accounts = list(book.accounts.values())
        self._tokens: dict[str, tuple[MtnAccount, datetime]] = {}

    def give_token(self) -> dict[str, Any]:
        account = next(
            (one for one in self._accounts if request.headers.get("Authorization") == _basic(one)), None
        )
        self._subscribed(account)
        if account is None:
            raise MtnError(401, {"error": "login_failed"})
        token = secrets.token_urlsafe(48)
        self._tokens[token] = (account, self._clock.now() + timedelta(seconds=TOKEN_LIFE_S))
        return {"access_token": token, "token_type": "access_token", "expires_in": TOKEN_LIFE_S}

    def caller(self) -> MtnAccount:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        account, until = self._tokens.get(token, (None, self._clock.now()))
        self._subscribed(account)
        if scheme != "Bearer" or account is None or self._clock.now() >= until:
            raise MtnError(
                401,
                {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid or expired."},
            )
        if request.headers.get("X-Target-Environment") != account.target_environment:
            raise coded(500, "NOT_ALLOWED_TARGET_ENVIRONMENT", "Access to target environment is forbidden.")
        return account

    def _subscribed(self, account: MtnAccount | None) -> None:
        key = request.headers.get(KEY)
        if not key:
            raise MtnError(
                401, {"statusCode": 401, "message": "Access denied due to missing subscription key."}
            )
        owners = [one for one in self._accounts if one.subscription_key == key]
        if not owners or (account is not None and account.subscription_key != key):
            raise MtnError(
                401, {"statusCode": 401, "message": "Access denied due to invalid subscription key."}
            )


def _basic(account: MtnAccount) -> str:
    return "Basic " + base64.b64encode(f"{account.api_user}:{account.api_key}".encode()).decode()


def blueprint(kernel: Kernel, book: MtnBook, truth: Truth) -> Blueprint:
    """Everything under `/mtn/collection`."""
    bp = Blueprint("mtn", __name__, url_prefix="/mtn/collection")
    door = FrontDoor(kernel, book)

    @bp.errorhandler(MtnError)
    def told(error: MtnError) -> Response:
        answer = jsonify(error.body) if error.body else Response()
        answer.status_code = error.status
        return answer

    def carry_out(subject: Subject, doing: str, effect: Any) -> Response:
        fault = kernel.struck(subject, doing)
        if fault == "http_500":
            raise coded(500, "INTERNAL_PROCESSING_ERROR", "An internal error occurred while processing.")
        if fault == "timeout_before":
            return kernel.silence()
        answer: Response = effect()
        if fault == "timeout_after":
            kernel.hang_up()
        return answer

    @bp.post("/token/")
    def token() -> Response:
        return jsonify(door.give_token())

    @bp.post("/v1_0/requesttopay")
    def request_to_pay() -> Response:
        account = door.caller()
        reference, asked = _reference(), _checked(request.get_json(silent=True), account)
        callback = request.headers.get("X-Callback-Url")
        subject = Subject(OPERATOR, account.account, "+" + asked["payer"]["partyId"], reference)

        def effect() -> Response:
            if not book.request(account, reference, asked, callback):
                raise coded(
                    409, "RESOURCE_ALREADY_EXIST", "Duplicated reference id. Creation of resource failed."
                )
            return Response(status=202)

        return carry_out(subject, "mtn.request", effect)

    @bp.get("/v1_0/requesttopay/<reference>")
    def status(reference: str) -> Response:
        account = door.caller()
        row = book.find(account.account, reference)
        payer = "+" + row["payer"]["partyId"] if row else ""

        def effect() -> Response:
            if row is None:
                raise coded(404, "RESOURCE_NOT_FOUND", "Requested resource was not found.")
            return jsonify(status_answer(row, account))

        return carry_out(Subject(OPERATOR, account.account, payer, reference), "mtn.status", effect)

    @bp.get("/v1_0/account/balance")
    def balance() -> Response:
        account = door.caller()
        total = sum(
            row["amount"] for row in truth.movements(OPERATOR, account.account) if not row["reversed"]
        )
        return jsonify({"availableBalance": str(total), "currency": account.currency})

    return bp


def _reference() -> str:
    """The caller's X-Reference-Id, which must be a UUID version 4."""
    said = request.headers.get("X-Reference-Id", "")
    try:
        fine = str(uuid.UUID(said)) == said.lower() and uuid.UUID(said).version == 4
    except ValueError:
        fine = False
    if not fine:
        raise coded(400, "INVALID_REFERENCE_ID", "X-Reference-Id must be a UUID version 4.")
    return said


def _checked(asked: Any, account: MtnAccount) -> dict[str, Any]:
    """The body of a request to pay; a malformed one is 400, another currency 500 INVALID_CURRENCY as MTN
    answers."""
    bad = coded(
        400, "BAD_REQUEST", "amount, currency, externalId and payer{partyIdType,partyId} must be strings."
    )
    if not isinstance(asked, dict) or not isinstance(asked.get("payer"), dict):
        raise bad
    payer = asked["payer"]
    texts = [asked.get("amount"), asked.get("currency"), asked.get("externalId"), payer.get("partyId")]
    if not all(isinstance(text, str) for text in texts) or payer.get("partyIdType") != "MSISDN":
        raise bad
    if not re.fullmatch(r"[1-9][0-9]{0,11}", asked["amount"]) or not re.fullmatch(
        r"[1-9][0-9]{7,14}", payer["partyId"]
    ):
        raise bad
    if any(
        not isinstance(asked.get(note, ""), str) or len(asked.get(note, "")) > 160
        for note in ("payerMessage", "payeeNote")
    ):
        raise bad
    if asked["currency"] != account.currency:
        raise coded(500, "INVALID_CURRENCY", "Currency not supported.")
    return asked
