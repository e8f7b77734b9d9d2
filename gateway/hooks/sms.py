"""SMS: delivery reports and incoming messages, kept raw and answered at once; a worker understands them."""

from flask import Blueprint, Response, abort, request

from gateway.hooks.replies import plain
from gateway.services import services
from gateway.sms import SMS
from mutuelle import db, inbox

DOORS = {"incoming": "sms-incoming", "delivery": "sms-delivery"}

bp = Blueprint("sms", __name__, url_prefix="/sms")


@bp.post("/<route>/<token>/<any(incoming, delivery):what>")
def heard(route: str, token: str, what: str) -> Response:
    """200 once stored; a repeat changes nothing."""
    if route not in SMS:
        abort(404)
    entrance = services().directory.entrance(route, token) or abort(404)
    with db.transaction(db.Role.APP, entrance.owner_id) as session:
        work = inbox.keep(
            session,
            entrance.owner_id,
            entrance.gateway_id,
            door=DOORS[what],
            provider=route,
            body=request.get_data(cache=False),
        )
    if work:
        services().doorbell.ring("messages")
    return plain("")
