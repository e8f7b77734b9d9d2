"""Writes, once a day in each mutuelle, the next bill of every household whose cover calls for one.

Before that, bills that have opened nothing are repriced by the rules of the day, or end with their year.

A run goes in pages. Each page is a transaction that also stores how far the run has come, so that a run that
is cut off resumes, and several workers share one run. The only SMS queued here is about a sponsor's part;
reminders read the bills later.
"""

import logging
from dataclasses import replace

from sqlalchemy.orm import Session

from gateway.doorbell import QueueName
from mutuelle import db, set_aside
from mutuelle.billing import billing_runs, renewals, sponsorships, unopened_bills
from mutuelle.billing.renewals import RenewalCandidate
from mutuelle.organisation import sponsors, tenants
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.schemes import schemes
from mutuelle.schemes.schemes import Scheme
from mutuelle.set_aside import Work
from workers.services import WorkerServices

PAGE = 1_000  # households read in one transaction
# Of these, households with a sponsor: each is adjusted by itself while the others of the page stay locked.
SPONSORED = 50
PAGES = 20  # of all mutuelles in one run; the rest waits for the next ring
log = logging.getLogger("workers.bill")


def run(services: WorkerServices) -> int:
    """Writes the bills that are due. Returns the number of pages. May run often, or be cut off."""
    with db.transaction(db.Role.WORKER) as session:
        mutuelle_days = billing_runs.due(session)
    pages = 0
    for mutuelle_day in mutuelle_days:
        with set_aside.mutuelle(mutuelle_day.tenant_id, Work.BILLS):
            while pages < PAGES and write_page(mutuelle_day):
                pages += 1
    if pages == PAGES:
        services.doorbell.ring(QueueName.DAILY)
    return pages


def write_page(mutuelle_day: MutuelleDay, size: int = PAGE) -> bool:
    """Writes the bills of the next `size` households. False when none are left or other workers hold them.

    When the page fails, writes them one by one, and sets those aside on which that fails, too. Raises what
    concerns the whole mutuelle, such as a rule book that is not in force.
    """
    with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
        scheme = schemes.in_use(tenants.get(session, mutuelle_day.tenant_id).scheme)
    scheme.on(mutuelle_day.today)
    try:
        return _write_next(mutuelle_day, scheme, size)
    except Exception as error:  # of any kind: found household by household
        set_aside.raise_if_elsewhere(error)
        log.warning("a page of bills failed: %s", type(error).__name__)
    return all(_write_one(mutuelle_day, scheme) for _ in range(size))


def _write_next(mutuelle_day: MutuelleDay, scheme: Scheme, size: int) -> bool:
    with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
        part = billing_runs.take(session, mutuelle_day)
        if part is None:
            return False
        stretch = billing_runs.next_page(session, mutuelle_day, part, size)
        unopened_bills.update(session, mutuelle_day.tenant_id, scheme, mutuelle_day.today, stretch)
        candidates = renewals.candidates(session, mutuelle_day.tenant_id, scheme, mutuelle_day.today, stretch)
        chosen = _with_few_sponsored(session, mutuelle_day, candidates)
        if len(chosen) < len(candidates):
            stretch = replace(stretch, last=chosen[-1].id)
        issued = renewals.issue(session, mutuelle_day.tenant_id, scheme, chosen, mutuelle_day.today)
        # Sponsors pay before the household's own credit does.
        sponsorships.promise_for_new_bills(
            session, mutuelle_day.tenant_id, [candidate.id for candidate in chosen], mutuelle_day.today
        )
        renewals.pay(session, mutuelle_day.tenant_id, issued, mutuelle_day.today)
        set_aside.close_recovered(
            session,
            mutuelle_day.tenant_id,
            Work.BILLS,
            lambda household_id: stretch.after < household_id <= stretch.last,
        )
        billing_runs.save_progress(session, mutuelle_day, part, stretch)
    return True


def _write_one(mutuelle_day: MutuelleDay, scheme: Scheme) -> bool:
    """Writes the bills of the next household, or sets it aside. False when none is left to this worker."""
    try:
        return _write_next(mutuelle_day, scheme, 1)
    except Exception as error:  # of any kind: the other households are billed
        with db.transaction(db.Role.WORKER, mutuelle_day.tenant_id) as session:
            part = billing_runs.take(session, mutuelle_day)
            if part is None:
                return False
            stretch = billing_runs.next_page(session, mutuelle_day, part, 1)
            if stretch is part:  # no household is left: something else fails
                raise
            set_aside.household(session, mutuelle_day.tenant_id, stretch.last, Work.BILLS, error)
            billing_runs.save_progress(session, mutuelle_day, part, stretch)
        return True


def _with_few_sponsored(
    session: Session, mutuelle_day: MutuelleDay, candidates: list[RenewalCandidate]
) -> list[RenewalCandidate]:
    """The first candidates, cut off before the sponsored one that would exceed `SPONSORED`."""
    ids = [candidate.id for candidate in candidates]
    sponsored = sponsors.sponsored_households(session, mutuelle_day.tenant_id, ids)
    positions = [position for position, household_id in enumerate(ids) if household_id in sponsored]
    return candidates[: positions[SPONSORED]] if len(positions) > SPONSORED else candidates
