"""Locks households, so that one transaction at a time changes a household, its bills, and where its money is.

All code takes locks in one order (decision 0015): first the row that says what is to be done (a task's
payment, a refund, a proposal, a part of a run), then households by their ids (`lock`, `lock_all`), then
sponsors by their ids, then numbers of proofs (`unique_evidence.lock`), then receipts by their ids
(`allocation.lock`). A transaction of several households locks all of them first.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import pipeline
from mutuelle.organisation import sponsors

HouseholdKey = tuple[UUID, UUID]  # (tenant_id, household_id)


def lock(session: Session, household: HouseholdKey) -> None:
    """Locks one household until the transaction ends. NoResultFound if it does not exist."""
    (rows,) = pipeline.query(session, lock_statement(household))
    pipeline.single_row(rows)


def lock_all(session: Session, tenant_id: UUID, household_ids: Iterable[UUID]) -> None:
    """Locks many households of a mutuelle, then the sponsors that help them."""
    ids = list(household_ids)
    pipeline.query(session, (_LOCK_ALL, {"tenant": tenant_id, "household_ids": ids}))
    sponsors.lock_of_households(session, tenant_id, ids)


def lock_statement(household: HouseholdKey) -> tuple[str, dict[str, UUID]]:
    """Returns the statement that locks one household, to be sent together with others."""
    return _LOCK, parameters(household)


def parameters(household: HouseholdKey) -> dict[str, UUID]:
    """Returns the parameters that name one household in a statement."""
    return {"tenant": household[0], "home": household[1]}


_LOCK = "SELECT id FROM households WHERE tenant_id = %(tenant)s AND id = %(home)s FOR NO KEY UPDATE"
_LOCK_ALL = (
    "SELECT id FROM households WHERE tenant_id = %(tenant)s AND id = ANY(%(household_ids)s)"
    " ORDER BY id FOR NO KEY UPDATE"
)
