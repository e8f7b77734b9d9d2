"""Mobile money callbacks: stored raw and committed before they are answered. Nothing here credits money."""

import hashlib
import json

from flask import Blueprint, Response, abort, request
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.doorbell import QueueName
from gateway.hooks.replies import plain
from gateway.momo import OPERATORS
from gateway.services import services
from gateway.token_cache import CachedWallet
from mutuelle import audit, clock, db, inbox, references
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import Malformed
from mutuelle.inbox import Door, Origin
from mutuelle.payments.operators import CallbackHint

HEAD = 64 * 1024  # bytes of a body that is too large, of which the digest is taken

bp = Blueprint("momo", __name__, url_prefix="/momo")


@bp.route("/<operator>/<token>/callback", methods=["POST", "PUT", "GET"])
@bp.route("/<operator>/<token>/callback/<path:path_ref>", methods=["POST", "PUT", "GET"])
def callback(operator: str, token: str, path_ref: str = "") -> Response:
    """202 once the raw message is committed, also for repeats and unknown references.

    401 when the signature is bad; the message is stored as rejected. `path_ref` is our reference, where the
    operator was given a URL that ends with it; a request with nothing else stores the reference itself.
    """
    wallet = _wallet(operator, token) or abort(404)
    body = request.get_data(cache=False) or request.query_string or path_ref.encode()
    if not body:
        return plain("")  # a ping, with nothing to store
    hint = _read(body, wallet)
    if hint is not None and hint.authentic is False:  # the secret in the cache may be outdated
        wallet = _wallet(operator, token, fresh=True) or abort(404)
        hint = _read(body, wallet)
    forged = hint is not None and hint.authentic is False
    ref = None if forged else references.read(hint and hint.our_ref) or references.read(path_ref.strip("/ "))
    tenant_id, account_id = wallet.tenant_id, wallet.account_id
    with db.transaction(db.Role.APP, tenant_id) as session:
        work = inbox.keep(
            session,
            Origin(tenant_id, account_id, Door.MOMO, operator),
            body=body,
            named_ref=ref,
            authentic=hint.authentic if hint else None,
            unsolicited=bool(hint and hint.unsolicited),
            success_at=hint.success_at if hint else None,
        )
        # `read_callback` judges the origin first: a message it cannot read is a genuine one.
        if hint is None and OPERATORS[operator].signs:
            reason = "a signed message cannot be read"
            audit.open_case(
                session, tenant_id, FlagKind.UNREADABLE, audit.about(Subject.ACCOUNT, account_id), reason
            )
    if forged:
        return plain("The signature is missing, wrong or old; the message was kept as rejected.\n", 401)
    if work:
        services().doorbell.ring(QueueName.MONEY)
    return plain("", 202)


@bp.errorhandler(RequestEntityTooLarge)
def too_large(error: RequestEntityTooLarge) -> Response:
    """413. Stores the size and a digest of the body, up to a rate, and opens a case for staff."""
    path = request.view_args or {}
    if (wallet := _wallet(path["operator"], path["token"])) is None:
        return plain("Not Found. Nothing was changed.\n", 404)
    tenant_id, account_id = wallet.tenant_id, wallet.account_id
    if (size := request.content_length) is None:  # a chunked body, which was read up to the limit
        head = request.get_data()
    else:
        request.max_content_length = size
        head = request.stream.read(HEAD)
    evidence = {"size": size, "sha256_of_the_first_64_kB": hashlib.sha256(head[:HEAD]).hexdigest()}
    with db.transaction(db.Role.APP, tenant_id) as session:
        origin = Origin(tenant_id, account_id, Door.MOMO, path["operator"])
        inbox.keep(session, origin, body=json.dumps(evidence).encode(), rejected="too large")
        reason = "a message of more than 64 kB was refused"
        audit.open_case(
            session, tenant_id, FlagKind.UNREADABLE, audit.about(Subject.ACCOUNT, account_id), reason
        )
    return plain("The body is too large; its size and digest were kept, nothing else.\n", 413)


def _wallet(operator: str, token: str, *, fresh: bool = False) -> CachedWallet | None:
    """The wallet to which this secret path belongs."""
    return services().tokens.wallet(operator, token, fresh=fresh) if operator in OPERATORS else None


def _read(body: bytes, wallet: CachedWallet) -> CallbackHint | None:
    """What the message seems to say and whether its origin is proven. None when it cannot be read."""
    try:
        return OPERATORS[wallet.operator].read_callback(
            body, dict(request.headers), wallet.credentials, clock.now()
        )
    except Malformed:
        return None
