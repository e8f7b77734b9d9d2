"""Expire: once a day, by daylight, end the proofs that are over, look the lists up for whoever joined since,
and tell those whose proof ends within a month. Safe to run any number of times: each step is news only once.
"""

import logging
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import clock, db
from mutuelle.enrolment import categories, pending_proofs, registry
from mutuelle.enrolment.pending_proofs import PendingProof
from mutuelle.households import households, locks
from mutuelle.messaging import messages, reminder_runs
from mutuelle.messaging.reminder_runs import Place
from mutuelle.organisation import tenants
from workers.services import WorkerServices

KIND = "proof"
PAGE = 100  # households in one transaction
MOST = 10_000  # proofs that end in one run
BY = "registry"
log = logging.getLogger("workers")


def run(hub: WorkerServices) -> int:
    """Do what is due, where today's reminders have not begun, which come after it; how many households were
    concerned."""
    with db.transaction(db.Role.WORKER) as session:
        places = [place for place in reminder_runs.due(session) if not reminder_runs.begun(session, place)]
    done = 0
    for place in places:
        try:
            done += _over(place) + _listed(place) + _told(place)
        except Exception as error:  # whatever it was, bills are written and reminders go out
            log.exception("proofs of a mutuelle failed: %s", type(error).__name__)
    if done:
        hub.doorbell.ring("messages")
    return done


def _over(place: Place) -> int:
    """Households claim again whose proof is over; whom the rules then refuse is shown to a person."""
    with db.transaction(db.Role.WORKER, place.tenant_id) as session:
        over = pending_proofs.over(session, place.tenant_id, place.today, MOST)
    rows = sorted(over, key=lambda row: row.household_id)
    ended = 0
    for start in range(0, len(rows), PAGE):
        with db.transaction(db.Role.WORKER, place.tenant_id) as session:
            page = rows[start : start + PAGE]
            locks.lock_all(session, place.tenant_id, [row.household_id for row in page])
            for row in page:
                with categories.or_flag(session, place.tenant_id, row.household_id):
                    ended += categories.expire(session, place.tenant_id, row)
    return ended


def _listed(place: Place) -> int:
    """Households that the lists prove by now, and those a person is asked about."""
    with db.transaction(db.Role.WORKER, place.tenant_id) as session:
        found = sorted(
            registry.matches(session, tenants.get(session, place.tenant_id)), key=lambda one: one.home_id
        )
    done = 0
    for start in range(0, len(found), PAGE):
        with db.transaction(db.Role.WORKER, place.tenant_id) as session:
            done += sum(registry.carry_out(session, place.tenant_id, found[start : start + PAGE], BY))
    return done


def _told(place: Place) -> int:
    """Households that are told, once for each proof, that it ends."""
    told = skip = 0
    while True:
        with db.transaction(db.Role.WORKER, place.tenant_id) as session:
            rows = pending_proofs.ending(
                session, tenants.get(session, place.tenant_id), skip=skip, limit=PAGE
            )
            told += sum(_queue(session, place.tenant_id, row) for row in rows)
        if len(rows) < PAGE:
            return told
        skip += PAGE


def _queue(session: Session, tenant_id: UUID, row: PendingProof) -> bool:
    phone = households.phone_of(session, tenant_id, row.household_id)
    if phone is None or row.until is None:
        return False
    home = households.get(session, tenant_id, row.household_id)
    return messages.queue_once(
        session,
        tenant_id,
        key=f"{KIND}:{row.household_id}:{row.until}",
        at=clock.now(),
        phone=phone,
        household_id=home.id,
        language=home.language,
        kind=KIND,
        facts={"proof_until": row.until.isoformat()},
    )
