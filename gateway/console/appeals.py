"""*Réclamations*: what households say is wrong, those whose deadline is nearest or over first; each is
answered once."""

from typing import Any
from uuid import UUID

from flask import Blueprint, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, act
from mutuelle.enrolment import appeals
from mutuelle.errors import Refused
from mutuelle.organisation import logins

A_PAGE = 15

bp = Blueprint("appeals", __name__, url_prefix="/reclamations")


@bp.get("")
def page() -> Answer:
    """Fifteen at a time."""
    with login_session.acting() as session:
        return _page(session)


def _page(session: Session, why: Refused | None = None) -> Answer:
    number, tenant = render.place(), render.mine(session)
    found = appeals.of_tenant(session, tenant.id, skip=(number - 1) * A_PAGE, limit=A_PAGE + 1)
    facts: dict[str, Any] = {"rows": found[:A_PAGE], "more": len(found) > A_PAGE, "number": number}
    facts |= {
        "names": logins.names(session, tenant.id),
        "today": render.today(session),
        "because": appeals.EXPLANATIONS,
    }
    return render.page(session, "appeals.html", why=why, **facts)


@bp.post("/<uuid:ticket_id>/repondre")
def answer(ticket_id: UUID) -> Answer:
    """The answer that was chosen; the household gets it by SMS."""

    def do(session: Session) -> str:
        how, because = request.form.get("reponse", ""), request.form.get("explication")
        appeals.answer(session, login_session.me(), ticket_id, how, because)
        return url_for("console.appeals.page", dit="repondu")

    return act(do, _page)
