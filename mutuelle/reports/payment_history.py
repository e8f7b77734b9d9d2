"""Loads the history of one payment: every step from the request to the SMS, with its moment."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, extract, func, or_, select
from sqlalchemy.orm import Session

from mutuelle import archive, audit, phone, references
from mutuelle.archive import ArchivedTable
from mutuelle.audit import Flag, FlagKind, Subject, TrailEntry
from mutuelle.contributions.bills import Bill, BillLine
from mutuelle.cover import cover_books
from mutuelle.errors import UnreadableBooks
from mutuelle.households import households
from mutuelle.inbox import Door, Notice, NoticeState
from mutuelle.messaging.messages import Message, MessageKind
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.outbox import Task, TaskState
from mutuelle.payments import ledger, refunds
from mutuelle.payments.ledger import Entry
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Allocation, Receipt, Reversal

MOST_NOTICES, MOST_LETTERS = 8, 1500
REQUEST_SMS = (MessageKind.LINK, MessageKind.FAILED, MessageKind.EXPIRED)
AROUND = timedelta(hours=26)  # how far from a receipt notices without our reference are searched
_PHONE_LIKE = re.compile(r"(?<![\w-])\+?\d{8,15}(?![\w-])")


class StepKind(StrEnum):
    """Kinds of steps. Within one second, the steps up to SMS stand in this order."""

    ASKED = "asked"
    SENT = "sent"
    LINK = "link"  # the SMS with a payment link; its step is an SMS
    MOVED = "moved"
    NOTICE = "notice"
    ANSWER = "answer"
    RECORDED = "recorded"
    CHECKED = "checked"
    BY = "by"
    PLACED = "placed"
    RIGHTS = "rights"
    SMS = "sms"
    REVERSAL = "reversal"
    FLAG = "flag"
    REPAID = "repaid"


ORDERED = list(StepKind)[: list(StepKind).index(StepKind.SMS) + 1]


@dataclass(frozen=True)
class HistoryEvent:
    """One step of a payment; `facts` are the values of its sentence."""

    at: datetime
    kind: StepKind
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PaymentHistory:
    """A request and the receipt that answered it, or one of the two; the steps in the order of time.

    `member_numbers` has the number of each household concerned under its id, `entries` the ledger entries
    by reference. SMS, notices and tasks that ended before `kept_from` may be gone; None if none of it may be.
    """

    payment: Payment | None
    receipt: Receipt | None
    account: OperatorAccount
    member_numbers: dict[UUID, str]
    steps: list[HistoryEvent]
    entries: list[tuple[str, list[ledger.Move]]]
    kept_from: datetime | None = None


def load(session: Session, tenant_id: UUID, which: UUID) -> PaymentHistory | None:
    """Returns the history of a reference, a payment's id or a receipt's id; None if the mutuelle has none."""
    payment, receipt = _find(session, tenant_id, which)
    if payment is None and receipt is None:
        return None
    account_id = (payment or receipt).account_id  # type: ignore[union-attr]
    account = session.get_one(OperatorAccount, (tenant_id, account_id))
    steps = [*(_request_steps(session, payment) if payment else ())]
    steps += _receipt_steps(session, receipt) if receipt else ()
    steps += [*_notice_steps(session, payment, receipt), *_staff_steps(session, payment, receipt)]
    member_numbers = _member_numbers(session, payment, steps)
    steps += _sms_steps(session, member_numbers, payment, receipt)
    steps += _rights_steps(session, tenant_id, member_numbers, steps)
    steps.sort(key=_order)
    entries = _entries(session, receipt) if receipt else []
    kept_from = _kept_from(session, min(step.at for step in steps))
    return PaymentHistory(payment, receipt, account, member_numbers, steps, entries, kept_from)


def _kept_from(session: Session, began: datetime) -> datetime | None:
    """The moment from which all steps are kept, if the first of them is older."""
    tables = (ArchivedTable.NOTICES, ArchivedTable.MESSAGES, ArchivedTable.TASKS)
    reaches = [archive.reach(session, table) for table in tables]
    return max((reach for reach in reaches if reach is not None and reach > began), default=None)


def _order(step: HistoryEvent) -> tuple[datetime, int, datetime]:
    """Sorts by the second, because operators report whole seconds, then by kind."""
    kind = StepKind.LINK if step.facts.get("kind") == "link" else step.kind
    rank = ORDERED.index(kind) if kind in ORDERED else len(ORDERED)
    return step.at.replace(microsecond=0), rank, step.at


def _find(session: Session, tenant_id: UUID, which: UUID) -> tuple[Payment | None, Receipt | None]:
    receipt = session.get(Receipt, (tenant_id, which))
    named = (Payment.ref == which) | (Payment.id == which)
    if receipt is None:
        payment = session.scalar(select(Payment).where(Payment.tenant_id == tenant_id, named))
    else:
        payment = _request_of(session, receipt)
    if payment is not None and receipt is None:
        answers = (Receipt.tenant_id == tenant_id, Receipt.reference == str(payment.ref))
        receipt = session.scalar(select(Receipt).where(*answers).order_by(Receipt.recorded_at).limit(1))
    return payment, receipt


def _request_of(session: Session, receipt: Receipt) -> Payment | None:
    """The request whose reference the receipt carries."""
    ref = references.read(receipt.reference)
    if ref is None:
        return None
    return session.scalar(select(Payment).where(Payment.tenant_id == receipt.tenant_id, Payment.ref == ref))


def _request_steps(session: Session, payment: Payment) -> Iterator[HistoryEvent]:
    facts = {"amount": payment.amount, "phone": payment.payer_cipher}
    yield HistoryEvent(payment.created_at, StepKind.ASKED, facts)
    of_payment = (Task.tenant_id == payment.tenant_id, Task.subject_id == payment.id)
    for task in session.scalars(select(Task).where(*of_payment)):
        if not task.attempts and not payment.live:
            continue  # the answer came before the task was due
        facts = {
            "task": task.kind,
            "times": task.attempts,
            "outcome": task.outcome,
            "over": task.state == TaskState.DONE,
        }
        yield HistoryEvent(task.ended_at or task.created_at, StepKind.SENT, facts)
    if payment.settled_at:
        facts = {"status": payment.status, "reason": payment.reason}
        yield HistoryEvent(payment.settled_at, StepKind.ANSWER, facts)


def _notice_steps(
    session: Session, payment: Payment | None, receipt: Receipt | None
) -> Iterator[HistoryEvent]:
    """The operator's notices under our reference, or else those that name the transaction."""
    for notice, words in _notices(session, payment, receipt):
        facts = {
            "words": _mask(words),
            "authentic": notice.authentic,
            "times": notice.times,
            "state": notice.state,
        }
        yield HistoryEvent(notice.received_at, StepKind.NOTICE, facts)
        if notice.ended_at and notice.state != NoticeState.REJECTED:
            yield HistoryEvent(notice.ended_at, StepKind.CHECKED, {"state": notice.state})


def _notices(
    session: Session, payment: Payment | None, receipt: Receipt | None
) -> Iterator[tuple[Notice, str]]:
    query = select(Notice).where(Notice.door == Door.MOMO)
    if payment is not None:
        named = query.where(Notice.tenant_id == payment.tenant_id, Notice.named_ref == payment.ref)
        # A flood of forged notices must not hide the operator's own: rejected ones come last.
        order = (Notice.state == NoticeState.REJECTED, Notice.received_at)
        for notice in session.scalars(named.order_by(*order).limit(MOST_NOTICES)):
            yield notice, notice.words.decode("utf-8", "replace")
    elif receipt is not None:
        near = Notice.received_at.between(receipt.moved_at - AROUND, receipt.moved_at + AROUND)
        of_account = (Notice.tenant_id == receipt.tenant_id, Notice.account_id == receipt.account_id)
        distance = func.abs(extract("epoch", Notice.received_at - receipt.moved_at))
        nearest = query.where(*of_account, near, Notice.unsolicited).order_by(distance).limit(300)
        for notice in session.scalars(nearest):
            if receipt.transaction in (words := notice.words.decode("utf-8", "replace")):
                yield notice, words


def _mask(words: str) -> str:
    """Indents the text if it is JSON, and masks every number that could be a phone."""
    with suppress(ValueError):
        words = json.dumps(json.loads(words), indent=1, ensure_ascii=False)
    masked = _PHONE_LIKE.sub(lambda match: phone.mask(match[0]), words)
    return masked if len(masked) <= MOST_LETTERS else masked[:MOST_LETTERS] + " …"


def _receipt_steps(session: Session, receipt: Receipt) -> Iterator[HistoryEvent]:
    facts = {
        "amount": receipt.amount,
        "transaction": receipt.transaction,
        "phone": receipt.payer_cipher,
        "fee": receipt.fee,
    }
    yield HistoryEvent(receipt.moved_at, StepKind.MOVED, facts)
    yield HistoryEvent(receipt.recorded_at, StepKind.RECORDED, {"door": receipt.door})
    of_receipt = (Allocation.tenant_id == receipt.tenant_id, Allocation.receipt_id == receipt.id)
    query = select(Allocation).where(*of_receipt).order_by(Allocation.at, Allocation.amount)
    groups: dict[tuple[datetime, str], list[Allocation]] = defaultdict(list)
    for row in session.scalars(query):
        groups[row.at.replace(microsecond=0), row.reason].append(row)
    lines = [row.bill_line_id for rows in groups.values() for row in rows if row.bill_line_id]
    bills = _bills(session, lines)
    for (at, reason), rows in groups.items():
        parts = [(row.kind, row.amount, row.household_id, bills.get(row.bill_line_id)) for row in rows]
        yield HistoryEvent(at, StepKind.PLACED, {"reason": reason, "parts": parts})
    for reversal in session.scalars(select(Reversal).where(*_reversals_of(receipt))):
        facts = {"amount": reversal.amount, "transaction": reversal.transaction}
        yield HistoryEvent(reversal.moved_at, StepKind.REVERSAL, facts)


def _reversals_of(receipt: Receipt) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Reversal.tenant_id == receipt.tenant_id, Reversal.receipt_id == receipt.id


def _bills(session: Session, lines: list[UUID]) -> dict[UUID | None, Bill]:
    """The bills of some bill lines, by the id of the line."""
    joined = (BillLine.tenant_id == Bill.tenant_id) & (BillLine.bill_id == Bill.id)
    rows = session.execute(select(BillLine.id, Bill).join(Bill, joined).where(BillLine.id.in_(lines))).all()
    return {row.id: row.Bill for row in rows}


def _staff_steps(
    session: Session, payment: Payment | None, receipt: Receipt | None
) -> Iterator[HistoryEvent]:
    """What staff did about it, the cases opened for them, and refunds paid."""
    subjects = [audit.about(Subject.PAYMENT, payment.ref)] if payment else []
    subjects += [audit.about(Subject.RECEIPT, receipt.id)] if receipt else []
    tenant_id = (payment or receipt).tenant_id  # type: ignore[union-attr]
    acts = select(TrailEntry).where(
        TrailEntry.tenant_id == tenant_id,
        TrailEntry.subject.in_(subjects),
        TrailEntry.actor.like("manager:%"),
    )
    for entry in session.scalars(acts):
        facts = {"who": UUID(entry.actor.partition(":")[2]), "what": entry.action, **entry.facts}
        yield HistoryEvent(entry.at, StepKind.BY, facts)
    cases = select(Flag).where(
        Flag.tenant_id == tenant_id, Flag.subject.in_(subjects), Flag.kind != FlagKind.SUSPENSE
    )
    for case in session.scalars(cases):
        yield HistoryEvent(case.opened_at, StepKind.FLAG, {"flag": case.kind})
    for refund in refunds.of_receipt(session, receipt) if receipt else ():
        if refund.transaction and refund.paid_at:
            facts = {"transaction": refund.transaction, "amount": refund.due, "unseen": refund.unseen}
            yield HistoryEvent(refund.paid_at, StepKind.REPAID, facts)


def _member_numbers(session: Session, payment: Payment | None, steps: list[HistoryEvent]) -> dict[UUID, str]:
    """The member numbers of the households that asked or got money."""
    placed = [step for step in steps if step.kind == StepKind.PLACED]
    ids = {part[2] for step in placed for part in step.facts["parts"] if part[2]}
    ids |= {payment.household_id} if payment else set()
    rows = session.scalars(select(households.Household).where(households.Household.id.in_(ids)))
    return {row.id: row.number for row in rows}


def _sms_steps(
    session: Session, member_numbers: dict[UUID, str], payment: Payment | None, receipt: Receipt | None
) -> Iterator[HistoryEvent]:
    """The SMS about it: those that name the transaction, and those about an unanswered request."""
    moments = [payment.created_at] if payment else []
    moments += [receipt.recorded_at] if receipt else []
    about = [Message.facts["transaction"].astext == receipt.transaction] if receipt else []
    if payment is not None:
        about += [Message.kind.in_(REQUEST_SMS) & (Message.facts["amount"].astext == str(payment.amount))]
    query = select(Message).where(Message.household_id.in_(member_numbers), or_(*about))
    query = query.where(Message.created_at >= min(moments))
    for message in session.scalars(query.order_by(Message.created_at).limit(200)):
        names = receipt is not None and message.facts.get("transaction") == receipt.transaction
        if names or (payment is not None and _is_about(payment, message)):
            facts = {
                "kind": message.kind,
                "text": message.text,
                "status": message.status,
                "said": message.provider_status,
                "sent": message.sent_at,
                "ended": message.ended_at,
            }
            yield HistoryEvent(message.created_at, StepKind.SMS, facts)


def _is_about(payment: Payment, message: Message) -> bool:
    """Whether the message is the payment link, or says that this request failed or expired."""
    if message.kind not in REQUEST_SMS:
        return False
    last = (payment.settled_at or payment.expires_at) + timedelta(hours=1)
    return message.facts.get("amount") == payment.amount and message.created_at <= last


def _rights_steps(
    session: Session, tenant_id: UUID, member_numbers: dict[UUID, str], steps: list[HistoryEvent]
) -> Iterator[HistoryEvent]:
    """The households' rights as stored now, at the moment when money last moved and they were computed."""
    moments = [step.at for step in steps if step.kind == StepKind.PLACED]
    for household_id, number in member_numbers.items() if moments else ():
        try:
            timeline = cover_books.timeline_of(cover_books.load(session, tenant_id, household_id))
        except UnreadableBooks:  # the household's page says so
            continue
        facts = {"number": number, "home": household_id, "rows": timeline[-3:]}
        yield HistoryEvent(max(moments), StepKind.RIGHTS, facts)


def _entries(session: Session, receipt: Receipt) -> list[tuple[str, list[ledger.Move]]]:
    """Every ledger entry about this receipt, in the order of time."""
    subjects = ("receipt", "fee", "attribution", "allocation", "credit", "undo", "reversal", "excess")
    prefixes = [f"{subject}:{receipt.id}%" for subject in subjects]
    for subject in ("refund", "refund-kept", "refund-paid", "refund-seen"):
        prefixes += [f"{subject}:{refund.id}%" for refund in refunds.of_receipt(session, receipt)]
    transactions = session.scalars(select(Reversal.transaction).where(*_reversals_of(receipt)))
    exact = [f"reversal:{transaction}:{receipt.id}" for transaction in transactions]  # of older versions
    named = or_(*(Entry.reference.like(prefix) for prefix in prefixes), Entry.reference.in_(exact))
    query = select(Entry.reference).where(Entry.tenant_id == receipt.tenant_id, named)
    references = session.scalars(query.order_by(Entry.at, Entry.reference)).all()
    entries = ((name, ledger.moves_of(session, receipt.tenant_id, name)) for name in references)
    return [(name, moves) for name, moves in entries if moves]
