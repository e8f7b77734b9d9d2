"""Loads everything that the page of one household shows."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle.cover import cover_books, household_rights, insured_people, member_rights
from mutuelle.cover.cover_books import HouseholdBooks, RightsRow
from mutuelle.cover.household_rights import RightsReason
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.errors import UnreadableBooks
from mutuelle.households import households
from mutuelle.households.households import Household, Phone
from mutuelle.payments import promises
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Allocation, Receipt
from mutuelle.reports.search import MOST, PaymentHit, payment_hit, receipt_hit

NOT_COVERED = (RightsReason.OVER_LIMIT, RightsReason.OVER_AGE, RightsReason.NOT_ADMITTED)


def load(session: Session, household: Household, today: date) -> dict[str, Any]:
    """Returns the facts of a household on the local date `today`, by the template's variable names.

    When its bills or its money cannot be read, `now` is None and nothing that follows from them is shown.
    """
    key = (household.tenant_id, household.id)
    people = insured_people.load(session, *key)
    phones = select(Phone).where(Phone.tenant_id == household.tenant_id, Phone.household_id == household.id)
    stored = select(RightsRow).where(
        RightsRow.tenant_id == household.tenant_id, RightsRow.household_id == household.id
    )
    return {
        **_of_books(session, household, people, today),
        "classes": {
            person.id: [status for status in person.statuses if status.holds(today)] for person in people
        },
        "members": households.members_of(session, *key),
        "phones": list(session.scalars(phones.order_by(Phone.since.desc()))),
        "rights": list(session.scalars(stored.order_by(RightsRow.since.desc()).limit(6))),
        "promised": promises.open_of(session, *key),
        "money": _payments(session, household),
    }


def _of_books(
    session: Session, household: Household, people: Sequence[InsuredPerson], today: date
) -> dict[str, Any]:
    """Returns what follows from the household's bills and money."""
    try:
        books = cover_books.load(session, household.tenant_id, household.id)
        return {
            "now": cover_books.position_of(books, today),
            "bills": books.left(today),
            "left_out": _left_out(books, people, today),
        }
    except UnreadableBooks:
        return {"now": None, "bills": [], "left_out": {}}


def _left_out(books: HouseholdBooks, people: Sequence[InsuredPerson], today: date) -> dict[UUID, str]:
    """Returns the members that are not covered because of who they are or their number, with the reason."""
    reasons: dict[UUID, str] = {}
    for person in people:
        timeline = member_rights.timeline(books.version_of, books.bills, books.paid, people, person)
        if (reason := household_rights.on(timeline, today).reason) in NOT_COVERED:
            reasons[person.id] = reason
    return reasons


def _payments(session: Session, household: Household) -> list[PaymentHit]:
    """Returns the last receipts and the last requests that are open or were not paid, newest first."""
    allocated = select(Allocation.receipt_id).where(
        Allocation.household_tenant_id == household.tenant_id, Allocation.household_id == household.id
    )
    receipts = select(Receipt).where(Receipt.tenant_id == household.tenant_id, Receipt.id.in_(allocated))
    requests = select(Payment).where(
        Payment.household_tenant_id == household.tenant_id,
        Payment.household_id == household.id,
        Payment.status.not_in(("confirmed", "reversed")),
    )
    hits = [
        *map(receipt_hit, session.scalars(receipts.order_by(Receipt.moved_at.desc()).limit(MOST))),
        *map(payment_hit, session.scalars(requests.order_by(Payment.created_at.desc()).limit(MOST))),
    ]
    return sorted(hits, key=lambda hit: hit.at, reverse=True)[:MOST]
