"""The console: pages for the managers of a mutuelle, all behind a login."""

import logging

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from gateway.console import (
    appeals,
    categories,
    claims,
    duplicates,
    enrolment,
    household,
    indicators,
    login,
    login_session,
    payment,
    refunds,
    render,
    search,
    sponsors,
    suspense,
    today,
)
from mutuelle import db

PUBLIC_ENDPOINTS = frozenset({"console.style", "console.login.form", "console.login.enter"})
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ERRORS = {
    400: ("Ce formulaire n'est plus valable", "Revenez à la page, rechargez-la et recommencez."),
    404: ("Cette page n'existe pas", "L'adresse est fausse, ou ce n'est pas une affaire de votre mutuelle."),
    409: (
        "Deux personnes ont agi en même temps",
        "Rien n'a été fait. Revenez à la page, rechargez-la et recommencez.",
    ),
    405: ("Cette page n'existe pas", "L'adresse ne s'ouvre pas de cette façon."),
    503: ("La base de données ne répond pas", "Attendez une minute et recommencez."),
}

bp = Blueprint("console", __name__, url_prefix="/console", template_folder="templates")
log = logging.getLogger("gateway.console")
PAGES = (
    login,
    today,
    suspense,
    payment,
    refunds,
    categories,
    duplicates,
    enrolment,
    appeals,
    claims,
    sponsors,
    indicators,
    household,
    search,
)
for page in PAGES:
    bp.register_blueprint(page.bp)


@bp.before_request
def require_login() -> AnyResponse | None:
    """Requires a login, and a form token on every POST."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        login_session.check_form()
    if request.endpoint in PUBLIC_ENDPOINTS or login_session.load_manager() is not None:
        return None
    after = request.path if request.method == "GET" else None
    return redirect(url_for("console.login.form", suite=after), 303)


@bp.after_request
def add_headers(response: Response) -> Response:
    """Adds the security headers. Browsers and proxies may cache the style sheet only."""
    login_session.set_cookie(response)
    response.headers.update(HEADERS)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if request.endpoint != "console.style":
        response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/style.css")
def style() -> Response:
    """The style sheet; its address changes with its content."""
    return Response(
        render.STYLE,
        content_type="text/css; charset=utf-8",
        headers={"Cache-Control": "public, max-age=604800"},
    )


@bp.get("/<path:rest>")
def unknown(rest: str) -> Response:
    """Any other address: 404 in French, behind the login."""
    abort(404)


@bp.errorhandler(HTTPException)
def http_error(error: HTTPException) -> tuple[str, int] | AnyResponse:
    """Shows an HTTP error in French. Nothing was changed."""
    code = error.code or 500
    if code < 400:
        return error.get_response()
    return _error_page(code)


@bp.errorhandler(SQLAlchemyError)
def database_down(error: SQLAlchemyError) -> tuple[str, int]:
    if db.is_crossed(error):
        return _error_page(409)
    log.error("database: %s", type(error).__name__)
    return _error_page(503)


@bp.errorhandler(Exception)
def unexpected_error(error: Exception) -> tuple[str, int]:
    log.exception("page failed: %s", type(error).__name__)
    return _error_page(500)


def _error_page(code: int) -> tuple[str, int]:
    title, advice = ERRORS.get(
        code, ("Quelque chose a échoué", "Recommencez ; si cela dure, prévenez qui tient le logiciel.")
    )
    return render_template("error.html", title=title, advice=advice, code=code), code


def template_globals() -> dict[str, object]:
    """Returns the names that every template may use."""
    return {
        "style_mark": render.STYLE_MARK,
        "form_token": login_session.form_token,
        "form_field": login_session.FIELD,
    }
