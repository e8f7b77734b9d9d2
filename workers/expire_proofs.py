"""Expires proofs that are over: once a day in each mutuelle, in its sending hours.

Also matches new households with the registry lists, and sends an SMS where a proof ends within a month.
Safe to run any number of times, because each step acts on a household only once.
"""

import logging
from uuid import UUID

from sqlalchemy.orm import Session

from gateway.doorbell import QueueName
from mutuelle import clock, db
from mutuelle.enrolment import category_proofs, pending_proofs, registry
from mutuelle.enrolment.pending_proofs import PendingProof
from mutuelle.households import household_sms, locks
from mutuelle.messaging import reminder_runs
from mutuelle.messaging.messages import MessageKind
from mutuelle.organisation import tenants
from mutuelle.organisation.mutuelle_day import MutuelleDay
from workers.services import WorkerServices

PAGE = 100  # households in one transaction
MOST = 10_000  # proofs that expire in one run
BY = "registry"
log = logging.getLogger("workers.expire_proofs")


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
        try:
            count += _expire(mutuelle_day) + _match_lists(mutuelle_day) + _notify(mutuelle_day)
        except Exception as error:  # of any kind: bills are written and reminders go out
            log.exception("proofs of a mutuelle failed: %s", type(error).__name__)
    if count:
        services.doorbell.ring(QueueName.MESSAGES)
    return count


def _expire(mutuelle_day: MutuelleDay) -> int:
    """Expires proofs that are over. Returns how many. Opens a case where the rules then refuse."""
    with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
        over = pending_proofs.expired_proofs(session, mutuelle_day.tenant_id, mutuelle_day.today, MOST)
    rows = sorted(over, key=lambda row: row.household_id)
    expired = 0
    for start in range(0, len(rows), PAGE):
        with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
            page = rows[start : start + PAGE]
            locks.lock_all(session, mutuelle_day.tenant_id, [row.household_id for row in page])
            for row in page:
                with category_proofs.or_open_case(session, mutuelle_day.tenant_id, row.household_id):
                    expired += category_proofs.expire(session, mutuelle_day.tenant_id, row)
    return expired


def _match_lists(mutuelle_day: MutuelleDay) -> int:
    """Matches households with the registry lists. Returns how many were proven or proposed to staff."""
    with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
        matches = registry.matches(session, tenants.get(session, mutuelle_day.tenant_id))
    matches = sorted(matches, key=lambda match: match.household_id)
    count = 0
    for start in range(0, len(matches), PAGE):
        with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
            count += sum(
                registry.carry_out(session, mutuelle_day.tenant_id, matches[start : start + PAGE], BY)
            )
    return count


def _notify(mutuelle_day: MutuelleDay) -> int:
    """Tells households, once for each proof, that it ends soon. Returns the number of SMS."""
    count = skip = 0
    while True:
        with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
            tenant = tenants.get(session, mutuelle_day.tenant_id)
            rows = pending_proofs.proofs_near_end(session, tenant, skip=skip, limit=PAGE)
            count += sum(_queue(session, mutuelle_day.tenant_id, row) for row in rows)
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
