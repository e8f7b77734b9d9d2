"""*Catégories*: what households claim and nobody looked at, lines of a registry that may be theirs, proofs
that end soon, and households that a newer list of their registry leaves out."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, act
from mutuelle.enrolment import pending_proofs, registry_proposals
from mutuelle.errors import Refused
from mutuelle.organisation.logins import Manager

A_PAGE = 10

bp = Blueprint("categories", __name__, url_prefix="/categories")


@bp.get("")
def page() -> Answer:
    """Ten of each kind at a time."""
    with login_session.acting() as session:
        return _page(session)


def _page(session: Session, why: Refused | None = None) -> Answer:
    number, tenant = render.place(), render.mine(session)
    asked = {"skip": (number - 1) * A_PAGE, "limit": A_PAGE + 1}
    found: dict[str, list[Any]] = {
        "proposed": list(registry_proposals.waiting(session, tenant.id, **asked)),
        "claimed": list(pending_proofs.claimed(session, tenant, **asked)),
        "ending": list(pending_proofs.ending(session, tenant, **asked)),
        "unlisted": list(pending_proofs.unlisted(session, tenant, **asked)),
    }
    more = any(len(rows) > A_PAGE for rows in found.values())
    facts: dict[str, Any] = {name: rows[:A_PAGE] for name, rows in found.items()}
    facts |= {"labels": render.categories(tenant), "number": number, "more": more}
    return render.page(session, "categories.html", why=why, **facts)


@bp.post("/proposition/<uuid:proposal_id>/accepter")
def accept(proposal_id: UUID) -> Answer:
    """The line is this household's."""
    return _decide(proposal_id, registry_proposals.accept, "prouve")


@bp.post("/proposition/<uuid:proposal_id>/refuser")
def decline(proposal_id: UUID) -> Answer:
    """It is not."""
    return _decide(proposal_id, registry_proposals.decline, "ecarte")


def _decide(proposal_id: UUID, decide: Callable[[Session, Manager, UUID], None], told: str) -> Answer:
    def do(session: Session) -> str:
        decide(session, login_session.me(), proposal_id)
        return url_for("console.categories.page", dit=told)

    return act(do, _page)
