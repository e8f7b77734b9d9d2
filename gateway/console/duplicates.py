"""*Doublons*: lists members who are likely one person in two households, for a manager to decide."""

from uuid import UUID

from flask import Blueprint, abort, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, perform
from mutuelle.errors import Refused
from mutuelle.households import duplicate_decisions
from mutuelle.households.duplicate_decisions import DuplicateEvidence, DuplicateVerdict
from mutuelle.organisation import logins

A_PAGE = 10
DECIDED = "decides"

bp = Blueprint("duplicates", __name__, url_prefix="/doublons")


@bp.get("")
def page() -> Answer:
    """The pairs of households that wait, oldest first; with `voir=decides` those decided, newest first."""
    with login_session.transaction() as session:
        return _page(session)


def _page(session: Session, refusal: Refused | None = None) -> Answer:
    tenant, number, decided = render.tenant(session), render.page_number(), _is_decided()
    skip = (number - 1) * A_PAGE
    rows = duplicate_decisions.listed(session, tenant, decided=decided, skip=skip, limit=A_PAGE + 1)
    return render.page(
        session,
        "duplicates.html",
        refusal=refusal,
        rows=rows[:A_PAGE],
        more=len(rows) > A_PAGE,
        number=number,
        decided=decided,
        names=logins.names(session, tenant.id),
        verdicts=list(DuplicateVerdict),
        evidence=list(DuplicateEvidence),
    )


def _is_decided() -> bool:
    return request.args.get("voir") == DECIDED


@bp.post("")
def decide() -> Answer:
    """Notes whether the pairs that the page showed (`paire`) are one person, and how the manager knows."""

    def action(session: Session) -> str:
        duplicate_decisions.decide(
            session,
            login_session.manager(),
            _shown_pairs(),
            verdict=request.form.get("decision", ""),
            why=request.form.get("comment", ""),
        )
        return url_for("console.duplicates.page", dit="doublon", voir=DECIDED if _is_decided() else None)

    return perform(action, _page)


def _shown_pairs() -> list[UUID]:
    try:
        return [UUID(typed) for typed in request.form.getlist("paire")]
    except ValueError:
        abort(400)
