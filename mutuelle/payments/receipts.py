"""Receipts: money proven received, and where each unit of it went. Proven money is always recorded, once.

A unit is on a bill line, a household's credit, in suspense, refunded or reversed; moving it is a negative row
and a positive one, so the parts of a receipt always add up to its amount (I1).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, crypto, inserts
from mutuelle.db import Row
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments.operators import Movement


class Receipt(Row):
    """Unique per (operator account, transaction), whatever door it came through."""

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


class Reversal(Row):
    """The operator took a receipt back; seen under a transaction of its own."""

    __tablename__ = "reversals"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    receipt_id: Mapped[UUID]
    account_id: Mapped[UUID]
    transaction: Mapped[str]
    amount: Mapped[int]
    moved_at: Mapped[datetime]
    recorded_at: Mapped[datetime]


class Allocation(Row):
    """Signed whole units of one receipt: on a bill line, credit, suspense, refunded or reversed, from
    `on_day` on.

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
    """Some units of a receipt and where they are. `household` is (tenant, household), `freed_by` an
    adjustment."""

    kind: str
    amount: int
    household: tuple[UUID, UUID] | None = None
    bill_line_id: UUID | None = None
    freed_by: UUID | None = None


def record(session: Session, account: OperatorAccount, moved: Movement, door: str) -> tuple[Receipt, bool]:
    """The receipt of `moved`, and whether it is new. A repeat, through any door, returns the first.

    Where the operator did not name the transaction, our reference does; the name it learns later must not
    make it a second one. The caller has locked the request `moved` answers, so that no two do this at once.
    """
    if (known := _find_under_other_name(session, account, moved)) is not None:
        return known, False
    row = {
        "tenant_id": account.tenant_id,
        "id": clock.new_id(),
        "account_id": account.id,
        "transaction": moved.transaction,
        "amount": moved.amount.units,
        "currency": moved.amount.currency,
        "fee": moved.fee,
        "payer_index": crypto.blind_index(moved.payer) if moved.payer else None,
        "payer_cipher": crypto.seal_phone(moved.payer) if moved.payer else None,
        "reference": moved.reference,
        "door": door,
        "moved_at": moved.at,
        "recorded_at": clock.now(),
    }
    once = insert(Receipt).values(row).on_conflict_do_nothing(index_elements=["account_id", "transaction"])
    if (fresh := session.scalars(once.returning(Receipt)).one_or_none()) is not None:
        return fresh, True
    named = select(Receipt).where(Receipt.account_id == account.id, Receipt.transaction == moved.transaction)
    return session.scalars(named).one(), False


def _find_under_other_name(session: Session, account: OperatorAccount, moved: Movement) -> Receipt | None:
    """The receipt of the same money under our reference when `moved` has the operator's name, or the other
    way round."""
    if moved.reference is None:
        return None
    same = (Receipt.account_id == account.id, Receipt.reference == moved.reference)
    unnamed = Receipt.transaction == Receipt.reference
    query = select(Receipt).where(*same, *([] if moved.transaction == moved.reference else [unnamed]))
    return session.scalar(query.order_by(Receipt.recorded_at).limit(1))


def differences(receipt: Receipt, moved: Movement) -> list[str]:
    """What makes `moved` other money than the receipt of the same transaction: amount, currency, or payer if
    both are told."""
    payer = crypto.blind_index(moved.payer) if moved.payer else None
    told = {
        "amount": receipt.amount != moved.amount.units,
        "currency": receipt.currency != moved.amount.currency,
        "payer": payer is not None and receipt.payer_index is not None and payer != receipt.payer_index,
    }
    return [what for what, differs in told.items() if differs]


def place(session: Session, receipt: Receipt, parts: Iterable[ReceiptPart], *, on: date, reason: str) -> None:
    """Write where units of `receipt` are from `on` on. Parts of 0 are left out; a negative part takes units
    away again."""
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
    """Lock these receipts, in the order of their ids; those of them that the transaction may move. Their
    households are locked already (`allocation.py`)."""
    wanted = select(Receipt).where(Receipt.id.in_(set(receipt_ids))).order_by(Receipt.id)
    return {row.id: row for row in session.scalars(wanted.with_for_update(key_share=True))}


def lock(session: Session, receipt: Receipt) -> int:
    """One transaction at a time moves a receipt's money; how many allocations it has, so that a later one is
    noticed.

    Whoever moves it between households locks these first: `allocation.lock`.
    """
    mine = (Receipt.tenant_id == receipt.tenant_id, Receipt.id == receipt.id)
    session.scalars(select(Receipt.id).where(*mine).with_for_update(key_share=True)).one()
    return version(session, receipt)


def version(session: Session, receipt: Receipt) -> int:
    """How many allocations it has: what a page was shown from."""
    of_it = (Allocation.tenant_id == receipt.tenant_id, Allocation.receipt_id == receipt.id)
    return session.scalar(select(func.count()).select_from(Allocation).where(*of_it)) or 0


def parts_of(session: Session, receipt: Receipt) -> list[ReceiptPart]:
    """Where the units of `receipt` are now; nothing that adds up to 0."""
    where = (
        Allocation.kind,
        Allocation.household_tenant_id,
        Allocation.household_id,
        Allocation.bill_line_id,
    )
    query = select(*where, func.sum(Allocation.amount)).where(
        Allocation.tenant_id == receipt.tenant_id, Allocation.receipt_id == receipt.id
    )
    rows = session.execute(query.group_by(*where).having(func.sum(Allocation.amount) != 0)).all()
    return [
        ReceiptPart(kind, int(units), (tenant, home) if tenant and home else None, line)
        for kind, tenant, home, line, units in rows
    ]


def reversed_units(session: Session, receipt: Receipt) -> int:
    """How much of `receipt` the operator has taken back."""
    mine = (Reversal.tenant_id == receipt.tenant_id, Reversal.receipt_id == receipt.id)
    return session.scalar(select(func.coalesce(func.sum(Reversal.amount), 0)).where(*mine)) or 0


def record_reversal(session: Session, receipt: Receipt, moved: Movement) -> bool:
    """Write that the operator took `moved` of `receipt` back. False when it was written before."""
    row = {
        "tenant_id": receipt.tenant_id,
        "id": clock.new_id(),
        "receipt_id": receipt.id,
        "account_id": receipt.account_id,
        "transaction": moved.transaction,
        "amount": moved.amount.units,
        "moved_at": moved.at,
        "recorded_at": clock.now(),
    }
    once = insert(Reversal).values(row).on_conflict_do_nothing(index_elements=["account_id", "transaction"])
    return session.scalar(once.returning(Reversal.id)) is not None
