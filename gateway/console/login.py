"""Logging in and out."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway.console import login_session
from mutuelle import audit, db
from mutuelle.audit import Subject
from mutuelle.errors import Refused
from mutuelle.organisation import logins
from mutuelle.organisation.logins import Login

bp = Blueprint("login", __name__)


@bp.get("/entrer")
def form() -> str:
    """The login form."""
    return render_template("login.html", after=_safe_address(request.args.get("suite", "")))


@bp.post("/entrer")
def enter() -> tuple[str, int] | Response:
    """Logs in. An error does not say whether the login or the password is wrong."""
    after = _safe_address(request.form.get("suite", ""))
    login = request.form.get("login", "").strip().lower()[:40]
    try:
        token = log_in(login, request.form.get("secret", ""), request.remote_addr or "")
    except Refused as refusal:
        status = 429 if refusal.key == "login.throttled" else 403
        return render_template("login.html", after=after, login=login, refusal=refusal), status
    login_session.replace_cookie(token)
    return redirect(after or url_for("console.today.page"), 303)


def log_in(login: str, password: str, address: str) -> str:
    """Begins a session and returns its browser token. The attempt is counted and committed first.

    Raises Refused("login.throttled") or Refused("login.wrong").
    """
    with db.transaction(db.Role.CONSOLE) as session:
        wait = logins.count_attempt(session, login, address)
        key = logins.find_login(session, login)
    if wait is not None:
        raise Refused("login.throttled", minutes=wait)
    stored = logins.NO_PASSWORD
    if key is not None:
        with db.transaction(db.Role.CONSOLE, key[0]) as session:
            row = session.get_one(Login, key)
            stored = row.password if row.active else logins.NO_PASSWORD
    if not logins.verify_password(password, stored) or key is None:
        raise Refused("login.wrong")
    with db.transaction(db.Role.CONSOLE, key[0]) as session:
        logins.reset_attempts(session, login)
        audit.record(session, key[0], f"manager:{key[1]}", "login", audit.about(Subject.LOGIN, key[1]))
        return logins.begin_session(session, *key)


@bp.post("/sortir")
def leave() -> Response:
    """Logs out: ends the session for every holder of its cookie."""
    with login_session.transaction() as session:
        manager = login_session.manager()
        logins.end_session(session, manager.tenant_id, g.session_id)
        audit.record(
            session, manager.tenant_id, manager.actor, "logout", audit.about(Subject.LOGIN, manager.id)
        )
    return redirect(url_for("console.login.form"), 303)


def _safe_address(address: str) -> str:
    """Returns `address` if it is a page of the console, else an empty text."""
    return address if address.startswith("/console/") and "\\" not in address and "//" not in address else ""
