"""Corrects the noted transaction of a payout, also to that of a reversal that is booked already.

A reversal that nobody had noted as the payout took its money from other refunds, households and suspense.
When a manager names it as the payout, these get the money back, as if the payout had been noted so at first:
what left beyond the receipt is explained, then households and suspense have their money again from the day of
the receipt, and last the refunds that were still to be paid out.

Locks: the transaction of the operator, then the households of the receipt, the receipt and its refunds.
"""

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import Refused
from mutuelle.households.locks import HouseholdKey
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.organisation.logins import Manager
from mutuelle.payments import allocation, ledger, outflows, receipts, refund_reversals, refunds
from mutuelle.payments.ledger import Move
from mutuelle.payments.outflows import Outflow
from mutuelle.payments.receipts import Allocation, PartKind, Reason, Receipt, ReceiptPart, Reversal
from mutuelle.payments.refunds import Refund, RefundStatus

RETURN_ORDER = ("outflow", "household", "suspense", "refunds")  # kinds of ledger addresses


def correct_transaction(session: Session, manager: Manager, row: Refund, transaction: str) -> None:
    """Replaces the noted transaction of a payout that no line of the operator proves.

    The transaction of a booked reversal of the same receipt gives its money back to those it was taken from,
    up to what the refund paid out. Refused: "refund.seen" when the payout was seen or never noted,
    "refund.used" when nothing of the reversal can be this payout, and as in `refunds.mark_paid`.
    """
    refunds.check_form(transaction)
    receipt = session.get_one(Receipt, (row.tenant_id, row.receipt_id))
    outflows.lock(session, receipt.tenant_id, transaction)
    households = _households_of(session, receipt)
    allocation.lock(session, receipt, *households.values())
    row = refunds.lock(session, row)
    if not row.unseen:
        raise Refused("refund.seen")
    if transaction == row.transaction:
        return
    reversal = _reversal_under(session, receipt, row, transaction)
    if reversal is None:
        refunds.check_unused(session, row, receipt.account_id, transaction)
    if row.outflow_id is not None:
        outflow = session.get_one(Outflow, (row.tenant_id, row.outflow_id))
        refunds.post_match(session, row, outflow, undo=True)
        outflows.open_case(session, outflow, outflows.UNEXPLAINED)
    row.transaction, row.outflow_id = transaction, None
    session.flush()
    if reversal is None:
        refunds.match_recorded(session, row, receipt.account_id)
    else:
        _match_reversal(session, manager, row, receipt, reversal, households)
    refunds.record_act(session, manager, "refund-corrected", row)


def _households_of(session: Session, receipt: Receipt) -> dict[str, HouseholdKey]:
    """Returns all households that the receipt was ever allocated to, by their ledger address."""
    columns = (Allocation.household_tenant_id, Allocation.household_id)
    of_receipt = (Allocation.tenant_id == receipt.tenant_id, Allocation.receipt_id == receipt.id)
    query = select(*columns).where(*of_receipt, Allocation.household_id.is_not(None)).distinct()
    return {
        ledger.household_of(household_id): (tenant_id, household_id)
        for tenant_id, household_id in session.execute(query)
        if tenant_id and household_id
    }


def _reversal_under(session: Session, receipt: Receipt, row: Refund, transaction: str) -> Reversal | None:
    """Returns the reversal of the receipt with this transaction that can be the payout, if there is any.

    Of several reversals under the receipt's own transaction it is one of the refund's amount, else the
    oldest. Refused: "refund.used" when another refund was noted under the transaction, or when the reversals
    gave back refunds alone.
    """
    same = (Reversal.tenant_id == receipt.tenant_id, Reversal.receipt_id == receipt.id)
    query = select(Reversal).where(*same, Reversal.transaction == transaction)
    rows = session.scalars(query.order_by(Reversal.recorded_at, Reversal.id)).all()
    if not rows:
        return None
    of_tenant = {"tenant_id": row.tenant_id, "transaction": transaction}
    is_noted = session.scalar(select(Refund.id).filter_by(**of_tenant).limit(1)) is not None
    open_rows = [reversal for reversal in rows if _moves_of(session, receipt, reversal, row)]
    if is_noted or not open_rows:
        raise Refused("refund.used")
    return min(open_rows, key=lambda reversal: reversal.amount != row.due)


def _moves_of(session: Session, receipt: Receipt, reversal: Reversal, row: Refund) -> list[Move]:
    """Returns the postings that took a reversal's money from others than `row`, in the order of their return.

    What it took from `row` itself, before that was paid out, is no part of the payout.
    """
    outside = ledger.outside_of(receipt.account_id)
    posted = ledger.moves_of(session, receipt.tenant_id, f"reversal:{receipt.id}:{reversal.id}")
    moves = [move for move in posted if move.target == outside and _kind_of(move) in RETURN_ORDER]
    left = sum(other.taken_back for other in _others_to_pay(session, receipt, row))
    from_refunds = Money(left, receipt.currency)
    moves = [
        replace(move, amount=min(move.amount, from_refunds)) if _kind_of(move) == "refunds" else move
        for move in moves
    ]
    moves = [move for move in moves if move.amount.units]
    return sorted(moves, key=lambda move: (RETURN_ORDER.index(_kind_of(move)), move.source))


def _others_to_pay(session: Session, receipt: Receipt, row: Refund) -> list[Refund]:
    """Locks and returns the other refunds that the operator gave back before they were paid out."""
    session.flush()
    return [
        other
        for other in refund_reversals.lock_all(session, receipt)
        if other.id != row.id
        and other.taken_back
        and other.status in (RefundStatus.APPROVED, RefundStatus.ENDED)
    ]


def _kind_of(move: Move) -> str:
    return move.source.partition(":")[0]


def _match_reversal(
    session: Session,
    manager: Manager,
    row: Refund,
    receipt: Receipt,
    reversal: Reversal,
    households: dict[str, HouseholdKey],
) -> None:
    """Counts the reversal as the payout, and gives back what it took from others."""
    act, day = f":{clock.new_id()}", tenants.day_of(session, receipt.tenant_id, receipt.moved_at)
    today, due = tenants.today(session, receipt.tenant_id), row.due
    moves: list[Move] = []
    to_households: list[tuple[HouseholdKey, Money]] = []
    for move in _moves_of(session, receipt, reversal, row):
        amount = Money(min(due, move.amount.units), receipt.currency)
        kind, due = _kind_of(move), due - amount.units
        if not amount.units:
            break
        moves.append(Move(move.target, move.source, amount))
        if kind == "outflow":
            row.from_excess += amount.units
            continue
        row.taken_back += amount.units
        part = ReceiptPart(PartKind.REFUNDED, -amount.units)
        receipts.place(session, receipt, [part], on=today, reason=Reason.REFUND_CORRECTED)
        if kind == "household":
            to_households.append((households[move.source], amount))
        elif kind == "suspense":
            part = ReceiptPart(PartKind.SUSPENSE, amount.units)
            receipts.place(session, receipt, [part], on=today, reason=Reason.REFUND_CORRECTED)
            subject = audit.about(Subject.RECEIPT, receipt.id)
            audit.open_case(session, receipt.tenant_id, FlagKind.SUSPENSE, subject, Reason.REFUND_CORRECTED)
        else:
            _reopen(session, manager, row, receipt, amount.units)
    row.seen_at = clock.now()
    session.flush()
    ledger.post(session, row.tenant_id, f"refund-seen:{row.id}{act}", clock.now(), moves)
    for number, (household, amount) in enumerate(to_households):
        allocation.allocate(
            session, receipt, household, amount, day, Reason.REFUND_CORRECTED, f"{act}:{number}"
        )
    if due:
        refund_reversals.open_case(session, receipt, refund_reversals.LESS_GIVEN_BACK)


def _reopen(session: Session, manager: Manager, row: Refund, receipt: Receipt, units: int) -> None:
    """Gives units back to the refunds that the reversal shrank or ended, the newest first."""
    subject = audit.about(Subject.RECEIPT, receipt.id)
    for other in reversed(_others_to_pay(session, receipt, row)):
        share = min(units, other.taken_back)
        if not share:
            break
        other.taken_back, other.status, other.ended_at = other.taken_back - share, RefundStatus.APPROVED, None
        part = ReceiptPart(PartKind.REFUNDED, share)
        today = tenants.today(session, receipt.tenant_id)
        receipts.place(session, receipt, [part], on=today, reason=Reason.REFUND_CORRECTED)
        facts = {"refund": str(other.id), "amount": share, "left": other.due}
        audit.record(session, row.tenant_id, manager.actor, "refund-reopened", subject, **facts)
        units -= share
