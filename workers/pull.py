"""Reads each account's transaction lists, which hold the money that no callback announced.

Always reads the lists of today and yesterday, and any older one that was not read whole since its day ended.
An operator's day is UTC.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.doorbell import QueueName
from mutuelle import audit, clock, db, references
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import Unavailable
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import list_cursor, payments, reversals, settlement
from mutuelle.payments.operators import Movement, MovementPage
from mutuelle.payments.receipts import ReceiptDoor
from workers.services import WorkerServices

PAGES = 200  # of one day in one run; the rest waits for the next run
# How long other workers wait for the one that reads a list; then they read it as well, which changes nothing.
HOLD_S = 15
EARLIER = timedelta(hours=1)  # how far back a notice of unrequested money makes us read
SILENT = timedelta(hours=1)  # age of the last complete read after which a case for staff is opened
log = logging.getLogger("workers.pull")


def run(services: WorkerServices) -> int:
    """Reads the lists that are due, also older ones that were missed. Returns the number of accounts read."""
    with db.transaction(db.Role.WORKER) as session:
        due = list_cursor.due(session, every_s=services.settings.pull_s)  # often none: every ring runs this
        query = select(OperatorAccount).where(OperatorAccount.id.in_(due)).order_by(OperatorAccount.code)
        accounts = list(session.scalars(query))
    return sum(_pull(services, account, due[account.id]) for account in accounts)


def read_account(services: WorkerServices, tenant_id: UUID, account_id: UUID, *, since: datetime) -> bool:
    """Reads the lists of one account, for which a notice of unrequested money came at `since`.

    Returns True once any worker has read them to their end after `since`, so that one read serves many
    notices. Raises Unavailable when the operator does not answer.
    """
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        account = session.get_one(OperatorAccount, (tenant_id, account_id))
    if not services.operator(account).lists:
        return True
    days = sorted({(since - EARLIER).astimezone(UTC).date(), since.astimezone(UTC).date()})
    read = [_read_since(services, account, day, since) for day in days]
    return all(read)


def _read_since(services: WorkerServices, account: OperatorAccount, day: date, since: datetime) -> bool:
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        if list_cursor.is_read(session, account.tenant_id, account.id, day, since=since):
            return True
    hold_s = min(HOLD_S, max(0.0, (clock.now() - since).total_seconds()))
    return _read(services, account, day, hold_s)


def _pull(services: WorkerServices, account: OperatorAccount, days: Sequence[date]) -> int:
    """Reads the lists of one account. Returns 1 if at least one was read to its end, else 0."""
    read = 0
    for day in days:
        try:
            read |= services.operator(account).lists and _read(
                services, account, day, services.settings.pull_s
            )
        except Unavailable as error:
            log.warning("the list of %s does not come: %s", account.code, type(error).__name__)
            _open_case_if_late(account, day)
            break
        except Exception as error:  # of any kind: the other lists are read
            log.exception("the list of %s cannot be read: %s", account.code, type(error).__name__)
            with db.transaction(db.Role.WORKER, account.tenant_id) as session:
                reason = f"the transaction list cannot be read: {type(error).__name__}"
                audit.open_case(
                    session,
                    account.tenant_id,
                    FlagKind.UNREADABLE,
                    audit.about(Subject.ACCOUNT, account.id),
                    reason,
                )
            _open_case_if_late(account, day)
    return read


def _open_case_if_late(account: OperatorAccount, day: date) -> None:
    """Opens a case for a list that did not come: at once for an old day, else after `SILENT`."""
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        subject = audit.about(Subject.ACCOUNT, account.id)
        read_until = list_cursor.read_until(session, account.tenant_id, account.id) or account.created_at
        if day < clock.now().date() - timedelta(days=1):
            reason = f"the list of {day} does not come"
            audit.open_case(session, account.tenant_id, FlagKind.LIST, f"{subject}:{day}", reason)
        elif clock.now() - read_until > SILENT:
            audit.open_case(
                session, account.tenant_id, FlagKind.LIST, subject, "the transaction list does not come"
            )


def _read(services: WorkerServices, account: OperatorAccount, day: date, older_than_s: float) -> bool:
    """Reads one day's transaction list from the saved cursor. Returns True if the last page was reached.

    False also when another worker reads it, or did within `older_than_s`. After a line that could not be
    taken in, the cursor stays, so that the next run reads it again.
    """
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        turn = list_cursor.begin(session, account.tenant_id, account.id, day, older_than_s=older_than_s)
    if turn is None:
        return False
    cursor, whole, more = turn.cursor, True, True
    for _ in range(PAGES):
        page = services.operator(account).list_movements(day, cursor)
        whole, more = _take_page(account, page) and whole, page.more
        with db.transaction(db.Role.WORKER, account.tenant_id) as session:
            if whole:
                list_cursor.advance(
                    session, account.tenant_id, account.id, day, began=cursor, cursor=page.cursor
                )
            if not more:
                _record_end(session, account, day, turn.began, whole)
        cursor = page.cursor
        if not more:
            break
    services.doorbell.ring(QueueName.MESSAGES)
    return not more


def _record_end(session: Session, account: OperatorAccount, day: date, began: datetime, whole: bool) -> None:
    """Records that the list was read to its end, and closes the cases about its absence."""
    subject = audit.about(Subject.ACCOUNT, account.id)
    list_cursor.record_end(session, account.tenant_id, account.id, day, began=began, whole=whole)
    audit.close_case(session, account.tenant_id, FlagKind.LIST, f"{subject}:{day}")
    read_until = list_cursor.read_until(session, account.tenant_id, account.id)
    if read_until is not None and clock.now() - read_until <= SILENT:
        audit.close_case(session, account.tenant_id, FlagKind.LIST, subject)


def _take_page(account: OperatorAccount, page: MovementPage) -> bool:
    """Takes in the new lines of a page. Returns False when one of them must be read again."""
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        recorded = settlement.recorded_lines(session, account, page.movements)
        for line in page.unreadable:
            reason = "a line of the list cannot be read"
            audit.open_case(
                session,
                account.tenant_id,
                FlagKind.UNREADABLE,
                audit.about(Subject.TRANSACTION, line),
                reason,
            )
    new = [
        movement
        for movement in page.movements
        if (movement.transaction, movement.reverses is not None) not in recorded
    ]
    taken_in = [_take_line(account, movement) for movement in new]  # all of them, also after a failure
    return all(taken_in)


def _take_line(account: OperatorAccount, movement: Movement) -> bool:
    """Takes in one line, in its own transaction. When that fails, opens a case and returns False."""
    try:
        with db.transaction(db.Role.WORKER, account.tenant_id) as session:
            _settle(session, account, movement)
        return True
    except LookupError as missing:
        kind, reason = FlagKind.REVERSAL, str(missing)
    except Exception as error:  # of any kind: it holds no other line back
        log.exception("a line of %s failed: %s", account.code, type(error).__name__)
        kind, reason = FlagKind.STUCK, f"a line of the list cannot be taken in: {type(error).__name__}"
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        audit.open_case(
            session, account.tenant_id, kind, audit.about(Subject.TRANSACTION, movement.transaction), reason
        )
    return False


def _settle(session: Session, account: OperatorAccount, movement: Movement) -> None:
    if movement.reverses is not None:
        reversals.apply(session, account, movement)
        audit.close_case(
            session,
            account.tenant_id,
            FlagKind.REVERSAL,
            audit.about(Subject.TRANSACTION, movement.transaction),
        )
        return
    ref = references.read(movement.reference)
    payment = payments.by_ref(session, ref) if ref else None
    if payment is not None and payment.account_id == account.id:
        payment = payments.get(session, payment.tenant_id, payment.id, lock=True)
    else:
        payment = None
    settlement.credit(session, account, movement, ReceiptDoor.LIST, payment)
