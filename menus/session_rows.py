"""USSD sessions as rows: the facts each was opened with, and what its Confirms did. They belong to the
gateway account.

A gateway's session ids recur, so a session is found by (gateway, its id) among the recent ones; ours is the
key.
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

SAME_SESSION = timedelta(minutes=15)  # no network keeps one open longer; a later one with its id is another


class UssdSession(Row):
    """One dialogue. `opening` are its facts; `heard` and `version` serve incremental gateways while Redis is
    down.

    `opening` and `heard` are blank once nobody can replay it.
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


_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))"
_FIND = """
SELECT id, phone_index, tenant_id, opening, heard FROM ussd_sessions
WHERE gateway_id = %(gateway)s AND foreign_id = %(foreign)s AND began_at > %(recent)s
ORDER BY began_at DESC LIMIT 1 FOR UPDATE
"""


class UssdEffect(Row):
    """What the Confirm `screen` did the `ordinal`-th time it was reached; written once."""

    __tablename__ = "ussd_effects"
    gateway_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    screen: Mapped[str] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]


@dataclass(frozen=True)
class SessionOpening:
    """What a turn without a cache finds: its session's `row` if there is one, and `opening`, what a new one
    begins with."""

    row: Any
    opening: Any


def enter(session: Session, gateway_id: UUID, foreign_id: str, tenant_id: UUID, phone: str) -> SessionOpening:
    """The newest session under the gateway's id, if it began within a session's longest life; with the facts
    of the phone.

    Whoever asks about the same id waits until this transaction ends: two first turns in flight are one
    session.
    """
    asked = {"tenant": tenant_id, "phone": crypto.blind_index(phone), "now": clock.now()}
    _, rows, opening = pipeline.query(session, *_finding(gateway_id, foreign_id), (_OPENING, asked))
    return SessionOpening(rows[0] if rows else None, pipeline.single_row(opening))


def _finding(gateway_id: UUID, foreign_id: str) -> tuple[pipeline.Statement, pipeline.Statement]:
    asked = {"gateway": gateway_id, "foreign": foreign_id, "recent": clock.now() - SAME_SESSION}
    return (_ONE_AT_A_TIME, {"key": f"{gateway_id}:{foreign_id}"}), (_FIND, asked)


def begin(session: Session, gateway_id: UUID, foreign_id: str, phone: str, opening: Facts) -> UUID:
    """Write a new session with the facts its first screen is rendered from; its id."""
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


def effects_of(session: Session, gateway_id: UUID, session_id: UUID) -> dict[tuple[str, int], dict[str, Any]]:
    """What the session's Confirms have done: (screen, ordinal) -> outcome. Its row is locked first: identical
    turns in flight act one after the other."""
    asked = {"gateway": gateway_id, "session": session_id}
    _, rows = pipeline.query(session, (_LOCK, asked), (_EFFECTS, asked))
    return {(row.screen, row.ordinal): row.outcome for row in rows}


_LOCK = "SELECT id FROM ussd_sessions WHERE gateway_id = %(gateway)s AND id = %(session)s FOR UPDATE"
_EFFECTS = "SELECT screen, ordinal, outcome FROM ussd_effects WHERE gateway_id = %(gateway)s AND session_id = %(session)s"


def keep(session: Session, gateway_id: UUID, session_id: UUID, heard: dict[str, Any], version: int) -> None:
    """Where the session stands, in its row: no cache holds it."""
    asked = {"gateway": gateway_id, "session": session_id, "heard": Jsonb(heard), "version": version}
    pipeline.queue(session, (_KEEP, asked))


_KEEP = """
UPDATE ussd_sessions SET heard = %(heard)s, version = %(version)s WHERE gateway_id = %(gateway)s AND id =
%(session)s
"""


def record_effect(
    session: Session, gateway_id: UUID, session_id: UUID, screen: str, ordinal: int, outcome: dict[str, Any]
) -> None:
    """Write what a Confirm did. IntegrityError, at the latest at the commit, when it was written already."""
    row = {"gateway_id": gateway_id, "session_id": session_id, "screen": screen, "ordinal": ordinal}
    inserts.add(session, UssdEffect, {**row, "outcome": outcome, "at": clock.now()})


def effect_key(session_id: UUID, screen: str, ordinal: int) -> str:
    """The UNIQUE key of what a Confirm does, for the row it writes."""
    return f"ussd:{session_id}:{screen}:{ordinal}"


def report(
    session: Session, gateway_id: UUID, foreign_id: str, phone_index: bytes, ended: dict[str, Any]
) -> bool:
    """Keep the gateway's end-of-session report with its session; False when there is none of that phone."""
    _, rows = pipeline.query(session, *_finding(gateway_id, foreign_id))
    if not rows or rows[0].phone_index != phone_index:
        return False
    mine = (UssdSession.gateway_id == gateway_id, UssdSession.id == rows[0].id)
    session.execute(update(UssdSession).where(*mine).values(report=ended))
    return True


def forget(session: Session, before: datetime, limit: int) -> int:
    """Blank what was typed in up to `limit` sessions that began before, of any gateway; how many. It reads
    none."""
    asked = {"before": before, "limit": limit}
    return session.scalar(text("SELECT forget_sessions(:before, :limit)"), asked) or 0


_OPENING = f"""
SELECT t.name, t.scheme, t.currency, t.zone, t.language, home.language AS spoken,
    (SELECT json_agg(o.operator ORDER BY o.created_at, o.code) FROM operator_accounts o WHERE o.tenant_id = t.id) AS operators,
    {household_facts.COLUMNS}
FROM tenants t
LEFT JOIN phones p ON p.tenant_id = t.id AND p.blind_index = %(phone)s AND p.until IS NULL
LEFT JOIN households home ON home.tenant_id = p.tenant_id AND home.id = p.household_id
WHERE t.id = %(tenant)s
"""  # noqa: S608  # our own columns, every value is a parameter


def opening(
    row: Any,
    tenant_id: UUID,
    *,
    flow: str,
    shortcut: str = "",
    spoken: str = "",
    draft: dict[str, Any] | None = None,
) -> Facts:
    """The facts a session with the mutuelle is opened with, from what `enter` read now."""
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
        spoken=spoken,
        household=household_facts.read(row, today) if row.home else None,
        draft=draft,
    )
