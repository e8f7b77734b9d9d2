"""Reads each account's transaction lists, which hold the money that no callback announced.

Always reads the lists of today and yesterday, and any older one that is still open (`list_cursor` says when).
A line that cannot be read or booked gets a case for staff and keeps its day open. An operator's day is UTC.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.doorbell import QueueName
from mutuelle import audit, clock, db, references
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import Malformed, OperatorError, Unavailable
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import list_cursor, payments, payouts, reversals, settlement
from mutuelle.payments.list_cursor import ListTurn
from mutuelle.payments.operators import Movement, MovementPage
from mutuelle.payments.receipts import ReceiptDoor
from workers.lanes import RowSource
from workers.services import WorkerServices

PAGES = 200  # of one day in one run; the rest waits for the next run
# How long other workers wait for the one that reads a list; then they read it as well, which changes nothing.
HOLD_S = 15
EARLIER = timedelta(hours=1)  # how far back a notice of unrequested money makes us read
SILENT = timedelta(hours=1)  # age of the last complete read after which a case for staff is opened
LINE_KINDS = (FlagKind.UNREADABLE, FlagKind.REVERSAL, FlagKind.STUCK)  # of cases about one line
log = logging.getLogger("workers.transaction_lists")


@dataclass
class DayReading:
    """What a reading of a day's list found. `ended` says that the last page was reached.

    `new` counts lines that the books did not have in full, `recorded` the others; `unreadable` names lines
    that could not be parsed, `not_booked` those that were, but could not be booked. `failure` says why a
    reading that a person asked for did not come to the end.
    """

    new: int = 0
    recorded: int = 0
    unreadable: list[str] = field(default_factory=list)
    not_booked: list[str] = field(default_factory=list)
    ended: bool = False
    failure: str | None = None

    @property
    def whole(self) -> bool:
        return self.ended and not self.unreadable and not self.not_booked


def run(services: WorkerServices) -> int:
    """Reads the lists that are due, also older ones that were missed. Returns the number of accounts read."""
    return sum(_pull(services, account, days) for account, days in _due(services))


def sources(services: WorkerServices) -> list[RowSource]:
    """The accounts whose lists are due now, in a lane of one thread for each operator."""
    by_operator = defaultdict[str, deque[tuple[OperatorAccount, list[date]]]](deque)
    for account, days in _due(services):
        by_operator[account.operator].append((account, days))

    def source(operator: str, rows: deque[tuple[OperatorAccount, list[date]]]) -> RowSource:
        return RowSource(
            f"{operator} lists",
            "list",
            lambda limit: [rows.popleft() for _ in range(min(limit, len(rows)))],
            lambda row: _pull(services, *row),
            lambda row, reason: log.error("the lists of %s failed: %s", row[0].code, reason),
            threads=1,
        )

    return [source(*item) for item in by_operator.items()]


def _due(services: WorkerServices) -> list[tuple[OperatorAccount, list[date]]]:
    """The accounts whose lists are due, with the days to read; often none: every ring asks."""
    with db.transaction(db.Role.WORKER) as session:
        due = list_cursor.due(session, every_s=services.settings.pull_s)
        query = select(OperatorAccount).where(OperatorAccount.id.in_(due)).order_by(OperatorAccount.code)
        return [(account, due[account.id]) for account in session.scalars(query)] if due else []


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


def read_day(services: WorkerServices, account: OperatorAccount, day: date) -> DayReading:
    """Reads a day's whole list again, from its first line."""
    reading = DayReading()
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        turn = list_cursor.begin_anew(session, account.tenant_id, account.id, day)
    try:
        _read_pages(services, account, turn, reading)
    except OperatorError as error:
        log.warning("the list of %s does not come: %s", account.code, type(error).__name__)
        reading.failure = "the operator does not answer"
    except Malformed as error:
        reading.failure = f"a page of the list cannot be read ({error})"
    return reading


def _read(services: WorkerServices, account: OperatorAccount, day: date, older_than_s: float) -> bool:
    """Reads one day's transaction list in its turn. Returns True if the last page was reached.

    False also when another worker reads it, or did within `older_than_s`.
    """
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        turn = list_cursor.begin(session, account.tenant_id, account.id, day, older_than_s=older_than_s)
    reading = DayReading()
    if turn is not None:
        _read_pages(services, account, turn, reading, PAGES)
    return reading.ended


def _read_pages(
    services: WorkerServices,
    account: OperatorAccount,
    turn: ListTurn,
    reading: DayReading,
    pages: int | None = None,
) -> None:
    """Reads up to `pages` pages from where the turn begins, or all. No line holds another one back."""
    cursor = turn.cursor
    try:
        operator = services.operator(account)
        for _ in count() if pages is None else range(pages):
            page = operator.list_movements(turn.day, cursor)
            _take_page(account, turn, page, reading)
            reading.ended = not page.more
            with db.transaction(db.Role.WORKER, account.tenant_id) as session:
                list_cursor.advance(session, turn, began=cursor, cursor=page.cursor)
                if reading.ended:
                    _record_end(session, turn)
            cursor = page.cursor
            if reading.ended:
                break
    except Exception:  # of any kind: the failure is recorded, and the caller judges it
        with db.transaction(db.Role.WORKER, account.tenant_id) as session:
            list_cursor.record_failure(session, turn)
        raise
    services.doorbell.ring(QueueName.MESSAGES)


def _record_end(session: Session, turn: ListTurn) -> None:
    """Records that the list was read to its end; closes the cases about its absence and about lines of it."""
    subject = audit.about(Subject.ACCOUNT, turn.account_id)
    closed = list_cursor.record_end(session, turn)
    audit.close_case(session, turn.tenant_id, FlagKind.LIST, f"{subject}:{turn.day}")
    if closed is not None:
        lines = [audit.about(Subject.TRANSACTION, name) for name in closed]
        audit.close_cases(session, turn.tenant_id, LINE_KINDS, [*lines, f"{subject}:{turn.day}"])
    read_until = list_cursor.read_until(session, turn.tenant_id, turn.account_id)
    if read_until is not None and clock.now() - read_until <= SILENT:
        audit.close_case(session, turn.tenant_id, FlagKind.LIST, subject)


def _take_page(account: OperatorAccount, turn: ListTurn, page: MovementPage, reading: DayReading) -> None:
    """Takes in the new lines of a page. Opens cases for the others, and closes those of lines it took in."""
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        recorded = settlement.recorded_lines(session, account, page.movements)
    open_lines = dict.fromkeys(page.unreadable, (FlagKind.UNREADABLE, "a line of the list cannot be read"))
    for movement in page.movements:
        if movement in recorded:
            reading.recorded += 1
        elif (problem := _take_line(account, movement)) is None:
            reading.new += 1
        else:
            open_lines[movement.transaction] = problem
            reading.not_booked.append(movement.transaction)
    reading.unreadable += page.unreadable
    with db.transaction(db.Role.WORKER, account.tenant_id) as session:
        taken_in = [movement.transaction for movement in page.movements]
        subjects = [audit.about(Subject.TRANSACTION, name) for name in taken_in if name not in open_lines]
        audit.close_cases(session, account.tenant_id, LINE_KINDS, subjects)
        if open_lines:
            _open_cases(session, account, turn, open_lines)


def _open_cases(
    session: Session, account: OperatorAccount, turn: ListTurn, open_lines: Mapping[str, tuple[FlagKind, str]]
) -> None:
    """Keeps the day open. Opens a case for each line, and one for all beyond `list_cursor.NAMED_LINES`."""
    named = list_cursor.note_open_lines(session, turn, list(open_lines))
    for name in named:
        kind, reason = open_lines[name]
        audit.open_case(session, account.tenant_id, kind, audit.about(Subject.TRANSACTION, name), reason)
    if len(named) < len(open_lines):
        subject = f"{audit.about(Subject.ACCOUNT, account.id)}:{turn.day}"
        reason = f"many lines of the list of {turn.day} cannot be read"
        audit.open_case(session, account.tenant_id, FlagKind.UNREADABLE, subject, reason)


def _take_line(account: OperatorAccount, movement: Movement) -> tuple[FlagKind, str] | None:
    """Takes in one line, in its own transaction. When that fails, returns the case to open."""
    try:
        with db.transaction(db.Role.WORKER, account.tenant_id) as session:
            _settle(session, account, movement)
    except LookupError as missing:
        return FlagKind.REVERSAL, str(missing)
    except Exception as error:  # of any kind: it holds no other line back
        log.exception("a line of %s failed: %s", account.code, type(error).__name__)
        return FlagKind.STUCK, f"a line of the list cannot be taken in: {type(error).__name__}"
    return None


def _settle(session: Session, account: OperatorAccount, movement: Movement) -> None:
    if movement.flow is not None:
        payouts.settle(session, account, movement)
        return
    if movement.reverses is not None:
        reversals.apply(session, account, movement)
        return
    ref = references.read(movement.reference)
    payment = payments.by_ref(session, ref) if ref else None
    if payment is not None and payment.account_id == account.id:
        payment = payments.get(session, payment.tenant_id, payment.id, lock=True)
    else:
        payment = None
    settlement.credit(session, account, movement, ReceiptDoor.LIST, payment)
