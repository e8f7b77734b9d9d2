"""Where a household stands, as the facts a dialogue or an SMS speaks from."""

from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import clock, cover, households, messages, payments, secrets, tenants
from mutuelle.facts import HouseholdFacts, Pending
from mutuelle.households import Household
from mutuelle.tenants import OperatorAccount


def of(session: Session, tenant_id: UUID, home: Household) -> HouseholdFacts:
    """Everything the household's screens may say today, on the local date of its mutuelle."""
    today = clock.today(tenants.get(session, tenant_id).zone)
    now = cover.position(session, tenant_id, home.id, today)
    live = payments.live_of(session, tenant_id, home.id)
    phone = households.phone_of(session, tenant_id, home.id)
    category = households.category_of(session, tenant_id, home.id)
    operator = session.get_one(OperatorAccount, (live.tenant_id, live.account_id)).operator if live else ""
    return HouseholdFacts(
        id=str(home.id),
        number=home.number,
        people=len(households.members_of(session, tenant_id, home.id)),
        category=category or "",
        state=now.right.state,
        since=now.right.since.isoformat(),
        until=now.right.until.isoformat() if now.right.until else None,
        owed=now.owed,
        owed_dues=now.owed_dues,
        state_share=now.others,
        paid=now.paid,
        left_to_open=now.ahead.left_to_open,
        opens_from=now.ahead.opens_from.isoformat() if now.ahead.opens_from else None,
        opens_until=now.ahead.opens_until.isoformat() if now.ahead.opens_until else None,
        credit=now.credit,
        pending=Pending(live.amount, operator) if live else None,
        sms=phone is None or not messages.is_stopped(session, tenant_id, secrets.blind_index(phone)),
    )
