"""Mobile money: what operators say, kept raw and durably before it is answered. Nothing here credits anything."""

from uuid import UUID

from flask import Blueprint, Response, abort, request

from gateway.hooks.replies import plain
from gateway.hooks.services import services
from gateway.momo import OPERATORS
from mutuelle import clock, db, inbox, secrets, tenants
from mutuelle.errors import Malformed
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
        credentials = secrets.open_credentials(account.credentials)
        try:
            authentic = adapter.read_callback(body, dict(request.headers), credentials, clock.now()).authentic
        except Malformed:
            authentic = True if adapter.signs else None  # its origin was judged first; a worker will say it cannot be read
        work = inbox.keep(
            session, tenant_id, account_id, door="momo", provider=operator, body=body, authentic=authentic, named_ref=ref
        )
    if authentic is False:
        return plain("The signature is missing, wrong or old; the message was kept as rejected.\n", 401)
    if work:
        services().doorbell.ring("money")
    return plain("", 202)
