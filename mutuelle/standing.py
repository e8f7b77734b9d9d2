"""Where a household stands, as the facts a dialogue or an SMS speaks from: two questions to the database, the rest is rules."""

from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import cover
from mutuelle.facts import HouseholdFacts, Pending

_ABOUT = text("""
SELECT
    (SELECT number FROM households WHERE tenant_id = :tenant AND id = :home) AS number,
    (SELECT count(*) FROM members WHERE tenant_id = :tenant AND household_id = :home AND until IS NULL) AS people,
    (SELECT category FROM categories WHERE tenant_id = :tenant AND household_id = :home AND until IS NULL
        ORDER BY since DESC, id LIMIT 1) AS category,
    (SELECT json_build_array(p.amount, o.operator) FROM payments p
        JOIN operator_accounts o ON o.tenant_id = p.tenant_id AND o.id = p.account_id
        WHERE p.household_tenant_id = :tenant AND p.household_id = :home
        AND p.status IN ('requested', 'unknown', 'pending')) AS live,
    EXISTS (SELECT FROM phones p JOIN sms_stops s ON s.tenant_id = p.tenant_id AND s.blind_index = p.blind_index
        WHERE p.tenant_id = :tenant AND p.household_id = :home AND p.until IS NULL) AS stopped
""")


def of(session: Session, tenant_id: UUID, household_id: UUID, today: date) -> HouseholdFacts:
    """Everything the household's screens may say on the local date `today` of its mutuelle."""
    now = cover.position(session, tenant_id, household_id, today)
    about = session.connection().execute(_ABOUT, {"tenant": tenant_id, "home": household_id}).one()
    return HouseholdFacts(
        id=str(household_id),
        number=about.number,
        people=about.people,
        category=about.category or "",
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
        pending=Pending(*about.live) if about.live else None,
        sms=not about.stopped,
    )
