"""USSD sessions as rows: the facts each was opened with, and what its Confirms did. They belong to the gateway account.

A gateway's session ids recur, so a session is found by (gateway, its id) among the recent ones; ours is the key.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, households, secrets, standing, tenants
from mutuelle.db import Row
from mutuelle.facts import Facts

SAME_SESSION = timedelta(minutes=15)  # no network keeps one open longer; a later one with its id is another


class UssdSession(Row):
    """One dialogue. `opening` are its facts; `heard` and `version` serve incremental gateways while Redis is down."""

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
    """The newest session under the gateway's id, if it began within a session's longest life."""
    mine = (UssdSession.gateway_id == gateway_id, UssdSession.foreign_id == foreign_id)
    recent = UssdSession.began_at > clock.now() - SAME_SESSION
    return session.scalar(select(UssdSession).where(*mine, recent).order_by(UssdSession.began_at.desc()).limit(1))


def begin(session: Session, gateway_id: UUID, foreign_id: str, phone: str, opening: Facts) -> UssdSession:
    """Write a new session with the facts its first screen is rendered from."""
    row = UssdSession(
        gateway_id=gateway_id,
        id=clock.new_id(),
        foreign_id=foreign_id,
        phone_index=secrets.blind_index(phone),
        tenant_id=UUID(opening.tenant_id),
        opening=opening.as_json(),
        began_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row


def lock(session: Session, gateway_id: UUID, session_id: UUID) -> UssdSession:
    """The session's row, locked: identical turns in flight act one after the other."""
    mine = (UssdSession.gateway_id == gateway_id, UssdSession.id == session_id)
    return session.scalars(select(UssdSession).where(*mine).with_for_update()).one()


def effects_of(session: Session, gateway_id: UUID, session_id: UUID) -> dict[tuple[str, int], dict[str, Any]]:
    """What the session's Confirms have done: (screen, ordinal) -> outcome."""
    mine = (UssdEffect.gateway_id == gateway_id, UssdEffect.session_id == session_id)
    return {(row.screen, row.ordinal): row.outcome for row in session.scalars(select(UssdEffect).where(*mine))}


def record_effect(
    session: Session, gateway_id: UUID, session_id: UUID, screen: str, ordinal: int, outcome: dict[str, Any]
) -> None:
    """Write what a Confirm did. IntegrityError when it was written already: the turn is taken again and finds it."""
    row = {"gateway_id": gateway_id, "session_id": session_id, "screen": screen, "ordinal": ordinal}
    session.execute(insert(UssdEffect).values(**row, outcome=outcome, at=clock.now()))


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


def opening(
    session: Session,
    tenant_id: UUID,
    phone: str,
    *,
    flow: str,
    shortcut: str = "",
    spoken: str = "",
    draft: dict[str, Any] | None,
) -> Facts:
    """The facts a session of `phone` with the mutuelle is opened with, read now."""
    tenant = tenants.get(session, tenant_id)
    home = households.of_phone(session, tenant_id, phone)
    return Facts(
        flow=flow,
        language=home.language if home else tenant.language,
        tenant_id=str(tenant_id),
        mutuelle=tenant.name,
        scheme=tenant.scheme,
        currency=tenant.currency,
        on=clock.today(tenant.zone).isoformat(),
        operators=tuple(dict.fromkeys(account.operator for account in tenants.accounts_of(session, tenant_id))),
        shortcut=shortcut,
        spoken=spoken,
        household=standing.of(session, tenant_id, home) if home else None,
        draft=draft,
    )
