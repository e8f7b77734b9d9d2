"""The history of one payment, from the household's request to the SMS, with the local time of every step."""

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
    with login_session.transaction() as session:
        tenant_id = login_session.manager().tenant_id
        history = payment_history.load(session, tenant_id, which) or abort(404)
        facts: dict[str, Any] = {"history": history, "names": logins.names(session, tenant_id)}
        if history.receipt is not None:
            facts |= {
                "undoable": manual_attribution.can_undo(session, history.receipt),
                "version": receipts.version(session, history.receipt),
                "refundable": refunds.refundable_units(session, history.receipt),
                "open_refund": refunds.open_of(session, history.receipt),
            }
        return render.page(session, "payment.html", **facts)
