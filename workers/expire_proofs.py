"""Expires proofs that are over: once a day in each mutuelle, in its sending hours.

Also matches new households with the registry lists, and sends an SMS where a proof ends within a month.
Safe to run any number of times, because each step acts on a household only once.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from gateway.doorbell import QueueName
from mutuelle import clock, db, set_aside
from mutuelle.enrolment import category_proofs, pending_proofs, social_registry
from mutuelle.enrolment.pending_proofs import PendingProof
from mutuelle.enrolment.registry_matching import Match
from mutuelle.households import household_sms, locks
from mutuelle.households.households import CategoryClaim
from mutuelle.messaging import reminder_runs
from mutuelle.messaging.messages import MessageKind
from mutuelle.organisation import tenants
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.set_aside import Work
from workers.services import WorkerServices

PAGE = 100  # households in one transaction
MOST = 10_000  # proofs that expire in one run
BY = "registry"


def run(services: WorkerServices) -> int:
    """Works in each mutuelle whose reminders of today have not begun. Returns the number of households."""
    with db.transaction(db.Role.WORKER) as session:
        mutuelle_days = [
            mutuelle_day
            for mutuelle_day in reminder_runs.due(session)
            if not reminder_runs.has_begun(session, mutuelle_day)
        ]
    count = 0
    for mutuelle_day in mutuelle_days:
        for work, step in STEPS.items():
            with set_aside.mutuelle(mutuelle_day.tenant_id, work):
                count += step(mutuelle_day)
    if count:
        services.doorbell.ring(QueueName.MESSAGES)
    return count


def _expire(mutuelle_day: MutuelleDay) -> int:
    """Expires proofs that are over. Returns how many. Opens a case where the rules then refuse."""

    def expire(session: Session, rows: Sequence[CategoryClaim]) -> int:
        locks.lock_all(session, mutuelle_day.tenant_id, [row.household_id for row in rows])
        expired = 0
        for row in rows:
            with category_proofs.or_open_case(session, mutuelle_day.tenant_id, row.household_id):
                expired += category_proofs.expire(session, mutuelle_day.tenant_id, row)
        return expired

    with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
        over = pending_proofs.expired_proofs(session, mutuelle_day.tenant_id, mutuelle_day.today, MOST)
    over = sorted(over, key=lambda row: row.household_id)
    return set_aside.in_pages(mutuelle_day.tenant_id, Work.PROOF_ENDS, over, expire, PAGE)


def _match_lists(mutuelle_day: MutuelleDay) -> int:
    """Matches households with the registry lists. Returns how many were proven or proposed to staff."""

    def carry_out(session: Session, matches: Sequence[Match]) -> int:
        return sum(social_registry.carry_out(session, mutuelle_day.tenant_id, matches, BY))

    with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
        matches = social_registry.matches(session, tenants.get(session, mutuelle_day.tenant_id))
    matches = sorted(matches, key=lambda match: match.household_id)
    return set_aside.in_pages(mutuelle_day.tenant_id, Work.LISTS, matches, carry_out, PAGE)


def _notify(mutuelle_day: MutuelleDay) -> int:
    """Tells households, once for each proof, that it ends soon. Returns the number of SMS."""

    def notify(session: Session, rows: Sequence[PendingProof]) -> int:
        return sum(_queue(session, mutuelle_day.tenant_id, row) for row in rows)

    count = skip = 0
    while True:
        with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
            tenant = tenants.get(session, mutuelle_day.tenant_id)
            rows = pending_proofs.proofs_near_end(session, tenant, skip=skip, limit=PAGE)
        count += set_aside.in_pages(mutuelle_day.tenant_id, Work.PROOF_NOTICES, rows, notify, PAGE)
        if len(rows) < PAGE:
            return count
        skip += PAGE


def _queue(session: Session, tenant_id: UUID, row: PendingProof) -> bool:
    return row.until is not None and household_sms.queue_once(
        session,
        (tenant_id, row.household_id),
        MessageKind.PROOF,
        {"proof_until": row.until.isoformat()},
        key=f"{MessageKind.PROOF}:{row.household_id}:{row.until}",
        at=clock.now(),
    )


STEPS = {Work.PROOF_ENDS: _expire, Work.LISTS: _match_lists, Work.PROOF_NOTICES: _notify}
