"""Loads the facts about a household that USSD screens show: one query, and the rules over its row."""

from datetime import date
from typing import Any

from menus.facts import Appeal, HouseholdFacts, PendingPayment
from mutuelle.cover import cover_books
from mutuelle.payments import promises

# The columns `from_row` reads, for the household under the SQL alias `home`; %(now)s is the moment.
COLUMNS = f"""{cover_books.BOOKS},
    home.id AS home, home.number AS number,
    (SELECT count(*) FROM members
        WHERE tenant_id = home.tenant_id AND household_id = home.id AND until IS NULL) AS people,
    (SELECT category FROM categories WHERE tenant_id = home.tenant_id AND household_id = home.id
        AND (until IS NULL OR until >= since) ORDER BY since DESC LIMIT 1) AS category,
    (SELECT json_build_array(p.amount, o.operator, p.link IS NOT NULL,
            CASE WHEN p.expires_at > %(now)s THEN to_char(p.expires_at AT TIME ZONE z.zone, 'HH24:MI') END)
        FROM payments p JOIN tenants z ON z.id = home.tenant_id
        JOIN operator_accounts o ON o.tenant_id = p.tenant_id AND o.id = p.account_id
        WHERE p.household_tenant_id = home.tenant_id AND p.household_id = home.id
        AND p.status IN ('requested', 'unknown', 'pending')) AS live,
    (SELECT day FROM promises
        WHERE tenant_id = home.tenant_id AND household_id = home.id AND state = 'open') AS promised,
    EXISTS (SELECT FROM phones q
        JOIN sms_stops s ON s.tenant_id = q.tenant_id AND s.blind_index = q.blind_index
        WHERE q.tenant_id = home.tenant_id AND q.household_id = home.id AND q.until IS NULL) AS stopped,
    (SELECT json_build_array(k.number, k.deadline) FROM tickets k
        WHERE k.tenant_id = home.tenant_id AND k.household_id = home.id AND k.state = 'open') AS appeal
"""  # noqa: S608  # our own columns, every value is a parameter


def from_row(row: Any, today: date) -> HouseholdFacts:
    """Returns the facts from a row of COLUMNS, on the local date `today` of the household's mutuelle."""
    books = cover_books.read(row)
    now = cover_books.position_of(books, today)
    return HouseholdFacts(
        id=str(row.home),
        number=row.number,
        people=row.people,
        category=row.category or "",
        state=now.right.state,
        reason=now.right.reason,
        since=now.right.since.isoformat(),
        until=_iso(now.right.until),
        owed=now.owed,
        owed_dues=now.owed_dues,
        state_share=now.others,
        paid=now.paid,
        left_to_open=now.next_opening.left_to_open,
        opens_from=_iso(now.next_opening.opens_from),
        opens_until=_iso(now.next_opening.opens_until),
        covered_from=_iso(now.next_open.since) if now.next_open else None,
        covered_until=_iso(now.next_open.until) if now.next_open else None,
        credit=now.credit,
        pending=PendingPayment(*row.live) if row.live else None,
        sms=not row.stopped,
        appeal=Appeal(*row.appeal) if row.appeal else None,
        promised=_iso(row.promised),
        promise_until=_iso(promises.useful_until(books, today)),
    )


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
