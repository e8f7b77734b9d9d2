"""One search box: a member number, a reference of ours, a transaction of an operator or a phone.

The form is sent by POST, because the typed text must not appear in an address. The addresses it redirects to
hold opaque ids only.
"""

from flask import Blueprint, redirect, request, url_for

from gateway.console import login_session, render
from gateway.console.actions import Answer
from mutuelle import audit
from mutuelle.reports import search

bp = Blueprint("search", __name__)


@bp.post("/chercher", endpoint="search")
def results() -> Answer:
    """Redirects to a single hit, else lists the hits."""
    with login_session.transaction() as session:
        manager, typed = login_session.manager(), request.form.get("q", "").strip()[:80]
        result = search.find(session, render.tenant(session), typed)
        audit.record(
            session, manager.tenant_id, manager.actor, "searched", result.kind, found=len(result.all)
        )
        if len(result.all) != 1:
            return render.page(session, "search.html", typed=typed, result=result)
    if result.households:
        return redirect(url_for("console.household.page", household_id=result.households[0].id), 303)
    return redirect(url_for("console.payment.page", which=result.payments[0].id), 303)
