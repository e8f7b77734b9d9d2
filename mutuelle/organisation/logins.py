"""Logins of managers: hashed passwords, console sessions, and a limit on attempts.

There are no roles among managers: every login may use every page of its mutuelle. Two persons are needed for
a refund (`payments/refunds.py`) and for a subsidy claim (`subsidies/claim_steps.py`).

A password is stored as its scrypt hash (RFC 7914), a session by the hash of its token only. Both live in
PostgreSQL, so that a logout or a closed login takes effect in every process at once. An attempt is counted
before its password is checked.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from werkzeug.security import check_password_hash, generate_password_hash

from mutuelle import clock, crypto
from mutuelle.db import Row
from mutuelle.errors import Refused

PASSWORD_MIN, PASSWORD_MAX = 12, 200
IDLE_MAX = timedelta(minutes=30)
SESSION_MAX = timedelta(hours=10)  # a working day
ATTEMPTS_WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_LOGIN, ATTEMPTS_PER_ADDRESS = 5, 50  # within ATTEMPTS_WINDOW
COST, BLOCK, PARALLEL = 2**15, 8, 3  # OWASP's scrypt parameters for 32 MB
METHOD = f"scrypt:{COST}:{BLOCK}:{PARALLEL}"
SALT_LENGTH = 22  # of 62 letters and digits: 130 bits
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike


class Login(Row):
    """A manager of one mutuelle who may log in. A closed login stays, because the audit trail names it."""

    __tablename__ = "logins"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    login: Mapped[str]
    name: Mapped[str]
    password: Mapped[str]
    active: Mapped[bool]
    created_at: Mapped[datetime]


class LoginSession(Row):
    """One browser that is logged in. `seen_at` is its last request, to the minute."""

    __tablename__ = "login_sessions"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    login_id: Mapped[UUID]
    token_hash: Mapped[bytes]
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class LoginAttempts(Row):
    """The number of attempts under one key until the window ends."""

    __tablename__ = "login_tries"
    key: Mapped[bytes] = mapped_column(primary_key=True)
    count: Mapped[int]
    until: Mapped[datetime]


@dataclass(frozen=True)
class Manager:
    """A manager of one mutuelle who is acting. `actor` is how the audit trail names them."""

    tenant_id: UUID
    id: UUID
    name: str

    @property
    def actor(self) -> str:
        return f"manager:{self.id}"


def new_password() -> str:
    """Returns a random password of 79 bits that can be read out: four groups of four letters or digits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def hash_password(password: str) -> str:
    """Returns what is stored of a password: `scrypt:<n>:<r>:<p>$<salt>$<hex>`, as werkzeug writes it."""
    return generate_password_hash(password, METHOD, SALT_LENGTH)


# No password has this hash. Refusing one takes as long as checking a real one.
NO_PASSWORD = f"{METHOD}${'0' * SALT_LENGTH}${'0' * 128}"


def verify_password(password: str, stored: str) -> bool:
    """Whether `stored` is the hash of `password`. Takes about a quarter of a second: hold no transaction."""
    password = password[:PASSWORD_MAX]
    if stored.startswith("scrypt$"):
        return _verify_old_hash(password, stored)
    return check_password_hash(stored, password)


def _verify_old_hash(password: str, stored: str) -> bool:
    """Verifies the format of before werkzeug, with the same cost: `scrypt$<salt in hex>$<key in hex>`."""
    _, salt, key = stored.split("$")
    digest = hashlib.scrypt(
        password.encode(), salt=bytes.fromhex(salt), n=COST, r=BLOCK, p=PARALLEL, maxmem=2**27, dklen=32
    )
    return hmac.compare_digest(digest.hex(), key)


def add(session: Session, tenant_id: UUID, *, login: str, name: str, password: str) -> Login:
    """Adds a login to a mutuelle. Refused("login.password") when the password is too short or too long."""
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
    """Closes a login and ends its sessions at once."""
    row.active = False
    end_sessions(session, row)


def end_sessions(session: Session, row: Login) -> None:
    """Ends every open session of this login."""
    open_sessions = (
        LoginSession.tenant_id == row.tenant_id,
        LoginSession.login_id == row.id,
        LoginSession.ended_at.is_(None),
    )
    session.execute(update(LoginSession).where(*open_sessions).values(ended_at=clock.now()))


def by_login(session: Session, login: str) -> Login | None:
    """Returns the login of this name, if the transaction may see it."""
    return session.scalar(select(Login).where(Login.login == login))


def names(session: Session, tenant_id: UUID) -> dict[UUID, str]:
    """Returns the names of all logins of a mutuelle by id, the closed ones too."""
    rows = session.execute(select(Login.id, Login.name).where(Login.tenant_id == tenant_id))
    return {row.id: row.name for row in rows}


def find_login(session: Session, login: str) -> tuple[UUID, UUID] | None:
    """Returns the (tenant, login) of a login name, before the tenant is known."""
    row = session.execute(text("SELECT tenant_id, id FROM login_by_name(:n)"), {"n": login}).first()
    return (row.tenant_id, row.id) if row else None


def find_session(session: Session, token: str) -> tuple[UUID, UUID] | None:
    """Returns the (tenant, session) of a browser's token, before the tenant is known."""
    row = session.execute(
        text("SELECT tenant_id, id FROM session_by_token(:t)"), {"t": crypto.token_hash(token)}
    ).first()
    return (row.tenant_id, row.id) if row else None


_COUNT = text(
    "INSERT INTO login_tries AS t (key, count, until) VALUES (:key, 1, :until)"
    " ON CONFLICT (key) DO UPDATE SET"
    " count = CASE WHEN t.until <= :now THEN 1 ELSE t.count + 1 END,"
    " until = CASE WHEN t.until <= :now THEN excluded.until ELSE t.until END RETURNING count AS times, until"
)


def count_attempt(session: Session, login: str, address: str) -> int | None:
    """Counts one attempt to log in. Returns the minutes to wait if there were too many, else None.

    Commit it before the password is checked.
    """
    waits = [
        _count(session, f"login:{login}", ATTEMPTS_PER_LOGIN),
        _count(session, f"address:{address}", ATTEMPTS_PER_ADDRESS),
    ]
    return max((minutes for minutes in waits if minutes), default=None)


def _count(session: Session, name: str, limit: int) -> int | None:
    moment = clock.now()
    row = session.execute(_COUNT, {"key": _key(name), "until": moment + ATTEMPTS_WINDOW, "now": moment}).one()
    return None if row.times <= limit else max(1, -(-int((row.until - moment).total_seconds()) // 60))


def reset_attempts(session: Session, login: str) -> None:
    """Deletes the attempts counted for this login, after the right password, and the expired ones of all."""
    session.execute(
        delete(LoginAttempts).where(
            (LoginAttempts.key == _key(f"login:{login}"))
            | (LoginAttempts.until < clock.now() - ATTEMPTS_WINDOW)
        )
    )


def _key(name: str) -> bytes:
    return hmac.digest(crypto.keys().index, f"try:{name}".encode(), "sha256")[:16]


def begin_session(session: Session, tenant_id: UUID, login_id: UUID) -> str:
    """Opens a session. Returns the browser's token, of 256 random bits."""
    token, moment = secrets.token_urlsafe(32), clock.now()
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
    """Returns the manager of a session that may go on: not ended, idle or open too long, login active."""
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
    """Ends a session."""
    open_session = (
        LoginSession.tenant_id == tenant_id,
        LoginSession.id == session_id,
        LoginSession.ended_at.is_(None),
    )
    session.execute(update(LoginSession).where(*open_session).values(ended_at=clock.now()))
