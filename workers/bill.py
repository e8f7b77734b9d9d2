"""Bill: once a day, in each mutuelle, write the next bill of every household whose cover calls for one.

A run goes in pages, each in its own transaction with how far it came, so that whatever is cut off goes on
there, and several workers take a part each. Only of a sponsor's part somebody is told from here; reminders
read bills.
"""

import logging
from dataclasses import replace

from sqlalchemy.orm import Session

from mutuelle import db
from mutuelle.billing import billing_runs, renewals, sponsorships
from mutuelle.billing.billing_runs import Place
from mutuelle.billing.renewals import RenewalCandidate
from mutuelle.organisation import sponsors, tenants
from mutuelle.schemes import schemes
from workers.services import WorkerServices

PAGE = 1_000  # households looked at in one transaction
HELPED = 50  # of them that a sponsor helps: each of these is adjusted by itself, while the others of the page are locked
PAGES = 20  # of all mutuelles in one run; the rest waits for the next ring
log = logging.getLogger("workers")


def run(hub: WorkerServices) -> int:
    """Write what is due; how many pages were looked at. Safe to run any number of times, and to be cut off
    anywhere."""
    with db.transaction(db.Role.WORKER) as session:
        places = billing_runs.due(session)
    pages = 0
    for place in places:
        try:
            while pages < PAGES and page(place):
                pages += 1
        except Exception as error:  # whatever it was, the other mutuelles are billed, and reminders go out
            log.exception("bills of a mutuelle failed: %s", type(error).__name__)
    if pages == PAGES:
        hub.doorbell.ring("daily")
    return pages


def page(place: Place, size: int = PAGE) -> bool:
    """Write the bills of the next `size` households; False when none are left, or other workers are at
    them."""
    with db.transaction(db.Role.WORKER, place.tenant_id) as session:
        part = billing_runs.take(session, place)
        if part is None:
            return False
        scheme = schemes.in_use(tenants.get(session, place.tenant_id).scheme)
        stretch = billing_runs.stretch(session, place, part, size)
        looked = renewals.candidates(session, place.tenant_id, scheme, place.today, stretch)
        found = _with_few_helped(session, place, looked)
        if len(found) < len(looked):
            stretch = replace(stretch, last=found[-1].id)
        written = renewals.issue(session, place.tenant_id, scheme, found, place.today)
        sponsorships.follow(
            session, place.tenant_id, [one.id for one in found], place.today
        )  # before the household's own credit
        renewals.pay(session, place.tenant_id, written, place.today)
        billing_runs.reach(session, place, part, stretch)
    return True


def _with_few_helped(
    session: Session, place: Place, looked: list[RenewalCandidate]
) -> list[RenewalCandidate]:
    """The first of them, up to `HELPED` that a sponsor helps."""
    helped = sponsors.sponsored_households(session, place.tenant_id, [one.id for one in looked])
    places = [number for number, one in enumerate(looked) if one.id in helped]
    return looked[: places[HELPED]] if len(places) > HELPED else looked
