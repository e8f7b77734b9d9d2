"""The inbox: raw messages from outside, stored before they are parsed, and leased to workers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, crypto, pipeline
from mutuelle.db import Row

REJECTED_PER_MINUTE = 60  # stored per account; more of them prove nothing new


class Door(StrEnum):
    """The kind of endpoint at which a notice came in."""

    MOMO = "momo"
    SMS_DELIVERY = "sms-delivery"
    SMS_INCOMING = "sms-incoming"
    USSD_EVENT = "ussd-event"


@dataclass(frozen=True)
class Origin:
    """Where a message came from."""

    tenant_id: UUID
    account_id: UUID
    door: Door
    provider: str


class NoticeState(StrEnum):
    """`new` until it is read; `person`: staff must look at it; `rejected`: stored, never read."""

    NEW = "new"
    DONE = "done"
    PERSON = "person"
    REJECTED = "rejected"


class Notice(Row):
    """One message from outside; a repeat increments `times`.

    `authentic` is None where the sender does not sign. `named_ref` is our reference in the URL or the
    message; `unsolicited` says that the message is about money without a reference of ours. Both are hints:
    only the operator's answer to a status query counts. `success_at` is when the money moved, according to a
    message that reports success; it dates money that an answer without a time proves.
    """

    __tablename__ = "notices"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    door: Mapped[str]
    account_id: Mapped[UUID]
    provider: Mapped[str]
    digest: Mapped[bytes]
    body: Mapped[bytes]
    authentic: Mapped[bool | None]
    named_ref: Mapped[UUID | None]
    unsolicited: Mapped[bool]
    success_at: Mapped[datetime | None]
    state: Mapped[str]
    outcome: Mapped[str | None]
    times: Mapped[int] = mapped_column(default=1)
    received_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @property
    def words(self) -> bytes:
        """The raw body, decrypted."""
        return crypto.open_words(self.body)


def keep(
    session: Session,
    origin: Origin,
    *,
    body: bytes,
    authentic: bool | None = None,
    named_ref: UUID | None = None,
    unsolicited: bool = False,
    success_at: datetime | None = None,
    ended: str | None = None,
    rejected: str | None = None,
) -> bool:
    """Stores one message. Returns True when a worker has to look at it.

    A repeat is only counted. At most REJECTED_PER_MINUTE rejected messages are stored per account. `ended` is
    the reason why no worker has to look at the message, `rejected` the reason why it was rejected.
    """
    moment = clock.now()
    refused = "bad signature" if authentic is False else rejected
    if refused and _rejected_lately(session, origin.account_id, moment) >= REJECTED_PER_MINUTE:
        return False
    state = NoticeState.REJECTED if refused else NoticeState.DONE if ended else NoticeState.NEW
    row = {
        "tenant_id": origin.tenant_id,
        "id": clock.new_id(),
        "door": origin.door,
        "account_id": origin.account_id,
        "provider": origin.provider,
        "digest": hashlib.sha256(body + str(named_ref or "").encode() + (b"!" if refused else b"")).digest(),
        "body": crypto.seal_words(body),
        "authentic": authentic,
        "named_ref": named_ref,
        "unsolicited": unsolicited,
        "success_at": success_at,
        "state": state,
        "outcome": refused or ended,
        "moment": moment,
        "ended_at": None if state is NoticeState.NEW else moment,
    }
    ((stored,),) = pipeline.query(session, (_KEEP, row))
    return bool(stored.state == NoticeState.NEW)


_KEEP = """
INSERT INTO notices (
    tenant_id, id, door, account_id, provider, digest, body, authentic, named_ref,
    unsolicited, success_at, state, outcome, times, attempts, received_at, due_at, ended_at)
VALUES (
    %(tenant_id)s, %(id)s, %(door)s, %(account_id)s, %(provider)s, %(digest)s, %(body)s, %(authentic)s,
    %(named_ref)s, %(unsolicited)s, %(success_at)s, %(state)s, %(outcome)s, 1, 0, %(moment)s, %(moment)s,
    %(ended_at)s)
ON CONFLICT (account_id, door, digest) DO UPDATE SET times = notices.times + 1 RETURNING state
"""


def _rejected_lately(session: Session, account_id: UUID, moment: datetime) -> int:
    recent = Notice.received_at > moment - timedelta(minutes=1)
    query = select(func.count()).where(
        Notice.account_id == account_id, Notice.state == NoticeState.REJECTED, recent
    )
    return session.scalar(query) or 0


# MATERIALIZED: PostgreSQL may run a plain subquery once for every row, which leases more than `:limit`.
_LEASE = text("""
WITH due AS MATERIALIZED (
    SELECT tenant_id, id FROM notices WHERE state = 'new' AND door = ANY(:doors) AND due_at <= :now
    AND (CAST(:provider AS text) IS NULL OR provider = :provider)
    AND (lease_until IS NULL OR lease_until < :now)
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
UPDATE notices n SET lease_until = :until, attempts = attempts + 1
FROM due
WHERE n.tenant_id = due.tenant_id AND n.id = due.id
RETURNING n.tenant_id, n.id
""")


_DUE_PROVIDERS = text("""
SELECT DISTINCT provider FROM notices WHERE state = 'new' AND door = :door AND due_at <= :now
AND (lease_until IS NULL OR lease_until < :now) ORDER BY 1
""")


def due_providers(session: Session, door: Door) -> list[str]:
    """Returns the operators or aggregators of which a notice is due."""
    return list(session.scalars(_DUE_PROVIDERS, {"door": door, "now": clock.now()}))


def lease(
    session: Session, *, doors: Sequence[Door], limit: int, lease_s: int, provider: str | None = None
) -> list[Notice]:
    """Leases up to `limit` due notices to this worker alone for `lease_s` seconds. Returns them.

    Only those of one operator or aggregator, if `provider` names it.
    """
    moment = clock.now()
    values = {
        "until": moment + timedelta(seconds=lease_s),
        "now": moment,
        "doors": list(doors),
        "provider": provider,
        "limit": limit,
    }
    keys = session.execute(_LEASE, values).all()
    rows = (
        session.scalars(select(Notice).where(Notice.id.in_([key.id for key in keys]))).all() if keys else []
    )
    return sorted(rows, key=lambda row: (row.received_at, str(row.id)))


def first_success(session: Session, tenant_id: UUID, account_id: UUID, ref: UUID) -> datetime | None:
    """Returns when the money for our reference `ref` moved, by the first notice that reports success."""
    of_reference = (Notice.tenant_id == tenant_id, Notice.named_ref == ref, Notice.account_id == account_id)
    query = select(func.min(Notice.success_at)).where(*of_reference, Notice.state != NoticeState.REJECTED)
    return session.scalar(query)


def end(session: Session, notice: Notice, state: NoticeState, outcome: str) -> None:
    """Ends a notice as `done`, or leaves it to a `person`."""
    _update(session, notice, state=state, outcome=outcome, ended_at=clock.now(), lease_until=None)


def postpone(session: Session, notice: Notice, seconds: float, outcome: str) -> None:
    """Makes a notice due again in `seconds`."""
    _update(
        session, notice, outcome=outcome, due_at=clock.now() + timedelta(seconds=seconds), lease_until=None
    )


def forget(session: Session, before: datetime, limit: int) -> int:
    """Blanks the bodies of up to `limit` ended notices received before a moment, but for evidence.

    Returns how many. Their digest and outcome stay.
    """
    values = {"before": before, "limit": limit, "nothing": crypto.seal_words(b"")}
    return session.scalar(text("SELECT blank_notices(:before, :limit, :nothing)"), values) or 0


def _update(session: Session, notice: Notice, **values: object) -> None:
    # Only while the notice is new: a slow worker must not undo what another one did after its lease ended.
    where = (Notice.tenant_id == notice.tenant_id, Notice.id == notice.id, Notice.state == NoticeState.NEW)
    session.execute(update(Notice).where(*where).values(**values))
