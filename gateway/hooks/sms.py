"""SMS delivery reports and incoming messages: stored raw and answered at once. A worker reads them."""

from flask import Blueprint, Response, abort, request

from gateway.doorbell import QueueName
from gateway.hooks.replies import plain
from gateway.services import services
from gateway.sms import SMS
from mutuelle import db, inbox
from mutuelle.inbox import Door, Origin

DOORS = {"incoming": Door.SMS_INCOMING, "delivery": Door.SMS_DELIVERY}

bp = Blueprint("sms", __name__, url_prefix="/sms")


@bp.post("/<route>/<token>/<any(incoming, delivery):kind>")
def receive(route: str, token: str, kind: str) -> Response:
    """200 once the message is stored; a repeat changes nothing."""
    if route not in SMS:
        abort(404)
    account = services().tokens.gateway(route, token) or abort(404)
    with db.transaction(db.Role.APP, account.owner_id) as session:
        origin = Origin(account.owner_id, account.gateway_id, DOORS[kind], route)
        work = inbox.keep(session, origin, body=request.get_data(cache=False))
    if work:
        services().doorbell.ring(QueueName.MESSAGES)
    return plain("")
