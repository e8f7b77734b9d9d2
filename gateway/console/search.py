"""One search box: a member number, a reference of ours, a transaction of an operator or a phone.

It is sent by POST, because what is typed there must not stand in an address. The answer's addresses hold
opaque ids only.
"""

from flask import Blueprint, redirect, request, url_for

from gateway.console import login_session, render
from gateway.console.actions import Answer
from mutuelle import audit
from mutuelle.reports import search

bp = Blueprint("search", __name__)


@bp.post("/chercher", endpoint="search")
def results() -> Answer:
    """Straight to the one thing that was found, else the list."""
    with login_session.acting() as session:
        typed = request.form.get("q", "").strip()[:80]
        found = search.anything(session, render.mine(session), typed)
        audit.record(
            session,
            login_session.me().tenant_id,
            login_session.me().actor,
            "searched",
            found.kind,
            found=len(found.all),
        )
        if len(found.all) != 1:
            return render.page(session, "search.html", typed=typed, found=found)
    if found.homes:
        return redirect(url_for("console.household.show", home_id=found.homes[0].id), 303)
    return redirect(url_for("console.payment.page", which=found.payments[0].id), 303)
