"""Opens, commits and rolls back every transaction on PostgreSQL, with one role and at most one tenant.

Three ways to send SQL, and when to use which:

* the ORM (`session.get`, `select(Row)`): rows that are read to be changed, or read one by one;
* `text(...)`: one statement whose result is a value or a few columns;
* `pipeline.query` and `inserts.add`: statements on the path of a turn, a receipt or a bulk run, where round
  trips count. They see what the ORM has flushed, not what it still holds.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from select import POLLIN, poll
from typing import Any, TypeVar, cast
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from mutuelle import clock, pipeline

POOL_WAIT_S = 0.3
LOCK_WAIT_S = 0.5
# The transaction timeout closes the connection, so the statement timeout must come first: this much earlier.
GENTLER_MS = 100
# A process that sends nothing for so long inside a transaction is frozen or dead, and holds locks that others
# need. PostgreSQL does not count the time right after a pipeline, because psycopg ends one with Flush. From
# version 17 on PostgreSQL also limits the whole transaction.
IDLE_S = 60
CROSSED = frozenset({"40P01", "40001"})  # SQLSTATE of a deadlock and of a serialization failure
# SQLSTATE, or its class, of a lost connection, of no room, of a shutdown, of a transaction out of time.
LOST = frozenset({"08", "53", "57P01", "57P02", "57P03", "25P03", "25P04"})
TRIES = 5  # runs of a transaction that PostgreSQL aborts because of concurrent ones
Result = TypeVar("Result")


class Role(StrEnum):
    """The database role of a transaction. `LOGIN` owns the schema; it only sets up mutuelles and accounts."""

    APP = "mutuelle_app"
    WORKER = "mutuelle_worker"
    FEDERATION = "mutuelle_federation"
    AUDITOR = "mutuelle_auditor"
    CONSOLE = "mutuelle_console"
    LOGIN = "none"


class Row(DeclarativeBase):
    """A table row. Tables are made by the migrations, never from these classes."""


class Deadline:
    """The moment by which a turn must be answered. `left_s` is in seconds and never negative."""

    def __init__(self, within_s: float) -> None:
        self.end = clock.ticks() + within_s

    @property
    def left_s(self) -> float:
        return max(0.0, self.end - clock.ticks())


_maker: sessionmaker[Session] | None = None
_engine: Engine | None = None
_begin, _idle_s = "", 0
_open = threading.local()

# A report reads one snapshot: money that arrives meanwhile must not look like a difference.
_SNAPSHOT: pipeline.Statement = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", {})
_FREE_ROLE = text(
    "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls)"
    " AND pg_has_role(current_user, oid, 'MEMBER')"
    " ORDER BY rolname <> current_user, rolname LIMIT 1"
)
_BEGIN = (
    "SELECT set_config('role', %(role)s, true), set_config('app.tenant', %(tenant)s, true),"
    " set_config('app.gateway', %(gateway)s, true), set_config('statement_timeout', %(statement)s, true),"
    " set_config('lock_timeout', %(lock)s, true)"
)
_WHOLE = ", set_config('transaction_timeout', %(whole)s, true)"
KNOWS_WHOLE = 170_000  # PostgreSQL 17 introduced transaction_timeout


def connect(url: str, *, pool: int = 5, wait_s: float = POOL_WAIT_S, idle_s: int = IDLE_S) -> None:
    """Connects this process to a database. SystemExit when the login could bypass row-level security."""
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
    event.listen(_engine, "checkout", _check_alive)
    with _engine.connect() as connection:
        check_login(connection)
        version = cast("psycopg.Connection[Any]", connection.connection.driver_connection).info.server_version
    _begin, _idle_s = _BEGIN + (_WHOLE if version >= KNOWS_WHOLE else ""), idle_s
    _maker = sessionmaker(_engine, expire_on_commit=False)


def _check_alive(raw: "psycopg.Connection[Any]", *_: object) -> None:
    """Drops a pooled connection that PostgreSQL has closed, so that the pool opens another one.

    A closed connection has bytes to read although no statement was sent. Unlike a ping, this check needs no
    round trip.
    """
    try:
        poller = poll()
        poller.register(raw.fileno(), POLLIN)
        ended = bool(poller.poll(0))
    except psycopg.OperationalError:
        ended = True
    if ended:
        raise DisconnectionError("ended by PostgreSQL")


def disconnect() -> None:
    """Closes the pool. A forked child calls this before its first transaction."""
    if _engine is not None:
        _engine.dispose()


def driver_url(url: str) -> str:
    """Returns the URL with the name of the psycopg driver, as SQLAlchemy wants it."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def check_login(connection: Connection) -> None:
    """SystemExit when the login, or a role it may take, could bypass row-level security."""
    role = connection.scalar(_FREE_ROLE)
    if role is not None:
        raise SystemExit(
            f"DATABASE_URL: the role {role} is superuser or has BYPASSRLS, and the login is it or may become"
            " it; row-level security would not hold. Use another login."
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
    """Opens a transaction: commits at the end of the block, rolls back on any exception.

    It sees the rows of `tenant` (or of the `gateway` account) and no others. A statement may take what is
    left of `deadline`, else `within_s` seconds. It waits for a lock 0.5 s under a deadline, else 10 s.
    """
    if _maker is None:
        raise RuntimeError("db.connect was not called")
    left_s = deadline.left_s if deadline else within_s
    with _maker.begin() as session:
        _open.depth = getattr(_open, "depth", 0) + 1
        try:
            values = {
                "role": role.value,
                "tenant": str(tenant or ""),
                "gateway": str(gateway or ""),
                "statement": f"{max(1, int(left_s * 1000))}ms",
                "lock": f"{int(min(left_s, LOCK_WAIT_S) * 1000) or 1}ms" if deadline else "10s",
            }
            whole_s = left_s if deadline or role is Role.AUDITOR else min(left_s, _idle_s)
            values["whole"] = f"{max(1, int(whole_s * 1000)) + GENTLER_MS}ms"
            snapshot = [_SNAPSHOT] if role is Role.AUDITOR else []
            pipeline.begin(session.connection(), *snapshot, (_begin, values))
            yield session
        finally:
            _open.depth -= 1


def in_transaction() -> bool:
    """Returns whether this thread is inside a transaction. No other network call may be made then."""
    return getattr(_open, "depth", 0) > 0


def is_crossed(error: BaseException) -> bool:
    """Returns whether PostgreSQL aborted a transaction because of a concurrent one: a retry may work."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in CROSSED


def is_lost(error: BaseException) -> bool:
    """Returns whether a transaction failed because PostgreSQL went away or took no more work.

    The rows it worked on are then not to blame.
    """
    if isinstance(error, OperationalError | InterfaceError) and getattr(error, "orig", None) is not None:
        sqlstate = getattr(error.orig, "sqlstate", None)
        return sqlstate is None or sqlstate[:2] in LOST or sqlstate in LOST
    return isinstance(error, PoolTimeoutError | DisconnectionError)


def retry_crossed(work: Callable[[], Result]) -> Result:
    """Runs a whole transaction, at most `TRIES` times while other transactions cross it. Returns its result.

    The pause before each further try is random: otherwise two transactions that crossed would cross again.
    """
    for _ in range(TRIES - 1):
        try:
            return work()
        except DBAPIError as error:
            if not is_crossed(error):
                raise
        clock.pause(int(clock.digits(2)) / 1_000)
    return work()
