"""Reads the facts of a subsidy claim as they were at a moment, in a few queries for a whole mutuelle.

Money that was recorded after the moment, and claims and answers that came after it, are left out, so that a
claim can be made again years later. Names, evidence and years of birth are as they are now.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import clock, crypto
from mutuelle.cover import cover_books, insured_people
from mutuelle.cover.cover_books import BOOKS, HouseholdBooks
from mutuelle.households.households import MemberKind
from mutuelle.households.unique_evidence import REGISTRY_KINDS
from mutuelle.organisation import tenants
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import CategoryState
from mutuelle.subsidies import claim_duplicates
from mutuelle.subsidies.claim_lines import (
    ClaimDuplicates,
    ClaimHousehold,
    ClaimMember,
    ClaimProof,
    DraftLine,
    EarlierLine,
    LineAnswer,
    PayableLine,
    Period,
    UnreadableHousehold,
)

log = logging.getLogger("mutuelle.claim_facts")
LaterMoney = tuple[UUID, date, int, UUID | None]  # bill, day, units and receipt of money recorded later


@dataclass(frozen=True)
class ClaimScope:
    """Which claims and money to read: of this payer (a sponsor by its id), as recorded at the moment `at`.

    `own` is the claim that is made again, if one is; its own lines are left out.
    """

    tenant_id: UUID
    zone: str
    payer: str
    at: datetime
    own: UUID | None = None
    sponsor_id: UUID | None = None

    def values(self, **more: object) -> dict[str, object]:
        """Returns the parameters of a query, with `more` added."""
        values = {
            "tenant": self.tenant_id,
            "payer": self.payer,
            "sponsor": self.sponsor_id,
            "at": self.at,
            "own": self.own,
        }
        return values | more


# Lines of claims that existed at the moment, and the answer they had then.
_CLAIMED = """
    SELECT c.*, l.bill_id, CASE WHEN a.noted_at <= :at THEN a.answer END AS answer, s.made_at
    FROM claim_lines c
    JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id
    JOIN bill_lines l ON l.tenant_id = c.tenant_id AND l.id = c.bill_line_id
    LEFT JOIN claim_answers a ON a.tenant_id = c.tenant_id AND a.line_id = c.id
    WHERE c.tenant_id = :tenant AND s.payer = :payer
        AND s.sponsor_id IS NOT DISTINCT FROM CAST(:sponsor AS uuid)
        AND s.made_at <= :at AND s.id IS DISTINCT FROM CAST(:own AS uuid)
        AND NOT (s.state = 'cancelled' AND s.ended_at <= :at)
"""
# The lines of each bill with a line of the period, an earlier one not wholly claimed, or one of a household
# that lost money or is a likely duplicate, by the day of each line.
_PAYABLE = f"""
WITH claimed AS ({_CLAIMED}), held AS (
    SELECT bill_line_id, sum(amount) AS units FROM claimed WHERE answer IS DISTINCT FROM 'rejected' GROUP BY 1
), owed AS (
    SELECT l.id AS line_id, l.bill_id, b.household_id, b.issued, coalesce(j.on_day, b.issued) AS on_day,
        l.amount, l.rule, l.payer, j.reason, b.scheme, b.version AS made_under,
        coalesce(j.version, b.version) AS version, b.option, coalesce(j.born, b.born) AS born,
        b.period_from, b.period_until,
        CASE WHEN j.id IS NOT NULL THEN coalesce((
            SELECT p.born FROM adjustments p WHERE p.tenant_id = j.tenant_id
            AND p.bill_id = j.bill_id AND p.ordinal < j.ordinal ORDER BY p.ordinal DESC LIMIT 1
        ), b.born) END AS born_before
    FROM bill_lines l
    JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
    LEFT JOIN adjustments j ON j.tenant_id = l.tenant_id AND j.id = l.adjustment_id
    WHERE l.tenant_id = :tenant AND l.payer = :payer
        AND l.sponsor_id IS NOT DISTINCT FROM CAST(:sponsor AS uuid)
        AND b.kind = 'dues' AND l.amount <> 0 AND (j.at IS NULL OR j.at <= :at)
        AND coalesce(j.on_day, b.issued) <= :until
), due AS (
    SELECT owed.bill_id FROM owed LEFT JOIN held ON held.bill_line_id = owed.line_id
    WHERE on_day >= :since OR coalesce(held.units, 0) <> amount OR EXISTS (
        SELECT FROM allocations a
        WHERE a.household_tenant_id = :tenant AND a.household_id = owed.household_id
        AND a.kind = 'bill' AND a.amount < 0)
    OR EXISTS (SELECT FROM duplicate_pairs d WHERE d.found_at <= :at
        AND ((d.tenant_id = :tenant AND d.household_id = owed.household_id)
            OR (d.later_tenant_id = :tenant AND d.later_household_id = owed.household_id)))
)
SELECT * FROM owed WHERE bill_id IN (SELECT bill_id FROM due)
"""  # noqa: S608  # our own words
_CLAIMED_OF = f"""
WITH claimed AS ({_CLAIMED})
SELECT * FROM claimed WHERE household_id = ANY(:household_ids) ORDER BY made_at, position
"""  # noqa: S608 - only our own text
_HOUSEHOLDS = "SELECT id, number FROM households WHERE tenant_id = :tenant AND id = ANY(:household_ids)"
_MEMBERS = """
SELECT m.*, m.kind = 'head' AS head,
    (SELECT coalesce(json_agg(json_build_array(c.code, c.since, c.until) ORDER BY c.since, c.id), '[]')
        FROM member_classes c WHERE c.tenant_id = m.tenant_id AND c.member_id = m.id) AS statuses
FROM members m WHERE m.tenant_id = :tenant AND m.household_id = ANY(:household_ids)
"""
_PROOFS = """
SELECT * FROM categories WHERE tenant_id = :tenant AND household_id = ANY(:household_ids) ORDER BY since, id
"""
_CONSENTS = """
SELECT DISTINCT ON (household_id) household_id, given, at AS moment FROM consents
WHERE tenant_id = :tenant AND household_id = ANY(:household_ids) AND kind = 'membership' AND at <= :at
ORDER BY household_id, at DESC
"""
_BOOKS = f"""
SELECT home.id AS household_id, {BOOKS} FROM households home
WHERE home.tenant_id = :tenant AND home.id = ANY(:household_ids)
"""  # noqa: S608 - only our own text
_LATER = """
SELECT a.household_id, l.bill_id, a.on_day, a.amount, a.receipt_id FROM allocations a
JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id AND l.payer = 'member'
WHERE a.household_tenant_id = :tenant AND a.household_id = ANY(:household_ids)
AND a.kind = 'bill' AND a.at > :at
"""
_RECEIPTS = """
SELECT DISTINCT a.household_id, r.id, r.transaction FROM allocations a
JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id
WHERE a.household_tenant_id = :tenant AND a.household_id = ANY(:household_ids) AND a.kind = 'bill'
"""


def read(session: Session, scope: ClaimScope, period: Period) -> list[ClaimHousehold | UnreadableHousehold]:
    """Returns the households of which the payer owes something to claim or take back by the period's end."""

    def by_household(query: str, values: dict[str, object]) -> Mapping[UUID, list[Any]]:
        rows = defaultdict(list)
        for row in session.execute(text(query), values):
            rows[row.household_id].append(row)
        return rows

    payables = by_household(_PAYABLE, scope.values(since=period.since, until=period.until))
    values = scope.values(household_ids=list(payables))
    rows = _HouseholdRows(
        scope,
        tenants.get(session, scope.tenant_id).name,  # a mutuelle has no place yet: its name says where it is
        payables,
        claim_duplicates.read(
            session,
            scope.tenant_id,
            payables,
            scope.at,
            payer=scope.payer,
            sponsor_id=scope.sponsor_id,
            own=scope.own,
        ),
        *(
            by_household(query, values)
            for query in (_MEMBERS, _PROOFS, _CLAIMED_OF, _CONSENTS, _BOOKS, _LATER, _RECEIPTS)
        ),
    )
    return [_household(rows, row) for row in session.execute(text(_HOUSEHOLDS), values)]


@dataclass(frozen=True)
class _HouseholdRows:
    """The rows of all tables, by household."""

    scope: ClaimScope
    place: str
    payables: Mapping[UUID, list[Any]]
    duplicates: Mapping[UUID, ClaimDuplicates]
    members: Mapping[UUID, list[Any]]
    proofs: Mapping[UUID, list[Any]]
    claimed: Mapping[UUID, list[Any]]
    consents: Mapping[UUID, list[Any]]
    books: Mapping[UUID, list[Any]]
    later: Mapping[UUID, list[Any]]
    receipts: Mapping[UUID, list[Any]]


def _household(rows: _HouseholdRows, home: Any) -> ClaimHousehold | UnreadableHousehold:
    """Returns the facts of one household. What cannot be read costs only its own lines."""
    consents = rows.consents.get(home.id, [])
    consent_at = consents[0].moment if consents and consents[0].given else None
    claimed = [_earlier_line(row) for row in rows.claimed.get(home.id, ())]
    try:
        return ClaimHousehold(
            id=home.id,
            number=home.number,
            members=tuple(_member(row) for row in rows.members.get(home.id, ())),
            proofs=tuple(_proof(row) for row in rows.proofs.get(home.id, ())),
            consent=clock.local_date(consent_at, rows.scope.zone) if consent_at else None,
            books=_without(
                cover_books.read(rows.books[home.id][0]),
                [_later_money(row) for row in rows.later.get(home.id, ())],
            ),
            payables=tuple(_payable_line(row) for row in rows.payables[home.id]),
            claimed=tuple(claimed),
            people=tuple(insured_people.read(rows.members.get(home.id, ()))),
            receipts=tuple((row.id, row.transaction) for row in rows.receipts.get(home.id, ())),
            place=rows.place,
            duplicates=rows.duplicates.get(home.id, ClaimDuplicates()),
        )
    except Exception as error:  # of any kind, such as a rule version that is gone: the others are claimed
        log.exception("a household cannot be claimed: %s", type(error).__name__)
        standing = Counter[UUID]()
        for earlier in claimed:
            if earlier.answer != LineAnswer.REJECTED:
                standing[earlier.line.bill_line_id] += earlier.line.amount
        units = ((row.line_id, int(row.amount) - standing[row.line_id]) for row in rows.payables[home.id])
        return UnreadableHousehold(home.id, home.number, tuple(units))


def _without(books: HouseholdBooks, later: list[LaterMoney]) -> HouseholdBooks:
    """Returns the books as they were before the `later` money was recorded."""
    remaining, paid = Counter(later), []
    for money in reversed(books.paid):
        key = (money.bill_id, money.on, money.amount, money.receipt)
        if remaining[key]:
            remaining[key] -= 1
        else:
            paid.append(money)
    return replace(books, paid=tuple(reversed(paid)))


def _payable_line(row: Any) -> PayableLine:
    # The bill covers as many people as the version it was made under says, also where newer rules price it.
    people_max = schemes.get(row.scheme).version(row.made_under).household.people_max
    return PayableLine(
        line_id=row.line_id,
        bill_id=row.bill_id,
        issued=row.issued,
        on_day=row.on_day,
        amount=row.amount,
        rule=row.rule,
        scheme=row.scheme,
        version=row.version,
        option=row.option,
        born=tuple(row.born[:people_max]),
        period=(row.period_from, row.period_until) if row.period_from else None,
        payer=row.payer,
        reason=row.reason,
        made_under=row.made_under,
        born_before=None if row.born_before is None else tuple(row.born_before[:people_max]),
    )


def _member(row: Any) -> ClaimMember:
    name = " ".join((row.name or "").split())
    return ClaimMember(
        row.id,
        row.kind == MemberKind.HEAD,
        name if name and not row.provisional else None,
        row.birth_year,
        row.since,
        row.until,
        tuple((date.fromisoformat(day), relationship) for day, relationship in row.relationships),
    )


def _proof(row: Any) -> ClaimProof:
    is_listed = row.evidence in REGISTRY_KINDS and row.reference_cipher is not None
    return ClaimProof(
        id=row.id,
        category=row.category,
        checked=row.standing == CategoryState.CHECKED,
        evidence=row.evidence,
        since=row.since,
        until=row.until,
        number=crypto.open_number(row.reference_cipher) if is_listed else None,
    )


def _earlier_line(row: Any) -> EarlierLine:
    answer = LineAnswer(row.answer) if row.answer else None
    return EarlierLine(row.id, row.bill_id, DraftLine.of(row), answer)


def _later_money(row: Any) -> LaterMoney:
    return row.bill_id, row.on_day, row.amount, row.receipt_id
