"""*Inscrire un ménage*: somebody signs a household up, with what proves its category where the scheme wants
it."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, redirect, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer
from gateway.services import services
from menus import consents, texts
from mutuelle import clock
from mutuelle.enrolment import agent_enrolment
from mutuelle.enrolment.agent_enrolment import TypedHousehold, TypedPerson
from mutuelle.errors import Refused
from mutuelle.households import evidence, households
from mutuelle.schemes import schemes

FIRST, MOST = 5, 26  # rows for people: those that are seen at once, and all

bp = Blueprint("enrolment", __name__, url_prefix="/inscrire")


@bp.get("")
def page() -> Answer:
    """The empty form."""
    with login_session.acting() as session:
        return _page(session, clock.new_id())


@bp.post("")
def enrol() -> Answer:
    """Sign the household up and show it; the same form sent again shows it again. Or say which field is
    wrong."""
    key = request.form.get("cle", type=UUID) or abort(400)
    filled = [row for row in _rows() if row["annee"].strip() or row["nom"].strip()]
    told = _told([TypedPerson(row["annee"], row["nom"], row["lien"] == "eleve") for row in filled])
    try:
        with login_session.acting() as session:
            home = agent_enrolment.enrol(
                session, render.mine(session), told, key=f"form:{key}", by=login_session.me().actor
            )
    except Refused as refused:
        told_of = (
            filled[int(str(refused.values["place"])) - 1]["place"] if "place" in refused.values else None
        )
        with login_session.acting() as session:
            return _page(session, key, refused, told_of)
    services().doorbell.ring("messages")
    return redirect(
        url_for("console.household.show", home_id=home.id, dit="deja-inscrit" if home.again else "inscrit"),
        303,
    )


def _page(session: Session, key: UUID, why: Refused | None = None, place: str | None = None) -> Answer:
    """The form as it was typed, with what was refused and the row of the person it is about."""
    tenant, today = render.mine(session), render.today(session)
    version = schemes.get(tenant.scheme).on(today)
    known = why and why.key == "enrol.already" and households.by_number(session, str(why.values["number"]))
    facts: dict[str, Any] = {
        "key": key,
        "place": place,
        "known": known,
        "today": today,
        "typed_in": request.form,
    }
    facts |= {
        "rows": _rows(),
        "first": FIRST,
        "version": version,
        "kinds": evidence.TYPED,
        "languages": texts.LANGUAGES,
        "consent": consents.sentence("fr"),
    }
    facts |= {
        "labels": render.categories(tenant),
        "proven": [one for one in version.categories if one.evidence],
    }
    return render.page(session, "enrol.html", why=why, **facts)


def _rows() -> list[dict[str, str]]:
    """The people as they were typed, empty rows between them, each with its own number on the page."""
    fields = {name: request.form.getlist(name)[:MOST] for name in ("annee", "nom", "lien")}
    return [
        {name: typed[place] if place < len(typed) else "" for name, typed in fields.items()}
        | {"place": str(place + 1)}
        for place in range(MOST)
    ]


def _told(filled: list[TypedPerson]) -> TypedHousehold:
    typed = request.form
    return TypedHousehold(
        phone=typed.get("telephone", ""),
        language=typed["langue"] if typed.get("langue") in texts.LANGUAGES else "",
        category=typed.get("categorie", ""),
        option=typed.get("periode", ""),
        people=filled,
        consent=consents.AGENT if typed.get("accord") == "oui" else "",
        kind=typed.get("preuve", ""),
        number=typed.get("numero", ""),
        since=typed.get("etablie", ""),
        until=typed.get("jusque", ""),
    )
