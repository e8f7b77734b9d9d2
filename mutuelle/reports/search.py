"""Answers the console's search box: a member number, a reference, a transaction or a phone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from mutuelle import crypto, phone, references
from mutuelle.errors import Malformed, Refused
from mutuelle.households import households, member_numbers
from mutuelle.households.households import Household, Phone
from mutuelle.organisation.tenants import Tenant
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Receipt

MOST = 20


class SearchKind(StrEnum):
    """What the typed text was read as."""

    NUMBER = "number"
    REFERENCE = "reference"
    TRANSACTION = "transaction"
    PHONE = "phone"
    NOTHING = "nothing"


@dataclass(frozen=True)
class PaymentHit:
    """A payment or a receipt in a list; `id` is that of its page. `status` is None for a receipt."""

    id: UUID
    at: datetime
    amount: int
    name: str
    status: str | None


@dataclass(frozen=True)
class SearchResult:
    """The households and payments that match."""

    kind: SearchKind
    households: Sequence[Household] = ()
    payments: Sequence[PaymentHit] = ()

    @property
    def all(self) -> list[Household | PaymentHit]:
        return [*self.households, *self.payments]


def find(session: Session, tenant: Tenant, typed: str) -> SearchResult:
    """Returns what `typed` names in this mutuelle."""
    for look_up in (_by_number, _by_reference, _by_transaction, _by_phone):
        result = look_up(session, tenant, typed)
        if result is not None and result.all:
            return result
    return SearchResult(SearchKind.NOTHING)


def _by_number(session: Session, tenant: Tenant, typed: str) -> SearchResult | None:
    try:
        household = households.by_number(session, member_numbers.check(typed))
    except Refused:
        return None
    return SearchResult(SearchKind.NUMBER, [household] if household else [])


def _by_reference(session: Session, tenant: Tenant, typed: str) -> SearchResult | None:
    ref = references.read(typed)
    if ref is None:
        return None
    rows = session.scalars(select(Payment).where(Payment.tenant_id == tenant.id, Payment.ref == ref)).all()
    return SearchResult(SearchKind.REFERENCE, (), [payment_hit(row) for row in rows])


def _by_transaction(session: Session, tenant: Tenant, typed: str) -> SearchResult | None:
    named = or_(Receipt.transaction == typed, Receipt.reference == typed)
    query = select(Receipt).where(Receipt.tenant_id == tenant.id, named).order_by(Receipt.moved_at.desc())
    rows = session.scalars(query.limit(MOST))
    return SearchResult(SearchKind.TRANSACTION, (), [receipt_hit(row) for row in rows])


def _by_phone(session: Session, tenant: Tenant, typed: str) -> SearchResult | None:
    """The households that the phone is or was registered to, and the money that came from it."""
    try:
        index = crypto.blind_index(phone.normalize(typed, tenant.country))
    except Malformed:
        return None
    registered = select(Phone.household_id).where(Phone.tenant_id == tenant.id, Phone.blind_index == index)
    query = select(Household).where(Household.tenant_id == tenant.id, Household.id.in_(registered))
    is_former = Household.id.not_in(registered.where(Phone.until.is_(None)))
    households = session.scalars(query.order_by(is_former, Household.id).limit(MOST))
    receipts = select(Receipt).where(Receipt.tenant_id == tenant.id, Receipt.payer_index == index)
    rows = session.scalars(receipts.order_by(Receipt.moved_at.desc()).limit(MOST))
    return SearchResult(SearchKind.PHONE, list(households), [receipt_hit(row) for row in rows])


def payment_hit(row: Payment) -> PaymentHit:
    return PaymentHit(row.ref, row.created_at, row.amount, str(row.ref), row.status)


def receipt_hit(row: Receipt) -> PaymentHit:
    return PaymentHit(row.id, row.moved_at, row.amount, row.transaction, None)
