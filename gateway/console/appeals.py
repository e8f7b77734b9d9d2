"""*Réclamations*: lists the appeals of households, nearest deadline first, and answers each once."""

from uuid import UUID

from flask import Blueprint, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, perform
from mutuelle.enrolment import appeals
from mutuelle.errors import Refused
from mutuelle.organisation import logins

A_PAGE = 15

bp = Blueprint("appeals", __name__, url_prefix="/reclamations")


@bp.get("")
def page() -> Answer:
    """Fifteen appeals a page."""
    with login_session.transaction() as session:
        return _page(session)


def _page(session: Session, refusal: Refused | None = None) -> Answer:
    number, tenant = render.page_number(), render.tenant(session)
    rows = appeals.of_tenant(session, tenant.id, skip=(number - 1) * A_PAGE, limit=A_PAGE + 1)
    return render.page(
        session,
        "appeals.html",
        refusal=refusal,
        rows=rows[:A_PAGE],
        more=len(rows) > A_PAGE,
        number=number,
        names=logins.names(session, tenant.id),
        today=render.today(session),
        explanations=tuple(appeals.Explanation),
    )


@bp.post("/<uuid:ticket_id>/repondre")
def answer(ticket_id: UUID) -> Answer:
    """Answers an appeal; the household gets the answer by SMS."""

    def action(session: Session) -> str:
        how, explanation = request.form.get("reponse", ""), request.form.get("explication")
        appeals.answer(session, login_session.manager(), ticket_id, how, explanation)
        return url_for("console.appeals.page", dit="repondu")

    return perform(action, _page)
