"""*Ménage*: one household; what proves its category, who is in it and how they are called."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, act
from menus import texts
from mutuelle.enrolment import (
    appeals,
    categories,
    household_changes,
    member_names,
    office_lists,
    pending_proofs,
    registry,
)
from mutuelle.enrolment.household_changes import PageSnapshot
from mutuelle.enrolment.office_lists import RowError
from mutuelle.errors import Refused
from mutuelle.households import evidence
from mutuelle.households.evidence import Evidence
from mutuelle.households.households import Household
from mutuelle.organisation import sponsors
from mutuelle.reports import search
from mutuelle.schemes import schemes

REASONS = texts.read("fr", "rights")

bp = Blueprint("household", __name__, url_prefix="/menage")


def _found(session: Session, home_id: UUID) -> Household:
    return session.get(Household, (login_session.me().tenant_id, home_id)) or abort(404)


def page(session: Session, home: Household, why: Refused | None = None) -> Answer:
    """What it owes, its rights, its category, its people, its bills and its last payments; `why` is what was
    just refused."""
    tenant, today = render.mine(session), render.today(session)
    facts: dict[str, Any] = search.household(session, home, today)
    facts |= {
        "home": home,
        "labels": render.categories(tenant),
        "kinds": evidence.TYPED,
        "whys": categories.WHYS,
    }
    facts |= {"reasons": REASONS, "mistakes": household_changes.WHYS}
    facts |= {"ticket": appeals.open_of(session, tenant.id, home.id), "about": appeals.KINDS}
    facts |= {
        "needing": pending_proofs.needing(tenant),
        "sponsor": sponsors.of_household(session, tenant.id, home.id),
    }
    facts |= {"claim": categories.in_force(session, tenant.id, home.id, today), "today": today}
    noted = schemes.get(tenant.scheme).on(today).member_statuses
    facts |= {
        "noted": {one.id: household_changes.asked_of(one, noted) for one in facts["members"]},
        "seen": household_changes.SEEN,
    }
    return render.page(session, "household.html", why=why, **facts)


@bp.get("/<uuid:home_id>")
def show(home_id: UUID) -> Answer:
    """The page of one household."""
    with login_session.acting() as session:
        return page(session, _found(session, home_id))


def _act(home_id: UUID, change: Callable[[Session, Household], None], told: str) -> Answer:
    """Do it and come back to the page."""

    def do(session: Session) -> str:
        change(session, _found(session, home_id))
        return url_for("console.household.show", home_id=home_id, dit=told)

    return act(do, lambda session, why: page(session, _found(session, home_id), why))


@bp.post("/<uuid:home_id>/verifier")
def check(home_id: UUID) -> Answer:
    """Somebody has seen what proves a category."""

    def change(session: Session, home: Household) -> None:
        told = request.form
        try:
            until = office_lists.day(told["jusque"], "until") if told.get("jusque") else None
        except RowError:
            raise Refused("evidence.day") from None
        proof = evidence.typed(told.get("preuve", ""), told.get("numero"))
        told_category, by, seen = (
            told.get("categorie", ""),
            login_session.me().actor,
            told.get("vu", type=UUID),
        )
        categories.check(
            session, home.tenant_id, home.id, told_category, proof, by=by, until=until, seen=seen
        )

    return _act(home_id, change, "prouve")


@bp.post("/<uuid:home_id>/refuser")
def refuse(home_id: UUID) -> Answer:
    """It is not proven, or not any more."""

    def change(session: Session, home: Household) -> None:
        seen = request.form.get("vu", type=UUID)
        categories.refuse(
            session,
            home.tenant_id,
            home.id,
            why=request.form.get("raison", ""),
            by=login_session.me().actor,
            seen=seen,
        )

    return _act(home_id, change, "refuse-categorie")


@bp.post("/<uuid:home_id>/numero")
def number(home_id: UUID) -> Answer:
    """The household gives its number in a registry: looked up in the lists at once, else it waits for the
    next one."""

    def change(session: Session, home: Household) -> None:
        proof = Evidence("registry-number", request.form.get("numero", ""))
        by = login_session.me().actor
        categories.claim(
            session, home.tenant_id, home.id, request.form.get("categorie", ""), by=by, evidence=proof
        )
        sure = [one for one in registry.matches(session, render.mine(session), home.id) if one.sure]
        registry.carry_out(session, home.tenant_id, sure, by)

    return _act(home_id, change, "numero")


@bp.post("/<uuid:home_id>/reclamer")
def appeal(home_id: UUID) -> Answer:
    """What the household came to say is wrong."""

    def change(session: Session, home: Household) -> None:
        appeals.lodge_for(session, login_session.me(), home.id, request.form.get("objet", ""))

    return _act(home_id, change, "reclame")


@bp.post("/<uuid:home_id>/nommer/<uuid:member_id>")
def name(home_id: UUID, member_id: UUID) -> Answer:
    """A member's name."""

    def change(session: Session, home: Household) -> None:
        member_names.put(
            session, home.tenant_id, member_id, request.form.get("nom", ""), login_session.me().actor
        )

    return _act(home_id, change, "nomme")


@bp.post("/<uuid:home_id>/ajouter")
def add(home_id: UUID) -> Answer:
    """A new-born, or somebody else who is now of the household."""

    def change(session: Session, home: Household) -> None:
        told = {"born": request.form.get("annee", "").strip(), "name": request.form.get("nom", "")}
        household_changes.add(
            session, home.tenant_id, home.id, **told, seen=_seen(), by=login_session.me().actor
        )

    return _act(home_id, change, "ajoute")


@bp.post("/<uuid:home_id>/retirer/<uuid:member_id>")
def leave(home_id: UUID, member_id: UUID) -> Answer:
    """Somebody is not of the household any more."""

    def change(session: Session, home: Household) -> None:
        household_changes.leave(
            session, home.tenant_id, home.id, member_id, seen=_seen(), by=login_session.me().actor
        )

    return _act(home_id, change, "retire")


@bp.post("/<uuid:home_id>/etudes/<uuid:member_id>")
def study(home_id: UUID, member_id: UUID) -> Answer:
    """A child goes to school, or not any more."""

    def change(session: Session, home: Household) -> None:
        student, by = request.form.get("etudes") == "oui", login_session.me().actor
        household_changes.study(
            session, home.tenant_id, home.id, member_id, student=student, seen=_seen(), by=by
        )

    return _act(home_id, change, "etudes")


@bp.post("/<uuid:home_id>/corriger/<uuid:member_id>")
def correct(home_id: UUID, member_id: UUID) -> Answer:
    """Somebody's year of birth, or who the head is, was noted wrongly."""

    def change(session: Session, home: Household) -> None:
        told = {"born": request.form.get("annee", "").strip(), "why": request.form.get("pourquoi", "")}
        shown = PageSnapshot(
            _seen(), request.form.get("annee-vue", type=int), request.form.get("chef-vu", type=UUID)
        )
        head, by = request.form.get("chef") == "oui", login_session.me().actor
        household_changes.correct(
            session, home.tenant_id, home.id, member_id, **told, head=head, shown=shown, by=by
        )

    return _act(home_id, change, "corrige")


@bp.post("/<uuid:home_id>/recalculer")
def recalculate(home_id: UUID) -> Answer:
    """The bill is worked out anew from what is noted of the household."""

    def change(session: Session, home: Household) -> None:
        why, by = request.form.get("pourquoi", ""), login_session.me().actor
        household_changes.recalculate(session, home.tenant_id, home.id, why=why, seen=_seen(), by=by)

    return _act(home_id, change, "recalcule")


@bp.post("/<uuid:home_id>/classe/<uuid:member_id>")
def belong(home_id: UUID, member_id: UUID) -> Answer:
    """A member is of a class that the rules treat otherwise, or not any more."""

    def change(session: Session, home: Household) -> None:
        whom: dict[str, Any] = {
            "code": request.form.get("classe", ""),
            "seen": _seen(),
            "by": login_session.me().actor,
        }
        if request.form.get("fini"):
            household_changes.belong_no_more(session, home.tenant_id, home.id, member_id, **whom)
        else:
            proof = request.form.get("preuve", "")
            household_changes.belong(session, home.tenant_id, home.id, member_id, evidence=proof, **whom)

    return _act(home_id, change, "classe")


def _seen() -> int:
    return request.form.get("vu", -1, type=int)
