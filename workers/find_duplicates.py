"""Finds likely duplicates once a day in each mutuelle, in its sending hours, and opens their cases.

Finds what no name, enrolment or claim of the day has found: members named before there were keys, and numbers
of proofs. Safe to run any number of times, because a pair is stored once.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import db, set_aside
from mutuelle.households import duplicates
from mutuelle.households.households import Household
from mutuelle.messaging import reminder_runs
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.set_aside import Work
from workers.services import WorkerServices

PAGE = 500  # households in one transaction
BEFORE_FIRST = UUID(int=0)


def run(_: WorkerServices) -> int:
    """Works in each mutuelle whose reminders of today have not begun. Returns the number of new pairs."""
    with db.transaction(db.Role.WORKER) as session:
        mutuelle_days = [
            mutuelle_day
            for mutuelle_day in reminder_runs.due(session)
            if not reminder_runs.has_begun(session, mutuelle_day)
        ]
    count = 0
    for mutuelle_day in mutuelle_days:
        with set_aside.mutuelle(mutuelle_day.tenant_id, Work.DUPLICATES):
            count += find(mutuelle_day)
    return count


def find(mutuelle_day: MutuelleDay, size: int = PAGE) -> int:
    """Looks at all households of a mutuelle, `size` in a transaction. Returns the number of new pairs."""
    tenant_id = mutuelle_day.tenant_id
    _in_pages(tenant_id, size, duplicates.compute_keys)
    count = _in_pages(tenant_id, size, duplicates.find)
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        duplicates.open_untold_cases(session, tenant_id)
    return count


def _in_pages(tenant_id: UUID, size: int, act: Callable[[Session, UUID, Sequence[UUID]], int | None]) -> int:
    """Calls `act` with pages of all households, a transaction each. Returns the sum of its results."""
    page = select(Household.id).where(Household.tenant_id == tenant_id).order_by(Household.id).limit(size)
    total, after = 0, BEFORE_FIRST
    while True:
        with db.transaction(db.Role.WORKER, tenant_id) as session:
            household_ids = session.scalars(page.where(Household.id > after)).all()
            total += act(session, tenant_id, household_ids) or 0
        if len(household_ids) < size:
            return total
        after = household_ids[-1]
