"""USSD: one turn in, one screen out. Whatever fails inside, the phone gets a valid screen."""

import json
import logging
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from gateway.hooks.replies import plain
from gateway.services import services
from gateway.session_cache import CachedSession, RedisBudget
from gateway.ussd import USSD
from gateway.ussd.call import SpeaksUssd, UssdRequest
from menus import conversation, session_rows
from menus.conversation import TurnRequest, TurnResponse
from mutuelle import crypto, db, inbox
from mutuelle.errors import Malformed

TURN_S = 1.8  # then nobody is asked any more, and 0.2 s are left for the last answer of Redis

bp = Blueprint("ussd", __name__, url_prefix="/ussd")
log = logging.getLogger("gateway.ussd")


@bp.post("/<gateway>/<token>")
def turn(gateway: str, token: str) -> Response:
    """One turn in that gateway's own format. 404: wrong token; 400: a turn we cannot read, with no session
    touched."""
    adapter = USSD.get(gateway) or abort(404)
    try:
        call = adapter.read(request.form.items(multi=True))
    except Malformed as error:
        return plain(f"Refused, nothing was changed: {error}.\n", 400)
    try:
        said = _answer(adapter, gateway, token, call).said
    except HTTPException:
        raise
    except Exception as error:  # whatever it was, a phone is waiting; the same turn again finds what was done
        log.exception("turn failed: %s", type(error).__name__)
        said = conversation.unplaced("session.failed").said
    return plain(adapter.write(said.text, said.open), content_type=adapter.CONTENT_TYPE)


def _answer(adapter: SpeaksUssd, gateway: str, token: str, call: UssdRequest) -> TurnResponse:
    deadline = db.Deadline(TURN_S)
    patience = RedisBudget(deadline)
    kept = services().sessions.recall(token, call.session_id, patience)
    try:
        hop, draft = _hop(adapter, gateway, token, call, kept, deadline, patience)
    except SQLAlchemyError as error:
        log.error("turn without its mutuelle: %s", type(error).__name__)
        return conversation.unplaced("session.failed")
    if hop is None:
        return conversation.unplaced("session.no-code")
    reply = conversation.take(hop, kept.cached if kept else None, draft)
    services().sessions.remember(token, call.session_id, hop.gateway_id, hop.tenant_id, reply, patience)
    if reply.acted and not patience.over:  # the sweep finds what nobody rings for
        services().doorbell.ring("money", "messages", deadline=deadline)
    return reply


def _hop(
    adapter: SpeaksUssd,
    gateway: str,
    token: str,
    call: UssdRequest,
    kept: CachedSession | None,
    deadline: db.Deadline,
    patience: RedisBudget,
) -> tuple[TurnRequest | None, dict[str, Any] | None]:
    """The turn with its gateway account and mutuelle, and what the phone may resume; no hop when nobody
    answers the code."""
    if kept is not None:
        return _placed(adapter, call, kept.gateway_id, kept.tenant_id, "", deadline), None
    entrance = services().directory.entrance(gateway, token, deadline) or abort(404)
    dialled = adapter.dialled(call.service_code, entrance.codes)
    if dialled is None:
        return None, None
    code, shortcut = dialled
    tenant_id = entrance.codes[code]
    draft = services().sessions.draft(tenant_id, crypto.blind_index(call.phone), patience)
    return _placed(adapter, call, entrance.gateway_id, tenant_id, shortcut, deadline), draft


def _placed(
    adapter: SpeaksUssd,
    call: UssdRequest,
    gateway_id: UUID,
    tenant_id: UUID,
    shortcut: str,
    deadline: db.Deadline,
) -> TurnRequest:
    return TurnRequest(
        gateway_id=gateway_id,
        tenant_id=tenant_id,
        foreign_id=call.session_id,
        phone=call.phone,
        text=call.text,
        cumulative=adapter.CUMULATIVE,
        shortcut=shortcut,
        deadline=deadline,
    )


@bp.post("/<gateway>/<token>/events")
def ended(gateway: str, token: str) -> Response:
    """The gateway's report of how a session ended: kept with the session, only the fields that cannot hold a
    PIN."""
    adapter = USSD.get(gateway) or abort(404)
    entrance = services().directory.entrance(gateway, token) or abort(404)
    try:
        event = adapter.read_event(request.form.items(multi=True))
    except Malformed as error:
        return plain(f"Refused, nothing was changed: {error}.\n", 400)
    told = {
        "status": event.status,
        "network": event.network_code,
        "at": event.at.isoformat() if event.at else None,
        "cost": event.cost,
        "duration_ms": event.duration_ms,
        "hops": event.hops,
    }
    with db.transaction(db.Role.APP, entrance.owner_id, gateway=entrance.gateway_id) as session:
        if not session_rows.report(
            session, entrance.gateway_id, event.session_id, crypto.blind_index(event.phone), told
        ):
            body = json.dumps(told | {"session": event.session_id}).encode()
            inbox.keep(
                session,
                entrance.owner_id,
                entrance.gateway_id,
                door="ussd-event",
                provider=gateway,
                body=body,
                ended="no session of ours",
            )
    return plain("")
