"""Reconciliation: what proven money settles. The rule is pure (`attribute`); `settle`, `credit` and
`take_back` write it down.

Only the operator's answer to our own reference settles a request; other money belongs to a household when the
payer's phone is registered to exactly one, else it waits in suspense with the reason. Receipt, allocation,
posting, rights and SMS are one transaction, the caller's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock
from mutuelle.households import households
from mutuelle.households.locks import HouseholdKey
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import allocation, ledger, payments, receipts
from mutuelle.payments.ledger import Move
from mutuelle.payments.operators import Movement, PaymentStatus, Status
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Receipt, ReceiptPart, Reversal

OUR_REFERENCE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)  # the one spelling we give our references


@dataclass(frozen=True)
class RequestMatch:
    """The money answers our own request."""

    home: HouseholdKey


@dataclass(frozen=True)
class HouseholdMatch:
    """The money is a household's, though nobody asked for it."""

    home: HouseholdKey
    reason: str


@dataclass(frozen=True)
class NoMatch:
    """Nobody can say whose it is: it waits in suspense."""

    reason: str


def attribute(
    asked: HouseholdKey | None, payer_known: bool, registered: Sequence[HouseholdKey]
) -> RequestMatch | HouseholdMatch | NoMatch:
    """Whose money it is: `asked` is the household of the request it answers, `registered` those of the
    payer's phone."""
    if asked is not None:
        return RequestMatch(asked)
    if len(registered) == 1:
        return HouseholdMatch(registered[0], "payer's phone is registered to this household only")
    if not payer_known:
        return NoMatch("payer's phone is masked and there is no reference of ours")
    return NoMatch(
        "payer's phone is registered to several households"
        if registered
        else "payer's phone is not registered"
    )


def settle(
    session: Session, account: OperatorAccount, payment: Payment, told: PaymentStatus, door: str
) -> None:
    """Take in the operator's answer to our request. `payment` is locked by the caller; a repeat changes
    nothing."""
    payments.note_answer(payment, told)
    if told.status is Status.CONFIRMED and told.movement is not None:
        credit(session, account, told.movement, door, payment)
        return
    try:
        news = payments.transition(payment, told.status)
    except ValueError as contradiction:
        audit.open_case(
            session, payment.tenant_id, "contradiction", f"payment:{payment.ref}", str(contradiction)
        )
        return
    if news and told.status in (Status.FAILED, Status.EXPIRED):
        allocation.tell(
            session,
            (payment.household_tenant_id, payment.household_id),
            told.status.value,
            {"amount": payment.amount},
        )


def recorded_lines(
    session: Session, account: OperatorAccount, told: Sequence[Movement]
) -> set[tuple[str, bool]]:
    """The lines of a list, as (transaction, is reversal), that tell nothing new: recorded, and the request
    they answer settled.

    A reversal may stand under the transaction of the payment it takes back.
    """
    names = [moved.transaction for moved in told]
    mine = (Receipt.account_id == account.id, Receipt.transaction.in_(names))
    recorded = {receipt.transaction: receipt for receipt in session.scalars(select(Receipt).where(*mine))}
    gone = select(Reversal.transaction).where(
        Reversal.account_id == account.id, Reversal.transaction.in_(names)
    )
    taken_back = set(session.scalars(gone))
    refs = [moved.reference for moved in told if moved.reference and OUR_REFERENCE.fullmatch(moved.reference)]
    open_still = payments.unsettled(session, [UUID(ref) for ref in refs])
    return {
        (moved.transaction, moved.reverses is not None)
        for moved in told
        if (
            moved.transaction in taken_back
            if moved.reverses
            else _is_recorded(recorded.get(moved.transaction), moved, open_still)
        )
    }


def _is_recorded(receipt: Receipt | None, moved: Movement, open_still: set[str]) -> bool:
    if receipt is None or moved.reference in open_still:
        return False
    return moved.fee in (0, receipt.fee) and not receipts.differences(receipt, moved)


def credit(
    session: Session, account: OperatorAccount, moved: Movement, door: str, payment: Payment | None = None
) -> Receipt:
    """Record proven money, whatever else is wrong, and put it where it belongs; a repeat changes nothing."""
    receipt, fresh = receipts.record(session, account, moved, door)
    if (
        payment is not None and not fresh
    ):  # another request may be answered with it, or a person be placing it, at this moment
        allocation.lock(session, receipt, (payment.household_tenant_id, payment.household_id))
        session.refresh(receipt)
    foreign = {receipt.currency, moved.amount.currency} != {account.currency}
    if payment is not None and (against := _objection(session, payment, receipt, fresh, foreign)):
        audit.open_case(session, payment.tenant_id, against[0], f"payment:{payment.ref}", against[1])
        payment = None
    if payment is not None:
        _confirm(session, payment, receipt, fresh)
    if not fresh:
        _record_fee(session, receipt, moved)
        if different := receipts.differences(receipt, moved):
            reason = f"the operator now tells another {', '.join(different)} for the same transaction"
            audit.open_case(session, account.tenant_id, "conflict", f"receipt:{receipt.id}", reason)
        if payment is not None:
            _take_from_suspense(session, account, receipt, payment)
        return receipt
    tenant = tenants.get(session, account.tenant_id)
    day = clock.local_date(moved.at, tenant.zone)
    asked = (payment.household_tenant_id, payment.household_id) if payment else None
    registered = _households_of_phone(session, account.tenant_id, moved.payer) if asked is None else []
    whose = NoMatch("it came in another currency than the account's") if foreign else None
    outside, suspense = ledger.outside_of(account.id), ledger.suspense_of(account.id)
    match whose or attribute(asked, moved.payer is not None, registered):
        case RequestMatch(home):
            _post_receipt(
                session, receipt, moved, [Move(outside, ledger.household_of(home[1]), moved.amount)]
            )
            allocation.allocate(session, receipt, home, moved.amount, day, "answer to our request")
        case HouseholdMatch(home, reason):
            _post_receipt(
                session, receipt, moved, [Move(outside, ledger.household_of(home[1]), moved.amount)]
            )
            allocation.allocate(session, receipt, home, moved.amount, day, reason)
        case NoMatch(reason):
            _post_receipt(session, receipt, moved, [Move(outside, suspense, moved.amount)])
            receipts.place(
                session, receipt, [ReceiptPart("suspense", moved.amount.units)], on=day, reason=reason
            )
            audit.open_case(
                session,
                account.tenant_id,
                "currency" if foreign else "suspense",
                f"receipt:{receipt.id}",
                reason,
            )
    return receipt


def _objection(
    session: Session, payment: Payment, receipt: Receipt, fresh: bool, foreign: bool
) -> tuple[str, str] | None:
    """Why `receipt` cannot settle this request, as (kind of flag, reason): other currency, or the money of
    another request."""
    if foreign:
        return "currency", "the operator answers it with money in another currency than the account's"
    if fresh or receipt.reference == str(payment.ref):
        return None
    if (
        receipt.reference
        and OUR_REFERENCE.fullmatch(receipt.reference)
        and payments.by_ref(session, UUID(receipt.reference))
    ):
        return (
            "contradiction",
            f"the operator answers it with {receipt.transaction}, which settled another request",
        )
    return None


def _confirm(session: Session, payment: Payment, receipt: Receipt, fresh: bool) -> None:
    """The request is answered by `receipt`; a contradiction wakes a person and never holds the money back."""
    subject = f"payment:{payment.ref}"
    receipt.reference = str(
        payment.ref
    )  # the list may not have named it; from now on it is the money of no other request
    match Status(payment.status):
        case Status.EXPIRED:
            audit.open_case(
                session,
                payment.tenant_id,
                "late",
                subject,
                "the money came after we had given the request up",
            )
        case Status.CONFIRMED if fresh:
            audit.open_case(
                session, payment.tenant_id, "double", subject, "the payer paid this request more than once"
            )
    try:
        payments.transition(payment, Status.CONFIRMED)
    except ValueError as contradiction:
        audit.open_case(session, payment.tenant_id, "contradiction", subject, str(contradiction))
    if receipt.amount != payment.amount or receipt.currency != payment.currency:
        reason = (
            f"{payment.amount} {payment.currency} were asked for, {receipt.amount} {receipt.currency} came"
        )
        audit.open_case(session, payment.tenant_id, "amount", subject, reason)


def _households_of_phone(session: Session, tenant_id: UUID, payer: str | None) -> list[HouseholdKey]:
    """The households of this mutuelle the payer's phone is registered to."""
    return [home for home in households.who(session, payer) if home[0] == tenant_id] if payer else []


def _record_fee(session: Session, receipt: Receipt, moved: Movement) -> None:
    """Only the transaction list knows what the operator kept; the answer that proved the money may have come
    before it."""
    if not moved.fee or receipt.fee or moved.amount != Money(receipt.amount, receipt.currency):
        return
    session.refresh(
        receipt, with_for_update={"key_share": True}
    )  # the same list may be read twice at this moment
    if not receipt.fee:
        receipt.fee = moved.fee
        fee = Money(moved.fee, receipt.currency)
        kept = [Move(ledger.fees_of(receipt.account_id), ledger.outside_of(receipt.account_id), fee)]
        ledger.post(session, receipt.tenant_id, f"fee:{receipt.id}", moved.at, kept)


def _post_receipt(session: Session, receipt: Receipt, moved: Movement, moves: list[Move]) -> None:
    fee = Money(moved.fee, moved.amount.currency)
    kept = [Move(ledger.fees_of(receipt.account_id), ledger.outside_of(receipt.account_id), fee)]
    ledger.post(session, receipt.tenant_id, f"receipt:{receipt.id}", moved.at, [*moves, *kept])


def _take_from_suspense(
    session: Session, account: OperatorAccount, receipt: Receipt, payment: Payment
) -> None:
    """Money that waited in suspense turns out to answer our request; money of another household wakes a
    person."""
    home = (payment.household_tenant_id, payment.household_id)
    parts = receipts.parts_of(session, receipt)
    waiting = sum(part.amount for part in parts if part.kind == "suspense")
    if any(part.household not in (None, home) for part in parts):
        reason = "the operator ties it to a request of another household than it was put on"
        audit.open_case(session, account.tenant_id, "attribution", f"receipt:{receipt.id}", reason)
    if not waiting:
        return
    amount, day = (
        Money(waiting, receipt.currency),
        clock.local_date(receipt.moved_at, tenants.get(session, home[0]).zone),
    )
    receipts.place(
        session, receipt, [ReceiptPart("suspense", -waiting)], on=day, reason="answer to our request"
    )
    moves = [Move(ledger.suspense_of(account.id), ledger.household_of(home[1]), amount)]
    act = f":{clock.new_id()}"  # by hand it may have been placed and taken off before
    ledger.post(session, receipt.tenant_id, f"attribution:{receipt.id}{act}", clock.now(), moves)
    allocation.allocate(session, receipt, home, amount, day, "answer to our request", act)
    audit.close_case(session, account.tenant_id, "suspense", f"receipt:{receipt.id}")


def take_back(session: Session, account: OperatorAccount, moved: Movement) -> bool:
    """The operator took a payment back: contra postings, rights recomputed, the household told. False when it
    was known.

    Not before its receipt is: LookupError, and the line is read again at the next pull.
    """
    receipt = session.scalar(
        select(Receipt).where(Receipt.account_id == account.id, Receipt.transaction == moved.reverses)
    )
    if receipt is None:
        raise LookupError("a reversal came before its receipt")
    if receipt.currency != moved.amount.currency:
        raise LookupError("a reversal in another currency than its receipt")
    if (asked := _request_of(session, receipt)) is not None:
        session.refresh(asked, with_for_update={"key_share": True})
    allocation.lock(session, receipt)
    session.refresh(receipt)
    if not receipts.record_reversal(session, receipt, moved):
        return False
    parts = receipts.parts_of(session, receipt)
    taken = allocation.withdraw(
        receipt, parts, moved.amount.units, ledger.outside_of(account.id), allocation.WITHDRAWAL_ORDER
    )
    if taken.units < moved.amount.units:
        audit.open_case(
            session,
            account.tenant_id,
            "conflict",
            f"receipt:{receipt.id}",
            "more was taken back than was received",
        )
    day = clock.today(tenants.get(session, account.tenant_id).zone)
    reason = "the operator took it back"
    receipts.place(
        session, receipt, [*taken.parts, ReceiptPart("reversed", taken.units)], on=day, reason=reason
    )
    ledger.post(
        session, account.tenant_id, f"reversal:{moved.transaction}:{receipt.id}", moved.at, taken.moves
    )
    allocation.follow_up(session, taken, day, "reversed", receipt.transaction)
    if not any(part.kind == "suspense" for part in receipts.parts_of(session, receipt)):
        audit.close_case(session, account.tenant_id, "suspense", f"receipt:{receipt.id}")
    _reverse_payment(session, receipt)
    return True


def _reverse_payment(session: Session, receipt: Receipt) -> None:
    """The request is reversed when nothing is left of its receipts: it may have been paid twice."""
    if receipt.reference is None:
        return
    mine = (Receipt.account_id == receipt.account_id, Receipt.reference == receipt.reference)
    answers = session.scalars(select(Receipt).where(*mine, Receipt.currency == receipt.currency))
    if any(receipts.reversed_units(session, one) < one.amount for one in answers):
        return
    payment = _request_of(session, receipt)
    if payment is not None and Status(payment.status) is Status.CONFIRMED:
        payments.transition(payment, Status.REVERSED)


def _request_of(session: Session, receipt: Receipt) -> Payment | None:
    """The request of ours that the receipt answers."""
    try:
        return payments.by_ref(session, UUID(receipt.reference)) if receipt.reference else None
    except ValueError:
        return None
