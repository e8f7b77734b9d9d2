"""Accounts: the people who log in to the console, their open sessions, and how often somebody may guess.

A password is stored as scrypt of it (RFC 7914), a session by the hash of its token only; both live in
PostgreSQL, so that a logout or a closed account holds in every process at once. Guesses are counted before
they are looked at.
"""

import hashlib
import hmac
import os
import secrets as chance
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, crypto
from mutuelle.db import Row
from mutuelle.errors import Refused

PASSWORD_MIN, PASSWORD_MAX = 12, 200
IDLE_MAX = timedelta(minutes=30)
SESSION_MAX = timedelta(hours=10)  # a working day
ATTEMPTS_WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_LOGIN, ATTEMPTS_PER_ADDRESS = 5, 50  # within WINDOW
COST, BLOCK, PARALLEL = 2**15, 8, 3  # OWASP's scrypt figures for 32 MB
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike


class Login(Row):
    """Somebody of one mutuelle who may log in. A closed one stays, because the trail names it."""

    __tablename__ = "logins"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    login: Mapped[str]
    name: Mapped[str]
    password: Mapped[str]
    active: Mapped[bool]
    created_at: Mapped[datetime]


class LoginSession(Row):
    """One browser that is logged in."""

    __tablename__ = "login_sessions"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    login_id: Mapped[UUID]
    token_hash: Mapped[bytes]
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class LoginAttempts(Row):
    """Guesses under one key until the window ends."""

    __tablename__ = "login_tries"
    key: Mapped[bytes] = mapped_column(primary_key=True)
    count: Mapped[int]
    until: Mapped[datetime]


@dataclass(frozen=True)
class Manager:
    """Who is acting: a manager of one mutuelle. `actor` is how the trail names them."""

    tenant_id: UUID
    id: UUID
    name: str

    @property
    def actor(self) -> str:
        return f"manager:{self.id}"


def new_password() -> str:
    """A random password of 80 bits that can be read out and typed: four groups of four letters."""
    return "-".join("".join(chance.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def hash_password(password: str, salt: bytes | None = None) -> str:
    """What is stored of a password."""
    salt = salt or os.urandom(16)
    key = hashlib.scrypt(password.encode(), salt=salt, n=COST, r=BLOCK, p=PARALLEL, maxmem=2**27, dklen=32)
    return f"scrypt${salt.hex()}${key.hex()}"


NO_PASSWORD = f"scrypt${'00' * 16}${'00' * 32}"  # no password gives this; it costs as much time to refuse


def verify_password(password: str, stored: str) -> bool:
    """Whether `stored` was made from `password`. Takes about a quarter of a second, on purpose: hold no
    transaction."""
    salt = bytes.fromhex(stored.split("$")[1])
    return hmac.compare_digest(hash_password(password[:PASSWORD_MAX], salt), stored)


def add(session: Session, tenant_id: UUID, *, login: str, name: str, password: str) -> Login:
    """Let somebody of `tenant_id` log in. Refused("login.password") when the password is too short."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise Refused("login.password", least=PASSWORD_MIN)
    row = Login(
        tenant_id=tenant_id,
        id=clock.new_id(),
        login=login,
        name=name,
        password=hash_password(password),
        active=True,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row


def close(session: Session, row: Login) -> None:
    """This person logs in no more; whatever browser they are logged in with is out at once."""
    row.active = False
    end_sessions(session, row)


def end_sessions(session: Session, row: Login) -> None:
    """End every session of this person."""
    mine = (
        LoginSession.tenant_id == row.tenant_id,
        LoginSession.login_id == row.id,
        LoginSession.ended_at.is_(None),
    )
    session.execute(update(LoginSession).where(*mine).values(ended_at=clock.now()))


def by_login(session: Session, login: str) -> Login | None:
    """The account of this name, if the transaction may see it."""
    return session.scalar(select(Login).where(Login.login == login))


def names(session: Session, tenant_id: UUID) -> dict[UUID, str]:
    """The names of everybody who ever could log in, for the trail."""
    rows = session.execute(select(Login.id, Login.name).where(Login.tenant_id == tenant_id))
    return {row.id: row.name for row in rows}


def find_login(session: Session, login: str) -> tuple[UUID, UUID] | None:
    """(tenant, account) of a login name, before any tenant is known."""
    row = session.execute(text("SELECT tenant_id, id FROM login_by_name(:n)"), {"n": login}).first()
    return (row.tenant_id, row.id) if row else None


def find_session(session: Session, token: str) -> tuple[UUID, UUID] | None:
    """(tenant, session) behind a browser's token, before any tenant is known."""
    row = session.execute(
        text("SELECT tenant_id, id FROM session_by_token(:t)"), {"t": crypto.token_hash(token)}
    ).first()
    return (row.tenant_id, row.id) if row else None


_COUNT = text(
    "INSERT INTO login_tries AS t (key, count, until) VALUES (:key, 1, :until) ON CONFLICT (key) DO UPDATE SET"
    " count = CASE WHEN t.until <= :now THEN 1 ELSE t.count + 1 END,"
    " until = CASE WHEN t.until <= :now THEN excluded.until ELSE t.until END RETURNING count AS times, until"
)


def count_attempt(session: Session, login: str, address: str) -> int | None:
    """Count one guess: None, or the minutes to wait because there were too many. Commit it before the guess
    is looked at."""
    counted = [
        _count(session, f"login:{login}", ATTEMPTS_PER_LOGIN),
        _count(session, f"address:{address}", ATTEMPTS_PER_ADDRESS),
    ]
    return max((wait for wait in counted if wait), default=None)


def _count(session: Session, what: str, limit: int) -> int | None:
    """Count one more; None, or the minutes to wait when there were too many."""
    moment = clock.now()
    row = session.execute(_COUNT, {"key": _key(what), "until": moment + ATTEMPTS_WINDOW, "now": moment}).one()
    return None if row.times <= limit else max(1, -(-int((row.until - moment).total_seconds()) // 60))


def reset_attempts(session: Session, login: str) -> None:
    """The right password came: this login starts again from nothing. Old counts go, too."""
    session.execute(
        delete(LoginAttempts).where(
            (LoginAttempts.key == _key(f"login:{login}"))
            | (LoginAttempts.until < clock.now() - ATTEMPTS_WINDOW)
        )
    )


def _key(what: str) -> bytes:
    return hmac.digest(crypto.keys().index, f"try:{what}".encode(), "sha256")[:16]


def begin_session(session: Session, tenant_id: UUID, login_id: UUID) -> str:
    """Log in: the new browser token, of 256 random bits."""
    token, moment = chance.token_urlsafe(32), clock.now()
    row = LoginSession(
        tenant_id=tenant_id,
        id=clock.new_id(),
        login_id=login_id,
        token_hash=crypto.token_hash(token),
        began_at=moment,
        seen_at=moment,
    )
    session.add(row)
    session.flush()
    return token


def resume_session(session: Session, tenant_id: UUID, session_id: UUID) -> Manager | None:
    """Who this open session belongs to; None when it was idle or open for too long, or the account was
    closed."""
    row = session.get(LoginSession, (tenant_id, session_id))
    moment = clock.now()
    if row is None or row.ended_at or moment > row.began_at + SESSION_MAX or moment > row.seen_at + IDLE_MAX:
        return None
    login = session.get_one(Login, (tenant_id, row.login_id))
    if not login.active:
        return None
    if moment > row.seen_at + timedelta(minutes=1):
        row.seen_at = moment
    return Manager(tenant_id, login.id, login.name)


def end_session(session: Session, tenant_id: UUID, session_id: UUID) -> None:
    """Log out."""
    mine = (
        LoginSession.tenant_id == tenant_id,
        LoginSession.id == session_id,
        LoginSession.ended_at.is_(None),
    )
    session.execute(update(LoginSession).where(*mine).values(ended_at=clock.now()))
