"""*Catégories*: lists categories to verify, registry lines to confirm and proofs that end soon.

It also lists the households that a newer list of their registry leaves out.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, perform
from mutuelle.enrolment import pending_proofs, registry_proposals
from mutuelle.errors import Refused
from mutuelle.organisation.logins import Manager

A_PAGE = 10

bp = Blueprint("categories", __name__, url_prefix="/categories")


@bp.get("")
def page() -> Answer:
    """Ten rows of each kind a page."""
    with login_session.transaction() as session:
        return _page(session)


def _page(session: Session, refusal: Refused | None = None) -> Answer:
    number, tenant = render.page_number(), render.tenant(session)
    limits = {"skip": (number - 1) * A_PAGE, "limit": A_PAGE + 1}
    lists: dict[str, list[Any]] = {
        "proposed": list(registry_proposals.open_proposals(session, tenant.id, **limits)),
        "claimed": list(pending_proofs.claims_to_check(session, tenant, **limits)),
        "ending": list(pending_proofs.proofs_near_end(session, tenant, **limits)),
        "unlisted": list(pending_proofs.households_off_list(session, tenant, **limits)),
    }
    more = any(len(rows) > A_PAGE for rows in lists.values())
    facts: dict[str, Any] = {name: rows[:A_PAGE] for name, rows in lists.items()}
    facts |= {"labels": render.categories(tenant), "number": number, "more": more}
    return render.page(session, "categories.html", refusal=refusal, **facts)


@bp.post("/proposition/<uuid:proposal_id>/accepter")
def accept(proposal_id: UUID) -> Answer:
    """Confirms that the registry line is this household's."""
    return _decide(proposal_id, registry_proposals.accept, "prouve")


@bp.post("/proposition/<uuid:proposal_id>/refuser")
def decline(proposal_id: UUID) -> Answer:
    """Notes that the registry line is not this household's."""
    return _decide(proposal_id, registry_proposals.decline, "ecarte")


def _decide(proposal_id: UUID, decide: Callable[[Session, Manager, UUID], None], notice: str) -> Answer:
    def action(session: Session) -> str:
        decide(session, login_session.manager(), proposal_id)
        return url_for("console.categories.page", dit=notice)

    return perform(action, _page)
