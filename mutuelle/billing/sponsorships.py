"""Makes a sponsor begin to pay for households: adjusts running bills, and promises a part of new ones."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import audit
from mutuelle.audit import FlagKind, Subject
from mutuelle.billing import adjustments, change_sms
from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.errors import Refused
from mutuelle.households import locks
from mutuelle.households.locks import HouseholdKey
from mutuelle.organisation import sponsors
from mutuelle.organisation.sponsors import Sponsor
from mutuelle.schemes import money_rules


def help_household(session: Session, sponsor: Sponsor, household_id: UUID, on: date, by: str) -> int | None:
    """Makes the sponsor help a household from the day `on`. Returns what it promises for the running bill.

    The promise is in whole units: 0 if there is no running bill or the cap is used up, None if the sponsor
    helps this household already. New bills are helped as far as the cap allows. Refused for the same reasons
    as `sponsors.begin_sponsorship`.
    """
    household = (sponsor.tenant_id, household_id)
    locks.lock(session, household)
    if not sponsors.begin_sponsorship(session, sponsor, household_id, on, by):
        return None
    return _promise(session, sponsor, household, on)


def end_help(session: Session, tenant_id: UUID, household_id: UUID, on: date, by: str) -> bool:
    """Ends the help for bills written after `on`. Returns False if no sponsor helps this household.

    Promises stay, but for help that began on the same day: it was noted by mistake, and its promise is taken
    back.
    """
    locks.lock(session, (tenant_id, household_id))
    if not sponsors.end_sponsorship(session, tenant_id, household_id, on, by):
        return False
    result = adjustments.apply(session, tenant_id, household_id, on, AdjustmentReason.SPONSOR)
    if result:
        change_sms.notify(session, (tenant_id, household_id), [result], by_sponsor=True)
    return True


def promise_for_new_bills(session: Session, tenant_id: UUID, household_ids: Sequence[UUID], on: date) -> int:
    """Promises the sponsors' parts of the bills written on the day `on` for these households.

    Returns how many of the households have a sponsor. A refusal undoes the promise for one household alone
    and opens a case for staff; the others go on.
    """
    helped = sponsors.billed_sponsorships(session, tenant_id, household_ids, on)
    if not helped:
        return 0
    sponsors.lock_of_households(session, tenant_id, [household_id for household_id, _ in helped])
    for household_id, sponsor_id in helped:
        try:
            with session.begin_nested():
                sponsor = sponsors.get(session, tenant_id, sponsor_id)
                _promise(session, sponsor, (tenant_id, household_id), on)
        except Refused as refused:
            reason = f"the sponsor's part could not be promised: {refused.key}"
            audit.open_case(
                session, tenant_id, FlagKind.ADJUSTMENT, audit.about(Subject.HOUSEHOLD, household_id), reason
            )
    return len(helped)


def _promise(session: Session, sponsor: Sponsor, household: HouseholdKey, on: date) -> int:
    """Adjusts the bills and notifies the household. Returns what the sponsor promises for the first bill."""
    result = adjustments.apply(session, *household, on, AdjustmentReason.SPONSOR)
    if result is None:
        return 0
    change_sms.notify(session, household, [result], by_sponsor=True, sponsor=sponsor.name)
    return result.shares.get(money_rules.SPONSOR, 0)
