"""Who is acting: the browser's cookie, the person behind it, and the token every form must bring back.

The cookie holds random bits only. Before the login it is there too, so that the login form is guarded like
every other; the login replaces it. A form's token is an HMAC under those bits: who cannot read the cookie
cannot make one.
"""

import hmac
import secrets as chance
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
    """`__Host-…`, which only HTTPS can set. On loopback without HTTPS the port tells two copies apart."""
    where = urlsplit(services().settings.public_url)
    return f"gestion-{where.port or 80}" if _plain() else "__Host-gestion"


def _plain() -> bool:
    where = urlsplit(services().settings.public_url)
    return where.scheme == "http" and where.hostname in LOOPBACK


def cookie() -> str:
    """This browser's token; a fresh one when it brought none."""
    if "cookie" not in g:
        brought = request.cookies.get(cookie_name(), "")
        g.cookie = brought if 20 <= len(brought) <= 64 else chance.token_urlsafe(32)
        g.fresh = g.cookie != brought
    return str(g.cookie)


def take_cookie(token: str) -> None:
    """Give the browser this token with the answer."""
    g.cookie, g.fresh = token, True


def hand_out(response: Response) -> None:
    """Set the cookie when it is new. It dies with the browser; the server's limits are shorter."""
    if g.get("fresh"):
        response.set_cookie(
            cookie_name(), g.cookie, path="/", secure=not _plain(), httponly=True, samesite="Strict"
        )


def form_token() -> str:
    """What a form of this browser must bring back."""
    return hmac.digest(cookie().encode(), b"mutuelle console form", "sha256").hex()


def check_form() -> None:
    """400 unless the form is one of ours, shown to this very browser."""
    if not hmac.compare_digest(request.form.get(FIELD, "").encode(), form_token().encode()):
        abort(400)


def recall() -> Manager | None:
    """The person this browser is logged in as."""
    with db.transaction(db.Role.CONSOLE) as session:
        found = logins.find_session(session, cookie())
    if found is None:
        return None
    with db.transaction(db.Role.CONSOLE, found[0]) as session:
        g.person, g.session_id = logins.resume_session(session, *found), found[1]
    return me() if g.person else None


def me() -> Manager:
    """The person acting; the guard has let them in."""
    person: Manager = g.person
    return person


@contextmanager
def acting(within_s: float = 20) -> Iterator[Session]:
    """A transaction that sees this person's mutuelle and nothing else."""
    with db.transaction(db.Role.CONSOLE, me().tenant_id, within_s=within_s) as session:
        yield session
