"""USSD sessions as rows: the opening facts of each, and the outcomes of its Confirms.

A row belongs to the gateway account. A gateway reuses its session ids: a session is therefore found by
(gateway, its id) among the recent ones, and the key is an id of ours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from menus import household_facts
from menus.facts import Facts
from mutuelle import clock, crypto, inserts, pipeline
from mutuelle.db import Row

# No network keeps a session open longer; a later one under the same id is a new session.
SAME_SESSION = timedelta(minutes=15)


class UssdSession(Row):
    """One dialogue. `opening` holds its facts.

    `heard` is the position (`DialoguePosition`) and `version` its version, saved by a turn without a cached
    state. `forget_sessions` blanks `opening` and `heard` once no turn can come any more.
    """

    __tablename__ = "ussd_sessions"
    gateway_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    foreign_id: Mapped[str]
    phone_index: Mapped[bytes]
    tenant_id: Mapped[UUID]
    opening: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(default=0)
    heard: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    began_at: Mapped[datetime]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


_SERIALIZE = "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))"
_FIND = """
SELECT id, phone_index, tenant_id, opening, heard FROM ussd_sessions
WHERE gateway_id = %(gateway)s AND foreign_id = %(foreign)s AND began_at > %(recent)s
ORDER BY began_at DESC LIMIT 1 FOR UPDATE
"""


class UssdEffect(Row):
    """The outcome of the Confirm `screen` when it acted for the `ordinal`-th time; written once."""

    __tablename__ = "ussd_effects"
    gateway_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    screen: Mapped[str] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]


@dataclass(frozen=True)
class SessionLookup:
    """The `row` of a session, None for a new one, and the columns its `opening` facts are read from."""

    row: Any
    opening: Any


def look_up(
    session: Session, gateway_id: UUID, foreign_id: str, tenant_id: UUID, phone: str
) -> SessionLookup:
    """Returns the newest session under the gateway's id that is recent, and the opening columns of the phone.

    A second look-up of the same id waits until this transaction ends, so that two first turns that arrive
    together make one session.
    """
    values = {"tenant": tenant_id, "phone": crypto.blind_index(phone), "now": clock.now()}
    _, rows, opening = pipeline.query(session, *_find_statements(gateway_id, foreign_id), (_OPENING, values))
    return SessionLookup(rows[0] if rows else None, pipeline.single_row(opening))


def _find_statements(gateway_id: UUID, foreign_id: str) -> tuple[pipeline.Statement, pipeline.Statement]:
    values = {"gateway": gateway_id, "foreign": foreign_id, "recent": clock.now() - SAME_SESSION}
    return (_SERIALIZE, {"key": f"{gateway_id}:{foreign_id}"}), (_FIND, values)


def begin(session: Session, gateway_id: UUID, foreign_id: str, phone: str, opening: Facts) -> UUID:
    """Inserts a new session with the facts its first screen is rendered from. Returns its id."""
    row = {
        "gateway_id": gateway_id,
        "id": clock.new_id(),
        "foreign_id": foreign_id,
        "phone_index": crypto.blind_index(phone),
        "tenant_id": UUID(opening.tenant_id),
        "opening": opening.as_json(),
        "began_at": clock.now(),
    }
    inserts.add(session, UssdSession, row)
    return UUID(str(row["id"]))


def lock_effects(
    session: Session, gateway_id: UUID, session_id: UUID
) -> dict[tuple[str, int], dict[str, Any]]:
    """Locks the session row and reads its effects. Returns (screen, ordinal) -> outcome.

    The lock makes identical turns in flight act one after the other.
    """
    values = {"gateway": gateway_id, "session": session_id}
    _, rows = pipeline.query(session, (_LOCK, values), (_EFFECTS, values))
    return {(row.screen, row.ordinal): row.outcome for row in rows}


_LOCK = "SELECT id FROM ussd_sessions WHERE gateway_id = %(gateway)s AND id = %(session)s FOR UPDATE"
_EFFECTS = """
SELECT screen, ordinal, outcome FROM ussd_effects WHERE gateway_id = %(gateway)s AND session_id = %(session)s
"""


def save_position(
    session: Session, gateway_id: UUID, session_id: UUID, position: dict[str, Any], version: int
) -> None:
    """Queues the UPDATE of the position in the session row, for a turn without a cached state."""
    values = {"gateway": gateway_id, "session": session_id, "heard": Jsonb(position), "version": version}
    pipeline.queue(session, (_SAVE, values))


_SAVE = """
UPDATE ussd_sessions SET heard = %(heard)s, version = %(version)s
WHERE gateway_id = %(gateway)s AND id = %(session)s
"""


def record_effect(
    session: Session, gateway_id: UUID, session_id: UUID, screen: str, ordinal: int, outcome: dict[str, Any]
) -> None:
    """Inserts the outcome of a Confirm. Raises IntegrityError, at commit at the latest, on a second one."""
    row = {"gateway_id": gateway_id, "session_id": session_id, "screen": screen, "ordinal": ordinal}
    inserts.add(session, UssdEffect, {**row, "outcome": outcome, "at": clock.now()})


def effect_key(session_id: UUID, screen: str, ordinal: int) -> str:
    """Returns the UNIQUE key under which the act of a Confirm writes its own row."""
    return f"ussd:{session_id}:{screen}:{ordinal}"


def save_report(
    session: Session, gateway_id: UUID, foreign_id: str, phone_index: bytes, payload: dict[str, Any]
) -> bool:
    """Stores the gateway's end-of-session report. Returns False when that phone has no such session."""
    _, rows = pipeline.query(session, *_find_statements(gateway_id, foreign_id))
    if not rows or rows[0].phone_index != phone_index:
        return False
    key = (UssdSession.gateway_id == gateway_id, UssdSession.id == rows[0].id)
    session.execute(update(UssdSession).where(*key).values(report=payload))
    return True


def forget(session: Session, before: datetime, limit: int) -> int:
    """Blanks the stored input of up to `limit` sessions of any gateway that began before `before`.

    Returns how many. It returns no row to the caller.
    """
    return (
        session.scalar(text("SELECT forget_sessions(:before, :limit)"), {"before": before, "limit": limit})
        or 0
    )


_OPENING = f"""
SELECT t.name, t.scheme, t.currency, t.zone, t.language, home.language AS spoken,
    (SELECT json_agg(o.operator ORDER BY o.created_at, o.code)
        FROM operator_accounts o WHERE o.tenant_id = t.id) AS operators,
    {household_facts.COLUMNS}
FROM tenants t
LEFT JOIN phones p ON p.tenant_id = t.id AND p.blind_index = %(phone)s AND p.until IS NULL
LEFT JOIN households home ON home.tenant_id = p.tenant_id AND home.id = p.household_id
WHERE t.id = %(tenant)s
"""  # noqa: S608  # our own columns, every value is a parameter


def opening_facts(
    row: Any,
    tenant_id: UUID,
    *,
    flow: str,
    shortcut: str = "",
    first_text: str = "",
    draft: dict[str, Any] | None = None,
) -> Facts:
    """Returns the opening facts of a new session, from the columns that `look_up` read now."""
    today = clock.today(row.zone)
    return Facts(
        flow=flow,
        language=row.spoken or row.language,
        tenant_id=str(tenant_id),
        mutuelle=row.name,
        scheme=row.scheme,
        currency=row.currency,
        on=today.isoformat(),
        operators=tuple(dict.fromkeys(row.operators or ())),
        shortcut=shortcut,
        first_text=first_text,
        household=household_facts.from_row(row, today) if row.home else None,
        draft=draft,
    )
