"""How far each account's transaction list was read: the proof of unsolicited payments and reversals."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock
from mutuelle.db import Row


class Pull(Row):
    """One day's list of one account. The next reading begins at `overlap_cursor`, a page before where this one ended."""

    __tablename__ = "pulls"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    cursor: Mapped[str | None]
    overlap_cursor: Mapped[str | None]
    pulled_at: Mapped[datetime]


def read_lately(session: Session, days: Collection[date], *, within_s: float) -> set[tuple[UUID, date]]:
    """The lists, as (account, day), somebody began to read within the last `within_s` seconds."""
    recent = Pull.pulled_at > clock.now() - timedelta(seconds=within_s)
    return {
        (row.account_id, row.day)
        for row in session.execute(select(Pull.account_id, Pull.day).where(Pull.day.in_(days), recent))
    }


def begin(session: Session, tenant_id: UUID, account_id: UUID, day: date, *, older_than_s: float) -> tuple[bool, str | None]:
    """Whether it is our turn to read that day's list, and from which cursor on. Nobody else gets a turn for `older_than_s`."""
    moment = clock.now()
    row = {"tenant_id": tenant_id, "account_id": account_id, "day": day, "pulled_at": moment}
    due = Pull.pulled_at <= moment - timedelta(seconds=older_than_s)
    keys = ["tenant_id", "account_id", "day"]
    turn = insert(Pull).values(row).on_conflict_do_update(index_elements=keys, set_={"pulled_at": moment}, where=due)
    told = session.execute(turn.returning(Pull.overlap_cursor)).first()
    return told is not None, told.overlap_cursor if told else None


def advance(session: Session, tenant_id: UUID, account_id: UUID, day: date, *, began: str | None, cursor: str | None) -> None:
    """A page that began after `began` was read whole; the next one begins after `cursor`."""
    row = session.scalars(
        select(Pull).where(Pull.tenant_id == tenant_id, Pull.account_id == account_id, Pull.day == day).with_for_update()
    ).one()
    row.cursor, row.overlap_cursor = cursor, began
