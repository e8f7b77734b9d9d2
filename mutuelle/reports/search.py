"""Lookup: what a manager typed in the one search box, and everything a page says of one household."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from mutuelle import crypto, phone, references
from mutuelle.cover import cover_books, insured_people, member_rights, rights
from mutuelle.cover.cover_books import HouseholdBooks, RightsRow
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.errors import Malformed, Refused
from mutuelle.households import households, member_numbers
from mutuelle.households.households import Household, Phone
from mutuelle.organisation.tenants import Tenant
from mutuelle.payments import promises
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Allocation, Receipt

MOST = 20


@dataclass(frozen=True)
class PaymentHit:
    """A payment or a receipt in a list. `status` is a payment's, None for a receipt; `id` is what its page is
    called by."""

    id: UUID
    at: datetime
    amount: int
    name: str
    status: str | None


@dataclass(frozen=True)
class SearchResult:
    """What was found, and what it was taken for: number, reference, transaction, phone, or nothing."""

    kind: str
    homes: Sequence[Household] = ()
    payments: Sequence[PaymentHit] = ()

    @property
    def all(self) -> list[Household | PaymentHit]:
        return [*self.homes, *self.payments]


def find(session: Session, tenant: Tenant, typed: str) -> SearchResult:
    """What `typed` names in this mutuelle."""
    for look in (_by_number, _by_reference, _by_transaction, _by_phone):
        found = look(session, tenant, typed)
        if found is not None and found.all:
            return found
    return SearchResult("nothing")


def _by_number(session: Session, tenant: Tenant, typed: str) -> SearchResult | None:
    try:
        home = households.by_number(session, member_numbers.check(typed))
    except Refused:
        return None
    return SearchResult("number", [home] if home else [])


def _by_reference(session: Session, tenant: Tenant, typed: str) -> SearchResult | None:
    ref = references.read(typed)
    if ref is None:
        return None
    rows = session.scalars(select(Payment).where(Payment.tenant_id == tenant.id, Payment.ref == ref)).all()
    return SearchResult("reference", (), [_of_payment(row) for row in rows])


def _by_transaction(session: Session, tenant: Tenant, typed: str) -> SearchResult | None:
    named = or_(Receipt.transaction == typed, Receipt.reference == typed)
    rows = session.scalars(select(Receipt).where(Receipt.tenant_id == tenant.id, named).limit(MOST))
    return SearchResult("transaction", (), [_of_receipt(row) for row in rows])


def _by_phone(session: Session, tenant: Tenant, typed: str) -> SearchResult | None:
    """Households it is or was registered to, and the money that came from it."""
    try:
        index = crypto.blind_index(phone.normalize(typed, tenant.country))
    except Malformed:
        return None
    registered = select(Phone.household_id).where(Phone.tenant_id == tenant.id, Phone.blind_index == index)
    homes = session.scalars(
        select(Household).where(Household.tenant_id == tenant.id, Household.id.in_(registered)).limit(MOST)
    )
    came = select(Receipt).where(Receipt.tenant_id == tenant.id, Receipt.payer_index == index)
    rows = session.scalars(came.order_by(Receipt.moved_at.desc()).limit(MOST))
    return SearchResult("phone", list(homes), [_of_receipt(row) for row in rows])


def _of_payment(row: Payment) -> PaymentHit:
    return PaymentHit(row.ref, row.created_at, row.amount, str(row.ref), row.status)


def _of_receipt(row: Receipt) -> PaymentHit:
    return PaymentHit(row.id, row.moved_at, row.amount, row.transaction, None)


def household(session: Session, home: Household, today: date) -> dict[str, Any]:
    """Where a household stands on the local date `today`, who is in it, its bills, phones, rights, promise
    and last money."""
    mine = (Phone.tenant_id == home.tenant_id, Phone.household_id == home.id)
    books, everybody = (
        cover_books.load(session, home.tenant_id, home.id),
        insured_people.load(session, home.tenant_id, home.id),
    )
    known = (RightsRow.tenant_id == home.tenant_id, RightsRow.household_id == home.id)
    return {
        "now": cover_books.position_of(books, today),
        "bills": books.left(today),
        "left_out": _left_out(books, everybody, today),
        "classes": {one.id: [held for held in one.classes if held.holds(today)] for one in everybody},
        "members": households.members_of(session, home.tenant_id, home.id),
        "phones": list(session.scalars(select(Phone).where(*mine).order_by(Phone.since.desc()))),
        "rights": list(
            session.scalars(select(RightsRow).where(*known).order_by(RightsRow.since.desc()).limit(6))
        ),
        "promised": promises.open_of(session, home.tenant_id, home.id),
        "money": _money(session, home),
    }


def _left_out(books: HouseholdBooks, everybody: Sequence[InsuredPerson], today: date) -> dict[UUID, str]:
    """Who is not covered for a reason of their own, age or number, while others of the household may be."""
    dues = books.bills
    found: dict[UUID, str] = {}
    for one in everybody:
        timeline = member_rights.timeline(books.version_of, dues, books.paid, everybody, one)
        if (reason := rights.on(timeline, today).reason) in ("rights.over-limit", "rights.over-age"):
            found[one.id] = reason
    return found


def _money(session: Session, home: Household) -> list[PaymentHit]:
    """Its last receipts, and its requests that came to nothing or are under way, newest first."""
    on_it = select(Allocation.receipt_id).where(
        Allocation.household_tenant_id == home.tenant_id, Allocation.household_id == home.id
    )
    came = select(Receipt).where(Receipt.tenant_id == home.tenant_id, Receipt.id.in_(on_it))
    hits = [_of_receipt(row) for row in session.scalars(came.order_by(Receipt.moved_at.desc()).limit(MOST))]
    asked = select(Payment).where(
        Payment.household_tenant_id == home.tenant_id, Payment.household_id == home.id
    )
    open_or_lost = asked.where(Payment.status.not_in(("confirmed", "reversed")))
    hits += [
        _of_payment(row)
        for row in session.scalars(open_or_lost.order_by(Payment.created_at.desc()).limit(MOST))
    ]
    return sorted(hits, key=lambda hit: hit.at, reverse=True)[:MOST]
