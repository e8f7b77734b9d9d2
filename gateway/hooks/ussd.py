"""The USSD endpoints: answers one turn with one screen, and stores end-of-session reports.

Whatever fails inside a turn, the phone gets a valid screen.
"""

import json
import logging
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from gateway.doorbell import QueueName
from gateway.hooks.replies import plain
from gateway.services import services
from gateway.session_cache import RedisBudget
from gateway.ussd import USSD
from gateway.ussd.call import UssdAdapter, UssdRequest
from menus import idempotent_turn, session_rows
from menus.idempotent_turn import TurnRequest, TurnResponse
from mutuelle import crypto, db, inbox
from mutuelle.errors import Malformed
from mutuelle.inbox import Door, Origin

TURN_S = 1.8  # the deadline of a turn; it leaves 0.2 s for the last answer of Redis

bp = Blueprint("ussd", __name__, url_prefix="/ussd")
log = logging.getLogger("gateway.ussd")


@bp.post("/<gateway>/<token>")
def turn(gateway: str, token: str) -> Response:
    """Answers one turn in the gateway's own format.

    404: the token is wrong. 400: the turn cannot be read; no session is touched.
    """
    adapter = USSD.get(gateway) or abort(404)
    try:
        ussd_request = adapter.read(request.form.items(multi=True))
    except Malformed as error:
        return plain(f"Refused, nothing was changed: {error}.\n", 400)
    try:
        screen_text = _answer(adapter, gateway, token, ussd_request).screen_text
    except HTTPException:
        raise
    except Exception as error:  # the phone needs a screen; a repeat of the turn finds what was done
        log.exception("turn failed: %s", type(error).__name__)
        screen_text = idempotent_turn.error_screen("session.failed").screen_text
    return plain(adapter.write(screen_text.text, screen_text.open), content_type=adapter.CONTENT_TYPE)


def _answer(adapter: UssdAdapter, gateway: str, token: str, ussd_request: UssdRequest) -> TurnResponse:
    budget = RedisBudget(db.Deadline(TURN_S))
    sessions = services().sessions
    state = sessions.recall(token, ussd_request.session_id, budget)
    try:
        if state is None:
            turn_request, draft = _first_turn(adapter, gateway, token, ussd_request, budget)
        else:
            ids = state.gateway_id, state.tenant_id
            turn_request, draft = _turn_request(adapter, ussd_request, *ids, budget.deadline), None
    except SQLAlchemyError as error:
        log.error("turn without its mutuelle: %s", type(error).__name__)
        return idempotent_turn.error_screen("session.failed")
    if turn_request is None:
        return idempotent_turn.error_screen("session.no-code")
    response = idempotent_turn.answer(turn_request, state, draft)
    sessions.remember(token, ussd_request.session_id, response, budget)
    if response.acted and not budget.is_spent:  # without a ring, the sweep finds the work
        services().doorbell.ring(QueueName.MONEY, QueueName.MESSAGES, deadline=budget.deadline)
    return response


def _first_turn(
    adapter: UssdAdapter, gateway: str, token: str, ussd_request: UssdRequest, budget: RedisBudget
) -> tuple[TurnRequest | None, dict[str, Any] | None]:
    """Returns the turn with the gateway account and mutuelle of the dialled code, and the draft of the phone.

    Returns no turn when the code belongs to no mutuelle. 404: the token is wrong.
    """
    entrance = services().tokens.gateway(gateway, token, budget.deadline) or abort(404)
    match = adapter.match_code(ussd_request.service_code, entrance.codes)
    if match is None:
        return None, None
    code, shortcut = match
    tenant_id = entrance.codes[code]
    draft = services().sessions.draft(tenant_id, crypto.blind_index(ussd_request.phone), budget)
    turn_request = _turn_request(
        adapter, ussd_request, entrance.gateway_id, tenant_id, budget.deadline, shortcut
    )
    return turn_request, draft


def _turn_request(
    adapter: UssdAdapter,
    ussd_request: UssdRequest,
    gateway_id: UUID,
    tenant_id: UUID,
    deadline: db.Deadline,
    shortcut: str = "",
) -> TurnRequest:
    return TurnRequest(
        gateway_id=gateway_id,
        tenant_id=tenant_id,
        foreign_id=ussd_request.session_id,
        phone=ussd_request.phone,
        text=ussd_request.text,
        cumulative=adapter.CUMULATIVE,
        shortcut=shortcut,
        deadline=deadline,
    )


@bp.post("/<gateway>/<token>/events")
def receive_event(gateway: str, token: str) -> Response:
    """Stores the gateway's end-of-session report with the session, without the fields that may hold a PIN."""
    adapter = USSD.get(gateway) or abort(404)
    entrance = services().tokens.gateway(gateway, token) or abort(404)
    try:
        event = adapter.read_event(request.form.items(multi=True))
    except Malformed as error:
        return plain(f"Refused, nothing was changed: {error}.\n", 400)
    report = {
        "status": event.status,
        "network": event.network_code,
        "at": event.at.isoformat() if event.at else None,
        "cost": event.cost,
        "duration_ms": event.duration_ms,
        "hops": event.hops,
    }
    phone_index = crypto.blind_index(event.phone)
    with db.transaction(db.Role.APP, entrance.owner_id, gateway=entrance.gateway_id) as session:
        if not session_rows.save_report(session, entrance.gateway_id, event.session_id, phone_index, report):
            body = json.dumps(report | {"session": event.session_id}).encode()
            origin = Origin(entrance.owner_id, entrance.gateway_id, Door.USSD_EVENT, gateway)
            inbox.keep(session, origin, body=body, ended="no session of ours")
    return plain("")
