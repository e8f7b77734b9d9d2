"""*Parrains*: who pays a part of households' own dues, what is left of each cap, and whom they help."""

from collections.abc import Mapping

from flask import Blueprint, abort, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, act
from mutuelle.billing import sponsorships
from mutuelle.errors import Refused
from mutuelle.households import households, member_numbers
from mutuelle.money import from_typed
from mutuelle.organisation import sponsors
from mutuelle.organisation.sponsors import SponsorTerms

bp = Blueprint("sponsors", __name__, url_prefix="/parrains")


@bp.get("")
def page() -> Answer:
    """Every sponsor, and the form that notes a new one."""
    with login_session.acting() as session:
        return _list(session)


def _list(session: Session, why: Refused | None = None) -> Answer:
    rows = sponsors.balances(session, login_session.me().tenant_id)
    return render.page(
        session, "sponsors.html", rows=rows, kinds=sponsors.KINDS, typed_in=request.form, why=why
    )


@bp.post("")
def add() -> Answer:
    """Note a sponsor; it helps nobody yet."""

    def do(session: Session) -> str:
        _noted(session, request.form)
        return url_for("console.sponsors.page", dit="parrain")

    return act(do, _list)


def _noted(session: Session, form: Mapping[str, str]) -> None:
    me = login_session.me()
    name, kind = " ".join(form.get("nom", "").split()), form.get("genre", "")
    tenant = render.mine(session)
    percent, cap = form.get("part", ""), from_typed(form.get("plafond", ""), tenant.currency)
    if not sponsors.NAME_MIN <= len(name) <= sponsors.NAME_MAX or kind not in sponsors.KINDS:
        raise Refused("sponsor.name")
    if percent not in map(str, range(1, 101)) or not cap:
        raise Refused("sponsor.amounts")
    sponsors.add(
        session,
        me.tenant_id,
        code=form.get("code", "").strip().lower(),
        name=name,
        kind=kind,
        terms=SponsorTerms(
            percent=int(percent),
            cap=cap,
            per_bill=from_typed(form.get("par-facture", ""), tenant.currency) or None,
            since=render.today(session),
        ),
        by=me.actor,
    )


@bp.post("/<code>/aider")
def help_one(code: str) -> Answer:
    """The sponsor helps a household from today on: its bill under way changes, and it is told by SMS."""

    def do(session: Session) -> str:
        me = login_session.me()
        sponsor = sponsors.by_code(session, me.tenant_id, code) or abort(404)
        home = households.by_number(session, member_numbers.check(request.form.get("numero", "")))
        if home is None:
            raise Refused("number.none")
        if sponsorships.help_household(session, sponsor, home.id, render.today(session), me.actor) is None:
            raise Refused("sponsor.already")
        return url_for("console.sponsors.page", dit="aide")

    return act(do, _list)
