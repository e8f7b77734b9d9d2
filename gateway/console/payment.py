"""One payment from the wish to the SMS, with the local time of every step."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort

from gateway.console import login_session, render
from gateway.console.actions import Answer
from mutuelle.organisation import logins
from mutuelle.payments import manual_attribution, receipts, refunds
from mutuelle.reports import payment_history

bp = Blueprint("payment", __name__, url_prefix="/paiement")


@bp.get("/<uuid:which>")
def page(which: UUID) -> Answer:
    """`which` is a reference of ours, or the id of a receipt or a payment."""
    with login_session.acting() as session:
        told = payment_history.of(session, login_session.me().tenant_id, which) or abort(404)
        facts: dict[str, Any] = {
            "story": told,
            "names": logins.names(session, login_session.me().tenant_id),
            "zone": render.mine(session).zone,
        }
        if told.receipt is not None:
            facts |= {
                "undoable": manual_attribution.can_undo(session, told.receipt),
                "seen": receipts.version(session, told.receipt),
            }
            facts |= {
                "refundable": refunds.refundable_units(session, told.receipt),
                "open": refunds.open_of(session, told.receipt),
            }
        return render.page(session, "payment.html", **facts)
