"""Bill: once a day, in each mutuelle, write the next bill of every household whose cover calls for one.

A run goes in pages, each in its own transaction with how far it came, so that whatever is cut off goes on there, and two at
once take turns. Nothing is said from here: reminders read bills.
"""

from mutuelle import db, renewals, rounds, schemes, tenants
from mutuelle.rounds import Place
from workers.hub import Hub

PAGE = 1_000  # households in one transaction
PAGES = 20  # of all mutuelles in one run; the rest waits for the next ring


def run(hub: Hub) -> int:
    """Write what is due; how many pages were looked at. Safe to run any number of times, and to be cut off anywhere."""
    with db.transaction(db.Role.WORKER) as session:
        places = rounds.unbilled(session)
    pages = 0
    for place in places:
        while pages < PAGES and page(place):
            pages += 1
    if pages:
        hub.doorbell.ring("messages")
    return pages


def page(place: Place, size: int = PAGE) -> bool:
    """Write the bills of the next households; False when none are left, or another worker is at it."""
    with db.transaction(db.Role.WORKER, place.tenant_id) as session:
        after = rounds.take(session, place)
        if after is None:
            return False
        scheme = schemes.in_use(tenants.get(session, place.tenant_id).scheme)
        found = renewals.candidates(session, place.tenant_id, scheme, place.today, after, size)
        renewals.issue(session, place.tenant_id, scheme, found, place.today)
        over = len(found) < size
        rounds.reach(session, place, found[-1].id if found else after, over)
    return not over
