"""Allocates received money to a household's open bills, withdraws it again, and queues the SMS about it.

Nothing is ever edited: what is withdrawn is a negative part and a contra posting, in the caller's
transaction. Locks are taken in the order of `households/locks.py`: the households of a receipt before the
receipt (`lock`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle import clock, pipeline, set_aside
from mutuelle.cover import cover_books
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.errors import UnreadableBooks
from mutuelle.households import household_sms, locks
from mutuelle.households.locks import HouseholdKey
from mutuelle.messaging.messages import MessageKind
from mutuelle.money import Money
from mutuelle.payments import ledger, receipts
from mutuelle.payments.ledger import Move
from mutuelle.payments.receipts import Allocation, PartKind, Reason, Receipt, ReceiptPart
from mutuelle.set_aside import Work

WITHDRAWAL_ORDER = (PartKind.SUSPENSE, PartKind.CREDIT, PartKind.BILL)


@dataclass
class Withdrawal:
    """What leaves a receipt's parts: negative parts, contra postings, and the units each household loses."""

    parts: list[ReceiptPart] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    households: dict[HouseholdKey, int] = field(default_factory=dict)

    @property
    def units(self) -> int:
        return -sum(part.amount for part in self.parts)


class _ReceiptMoved(Exception):
    """The receipt was allocated to a household that is not locked yet."""


def lock(session: Session, receipt: Receipt, *households: HouseholdKey) -> int:
    """Locks the households that a receipt is allocated to, and `households`, then the receipt.

    Returns how many allocations the receipt has, so that the caller notices a later one.
    """
    keys = set(households)
    while True:
        keys |= _households_of(session, receipt)
        for key in sorted(keys):
            locks.lock(session, key)
        try:
            with session.begin_nested():
                version = receipts.lock(session, receipt)
                if not _households_of(session, receipt) <= keys:
                    raise _ReceiptMoved  # which releases the receipt
        except _ReceiptMoved:
            continue
        return version


def _households_of(session: Session, receipt: Receipt) -> set[HouseholdKey]:
    return {part.household for part in receipts.parts_of(session, receipt) if part.household}


def allocate(
    session: Session,
    receipt: Receipt,
    household: HouseholdKey,
    amount: Money,
    day: date,
    reason: Reason,
    act: str = "",
) -> None:
    """Pays a household's open bills, oldest first, and keeps the rest as credit.

    Recomputes rights and queues the receipt SMS. `act` distinguishes the ledger entry of a later allocation
    of the same receipt from that of its first one. Raises UnreadableBooks before anything is written. A phone
    that cannot be decrypted costs the SMS alone: the household gets a case.
    """
    _, books_rows, recipient_rows = pipeline.query(
        session,
        locks.lock_statement(household),
        cover_books.statement(*household),
        household_sms.recipient_query(household),
    )
    books = cover_books.read(pipeline.single_row(books_rows))
    parts, bill_payments, left = _pay_bills(books, receipt, household, amount.units, day)
    books = books.with_money(*bill_payments, credit=left)
    timeline = cover_books.timeline_of(books)
    facts = {"amount": amount.units, "transaction": receipt.transaction}
    unreachable = None
    try:
        recipient = household_sms.read_recipient(household, pipeline.single_row(recipient_rows))
        facts = household_sms.state(recipient, books) | facts
    except ValueError as error:
        unreachable = error
    used = Money(amount.units - left, amount.currency)
    credit = ReceiptPart(PartKind.CREDIT, left, household)
    receipts.place(session, receipt, [*parts, credit], on=day, reason=reason)
    moves = [Move(ledger.household_of(household[1]), ledger.fund_of(household[0]), used)]
    ledger.post(session, receipt.tenant_id, f"allocation:{receipt.id}{act}", receipt.moved_at, moves)
    cover_books.replace_rows(session, *household, timeline)
    if unreachable:
        set_aside.household(session, *household, Work.SMS, unreachable)
    else:
        household_sms.queue_to(session, recipient, MessageKind.RECEIPT, facts)


def _pay_bills(
    books: cover_books.HouseholdBooks, receipt: Receipt, household: HouseholdKey, units: int, day: date
) -> tuple[list[ReceiptPart], list[BillPayment], int]:
    """Returns the parts of the receipt on bills, the same as payments of bills, and the units left over.

    Raises UnreadableBooks.
    """
    parts: list[ReceiptPart] = []
    bill_payments: list[BillPayment] = []
    for bill, unpaid in books.left(day):
        share = min(units, max(0, unpaid))
        if share and bill.line_id:
            parts.append(ReceiptPart(PartKind.BILL, share, household, bill.line_id))
            bill_payments.append(BillPayment(bill.bill_id, day, share, receipt.id))
            units -= share
    return parts, bill_payments, units


def withdraw(
    receipt: Receipt,
    parts: Sequence[ReceiptPart],
    units: int,
    to: str,
    kinds: Sequence[PartKind] = WITHDRAWAL_ORDER,
) -> Withdrawal:
    """Withdraws up to `units` from parts of these kinds, bills last, to the ledger address `to`.

    `parts` are in the order of `receipts.parts_of`. What was paid last leaves first: the joining fee before
    dues, so that the money that is left goes on opening rights (decision 0004). Money of refunds is never
    among them: it belongs to a decided refund (`refund_reversals`).
    """
    withdrawal, order = Withdrawal(), {kind: place for place, kind in enumerate(WITHDRAWAL_ORDER)}
    last_paid_first = [part for part in reversed(parts) if part.kind in kinds and part.amount > 0]
    for part in sorted(last_paid_first, key=lambda part: order[part.kind]):
        share = min(units, part.amount)
        if not share:
            break
        withdrawal.parts.append(ReceiptPart(part.kind, -share, part.household, part.bill_line_id))
        withdrawal.moves += _contra_moves(receipt, part, Money(share, receipt.currency), to)
        if part.household:
            lost = withdrawal.households.get(part.household, 0)
            withdrawal.households[part.household] = lost + share
        units -= share
    return withdrawal


def _contra_moves(receipt: Receipt, part: ReceiptPart, amount: Money, to: str) -> list[Move]:
    if part.household is None:
        return [Move(ledger.suspense_of(receipt.account_id), to, amount)]
    source = ledger.household_of(part.household[1])
    back = []
    if part.kind == PartKind.BILL:
        back = [Move(ledger.fund_of(part.household[0]), source, amount)]
    return [*back, Move(source, to, amount)]


def update_and_notify_households(
    session: Session, withdrawal: Withdrawal, day: date, kind: MessageKind, transaction: str
) -> None:
    """Updates the households that lost money to a withdrawal, and queues an SMS of this kind to each.

    Pays open bills from the household's credit, if it has any left, and recomputes the rights. Where its
    books cannot be read, the rights stay as they are stored, with a case for staff.
    """
    for household, units in sorted(withdrawal.households.items()):
        locks.lock(session, household)
        try:
            if not use_credit(session, household, day):
                cover_books.recompute(session, *household)
        except UnreadableBooks as error:
            set_aside.household(session, *household, Work.RIGHTS, error)
            continue
        facts = {"amount": units, "transaction": transaction}
        household_sms.queue_with_state(session, household, kind, facts)


def use_credit(session: Session, household: HouseholdKey, day: date) -> int:
    """Pays open bills from a household's credit, oldest receipt first, from `day` on. Returns the units used.

    Call it after writing or reopening a bill. The caller has locked the household.
    """
    books = cover_books.load(session, *household)
    if not books.credit or not any(unpaid > 0 and bill.line_id for bill, unpaid in books.left(day)):
        return 0
    used = 0
    for receipt, credit in _credit_receipts(session, household):
        parts, bill_payments, left = _pay_bills(books, receipt, household, credit, day)
        if parts:
            minus = ReceiptPart(PartKind.CREDIT, left - credit, household)
            receipts.place(session, receipt, [minus, *parts], on=day, reason=Reason.CREDIT_USED)
            amount = Money(credit - left, receipt.currency)
            moves = [Move(ledger.household_of(household[1]), ledger.fund_of(household[0]), amount)]
            reference = f"credit:{receipt.id}:{clock.new_id()}"
            ledger.post(session, receipt.tenant_id, reference, clock.now(), moves)
            books, used = books.with_money(*bill_payments, credit=left - credit), used + amount.units
    cover_books.recompute(session, *household, books)
    return used


def return_used_credit(
    session: Session, household: HouseholdKey, bill_id: UUID, units: int, day: date
) -> None:
    """Makes credit again of up to `units` that the bill `bill_id` freed on `day` and that paid other bills.

    Call it when a change of the same day asks for that money again, before `use_credit`: what is taken back
    on the same day leaves no trace (I14). The caller has locked the household.
    """
    reasons = [Reason.CREDIT_USED, Reason.CREDIT_RETURNED]
    values = locks.parameters(household) | {"bill": bill_id, "day": day, "reasons": reasons}
    used = session.execute(_FREED_AND_USED, values).all() if units > 0 else []
    locked = receipts.lock_all(session, {part.receipt_id for part in used})
    freed_left = {part.receipt_id: int(part.freed) for part in used}
    for part in used:
        share, receipt = min(units, int(part.units), freed_left[part.receipt_id]), locked[part.receipt_id]
        if not share:
            continue
        parts = [
            ReceiptPart(PartKind.BILL, -share, household, part.bill_line_id),
            ReceiptPart(PartKind.CREDIT, share, household),
        ]
        receipts.place(session, receipt, parts, on=day, reason=Reason.CREDIT_RETURNED)
        move = Move(
            ledger.fund_of(household[0]), ledger.household_of(household[1]), Money(share, receipt.currency)
        )
        ledger.post(session, receipt.tenant_id, f"credit:{receipt.id}:{clock.new_id()}", clock.now(), [move])
        units -= share
        freed_left[part.receipt_id] -= share


def _credit_receipts(session: Session, household: HouseholdKey) -> list[tuple[Receipt, int]]:
    """Locks the receipts that hold credit of this household. Returns them, oldest first, with its units."""
    of_credit = (
        Allocation.household_tenant_id == household[0],
        Allocation.household_id == household[1],
        Allocation.kind == PartKind.CREDIT,
    )
    ids = session.scalars(select(Allocation.receipt_id).where(*of_credit).distinct()).all()
    rows = receipts.lock_all(session, ids).values()
    credits = []
    for receipt in sorted(rows, key=lambda receipt: (receipt.moved_at, receipt.id)):
        parts = receipts.parts_of(session, receipt)
        units = [
            part.amount for part in parts if part.kind == PartKind.CREDIT and part.household == household
        ]
        credits.append((receipt, sum(units)))
    return [(receipt, units) for receipt, units in credits if units > 0]


# What credit has paid on a day on other bills and is still there, the joining fee first, then the youngest
# bill of dues, from receipts of which the bill `bill` freed units on that day.
_FREED_AND_USED = text("""
SELECT u.* FROM (
    SELECT a.receipt_id, a.bill_line_id, b.kind, b.issued, b.id, max(f.freed) AS freed,
        least(sum(a.amount), coalesce(
            sum(a.amount) FILTER (WHERE a.on_day = :day AND a.reason = ANY(:reasons)), 0)) AS units
    FROM allocations a
    JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id
    JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
    JOIN (
        SELECT x.tenant_id, x.receipt_id, sum(x.amount) AS freed FROM allocations x
        JOIN adjustments j ON j.tenant_id = x.household_tenant_id AND j.id = x.adjustment_id
        WHERE x.household_tenant_id = :tenant AND x.household_id = :home AND x.kind = 'credit'
            AND x.on_day = :day AND j.bill_id = :bill
        GROUP BY 1, 2
    ) f ON f.tenant_id = a.tenant_id AND f.receipt_id = a.receipt_id
    WHERE a.household_tenant_id = :tenant AND a.household_id = :home AND a.kind = 'bill'
        AND l.bill_id <> :bill
    GROUP BY a.receipt_id, a.bill_line_id, b.kind, b.issued, b.id
) u
WHERE u.units > 0
ORDER BY u.kind DESC, u.issued DESC, u.id DESC, u.receipt_id
""")
