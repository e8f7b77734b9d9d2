"""USSD sessions as rows: the facts each was opened with, and what its Confirms did. They belong to the gateway account.

A gateway's session ids recur, so a session is found by (gateway, its id) among the recent ones; ours is the key.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, secrets, standing, writes
from mutuelle.db import Row
from mutuelle.facts import Facts

SAME_SESSION = timedelta(minutes=15)  # no network keeps one open longer; a later one with its id is another


class UssdSession(Row):
    """One dialogue. `opening` are its facts; `heard` and `version` serve incremental gateways while Redis is down.

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


_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_FIND = (
    select(UssdSession)
    .where(UssdSession.gateway_id == bindparam("gateway"), UssdSession.foreign_id == bindparam("foreign"))
    .where(UssdSession.began_at > bindparam("recent"))
    .order_by(UssdSession.began_at.desc())
    .limit(1)
    .with_for_update()
)


class UssdEffect(Row):
    """What the Confirm `screen` did the `ordinal`-th time it was reached; written once."""

    __tablename__ = "ussd_effects"
    gateway_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    screen: Mapped[str] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]


def find(session: Session, gateway_id: UUID, foreign_id: str) -> UssdSession | None:
    """The newest session under the gateway's id, if it began within a session's longest life.

    Whoever asks about the same id waits until this transaction ends: two first turns in flight are one session.
    """
    asked = {"gateway": gateway_id, "foreign": foreign_id, "recent": clock.now() - SAME_SESSION}
    session.connection().execute(_ONE_AT_A_TIME, {"key": f"{gateway_id}:{foreign_id}"})
    return session.scalars(_FIND, asked).first()


def begin(session: Session, gateway_id: UUID, foreign_id: str, phone: str, opening: Facts) -> UUID:
    """Write a new session with the facts its first screen is rendered from; its id."""
    row = {
        "gateway_id": gateway_id,
        "id": clock.new_id(),
        "foreign_id": foreign_id,
        "phone_index": secrets.blind_index(phone),
        "tenant_id": UUID(opening.tenant_id),
        "opening": opening.as_json(),
        "began_at": clock.now(),
    }
    writes.add(session, UssdSession, row)
    return UUID(str(row["id"]))


def lock(session: Session, gateway_id: UUID, session_id: UUID) -> None:
    """Lock the session's row: identical turns in flight act one after the other."""
    mine = (UssdSession.gateway_id == gateway_id, UssdSession.id == session_id)
    session.connection().execute(select(UssdSession.id).where(*mine).with_for_update()).one()


def effects_of(session: Session, gateway_id: UUID, session_id: UUID) -> dict[tuple[str, int], dict[str, Any]]:
    """What the session's Confirms have done: (screen, ordinal) -> outcome."""
    mine = (UssdEffect.gateway_id == gateway_id, UssdEffect.session_id == session_id)
    rows = session.connection().execute(select(UssdEffect.screen, UssdEffect.ordinal, UssdEffect.outcome).where(*mine))
    return {(row.screen, row.ordinal): row.outcome for row in rows}


def record_effect(
    session: Session, gateway_id: UUID, session_id: UUID, screen: str, ordinal: int, outcome: dict[str, Any]
) -> None:
    """Write what a Confirm did. IntegrityError, at the latest at the commit, when it was written already."""
    row = {"gateway_id": gateway_id, "session_id": session_id, "screen": screen, "ordinal": ordinal}
    writes.add(session, UssdEffect, {**row, "outcome": outcome, "at": clock.now()})


def effect_key(session_id: UUID, screen: str, ordinal: int) -> str:
    """The UNIQUE key of what a Confirm does, for the row it writes."""
    return f"ussd:{session_id}:{screen}:{ordinal}"


def report(session: Session, gateway_id: UUID, foreign_id: str, phone_index: bytes, ended: dict[str, Any]) -> bool:
    """Keep the gateway's end-of-session report with its session; False when there is none of that phone."""
    row = find(session, gateway_id, foreign_id)
    if row is None or row.phone_index != phone_index:
        return False
    mine = (UssdSession.gateway_id == gateway_id, UssdSession.id == row.id)
    session.execute(update(UssdSession).where(*mine).values(report=ended))
    return True


def forget(session: Session, before: datetime, limit: int) -> int:
    """Blank what was typed in up to `limit` sessions that began before, of any gateway; how many. It reads none."""
    asked = {"before": before, "limit": limit}
    return session.scalar(text("SELECT forget_sessions(:before, :limit)"), asked) or 0


_OPENING = text("""
SELECT t.name, t.scheme, t.currency, t.zone, t.language, h.id AS home, h.language AS spoken,
    (SELECT json_agg(o.operator ORDER BY o.created_at, o.code) FROM operator_accounts o WHERE o.tenant_id = t.id) AS operators
FROM tenants t
LEFT JOIN phones p ON p.tenant_id = t.id AND p.blind_index = :phone AND p.until IS NULL
LEFT JOIN households h ON h.tenant_id = p.tenant_id AND h.id = p.household_id
WHERE t.id = :tenant
""")


def opening(
    session: Session,
    tenant_id: UUID,
    phone: str,
    *,
    flow: str,
    shortcut: str = "",
    spoken: str = "",
    draft: dict[str, Any] | None = None,
) -> Facts:
    """The facts a session of `phone` with the mutuelle is opened with, read now."""
    asked = {"tenant": tenant_id, "phone": secrets.blind_index(phone)}
    row = session.connection().execute(_OPENING, asked).one()
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
        household=standing.of(session, tenant_id, row.home, today) if row.home else None,
        draft=draft,
    )
