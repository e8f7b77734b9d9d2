"""One search box: a member number, a reference of ours, a transaction of an operator or a phone; and the page of a household.

It is sent by POST, because what is typed there must not stand in an address. The answer's addresses hold opaque ids only.
"""

from uuid import UUID

from flask import Blueprint, abort, redirect, request, url_for

from gateway.console import household as about
from gateway.console import people, show
from gateway.console.acts import Answer
from mutuelle import audit
from mutuelle.households import households
from mutuelle.reports import search

bp = Blueprint("looking", __name__)


@bp.post("/chercher", endpoint="search")
def results() -> Answer:
    """Straight to the one thing that was found, else the list."""
    with people.acting() as session:
        typed = request.form.get("q", "").strip()[:80]
        found = search.anything(session, show.mine(session), typed)
        audit.note(session, people.me().tenant_id, people.me().actor, "searched", found.kind, found=len(found.all))
        if len(found.all) != 1:
            return show.page(session, "search.html", typed=typed, found=found)
    if found.homes:
        return redirect(url_for("console.looking.household", home_id=found.homes[0].id), 303)
    return redirect(url_for("console.payment.page", which=found.payments[0].id), 303)


@bp.get("/menage/<uuid:home_id>")
def household(home_id: UUID) -> Answer:
    """One household."""
    with people.acting() as session:
        home = session.get(households.Household, (people.me().tenant_id, home_id)) or abort(404)
        return about.page(session, home)
