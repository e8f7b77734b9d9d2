"""Pull: read each account's transaction list, today's and yesterday's, with an overlap: what no callback told is found here."""

import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, db, payments, pulls, reconcile
from mutuelle.errors import Unavailable
from mutuelle.operator import Movement
from mutuelle.tenants import OperatorAccount
from workers.hub import Hub

PAGES = 200  # of one day in one run; the rest waits for the next
log = logging.getLogger("workers.pull")


def run(hub: Hub) -> int:
    """Pull every account whose turn has come; how many were read."""
    today = clock.now().date()  # an operator's day is assumed to be UTC; with yesterday's, the difference does not matter
    days = (today - timedelta(days=1), today)
    with db.transaction(db.Role.WORKER) as session:
        accounts = list(session.scalars(select(OperatorAccount).order_by(OperatorAccount.code)))
        read = pulls.read_lately(session, days, within_s=hub.settings.pull_s)  # every ring asks: most find nothing to do
    return sum(_pull(hub, one, [day for day in days if (one.id, day) not in read]) for one in accounts)


def account(hub: Hub, tenant_id: UUID, account_id: UUID, *, since: datetime) -> None:
    """Pull one account, because it was told at `since` that money came; once for all who were told before it was pulled.

    Unavailable when the operator does not answer.
    """
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        one = session.get_one(OperatorAccount, (tenant_id, account_id))
    if hub.operator(one).lists:
        _read(hub, one, clock.now().date(), max(0.0, (clock.now() - since).total_seconds()))


def _pull(hub: Hub, one: OperatorAccount, days: Sequence[date]) -> int:
    """One account, whatever became of the others; 1 when a day of it was read."""
    read = 0
    try:
        for day in days if hub.operator(one).lists else ():
            read |= _read(hub, one, day, hub.settings.pull_s)
    except Unavailable as error:
        log.warning("the list of %s does not come: %s", one.code, type(error).__name__)
    except Exception as error:  # whatever it was, the other accounts are read
        log.exception("the list of %s cannot be read: %s", one.code, type(error).__name__)
        with db.transaction(db.Role.WORKER, one.tenant_id) as session:
            reason = f"the transaction list cannot be read: {type(error).__name__}"
            audit.flag(session, one.tenant_id, "unreadable", f"account:{one.id}", reason)
    return read


def _read(hub: Hub, one: OperatorAccount, day: date, older_than_s: float) -> int:
    """Read a day's list from where it was read whole; 0 when it is not our turn. A line left over is read again next time."""
    with db.transaction(db.Role.WORKER, one.tenant_id) as session:
        ours, cursor = pulls.begin(session, one.tenant_id, one.id, day, older_than_s=older_than_s)
    if not ours:
        return 0
    whole = True
    for _ in range(PAGES):
        page = hub.operator(one).list_movements(day, cursor)
        with db.transaction(db.Role.WORKER, one.tenant_id) as session:
            known = reconcile.known(session, one, page.movements)
        left = [moved for moved in page.movements if moved.transaction not in known and not _taken_in(one, moved)]
        whole = whole and not left
        with db.transaction(db.Role.WORKER, one.tenant_id) as session:
            for line in page.unreadable:
                audit.flag(session, one.tenant_id, "unreadable", f"transaction:{line}", "a line of the list cannot be read")
            if whole:
                pulls.advance(session, one.tenant_id, one.id, day, began=cursor, cursor=page.cursor)
        cursor = page.cursor
        if not page.more:
            break
    hub.doorbell.ring("messages")
    return 1


def _taken_in(one: OperatorAccount, moved: Movement) -> bool:
    """One line in its own transaction; False when it must be read again. Whatever is wrong with it, it holds no other back."""
    kind, reason = "stuck", ""
    try:
        with db.transaction(db.Role.WORKER, one.tenant_id) as session:
            _take_in(session, one, moved)
        return True
    except LookupError as missing:
        kind, reason = "reversal", str(missing)
    except Exception as error:  # our own code failed on it
        log.exception("a line of %s failed: %s", one.code, type(error).__name__)
        reason = f"a line of the list cannot be taken in: {type(error).__name__}"
    with db.transaction(db.Role.WORKER, one.tenant_id) as session:
        audit.flag(session, one.tenant_id, kind, f"transaction:{moved.transaction}", reason)
    return False


def _take_in(session: Session, one: OperatorAccount, moved: Movement) -> None:
    if moved.reverses is not None:
        reconcile.take_back(session, one, moved)
        return
    payment = payments.by_ref(session, ref) if (ref := _uuid(moved.reference)) else None
    if payment is not None and payment.account_id == one.id:
        payment = payments.get(session, payment.tenant_id, payment.id, lock=True)
    else:
        payment = None
    reconcile.credit(session, one, moved, "list", payment)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
