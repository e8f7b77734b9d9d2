"""Checks the claim lines for covered days (I12): each day was open, is asked once, and is worth its amount.

The days and the amounts are computed from the books as they were known when the claim was drafted.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle.cover import day_spans, member_rights
from mutuelle.cover.day_spans import DaySpan
from mutuelle.cover.household_rights import RightsState
from mutuelle.organisation import tenants
from mutuelle.subsidies import claim_amounts, claim_facts, claim_store
from mutuelle.subsidies.claim_facts import ClaimScope
from mutuelle.subsidies.claim_lines import ClaimHousehold, ClaimState, DraftLine, Period, UnreadableHousehold
from mutuelle.subsidies.claim_store import Claim

# Lines that ask a payer twice for one day of one member: of one bill line, or of two bills. A day counts
# unless a later line has given it back.
DAY_TWICE = """
WITH live AS (
    SELECT c.*, s.number AS claim, s.payer, s.sponsor_id, l.bill_id FROM claim_lines c
    JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id AND s.state <> 'cancelled'
    JOIN bill_lines l ON l.tenant_id = c.tenant_id AND l.id = c.bill_line_id
    LEFT JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
    WHERE a.answer IS DISTINCT FROM 'rejected'
)
SELECT DISTINCT x.claim || ' line ' || x.position FROM live x
JOIN live y ON y.tenant_id = x.tenant_id AND y.member_id = x.member_id AND y.payer = x.payer
    AND y.sponsor_id IS NOT DISTINCT FROM x.sponsor_id AND y.id <> x.id AND y.amount > 0
    AND (y.bill_line_id = x.bill_line_id OR y.bill_id <> x.bill_id)
    AND y.days_from <= x.days_until AND y.days_until >= x.days_from
CROSS JOIN LATERAL generate_series(greatest(x.days_from, y.days_from), least(x.days_until, y.days_until),
    interval '1 day') d
WHERE x.days IS NOT NULL AND x.amount > 0 AND NOT EXISTS (
    SELECT FROM live back WHERE back.tenant_id = x.tenant_id AND back.corrects IN (x.id, y.id)
    AND back.amount < 0 AND d.d::date BETWEEN back.days_from AND back.days_until)
"""
LineKey = tuple[UUID, UUID, bool]  # bill line, member, whether it takes back


class ClaimOfDays(NamedTuple):
    """A claim's lines for covered days, and the facts of its households when it was drafted."""

    claim: Claim
    lines: list[tuple[int, DraftLine]]
    facts: list[ClaimHousehold | UnreadableHousehold]

    @property
    def period(self) -> Period:
        return Period(self.claim.period_from, self.claim.period_until)


def days_not_open(session: Session) -> Iterator[str]:
    """Yields the lines that ask for a day on which the member's rights were not open."""
    for stored in _claims_of_days(session):
        households = {home.id: home for home in stored.facts if isinstance(home, ClaimHousehold)}
        for position, line in stored.lines:
            household = households.get(line.household_id)
            if line.amount > 0 and household and _untrue_days(household, stored.period.until, line):
                yield f"{stored.claim.number} line {position}"


def amounts_not_worth(session: Session) -> Iterator[str]:
    """Yields the lines whose days and amount are not those that the claim gives when it is made again.

    A part that could not be claimed any more, such as when its evidence was withdrawn, is passed over.
    """
    for stored in _claims_of_days(session):
        remade, _ = claim_amounts.judge(stored.facts, stored.period, again=stored.claim.again)
        amounts = defaultdict[LineKey, dict[DaySpan, int]](dict)
        for line in remade:
            amounts[_key(line)][line.days_from, line.days_until] = line.amount
        for position, line in stored.lines:
            worth = amounts.get(_key(line))
            if worth and worth.get((line.days_from, line.days_until)) != line.amount:
                yield f"{stored.claim.number} line {position}"


def _untrue_days(household: ClaimHousehold, by: date, line: DraftLine) -> list[DaySpan]:
    books = household.books
    bills = [bill.known_on(by) for bill in books.bills if bill.issued <= by]
    paid = [payment for payment in books.paid if payment.on <= by]
    person = next((person for person in household.people if person.id == line.member_id), None)
    if person is None:
        return [(line.days_from, line.days_until)]
    timeline = member_rights.timeline(books.version_of, bills, paid, household.people, person)
    is_open = day_spans.merge(
        (part.since, part.until or by) for part in timeline if part.state == RightsState.OPEN
    )
    return day_spans.subtract([(line.days_from, line.days_until)], is_open)


def _claims_of_days(session: Session) -> Iterator[ClaimOfDays]:
    query = select(Claim).where(Claim.state != ClaimState.CANCELLED, Claim.format > 1)
    for claim in session.scalars(query.order_by(Claim.tenant_id, Claim.number)).all():
        stored = [line.csv_line for line in claim_store.lines(session, claim)]
        lines = [(csv_line.position, csv_line.line) for csv_line in stored if csv_line.line.days is not None]
        if not lines:
            continue
        zone = tenants.get(session, claim.tenant_id).zone
        scope = ClaimScope(claim.tenant_id, zone, claim.payer, claim.made_at, claim.id, claim.sponsor_id)
        facts = claim_facts.read(session, scope, Period(claim.period_from, claim.period_until))
        born = {line.member_id: line.born for _, line in lines}
        yield ClaimOfDays(claim, lines, [_born_as_claimed(home, born) for home in facts])


def _born_as_claimed(
    household: ClaimHousehold | UnreadableHousehold, born: Mapping[UUID, int]
) -> ClaimHousehold | UnreadableHousehold:
    """Returns the household with the years of birth that its lines name: some were corrected since."""
    if isinstance(household, UnreadableHousehold):
        return household
    members = tuple(replace(member, born=born.get(member.id, member.born)) for member in household.members)
    people = tuple(person._replace(born=born.get(person.id, person.born)) for person in household.people)
    return replace(household, members=members, people=people)


def _key(line: DraftLine) -> LineKey:
    return line.bill_line_id, line.member_id, line.amount < 0
