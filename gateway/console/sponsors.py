"""*Parrains*: lists sponsors with what is left of each cap, adds a sponsor, and has it help a household."""

from collections.abc import Mapping

from flask import Blueprint, abort, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, perform
from mutuelle.billing import sponsorships
from mutuelle.errors import Refused
from mutuelle.households import households, member_numbers
from mutuelle.money import from_typed
from mutuelle.organisation import sponsors
from mutuelle.organisation.sponsors import SponsorTerms

bp = Blueprint("sponsors", __name__, url_prefix="/parrains")


@bp.get("")
def page() -> Answer:
    """Every sponsor, and the form that adds one."""
    with login_session.transaction() as session:
        return _list(session)


def _list(session: Session, refusal: Refused | None = None) -> Answer:
    return render.page(
        session,
        "sponsors.html",
        refusal=refusal,
        rows=sponsors.balances(session, login_session.manager().tenant_id),
        kinds=sponsors.KINDS,
        typed_in=request.form,
    )


@bp.post("")
def add() -> Answer:
    """Adds a sponsor, which helps no household yet."""

    def action(session: Session) -> str:
        _add(session, request.form)
        return url_for("console.sponsors.page", dit="parrain")

    return perform(action, _list)


def _add(session: Session, form: Mapping[str, str]) -> None:
    manager, tenant = login_session.manager(), render.tenant(session)
    name, kind = " ".join(form.get("nom", "").split()), form.get("genre", "")
    percent, cap = form.get("part", ""), from_typed(form.get("plafond", ""), tenant.currency)
    if not sponsors.NAME_MIN <= len(name) <= sponsors.NAME_MAX or kind not in sponsors.KINDS:
        raise Refused("sponsor.name")
    if percent not in map(str, range(1, 101)) or not cap:
        raise Refused("sponsor.amounts")
    sponsors.add(
        session,
        manager.tenant_id,
        code=form.get("code", "").strip().lower(),
        name=name,
        kind=kind,
        terms=SponsorTerms(
            percent=int(percent),
            cap=cap,
            per_bill=from_typed(form.get("par-facture", ""), tenant.currency) or None,
            since=render.today(session),
        ),
        by=manager.actor,
    )


@bp.post("/<code>/aider")
def help_household(code: str) -> Answer:
    """Has the sponsor help a household from today on: its running bill changes, and it gets an SMS."""

    def action(session: Session) -> str:
        manager = login_session.manager()
        sponsor = sponsors.by_code(session, manager.tenant_id, code) or abort(404)
        household = households.by_number(session, member_numbers.check(request.form.get("numero", "")))
        if household is None:
            raise Refused("number.none")
        today = render.today(session)
        if sponsorships.help_household(session, sponsor, household.id, today, manager.actor) is None:
            raise Refused("sponsor.already")
        return url_for("console.sponsors.page", dit="aide")

    return perform(action, _list)
