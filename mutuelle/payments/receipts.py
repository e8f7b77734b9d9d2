"""Records receipts (money proven received), always and once, and where each unit of them is.

A unit is on a bill line, a household's credit, in suspense, refunded or reversed. Moving it writes a negative
row and a positive one, so the parts of a receipt always add up to its amount (I1).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, crypto, inserts, seals
from mutuelle.contributions.bills import Bill, BillLine
from mutuelle.db import Row
from mutuelle.households.locks import HouseholdKey
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments.operators import Movement


class PartKind(StrEnum):
    """Where units of a receipt are."""

    BILL = "bill"
    CREDIT = "credit"
    SUSPENSE = "suspense"
    REFUNDED = "refunded"
    REVERSED = "reversed"


class Reason(StrEnum):
    """Why units of a receipt are where they are. `gateway/console/words.py` has the words ("placed")."""

    REQUEST_ANSWERED = "answer to our request"
    PHONE_OF_ONE_HOUSEHOLD = "payer's phone is registered to this household only"
    PHONE_OF_SEVERAL_HOUSEHOLDS = "payer's phone is registered to several households"
    PHONE_NOT_REGISTERED = "payer's phone is not registered"
    PHONE_MASKED = "payer's phone is masked and there is no reference of ours"
    REFERENCE_UNKNOWN = "our books do not know the reference of ours that it answers"
    BOOKS_UNREADABLE = "the books of the household that it belongs to cannot be read"
    OTHER_CURRENCY = "it came in another currency than the account's"
    BY_HAND = "by hand"
    UNDONE_BY_HAND = "undone by hand"
    REFUNDED = "refunded"
    REVERSED = "the operator took it back"
    CREDIT_USED = "credit pays a bill"
    CREDIT_RETURNED = "a change of the same day was taken back"
    BILL_REDUCED = "the bill became smaller"
    REFUND_CORRECTED = "what the operator took back was the payout of a refund"


class ReceiptDoor(StrEnum):
    """How the proof of a receipt reached us, as stored."""

    CALLBACK = "callback"  # we asked the operator because a callback came
    POLL = "poll"  # we asked the operator by ourselves
    LIST = "list"  # the operator's transaction list
    STATEMENT = "statement"  # a statement that was imported


class Receipt(Row):
    """Money received, unique per (operator account, transaction). `door` is how its proof reached us."""

    __tablename__ = "receipts"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    transaction: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    fee: Mapped[int]
    payer_index: Mapped[bytes | None]
    payer_cipher: Mapped[bytes | None]
    reference: Mapped[str | None]
    door: Mapped[str]
    moved_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    seal: Mapped[bytes | None]


class Reversal(Row):
    """The operator took (part of) a receipt back.

    `fee` is the operator's fee that came back with it, `excess` the units beyond what was still there.
    `own_id`: the operator reports it under the receipt's own transaction, where amount and moment tell
    several lines apart; else the transaction does.
    """

    __tablename__ = "reversals"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    receipt_id: Mapped[UUID]
    account_id: Mapped[UUID]
    transaction: Mapped[str]
    amount: Mapped[int]
    fee: Mapped[int] = mapped_column(default=0)
    excess: Mapped[int] = mapped_column(default=0)
    own_id: Mapped[bool] = mapped_column(default=False)
    moved_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    seal: Mapped[bytes | None]


class Allocation(Row):
    """Signed whole units of one receipt that are on a bill line or of another kind from `on_day` on.

    `adjustment_id` names the adjustment that freed them, if one did.
    """

    __tablename__ = "allocations"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    receipt_id: Mapped[UUID]
    household_tenant_id: Mapped[UUID | None]
    household_id: Mapped[UUID | None]
    bill_line_id: Mapped[UUID | None]
    kind: Mapped[str]
    amount: Mapped[int]
    on_day: Mapped[date]
    at: Mapped[datetime]
    reason: Mapped[str]
    adjustment_id: Mapped[UUID | None]


@dataclass(frozen=True)
class ReceiptPart:
    """Some units of a receipt and where they are. `freed_by` is an adjustment."""

    kind: PartKind
    amount: int
    household: HouseholdKey | None = None
    bill_line_id: UUID | None = None
    freed_by: UUID | None = None


def record(
    session: Session, account: OperatorAccount, movement: Movement, door: ReceiptDoor
) -> tuple[Receipt, bool]:
    """Records `movement`. Returns its receipt, and whether it is new: a repeat, through any door, is not.

    Until the operator names the transaction, the receipt stands under our reference; the name that comes
    later must not make a second receipt. The caller has locked the request that `movement` answers, so that
    no two transactions record it at the same time.
    """
    if (receipt := _find_under_other_name(session, account, movement)) is not None:
        return receipt, False
    row = {
        "tenant_id": account.tenant_id,
        "id": clock.new_id(),
        "account_id": account.id,
        "transaction": movement.transaction,
        "amount": movement.amount.units,
        "currency": movement.amount.currency,
        "fee": movement.fee or 0,
        "payer_index": crypto.blind_index(movement.payer) if movement.payer else None,
        "payer_cipher": crypto.seal_phone(movement.payer) if movement.payer else None,
        "reference": movement.reference,
        "door": door,
        "moved_at": movement.at,
        "recorded_at": clock.now(),
    }
    row["seal"] = seals.seal("receipts", row)
    once = insert(Receipt).values(row).on_conflict_do_nothing(index_elements=["account_id", "transaction"])
    if (receipt := session.scalars(once.returning(Receipt)).one_or_none()) is not None:
        return receipt, True
    same = (Receipt.account_id == account.id, Receipt.transaction == movement.transaction)
    return session.scalars(select(Receipt).where(*same)).one(), False


def _find_under_other_name(session: Session, account: OperatorAccount, movement: Movement) -> Receipt | None:
    """Returns the receipt of the same money under another name.

    One of the two stands under our reference, the other one under the operator's transaction.
    """
    if movement.reference is None:
        return None
    same = (Receipt.account_id == account.id, Receipt.reference == movement.reference)
    unnamed = Receipt.transaction == Receipt.reference
    query = select(Receipt).where(*same, *([] if movement.transaction == movement.reference else [unnamed]))
    return session.scalar(query.order_by(Receipt.recorded_at).limit(1))


def refer(receipt: Receipt, reference: str) -> None:
    """Gives a receipt the reference of the request that it answers, and seals it anew."""
    receipt.reference = reference
    receipt.seal = seals.seal("receipts", vars(receipt))


def differences(receipt: Receipt, movement: Movement) -> list[str]:
    """Returns the names of the fields in which `movement` contradicts the receipt of the same transaction.

    They are amount, currency, and payer where both payers are known.
    """
    payer = crypto.blind_index(movement.payer) if movement.payer else None
    differs = {
        "amount": receipt.amount != movement.amount.units,
        "currency": receipt.currency != movement.amount.currency,
        "payer": payer is not None and receipt.payer_index is not None and payer != receipt.payer_index,
    }
    return [name for name, differ in differs.items() if differ]


def place(
    session: Session, receipt: Receipt, parts: Iterable[ReceiptPart], *, on: date, reason: Reason
) -> None:
    """Writes allocations from the day `on`. Omits parts of 0; a negative part takes units away again."""
    shared = {
        "tenant_id": receipt.tenant_id,
        "receipt_id": receipt.id,
        "on_day": on,
        "at": clock.now(),
        "reason": reason,
    }
    inserts.add(session, Allocation, *({**shared, **_columns_of(part)} for part in parts if part.amount))


def _columns_of(part: ReceiptPart) -> dict[str, object]:
    return {
        "id": clock.new_id(),
        "household_tenant_id": part.household[0] if part.household else None,
        "household_id": part.household[1] if part.household else None,
        "bill_line_id": part.bill_line_id,
        "kind": part.kind,
        "amount": part.amount,
        "adjustment_id": part.freed_by,
    }


def lock_all(session: Session, receipt_ids: Iterable[UUID]) -> Mapping[UUID, Receipt]:
    """Locks receipts in the order of their ids. Returns, by id, those that the transaction may move.

    The caller has locked their households (`allocation.lock`).
    """
    query = select(Receipt).where(Receipt.id.in_(set(receipt_ids))).order_by(Receipt.id)
    locked = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return {row.id: row for row in session.scalars(locked)}


def lock(session: Session, receipt: Receipt) -> int:
    """Locks a receipt, whose money one transaction at a time may move. Returns its `version`.

    To move money between households, use `allocation.lock`, which locks these first.
    """
    key = (Receipt.tenant_id == receipt.tenant_id, Receipt.id == receipt.id)
    session.scalars(select(Receipt.id).where(*key).with_for_update(key_share=True)).one()
    return version(session, receipt)


def version(session: Session, receipt: Receipt) -> int:
    """Returns how many allocations a receipt has. A page remembers it to notice a later change."""
    of_receipt = (Allocation.tenant_id == receipt.tenant_id, Allocation.receipt_id == receipt.id)
    return session.scalar(select(func.count()).select_from(Allocation).where(*of_receipt)) or 0


def parts_of(session: Session, receipt: Receipt) -> list[ReceiptPart]:
    """Returns where the units of `receipt` are now, without what adds up to 0.

    Units on bills are in the order in which bills are paid: dues before joining fees, the oldest first.
    """
    columns = (
        Allocation.kind,
        Allocation.household_tenant_id,
        Allocation.household_id,
        Allocation.bill_line_id,
    )
    payment_order = (Bill.kind, Bill.issued, Bill.id)
    line = (BillLine.tenant_id == Allocation.household_tenant_id) & (BillLine.id == Allocation.bill_line_id)
    query = (
        select(*columns, func.sum(Allocation.amount))
        .outerjoin(BillLine, line)
        .outerjoin(Bill, (Bill.tenant_id == BillLine.tenant_id) & (Bill.id == BillLine.bill_id))
        .where(Allocation.tenant_id == receipt.tenant_id, Allocation.receipt_id == receipt.id)
        .group_by(*columns, *payment_order)
        .having(func.sum(Allocation.amount) != 0)
        .order_by(*payment_order, *columns)
    )
    rows = session.execute(query).all()
    return [
        ReceiptPart(PartKind(kind), int(units), (tenant, household) if tenant and household else None, line)
        for kind, tenant, household, line, units in rows
    ]


def reversed_units(session: Session, receipt: Receipt) -> int:
    """Returns how many units of `receipt` the operator has taken back."""
    of_receipt = (Reversal.tenant_id == receipt.tenant_id, Reversal.receipt_id == receipt.id)
    return session.scalar(select(func.coalesce(func.sum(Reversal.amount), 0)).where(*of_receipt)) or 0
