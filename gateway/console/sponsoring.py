"""*Parrains*: who pays a part of households' own dues, what is left of each cap, and whom they help."""

from collections.abc import Mapping

from flask import Blueprint, abort, redirect, request, url_for
from sqlalchemy.orm import Session

from gateway.console import people, repaying, show
from gateway.console.matching import Answer
from gateway.services import services
from mutuelle import clock, helping, households, numbers, sponsors, tenants
from mutuelle.errors import Refused

bp = Blueprint("sponsoring", __name__, url_prefix="/parrains")


@bp.get("")
def page() -> Answer:
    """Every sponsor, and the form that notes a new one."""
    with people.acting() as session:
        return _list(session)


def _list(session: Session, status: int = 200, why: Refused | None = None) -> Answer:
    rows = sponsors.standings(session, people.me().tenant_id)
    return show.page(session, "sponsors.html", status, rows=rows, kinds=sponsors.KINDS, typed_in=request.form, why=why)


@bp.post("")
def add() -> Answer:
    """Note a sponsor; it helps nobody yet."""
    with people.acting() as session:
        try:
            _noted(session, request.form)
        except Refused as refused:
            return _list(session, 409, refused)
    return redirect(url_for("console.sponsoring.page", dit="parrain"), 303)


def _noted(session: Session, form: Mapping[str, str]) -> None:
    me = people.me()
    name, kind = " ".join(form.get("nom", "").split()), form.get("genre", "")
    percent, cap = repaying.units(form.get("part", "")), repaying.units(form.get("plafond", ""))
    if not sponsors.NAME_MIN <= len(name) <= sponsors.NAME_MAX or kind not in sponsors.KINDS:
        raise Refused("sponsor.name")
    if not 1 <= percent <= 100 or not cap:
        raise Refused("sponsor.amounts")
    sponsors.add(
        session,
        me.tenant_id,
        code=form.get("code", "").strip().lower(),
        name=name,
        kind=kind,
        percent=percent,
        cap=cap,
        per_bill=repaying.units(form.get("par-facture", "")) or None,
        since=clock.today(tenants.get(session, me.tenant_id).zone),
        by=str(me.id),
    )


@bp.post("/<code>/aider")
def help_one(code: str) -> Answer:
    """The sponsor helps a household from today on: its bill under way changes, and it is told by SMS."""
    me = people.me()
    with people.acting() as session:
        sponsor = sponsors.by_code(session, me.tenant_id, code) or abort(404)
        try:
            home = households.by_number(session, numbers.check(request.form.get("numero", "")))
            if home is None:
                raise Refused("number.none")
            today = clock.today(tenants.get(session, me.tenant_id).zone)
            if helping.help_household(session, sponsor, home.id, today, str(me.id)) is None:
                raise Refused("sponsor.already")
        except Refused as refused:
            return _list(session, 409, refused)
    services().doorbell.ring("messages")
    return redirect(url_for("console.sponsoring.page", dit="aide"), 303)
