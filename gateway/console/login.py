"""Logging in and out: one form."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway.console import login_session
from mutuelle import audit, db
from mutuelle.errors import Refused
from mutuelle.organisation import logins
from mutuelle.organisation.logins import Login

bp = Blueprint("login", __name__)


@bp.get("/entrer")
def form() -> str:
    """The login form."""
    return render_template("login.html", after=_after(request.args.get("suite", "")))


@bp.post("/entrer")
def enter() -> tuple[str, int] | Response:
    """Log in, or say what is wrong without saying which of the two words is."""
    after, login = _after(request.form.get("suite", "")), request.form.get("login", "").strip().lower()[:40]
    try:
        login_session.take_cookie(let_in(login, request.form.get("secret", ""), request.remote_addr or ""))
    except Refused as refused:
        status = 429 if refused.key == "login.throttled" else 403
        return render_template("login.html", after=after, login=login, why=refused), status
    return redirect(after or url_for("console.today.page"), 303)


def let_in(login: str, password: str, address: str) -> str:
    """A new browser token. Refused("login.throttled" or "login.wrong"); the count is committed first."""
    with db.transaction(db.Role.CONSOLE) as session:
        wait = logins.count_attempt(session, login, address)
        found = logins.find_login(session, login)
    if wait is not None:
        raise Refused("login.throttled", minutes=wait)
    stored = logins.NO_PASSWORD
    if found is not None:
        with db.transaction(db.Role.CONSOLE, found[0]) as session:
            row = session.get_one(Login, found)
            stored = row.password if row.active else logins.NO_PASSWORD
    if not logins.verify_password(password, stored) or found is None:
        raise Refused("login.wrong")
    with db.transaction(db.Role.CONSOLE, found[0]) as session:
        logins.reset_attempts(session, login)
        audit.record(session, found[0], f"manager:{found[1]}", "login", f"login:{found[1]}")
        return logins.begin_session(session, *found)


@bp.post("/sortir")
def leave() -> Response:
    """Log out: the session ends for whoever holds its cookie."""
    with login_session.acting() as session:
        logins.end_session(session, login_session.me().tenant_id, g.session_id)
        audit.record(
            session,
            login_session.me().tenant_id,
            login_session.me().actor,
            "logout",
            f"login:{login_session.me().id}",
        )
    return redirect(url_for("console.login.form"), 303)


def _after(asked: str) -> str:
    """Where to go after the login: a page of the console, nothing else."""
    return asked if asked.startswith("/console/") and "\\" not in asked and "//" not in asked else ""
