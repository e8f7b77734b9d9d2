"""The story of one payment: asked, sent, heard, checked, answered, matched, posted, told; every step with its
moment."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from mutuelle import phone, references
from mutuelle.audit import AuditEntry, Flag
from mutuelle.contributions.bills import Bill, BillLine
from mutuelle.cover import cover_books
from mutuelle.households import households
from mutuelle.inbox import Notice
from mutuelle.messaging.messages import Message
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.outbox import Task
from mutuelle.payments import ledger, refunds
from mutuelle.payments.ledger import Entry
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Allocation, Receipt, Reversal

MOST_NOTICES, MOST_LETTERS = 8, 1500
AROUND = timedelta(hours=26)  # how far a notice without our reference is looked for
_NUMBER = re.compile(r"(?<![\w-])\+?\d{8,15}(?![\w-])")


@dataclass(frozen=True)
class HistoryEvent:
    """Something that happened at a moment; `facts` are what its sentence needs."""

    at: datetime
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PaymentHistory:
    """A request, the money that answered it, or money nobody asked for; in the order of time."""

    payment: Payment | None
    receipt: Receipt | None
    account: OperatorAccount
    homes: dict[UUID, str]  # household -> member number
    steps: list[HistoryEvent]
    entries: list[tuple[str, list[ledger.Move]]]


def load(session: Session, tenant_id: UUID, which: UUID) -> PaymentHistory | None:
    """The story of our reference, of a payment or of a receipt; None when this mutuelle has none of that
    name."""
    payment, receipt = _found(session, tenant_id, which)
    if payment is None and receipt is None:
        return None
    account = session.get_one(OperatorAccount, (tenant_id, (payment or receipt).account_id))  # type: ignore[union-attr]
    steps = [*(_asking(session, payment) if payment else ()), *(_money(session, receipt) if receipt else ())]
    steps += [*_heard(session, payment, receipt), *_people(session, payment, receipt)]
    homes = _homes(session, payment, steps)
    steps += [*_told(session, homes, payment, receipt), *_rights(session, tenant_id, homes, steps)]
    steps.sort(key=_place)
    return PaymentHistory(
        payment, receipt, account, homes, steps, _entries(session, receipt) if receipt else []
    )


ORDER = (
    "asked",
    "sent",
    "link",
    "moved",
    "notice",
    "answer",
    "recorded",
    "checked",
    "by",
    "placed",
    "rights",
    "sms",
)


def _place(step: HistoryEvent) -> tuple[datetime, int, datetime]:
    """Operators tell whole seconds: within one of them, what must have come first comes first."""
    name = "link" if step.facts.get("kind") == "link" else step.kind
    return step.at.replace(microsecond=0), ORDER.index(name) if name in ORDER else len(ORDER), step.at


def _found(session: Session, tenant_id: UUID, which: UUID) -> tuple[Payment | None, Receipt | None]:
    receipt = session.get(Receipt, (tenant_id, which))
    named = (Payment.ref == which) | (Payment.id == which)
    if receipt is None:
        payment = session.scalar(select(Payment).where(Payment.tenant_id == tenant_id, named))
    else:
        payment = _asked_for(session, receipt)
    if payment is not None and receipt is None:
        answers = (Receipt.tenant_id == tenant_id, Receipt.reference == str(payment.ref))
        receipt = session.scalar(select(Receipt).where(*answers).order_by(Receipt.recorded_at).limit(1))
    return payment, receipt


def _asked_for(session: Session, receipt: Receipt) -> Payment | None:
    ref = references.read(receipt.reference)
    if ref is None:
        return None
    return session.scalar(select(Payment).where(Payment.tenant_id == receipt.tenant_id, Payment.ref == ref))


def _asking(session: Session, payment: Payment) -> Iterator[HistoryEvent]:
    yield HistoryEvent(payment.created_at, "asked", {"amount": payment.amount, "phone": payment.payer_cipher})
    mine = (Task.tenant_id == payment.tenant_id, Task.subject_id == payment.id)
    for task in session.scalars(select(Task).where(*mine)):
        if not task.attempts and not payment.live:
            continue  # it was answered before we had to ask
        facts = {
            "task": task.kind,
            "times": task.attempts,
            "outcome": task.outcome,
            "over": task.state == "done",
        }
        yield HistoryEvent(task.ended_at or task.created_at, "sent", facts)
    if payment.settled_at:
        yield HistoryEvent(payment.settled_at, "answer", {"status": payment.status, "reason": payment.reason})


def _heard(session: Session, payment: Payment | None, receipt: Receipt | None) -> Iterator[HistoryEvent]:
    """The operator's own words: those under our reference, or those that name the transaction."""
    for notice, words in _notices(session, payment, receipt):
        facts = {
            "words": _masked(words),
            "authentic": notice.authentic,
            "times": notice.times,
            "state": notice.state,
        }
        yield HistoryEvent(notice.received_at, "notice", facts)
        if notice.ended_at and notice.state != "rejected":
            yield HistoryEvent(notice.ended_at, "checked", {"state": notice.state})


def _notices(
    session: Session, payment: Payment | None, receipt: Receipt | None
) -> Iterator[tuple[Notice, str]]:
    query = select(Notice).where(Notice.door == "momo").order_by(Notice.received_at)
    if payment is not None:
        named = query.where(Notice.tenant_id == payment.tenant_id, Notice.named_ref == payment.ref)
        for notice in session.scalars(named.limit(MOST_NOTICES)):
            yield notice, notice.words.decode("utf-8", "replace")
    elif receipt is not None:
        near = Notice.received_at.between(receipt.moved_at - AROUND, receipt.moved_at + AROUND)
        mine = (Notice.tenant_id == receipt.tenant_id, Notice.account_id == receipt.account_id)
        for notice in session.scalars(query.where(*mine, near, Notice.unsolicited).limit(300)):
            if receipt.transaction in (words := notice.words.decode("utf-8", "replace")):
                yield notice, words


def _masked(words: str) -> str:
    """The words as they came, laid out when they are JSON, with every number that could be a phone masked."""
    with suppress(ValueError):
        words = json.dumps(json.loads(words), indent=1, ensure_ascii=False)
    hidden = _NUMBER.sub(lambda found: phone.mask(found[0]), words)
    return hidden if len(hidden) <= MOST_LETTERS else hidden[:MOST_LETTERS] + " …"


def _money(session: Session, receipt: Receipt) -> Iterator[HistoryEvent]:
    facts = {
        "amount": receipt.amount,
        "transaction": receipt.transaction,
        "phone": receipt.payer_cipher,
        "fee": receipt.fee,
    }
    yield HistoryEvent(receipt.moved_at, "moved", facts)
    yield HistoryEvent(receipt.recorded_at, "recorded", {"door": receipt.door})
    mine = (Allocation.tenant_id == receipt.tenant_id, Allocation.receipt_id == receipt.id)
    placed: dict[tuple[datetime, str], list[Allocation]] = defaultdict(list)
    for row in session.scalars(select(Allocation).where(*mine).order_by(Allocation.at, Allocation.amount)):
        placed[row.at.replace(microsecond=0), row.reason].append(row)
    bills = _bills(
        session, [row.bill_line_id for rows in placed.values() for row in rows if row.bill_line_id]
    )
    for (at, reason), rows in placed.items():
        parts = [(row.kind, row.amount, row.household_id, bills.get(row.bill_line_id)) for row in rows]
        yield HistoryEvent(at, "placed", {"reason": reason, "parts": parts})
    of_it = (Reversal.tenant_id == receipt.tenant_id, Reversal.receipt_id == receipt.id)
    for reversal in session.scalars(select(Reversal).where(*of_it)):
        yield HistoryEvent(
            reversal.moved_at, "reversal", {"amount": reversal.amount, "transaction": reversal.transaction}
        )


def _bills(session: Session, lines: list[UUID]) -> dict[UUID | None, Bill]:
    joined = (BillLine.tenant_id == Bill.tenant_id) & (BillLine.bill_id == Bill.id)
    rows = session.execute(select(BillLine.id, Bill).join(Bill, joined).where(BillLine.id.in_(lines))).all()
    return {row.id: row.Bill for row in rows}


def _people(session: Session, payment: Payment | None, receipt: Receipt | None) -> Iterator[HistoryEvent]:
    """What people did about it, and what they were woken for."""
    subjects = [f"payment:{payment.ref}"] if payment else []
    subjects += [f"receipt:{receipt.id}"] if receipt else []
    tenant_id = (payment or receipt).tenant_id  # type: ignore[union-attr]
    acts = select(AuditEntry).where(
        AuditEntry.tenant_id == tenant_id,
        AuditEntry.subject.in_(subjects),
        AuditEntry.actor.like("manager:%"),
    )
    for trace in session.scalars(acts):
        yield HistoryEvent(
            trace.at, "by", {"who": UUID(trace.actor.partition(":")[2]), "what": trace.action, **trace.facts}
        )
    woken = select(Flag).where(
        Flag.tenant_id == tenant_id, Flag.subject.in_(subjects), Flag.kind != "suspense"
    )
    for flag in session.scalars(woken):
        yield HistoryEvent(flag.opened_at, "flag", {"flag": flag.kind})
    for row in refunds.of_receipt(session, receipt) if receipt else ():
        if row.transaction and row.paid_at:
            yield HistoryEvent(row.paid_at, "repaid", {"transaction": row.transaction, "amount": row.amount})


def _homes(session: Session, payment: Payment | None, steps: list[HistoryEvent]) -> dict[UUID, str]:
    ids = {part[2] for step in steps if step.kind == "placed" for part in step.facts["parts"] if part[2]}
    ids |= {payment.household_id} if payment else set()
    rows = session.scalars(select(households.Household).where(households.Household.id.in_(ids)))
    return {row.id: row.number for row in rows}


def _told(
    session: Session, homes: dict[UUID, str], payment: Payment | None, receipt: Receipt | None
) -> Iterator[HistoryEvent]:
    """The SMS about it: those that name the transaction, and those of the request that never became one."""
    since = min(
        one.created_at if isinstance(one, Payment) else one.recorded_at for one in (payment, receipt) if one
    )
    query = (
        select(Message)
        .where(Message.household_id.in_(homes), Message.created_at >= since)
        .order_by(Message.created_at)
    )
    for message in session.scalars(query.limit(200)):
        names = receipt is not None and message.facts.get("transaction") == receipt.transaction
        asks = payment is not None and message.kind in ("link", "failed", "expired") and _of(payment, message)
        if names or asks:
            facts = {
                "kind": message.kind,
                "text": message.text,
                "status": message.status,
                "said": message.provider_status,
            }
            yield HistoryEvent(
                message.created_at, "sms", {**facts, "sent": message.sent_at, "ended": message.ended_at}
            )


def _of(payment: Payment, message: Message) -> bool:
    last = (payment.settled_at or payment.expires_at) + timedelta(hours=1)
    return message.facts.get("amount") == payment.amount and message.created_at <= last


def _rights(
    session: Session, tenant_id: UUID, homes: dict[UUID, str], steps: list[HistoryEvent]
) -> Iterator[HistoryEvent]:
    """Rights are kept as they are now; they were last computed when money last moved."""
    placed = [step.at for step in steps if step.kind == "placed"]
    for home_id, number in homes.items() if placed else ():
        owed = cover_books.timeline_of(cover_books.load(session, tenant_id, home_id))
        yield HistoryEvent(max(placed), "rights", {"number": number, "home": home_id, "rows": owed[-3:]})


def _entries(session: Session, receipt: Receipt) -> list[tuple[str, list[ledger.Move]]]:
    """Every ledger entry about this receipt, in the order of their moments."""
    begins = [
        f"{what}:{receipt.id}%" for what in ("receipt", "fee", "attribution", "allocation", "credit", "undo")
    ]
    begins += [f"refund:{row.id}" for row in refunds.of_receipt(session, receipt)]
    of_it = (Reversal.tenant_id == receipt.tenant_id, Reversal.receipt_id == receipt.id)
    taken_back = session.scalars(select(Reversal.transaction).where(*of_it))
    exact = [f"reversal:{transaction}:{receipt.id}" for transaction in taken_back]
    named = or_(*(Entry.reference.like(begin) for begin in begins), Entry.reference.in_(exact))
    query = (
        select(Entry.reference)
        .where(Entry.tenant_id == receipt.tenant_id, named)
        .order_by(Entry.at, Entry.reference)
    )
    found = (
        (name, ledger.moves_of(session, receipt.tenant_id, name)) for name in session.scalars(query).all()
    )
    return [(name, moves) for name, moves in found if moves]
