"""The one door to PostgreSQL: every transaction takes a role and at most one tenant, and commits or rolls
back here only."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from select import POLLIN, poll
from typing import Any, TypeVar, cast
from uuid import UUID

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import NullPool

from mutuelle import clock, pipeline

POOL_WAIT_S = 0.3
LOCK_WAIT_S = 0.5
GENTLER_MS = 100  # a statement that lasts too long is ended before the whole transaction, which takes its connection along
# A process that says nothing for so long in a transaction is frozen or gone, and holds rows that others need.
# PostgreSQL does not count right after a pipeline (psycopg ends one with Flush); from 17 on it counts the
# whole transaction, too.
IDLE_S = 60
CROSSED = frozenset({"40P01", "40001"})  # a deadlock, a serialization failure
TRIES = 5  # of a whole transaction that crosses others
Done = TypeVar("Done")


class Role(StrEnum):
    """As whom a transaction acts; `LOGIN` is the owner of the schema, which only sets the directory up."""

    APP = "mutuelle_app"
    WORKER = "mutuelle_worker"
    FEDERATION = "mutuelle_federation"
    AUDITOR = "mutuelle_auditor"
    CONSOLE = "mutuelle_console"
    LOGIN = "none"


class Row(DeclarativeBase):
    """A table row. Tables are made by the migrations, never from these classes."""


class Deadline:
    """A moment by which something must be answered; it travels with the turn. `left_s` is never negative."""

    def __init__(self, within_s: float) -> None:
        self.end = clock.ticks() + within_s

    @property
    def left_s(self) -> float:
        return max(0.0, self.end - clock.ticks())


_maker: sessionmaker[Session] | None = None
_engine: Engine | None = None
_begin, _idle_s = "", 0
_open = threading.local()

# One view of the books for a whole report: money that arrives meanwhile must not look like a difference.
_ONE_VIEW: pipeline.Statement = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", {})
_FREE_ROLE = text(
    "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND pg_has_role(current_user, oid, 'MEMBER')"
    " ORDER BY rolname <> current_user, rolname LIMIT 1"
)
_BEGIN = (
    "SELECT set_config('role', %(role)s, true), set_config('app.tenant', %(tenant)s, true),"
    " set_config('app.gateway', %(gateway)s, true), set_config('statement_timeout', %(statement)s, true),"
    " set_config('lock_timeout', %(lock)s, true)"
)
_WHOLE = ", set_config('transaction_timeout', %(whole)s, true)"
KNOWS_WHOLE = 170_000  # PostgreSQL 17 ends a transaction that lasts too long, whatever it does


def connect(url: str, *, pool: int = 5, wait_s: float = POOL_WAIT_S, idle_s: int = IDLE_S) -> None:
    """Use this database in this process. Refuses a login that could look past row-level security."""
    global _maker, _engine, _begin, _idle_s
    disconnect()
    _engine = create_engine(
        driver_url(url),
        pool_size=pool,
        max_overflow=pool,
        pool_timeout=wait_s,
        hide_parameters=True,  # an error's text must not hold what was stored
        connect_args={
            "connect_timeout": 3,
            # Compiling a page of a thousand households takes longer than answering it.
            "options": f"-c timezone=UTC -c jit=off -c idle_in_transaction_session_timeout={idle_s}s",
        },
    )
    event.listen(_engine, "checkout", _still_there)
    with _engine.connect() as connection:
        check_login(connection)
        version = cast("psycopg.Connection[Any]", connection.connection.driver_connection).info.server_version
    _begin, _idle_s = _BEGIN + (_WHOLE if version >= KNOWS_WHOLE else ""), idle_s
    _maker = sessionmaker(_engine, expire_on_commit=False)


def _still_there(raw: "psycopg.Connection[Any]", *_: object) -> None:
    """A connection that has something to say before it is asked was ended by PostgreSQL; the pool then makes
    another one.

    It costs no round trip, as a ping would.
    """
    try:
        watched = poll()
        watched.register(raw.fileno(), POLLIN)
        ended = bool(watched.poll(0))
    except psycopg.OperationalError:
        ended = True
    if ended:
        raise DisconnectionError("ended by PostgreSQL")


def disconnect() -> None:
    """Close the pool; a forked child calls it before its first transaction."""
    if _engine is not None:
        _engine.dispose()


def driver_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def check_login(connection: Connection) -> None:
    """Row-level security must hold for the login and for every role it may take, or the process stops."""
    free = connection.scalar(_FREE_ROLE)
    if free is not None:
        raise SystemExit(
            f"DATABASE_URL: the role {free} is superuser or has BYPASSRLS, and the login is it or may become it;"
            " row-level security would not hold. Use another login."
        )


@contextmanager
def transaction(
    role: Role,
    tenant: UUID | None = None,
    *,
    gateway: UUID | None = None,
    deadline: Deadline | None = None,
    within_s: float = 60,
) -> Iterator[Session]:
    """Commit on the way out, roll back on any exception. Sees the rows of `tenant` (or of `gateway`) and no
    others.

    Statements are given what is left of `deadline`, or `within_s`; a lock is waited for at most 0.5 s under a
    deadline.
    """
    if _maker is None:
        raise RuntimeError("db.connect was not called")
    left_s = deadline.left_s if deadline else within_s
    with _maker.begin() as session:
        _open.depth = getattr(_open, "depth", 0) + 1
        try:
            acting = {
                "role": role.value,
                "tenant": str(tenant or ""),
                "gateway": str(gateway or ""),
                "statement": f"{max(1, int(left_s * 1000))}ms",
                "lock": f"{int(min(left_s, LOCK_WAIT_S) * 1000) or 1}ms" if deadline else "10s",
            }
            whole_s = left_s if deadline or role is Role.AUDITOR else min(left_s, _idle_s)
            acting["whole"] = f"{max(1, int(whole_s * 1000)) + GENTLER_MS}ms"
            view = [_ONE_VIEW] if role is Role.AUDITOR else []
            pipeline.begin(session.connection(), *view, (_begin, acting))
            yield session
        finally:
            _open.depth -= 1


def is_open() -> bool:
    """Whether this thread is inside a transaction: no socket may be used then."""
    return getattr(_open, "depth", 0) > 0


def is_crossed(error: BaseException) -> bool:
    """Whether PostgreSQL ended a transaction because another one stood in its way: nothing was done, and a
    second try helps."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in CROSSED


def retry_crossed(work: Callable[[], Done]) -> Done:
    """Run a whole transaction. Runs it again, at most `TRIES` times in all, when another transaction
    `crossed` it.

    The pause before each further try is random: two transactions that cross would otherwise meet again at
    once.
    """
    for _ in range(TRIES - 1):
        try:
            return work()
        except DBAPIError as error:
            if not is_crossed(error):
                raise
        clock.pause(int(clock.digits(2)) / 1_000)
    return work()


def migrate(url: str) -> None:
    """Bring the schema to the newest version, as the login that will use it. Two at once wait for each
    other."""
    engine = create_engine(driver_url(url), poolclass=NullPool)
    settings = Config()
    settings.set_main_option("script_location", "mutuelle:migrations")
    with engine.begin() as connection:
        check_login(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(7263011)"))
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
