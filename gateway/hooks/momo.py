"""Mobile money: what operators say, kept raw and durably before it is answered. Nothing here credits
anything."""

import hashlib
import json

from flask import Blueprint, Response, abort, request
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.hooks.replies import plain
from gateway.momo import OPERATORS
from gateway.services import services
from gateway.token_cache import CachedWallet
from mutuelle import audit, clock, db, inbox, references
from mutuelle.errors import Malformed
from mutuelle.payments.operators import CallbackHint

HEAD = 64 * 1024  # what is looked at of a body that is too large

bp = Blueprint("momo", __name__, url_prefix="/momo")


@bp.route("/<operator>/<token>/callback", methods=["POST", "PUT", "GET"])
@bp.route("/<operator>/<token>/callback/<path:named>", methods=["POST", "PUT", "GET"])
def called(operator: str, token: str, named: str = "") -> Response:
    """202 once the raw words are committed, repeats and unknown references too. 401: the signature is bad;
    kept as rejected.

    `named` is our reference where the operator was given one to call back under; where it says nothing else,
    that is kept.
    """
    wallet = _wallet(operator, token) or abort(404)
    body = request.get_data(cache=False) or request.query_string or named.encode()
    if not body:
        return plain("")  # a ping says nothing that could be kept
    hint = _understood(body, wallet)
    if hint is not None and hint.authentic is False:  # its secret may have been changed a moment ago
        wallet = _wallet(operator, token, anew=True) or abort(404)
        hint = _understood(body, wallet)
    forged = hint is not None and hint.authentic is False
    ref = None if forged else references.read(hint and hint.our_ref) or references.read(named.strip("/ "))
    tenant_id, account_id = wallet.tenant_id, wallet.account_id
    with db.transaction(db.Role.APP, tenant_id) as session:
        work = inbox.keep(
            session,
            tenant_id,
            account_id,
            door="momo",
            provider=operator,
            body=body,
            named_ref=ref,
            authentic=hint.authentic if hint else None,
            unsolicited=bool(hint and hint.unsolicited),
        )
        if (
            hint is None and OPERATORS[operator].signs
        ):  # its origin was judged first: genuine words that we cannot read
            audit.open_case(
                session, tenant_id, "unreadable", f"account:{account_id}", "a signed message cannot be read"
            )
    if forged:
        return plain("The signature is missing, wrong or old; the message was kept as rejected.\n", 401)
    if work:
        services().doorbell.ring("money")
    return plain("", 202)


@bp.errorhandler(RequestEntityTooLarge)
def too_large(error: RequestEntityTooLarge) -> Response:
    """413. Of the body only its size and a digest are kept, up to a rate, and a person is told."""
    told = request.view_args or {}
    if (wallet := _wallet(told["operator"], told["token"])) is None:
        return plain("Not Found. Nothing was changed.\n", 404)
    tenant_id, account_id = wallet.tenant_id, wallet.account_id
    if (size := request.content_length) is None:  # it came in pieces, and was read up to the limit
        head = request.get_data()
    else:
        request.max_content_length = size
        head = request.stream.read(HEAD)
    evidence = {"size": size, "sha256_of_the_first_64_kB": hashlib.sha256(head[:HEAD]).hexdigest()}
    with db.transaction(db.Role.APP, tenant_id) as session:
        inbox.keep(
            session,
            tenant_id,
            account_id,
            door="momo",
            provider=told["operator"],
            body=json.dumps(evidence).encode(),
            rejected="too large",
        )
        audit.open_case(
            session,
            tenant_id,
            "unreadable",
            f"account:{account_id}",
            "a message of more than 64 kB was refused",
        )
    return plain("The body is too large; its size and digest were kept, nothing else.\n", 413)


def _wallet(operator: str, token: str, *, anew: bool = False) -> CachedWallet | None:
    """The wallet whose secret path this is."""
    return services().directory.wallet(operator, token, anew=anew) if operator in OPERATORS else None


def _understood(body: bytes, wallet: CachedWallet) -> CallbackHint | None:
    """What the message seems to say and whether its origin is proven; None when it cannot be read. It is kept
    anyway."""
    try:
        return OPERATORS[wallet.operator].read_callback(
            body, dict(request.headers), wallet.credentials, clock.now()
        )
    except Malformed:
        return None
