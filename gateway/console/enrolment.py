"""*Inscrire un ménage*: enrols a household, with proof of its category where the scheme asks for it."""

from uuid import UUID

from flask import Blueprint, abort, redirect, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import YES, Answer
from gateway.doorbell import QueueName
from gateway.services import services
from menus import consents, texts
from mutuelle import clock
from mutuelle.enrolment import agent_enrolment
from mutuelle.enrolment.agent_enrolment import TypedHousehold, TypedPerson
from mutuelle.errors import Refused
from mutuelle.households import evidence, households
from mutuelle.schemes import schemes
from mutuelle.schemes.service_rules import Relationship

FIRST_ROWS, ROWS = 5, 26  # rows for people: those shown at once, and all
STUDENT = "eleve"

bp = Blueprint("enrolment", __name__, url_prefix="/inscrire")


@bp.get("")
def page() -> Answer:
    """The empty form."""
    with login_session.transaction() as session:
        return _page(session, clock.new_id())


@bp.post("")
def enrol() -> Answer:
    """Enrols the household and redirects to its page, also when the form comes twice.

    A wrong field shows the form again.
    """
    key = request.form.get("cle", type=UUID) or abort(400)
    filled = [row for row in _rows() if row["annee"].strip() or row["nom"].strip()]
    people = [
        TypedPerson(
            row["annee"],
            row["nom"],
            student=row["lien"] == STUDENT,
            relationship=Relationship.CHILD if row["lien"] == STUDENT else row["lien"],
        )
        for row in filled
    ]
    try:
        with login_session.transaction() as session:
            household = agent_enrolment.enrol(
                session,
                render.tenant(session),
                _typed_household(people),
                key=f"form:{key}",
                by=login_session.manager().actor,
            )
    except Refused as refusal:
        place = refusal.values.get("place")
        row_number = None if place is None else filled[int(str(place)) - 1]["place"]
        with login_session.transaction() as session:
            return _page(session, key, refusal, row_number)
    services().doorbell.ring(QueueName.MESSAGES)
    notice = "deja-inscrit" if household.again else "inscrit"
    return redirect(url_for("console.household.page", household_id=household.id, dit=notice), 303)


def _page(session: Session, key: UUID, refusal: Refused | None = None, place: str | None = None) -> Answer:
    """The form as it was typed, with the refusal and the row (`place`) of the person it is about."""
    tenant, today = render.tenant(session), render.today(session)
    version = schemes.get(tenant.scheme).on(today)
    same_phone = None
    if refusal is not None and refusal.key == "enrol.already":
        same_phone = households.by_number(session, str(refusal.values["number"]))
    return render.page(
        session,
        "enrolment.html",
        refusal=refusal,
        key=key,
        place=place,
        same_phone=same_phone,
        today=today,
        typed_in=request.form,
        rows=_rows(),
        first=FIRST_ROWS,
        version=version,
        kinds=evidence.MANUAL_KINDS,
        languages=texts.LANGUAGES,
        consent=consents.sentence("fr"),
        labels=render.categories(tenant),
        relationships=tuple(Relationship),
        with_proof=[category for category in version.categories if category.evidence],
    )


def _rows() -> list[dict[str, str]]:
    """Returns the people as they were typed, empty rows included, each with its own number on the page."""
    columns = {name: request.form.getlist(name)[:ROWS] for name in ("annee", "nom", "lien")}
    return [
        {name: values[place] if place < len(values) else "" for name, values in columns.items()}
        | {"place": str(place + 1)}
        for place in range(ROWS)
    ]


def _typed_household(people: list[TypedPerson]) -> TypedHousehold:
    fields = request.form
    return TypedHousehold(
        phone=fields.get("telephone", ""),
        language=fields["langue"] if fields.get("langue") in texts.LANGUAGES else "",
        category=fields.get("categorie", ""),
        option=fields.get("periode", ""),
        people=people,
        consent=consents.AGENT if fields.get("accord") == YES else "",
        kind=fields.get("preuve", ""),
        number=fields.get("numero", ""),
        since=fields.get("etablie", ""),
        until=fields.get("jusque", ""),
    )
