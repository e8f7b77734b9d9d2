"""Pull: read each account's transaction list, with an overlap: what no callback told is found here.

Today's and yesterday's always, and any older one that was not read whole since its day ended. An operator's
day is UTC.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, db, references
from mutuelle.errors import Unavailable
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import list_cursor, payments, reversals, settlement
from mutuelle.payments.operators import Movement, MovementPage
from workers.services import WorkerServices

PAGES = 200  # of one day in one run; the rest waits for the next
HOLD_S = 15  # how long others wait for whoever is reading a list; after that they read it too, which changes nothing
EARLIER = timedelta(hours=1)  # how long before its notice money may have moved, as far as we look at once
SILENT = timedelta(hours=1)  # a list that was not read for so long wakes a person
log = logging.getLogger("workers.pull")


def run(hub: WorkerServices) -> int:
    """Pull every account whose turn has come, and what was missed while lists did not come; how many were
    read."""
    with db.transaction(db.Role.WORKER) as session:
        due = list_cursor.due(
            session, every_s=hub.settings.pull_s
        )  # every ring asks: most find nothing to do
        accounts = list(
            session.scalars(
                select(OperatorAccount).where(OperatorAccount.id.in_(due)).order_by(OperatorAccount.code)
            )
        )
    return sum(_pull(hub, one, due[one.id]) for one in accounts)


def account(hub: WorkerServices, tenant_id: UUID, account_id: UUID, *, since: datetime) -> bool:
    """Pull one account, because it was told at `since` that money came; once for all who were told before it
    was pulled.

    True once the list was read to its end after `since`, by whomever. Unavailable when the operator does not
    answer.
    """
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        one = session.get_one(OperatorAccount, (tenant_id, account_id))
    if not hub.operator(one).lists:
        return True
    days = sorted({(since - EARLIER).astimezone(UTC).date(), since.astimezone(UTC).date()})
    read = [_read_since(hub, one, day, since) for day in days]
    return all(read)


def _read_since(hub: WorkerServices, one: OperatorAccount, day: date, since: datetime) -> bool:
    with db.transaction(db.Role.WORKER, one.tenant_id) as session:
        if list_cursor.is_read(session, one.tenant_id, one.id, day, since=since):
            return True
    return _read(hub, one, day, min(HOLD_S, max(0.0, (clock.now() - since).total_seconds())))


def _pull(hub: WorkerServices, one: OperatorAccount, days: Sequence[date]) -> int:
    """One account, whatever became of the others; 1 when a day of it was read."""
    read = 0
    for day in days:
        try:
            read |= hub.operator(one).lists and _read(hub, one, day, hub.settings.pull_s)
        except Unavailable as error:
            log.warning("the list of %s does not come: %s", one.code, type(error).__name__)
            _not_read(one, day)
            break
        except Exception as error:  # whatever it was, the other lists are read
            log.exception("the list of %s cannot be read: %s", one.code, type(error).__name__)
            with db.transaction(db.Role.WORKER, one.tenant_id) as session:
                reason = f"the transaction list cannot be read: {type(error).__name__}"
                audit.open_case(session, one.tenant_id, "unreadable", f"account:{one.id}", reason)
            _not_read(one, day)
    return read


def _not_read(one: OperatorAccount, day: date) -> None:
    """A list did not come: a person is told of an old one at once, of the present ones when that has been so
    for long."""
    with db.transaction(db.Role.WORKER, one.tenant_id) as session:
        known = list_cursor.read_until(session, one.tenant_id, one.id) or one.created_at
        if day < clock.now().date() - timedelta(days=1):
            audit.open_case(
                session, one.tenant_id, "list", f"account:{one.id}:{day}", f"the list of {day} does not come"
            )
        elif clock.now() - known > SILENT:
            audit.open_case(
                session, one.tenant_id, "list", f"account:{one.id}", "the transaction list does not come"
            )


def _read(hub: WorkerServices, one: OperatorAccount, day: date, older_than_s: float) -> bool:
    """Read a day's list from where it was read whole; whether it was our turn and its end was reached.

    A line left over is read again next time.
    """
    with db.transaction(db.Role.WORKER, one.tenant_id) as session:
        turn = list_cursor.begin(session, one.tenant_id, one.id, day, older_than_s=older_than_s)
    if turn is None:
        return False
    cursor, whole, more = turn.cursor, True, True
    for _ in range(PAGES):
        page = hub.operator(one).list_movements(day, cursor)
        whole, more = _take_page(one, page) and whole, page.more
        with db.transaction(db.Role.WORKER, one.tenant_id) as session:
            if whole:
                list_cursor.advance(session, one.tenant_id, one.id, day, began=cursor, cursor=page.cursor)
            if not more:
                _to_the_end(session, one, day, turn.began, whole)
        cursor = page.cursor
        if not more:
            break
    hub.doorbell.ring("messages")
    return not more


def _to_the_end(session: Session, one: OperatorAccount, day: date, began: datetime, whole: bool) -> None:
    list_cursor.note_end(session, one.tenant_id, one.id, day, began=began, whole=whole)
    audit.close_case(session, one.tenant_id, "list", f"account:{one.id}:{day}")
    known = list_cursor.read_until(session, one.tenant_id, one.id)
    if known is not None and clock.now() - known <= SILENT:
        audit.close_case(session, one.tenant_id, "list", f"account:{one.id}")


def _take_page(one: OperatorAccount, page: MovementPage) -> bool:
    """Take in what is new on it; False when a line must be read again."""
    with db.transaction(db.Role.WORKER, one.tenant_id) as session:
        known = settlement.recorded_lines(session, one, page.movements)
        for line in page.unreadable:
            audit.open_case(
                session,
                one.tenant_id,
                "unreadable",
                f"transaction:{line}",
                "a line of the list cannot be read",
            )
    new = [moved for moved in page.movements if (moved.transaction, moved.reverses is not None) not in known]
    taken = [_taken_in(one, moved) for moved in new]
    return all(taken)


def _taken_in(one: OperatorAccount, moved: Movement) -> bool:
    """One line in its own transaction; False when it must be read again. Whatever is wrong with it, it holds
    no other back."""
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
        audit.open_case(session, one.tenant_id, kind, f"transaction:{moved.transaction}", reason)
    return False


def _take_in(session: Session, one: OperatorAccount, moved: Movement) -> None:
    if moved.reverses is not None:
        reversals.apply(session, one, moved)
        audit.close_case(session, one.tenant_id, "reversal", f"transaction:{moved.transaction}")
        return
    ref = references.read(moved.reference)
    payment = payments.by_ref(session, ref) if ref else None
    if payment is not None and payment.account_id == one.id:
        payment = payments.get(session, payment.tenant_id, payment.id, lock=True)
    else:
        payment = None
    settlement.credit(session, one, moved, "list", payment)
