"""The console: pages for managers of a mutuelle. Nobody gets past the login form without a person behind the
cookie."""

import logging

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from gateway.console import (
    appeals,
    categories,
    claims,
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

OPEN = frozenset({"console.style", "console.login.form", "console.login.enter"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
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
    enrolment,
    appeals,
    claims,
    sponsors,
    indicators,
    household,
    search,
)
for child in PAGES:
    bp.register_blueprint(child.bp)


@bp.before_request
def guard() -> AnyResponse | None:
    """In comes who is logged in, and a form only with its token."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        login_session.check_form()
    if request.endpoint in OPEN or login_session.recall() is not None:
        return None
    back = request.path if request.method == "GET" else None
    return redirect(url_for("console.login.form", suite=back), 303)


@bp.after_request
def seal(response: Response) -> Response:
    """The headers of every page; nothing of it may be kept by a browser or a proxy, but the style sheet."""
    login_session.hand_out(response)
    response.headers.update(HEADERS)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if request.endpoint != "console.style":
        response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/style.css")
def style() -> Response:
    """The one style sheet; its address changes with it."""
    return Response(
        render.STYLE,
        content_type="text/css; charset=utf-8",
        headers={"Cache-Control": "public, max-age=604800"},
    )


@bp.get("/<path:rest>")
def unknown(rest: str) -> Response:
    """Any other address: 404 in French, after the login."""
    abort(404)


@bp.errorhandler(HTTPException)
def refused(error: HTTPException) -> tuple[str, int] | AnyResponse:
    """Said in French; nothing was changed."""
    code = error.code or 500
    if code < 400:
        return error.get_response()
    return _said(code)


@bp.errorhandler(SQLAlchemyError)
def database_down(error: SQLAlchemyError) -> tuple[str, int]:
    if db.is_crossed(error):
        return _said(409)
    log.error("database: %s", type(error).__name__)
    return _said(503)


@bp.errorhandler(Exception)
def failed(error: Exception) -> tuple[str, int]:
    log.exception("page failed: %s", type(error).__name__)
    return _said(500)


def _said(code: int) -> tuple[str, int]:
    title, advice = ERRORS.get(
        code, ("Quelque chose a échoué", "Recommencez ; si cela dure, prévenez qui tient le logiciel.")
    )
    return render_template("error.html", title=title, advice=advice, code=code), code


def dress() -> dict[str, object]:
    """What every template may use."""
    return {
        "style_mark": render.STYLE_MARK,
        "form_token": login_session.form_token,
        "form_field": login_session.FIELD,
    }
