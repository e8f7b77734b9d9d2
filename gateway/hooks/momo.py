"""Mobile money: what operators say, kept raw and durably before it is answered. Nothing here credits anything."""

from collections.abc import Mapping
from uuid import UUID

from flask import Blueprint, Response, abort, request

from gateway.hooks.replies import plain
from gateway.momo import OPERATORS, Operator
from gateway.services import services
from mutuelle import audit, clock, db, inbox, secrets, tenants
from mutuelle.errors import Malformed
from mutuelle.operator import Hint
from mutuelle.tenants import OperatorAccount

bp = Blueprint("momo", __name__, url_prefix="/momo")


@bp.route("/<operator>/<token>/callback", methods=["POST", "PUT", "GET"])
@bp.route("/<operator>/<token>/callback/<uuid:ref>", methods=["POST", "PUT", "GET"])
def called(operator: str, token: str, ref: UUID | None = None) -> Response:
    """202 once the raw words are committed, repeats and unknown references too. 401: the signature is bad; kept as rejected."""
    adapter = OPERATORS.get(operator) or abort(404)
    with db.transaction(db.Role.APP) as session:
        found = tenants.account_by_token(session, token)
    if found is None or found[2] != operator:
        abort(404)
    body = request.get_data(cache=False) or request.query_string
    if not body:
        return plain("")  # a ping says nothing that could be kept
    tenant_id, account_id, _ = found
    with db.transaction(db.Role.APP, tenant_id) as session:
        account = session.get_one(OperatorAccount, (tenant_id, account_id))
        hint = _understood(adapter, body, secrets.open_credentials(account.credentials))
        named = None if hint is None or hint.authentic is False else _uuid(hint.our_ref) or ref
        work = inbox.keep(session, tenant_id, account_id, door="momo", provider=operator, body=body, named_ref=named,
                          authentic=hint.authentic if hint else None, unsolicited=bool(hint and hint.unsolicited))  # fmt: skip
        if hint is None and adapter.signs:  # its origin was judged first: genuine words that we cannot read
            audit.flag(session, tenant_id, "unreadable", f"account:{account_id}", "a signed message cannot be read")
    if hint is not None and hint.authentic is False:
        return plain("The signature is missing, wrong or old; the message was kept as rejected.\n", 401)
    if work:
        services().doorbell.ring("money")
    return plain("", 202)


def _understood(adapter: type[Operator], body: bytes, credentials: Mapping[str, str]) -> Hint | None:
    """What the message seems to say and whether its origin is proven; None when it cannot be read. It is kept anyway."""
    try:
        return adapter.read_callback(body, dict(request.headers), credentials, clock.now())
    except Malformed:
        return None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
