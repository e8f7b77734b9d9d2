"""The login session of a request: the browser's cookie, the manager behind it, and the form token.

The cookie holds random bits only. It is set before the login, too, so that the login form is guarded like
every other; the login replaces it. A form token is an HMAC under those bits: a page that cannot read the
cookie cannot make one.
"""

import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from flask import Response, abort, g, request
from sqlalchemy.orm import Session

from gateway.services import services
from mutuelle import db
from mutuelle.organisation import logins
from mutuelle.organisation.logins import Manager

FIELD = "jeton"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def cookie_name() -> str:
    """Returns `__Host-…`, which only HTTPS can set.

    On loopback without HTTPS the name holds the port, so that two copies do not share a cookie.
    """
    url = urlsplit(services().settings.public_url)
    return f"gestion-{url.port or 80}" if _is_plain_loopback() else "__Host-gestion"


def _is_plain_loopback() -> bool:
    url = urlsplit(services().settings.public_url)
    return url.scheme == "http" and url.hostname in LOOPBACK


def cookie() -> str:
    """Returns this browser's token; a fresh one when the request has none."""
    if "cookie" not in g:
        token = request.cookies.get(cookie_name(), "")
        g.cookie = token if 20 <= len(token) <= 64 else secrets.token_urlsafe(32)
        g.fresh = g.cookie != token
    return str(g.cookie)


def replace_cookie(token: str) -> None:
    """Makes `token` this browser's cookie from this response on."""
    g.cookie, g.fresh = token, True


def set_cookie(response: Response) -> None:
    """Sets a new cookie. It ends with the browser; the server's limits are shorter."""
    if g.get("fresh"):
        response.set_cookie(
            cookie_name(),
            g.cookie,
            path="/",
            secure=not _is_plain_loopback(),
            httponly=True,
            samesite="Strict",
        )


def form_token() -> str:
    """Returns the token that every form of this browser must send."""
    return hmac.digest(cookie().encode(), b"mutuelle console form", "sha256").hex()


def check_form() -> None:
    """Answers 400 unless the form carries the token of this browser."""
    if not hmac.compare_digest(request.form.get(FIELD, "").encode(), form_token().encode()):
        abort(400)


def load_manager() -> Manager | None:
    """Loads the manager whose login session this browser holds. Returns None without a valid session."""
    with db.transaction(db.Role.CONSOLE) as session:
        session_key = logins.find_session(session, cookie())
    if session_key is None:
        return None
    with db.transaction(db.Role.CONSOLE, session_key[0]) as session:
        g.manager, g.session_id = logins.resume_session(session, *session_key), session_key[1]
    return manager() if g.manager else None


def manager() -> Manager:
    """Returns the logged-in manager; `blueprint.require_login` has loaded them."""
    row: Manager = g.manager
    return row


@contextmanager
def transaction(within_s: float = 20) -> Iterator[Session]:
    """A database transaction that sees the mutuelle of the logged-in manager and nothing else."""
    with db.transaction(db.Role.CONSOLE, manager().tenant_id, within_s=within_s) as session:
        yield session
