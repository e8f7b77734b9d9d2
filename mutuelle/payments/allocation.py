"""Placement: put a household's money on what it owes, take it off again, and tell the household. Nothing is
ever edited: what is taken off is a negative part and a contra posting, in the caller's transaction.

Locks are taken in the order that `locks.py` tells: the households of a receipt before the receipt (`hold`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import clock, crypto, pipeline
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.households import locks
from mutuelle.households.locks import HouseholdKey
from mutuelle.messaging import messages, sending_hours
from mutuelle.money import Money
from mutuelle.payments import ledger, receipts
from mutuelle.payments.ledger import Move
from mutuelle.payments.receipts import Allocation, Receipt, ReceiptPart

WITHDRAWAL_ORDER = ("refunded", "suspense", "credit", "bill")  # the order money is taken off in


@dataclass
class Withdrawal:
    """What leaves a receipt's parts: negative parts, contra postings, and how much of it each household
    loses."""

    parts: list[ReceiptPart] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    homes: dict[HouseholdKey, int] = field(default_factory=dict)

    @property
    def units(self) -> int:
        return -sum(part.amount for part in self.parts)


class _ReceiptMoved(Exception):
    """The receipt was put on a household that is not locked yet."""


def lock(session: Session, receipt: Receipt, *homes: HouseholdKey) -> int:
    """Lock the households that a receipt is on, and `homes`, then the receipt, whose money is about to move
    between them; how many allocations it has, so that a later one is noticed."""
    wanted = set(homes)
    while True:
        wanted |= _households_of(session, receipt)
        for home in sorted(wanted):
            locks.lock(session, home)
        try:
            with session.begin_nested():
                seen = receipts.lock(session, receipt)
                if not _households_of(session, receipt) <= wanted:
                    raise _ReceiptMoved  # which lets the receipt go
        except _ReceiptMoved:
            continue
        return seen


def _households_of(session: Session, receipt: Receipt) -> set[HouseholdKey]:
    return {part.household for part in receipts.parts_of(session, receipt) if part.household}


def allocate(
    session: Session,
    receipt: Receipt,
    home: HouseholdKey,
    amount: Money,
    day: date,
    reason: str,
    act: str = "",
) -> None:
    """Put a household's money on its open bills, oldest first, the rest as credit; then rights and the
    receipt SMS.

    `act` tells a later placement of the same receipt from its first one.
    """
    locking, address_of = locks.statement(home), (_ADDRESS, locks.values(home))
    _, books_of, address = pipeline.query(session, locking, cover_books.question(*home), address_of)
    books = cover_books.read(pipeline.single_row(books_of))
    parts, money, left = _pay_bills(books, receipt, home, amount.units, day)
    used = Money(amount.units - left, amount.currency)
    receipts.place(session, receipt, [*parts, ReceiptPart("credit", left, home)], on=day, reason=reason)
    moves = [Move(ledger.household_of(home[1]), ledger.fund_of(home[0]), used)]
    ledger.post(session, receipt.tenant_id, f"allocation:{receipt.id}{act}", receipt.moved_at, moves)
    now = books.with_money(*money, credit=left)
    cover_books.recompute(session, *home, now)
    _queue(
        session,
        home,
        pipeline.single_row(address),
        now,
        "receipt",
        {"amount": amount.units, "transaction": receipt.transaction},
    )


def _pay_bills(
    books: cover_books.HouseholdBooks, receipt: Receipt, home: HouseholdKey, units: int, day: date
) -> tuple[list[ReceiptPart], list[BillPayment], int]:
    parts: list[ReceiptPart] = []
    money: list[BillPayment] = []
    for one, rest in books.left(day):
        take = min(units, max(0, rest))
        if take and one.line_id:
            parts.append(ReceiptPart("bill", take, home, one.line_id))
            money.append(BillPayment(one.bill_id, day, take, receipt.id))
            units -= take
    return parts, money, units


def withdraw(
    receipt: Receipt,
    parts: Sequence[ReceiptPart],
    units: int,
    to: str,
    kinds: Sequence[str] = WITHDRAWAL_ORDER[1:],
) -> Withdrawal:
    """Take up to `units` off the receipt's `parts` of these kinds and move them to the address `to`; bills
    give last.

    Money that was refunded has left already: only its part goes, without a posting.
    """
    taken, order = Withdrawal(), {kind: place for place, kind in enumerate(WITHDRAWAL_ORDER)}
    takeable = [part for part in parts if part.kind in kinds and part.amount > 0]
    for part in sorted(takeable, key=lambda part: (order[part.kind], str(part.bill_line_id))):
        less = min(units, part.amount)
        if not less:
            break
        taken.parts.append(ReceiptPart(part.kind, -less, part.household, part.bill_line_id))
        taken.moves += _contra_moves(receipt, part, Money(less, receipt.currency), to)
        if part.household:
            taken.homes[part.household] = taken.homes.get(part.household, 0) + less
        units -= less
    return taken


def _contra_moves(receipt: Receipt, part: ReceiptPart, amount: Money, to: str) -> list[Move]:
    if part.kind == "refunded":
        return []
    if part.household is None:
        return [Move(ledger.suspense_of(receipt.account_id), to, amount)]
    ours = ledger.household_of(part.household[1])
    back = [Move(ledger.fund_of(part.household[0]), ours, amount)] if part.kind == "bill" else []
    return [*back, Move(ours, to, amount)]


def follow_up(session: Session, taken: Withdrawal, day: date, kind: str, transaction: str) -> None:
    """For each household that lost money: its credit pays what is open again, its rights are computed anew,
    it is told."""
    for home, units in sorted(taken.homes.items()):
        locks.lock(session, home)
        if not use_credit(session, home, day):
            cover_books.recompute(session, *home)
        tell(session, home, kind, {"amount": units, "transaction": transaction})


def use_credit(session: Session, home: HouseholdKey, day: date) -> int:
    """Put a household's credit on its open bills, oldest receipt first, from `day` on; how many units were
    used.

    For whoever writes a bill, or opens one again. The household is locked by the caller.
    """
    books = cover_books.books(session, *home)
    if not books.credit or not any(rest > 0 and one.line_id for one, rest in books.left(day)):
        return 0
    used = 0
    for receipt, credit in _credit_receipts(session, home):
        parts, money, left = _pay_bills(books, receipt, home, credit, day)
        if parts:
            receipts.place(
                session,
                receipt,
                [ReceiptPart("credit", left - credit, home), *parts],
                on=day,
                reason="credit pays a bill",
            )
            amount = Money(credit - left, receipt.currency)
            moves = [Move(ledger.household_of(home[1]), ledger.fund_of(home[0]), amount)]
            ledger.post(
                session, receipt.tenant_id, f"credit:{receipt.id}:{clock.new_id()}", clock.now(), moves
            )
            books, used = books.with_money(*money, credit=left - credit), used + amount.units
    cover_books.recompute(session, *home, books)
    return used


def _credit_receipts(session: Session, home: HouseholdKey) -> list[tuple[Receipt, int]]:
    mine = (
        Allocation.household_tenant_id == home[0],
        Allocation.household_id == home[1],
        Allocation.kind == "credit",
    )
    ids = session.scalars(select(Allocation.receipt_id).where(*mine).distinct()).all()
    found = []
    for receipt in sorted(receipts.lock_all(session, ids).values(), key=lambda one: (one.moved_at, one.id)):
        parts = receipts.parts_of(session, receipt)
        found.append(
            (receipt, sum(part.amount for part in parts if part.kind == "credit" and part.household == home))
        )
    return [(receipt, units) for receipt, units in found if units > 0]


def tell(session: Session, home: HouseholdKey, kind: str, facts: dict[str, object]) -> None:
    """Queue an SMS about the household's money, with where it stands now."""
    books, address = pipeline.query(session, cover_books.question(*home), (_ADDRESS, locks.values(home)))
    _queue(
        session, home, pipeline.single_row(address), cover_books.read(pipeline.single_row(books)), kind, facts
    )


def tell_once(session: Session, home: HouseholdKey, kind: str, facts: dict[str, object], *, key: str) -> None:
    """The same, once ever under its `key`; it leaves by daylight and at the pace of reminders, because many
    may be told."""
    books, address = pipeline.query(session, cover_books.question(*home), (_ADDRESS, locks.values(home)))
    to = pipeline.single_row(address)
    if to.cipher is not None:
        said = _standing(to, cover_books.read(pipeline.single_row(books))) | facts
        at = sending_hours.daylight(clock.now(), to.zone)
        messages.queue_once(session, home[0], key=key, at=at, **_reached(to, home), kind=kind, facts=said)


def _queue(
    session: Session,
    home: HouseholdKey,
    address: Any,
    books: HouseholdBooks,
    kind: str,
    facts: dict[str, object],
) -> None:
    if address.cipher is not None:
        said = _standing(address, books) | facts
        messages.queue(session, home[0], **_reached(address, home), kind=kind, facts=said)


def _reached(address: Any, home: HouseholdKey) -> dict[str, Any]:
    return {"phone": crypto.open_phone(address.cipher), "household_id": home[1], "language": address.language}


def _standing(address: Any, books: HouseholdBooks) -> dict[str, object]:
    """Where the household stands today, as an SMS says it."""
    now = cover_books.position_of(books, clock.today(address.zone))
    until = now.right.until
    return {
        "number": address.number,
        "left": now.owed,
        "state": now.right.state,
        "since": now.right.since.isoformat(),
        "until": until and until.isoformat(),
        "to_open": now.ahead.left_to_open,
        "credit": now.credit,
    }


_ADDRESS = """
SELECT h.number, h.language, t.zone,
    (SELECT cipher FROM phones p WHERE p.tenant_id = h.tenant_id AND p.household_id = h.id AND p.until IS NULL
        ORDER BY p.since DESC LIMIT 1) AS cipher
FROM households h JOIN tenants t ON t.id = h.tenant_id WHERE h.tenant_id = %(tenant)s AND h.id = %(home)s
"""
