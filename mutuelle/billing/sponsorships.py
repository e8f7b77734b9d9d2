"""Helping: a sponsor pays for households. Bills under way and bills to come change at once, and the
households are told."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import audit
from mutuelle.billing import adjustments
from mutuelle.errors import Refused
from mutuelle.households import household_sms, locks
from mutuelle.households.locks import HouseholdKey
from mutuelle.organisation import sponsors
from mutuelle.organisation.sponsors import Sponsor
from mutuelle.schemes import money_rules


def help_household(session: Session, sponsor: Sponsor, household_id: UUID, on: date, by: str) -> int | None:
    """What the sponsor now promises for the bill under way, in whole units; None when it helped this
    household already.

    0 when nothing is under way or the cap is given away: bills to come are helped as far as there is
    something left. Refused as `sponsors.begin` says.
    """
    home = (sponsor.tenant_id, household_id)
    locks.lock(session, home)
    if not sponsors.begin_sponsorship(session, sponsor, household_id, on, by):
        return None
    return _promise(session, sponsor, home, on)


def promise_for_new_bills(session: Session, tenant_id: UUID, household_ids: Sequence[UUID], on: date) -> int:
    """Have sponsors promise their part of the bills written on the day `on` for these households; how many
    households.

    What is refused for one is undone for it alone and shown to a person, the others go on.
    """
    helped = sponsors.billed_sponsorships(session, tenant_id, household_ids, on)
    if not helped:
        return 0
    sponsors.lock_of_households(session, tenant_id, [household_id for household_id, _ in helped])
    for household_id, sponsor_id in helped:
        try:
            with session.begin_nested():
                _promise(session, sponsors.get(session, tenant_id, sponsor_id), (tenant_id, household_id), on)
        except Refused as refused:
            reason = f"the sponsor's part could not be promised: {refused.key}"
            audit.open_case(session, tenant_id, "adjustment", f"household:{household_id}", reason)
    return len(helped)


def _promise(session: Session, sponsor: Sponsor, home: HouseholdKey, on: date) -> int:
    made = adjustments.apply(session, *home, on, "sponsor")
    promised = made.shares.get(money_rules.SPONSOR, 0) if made else 0
    if promised > 0:
        household_sms.queue_with_state(
            session, home, "sponsored", {"amount": promised, "sponsor": sponsor.name}
        )
    return promised
