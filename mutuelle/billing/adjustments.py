"""Adjustments: what a change of household, category or rule makes of bills in mid-period. New lines, never an
edited bill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, inserts
from mutuelle.contributions.bills import Bill, BillLine, BillState
from mutuelle.contributions.quotes import billed_category, price_of
from mutuelle.cover import cover_books, cover_periods, insured_people, member_rights
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import CoverPeriod
from mutuelle.db import Row
from mutuelle.errors import Refused
from mutuelle.households import household_sms, households, locks
from mutuelle.households.locks import HouseholdKey
from mutuelle.money import Money
from mutuelle.organisation import sponsors
from mutuelle.payments import allocation, ledger, receipts
from mutuelle.payments.ledger import Move
from mutuelle.payments.receipts import PartKind, Reason, ReceiptPart
from mutuelle.schemes import money_rules, schemes
from mutuelle.schemes.money_rules import MEMBER
from mutuelle.schemes.versions import last_day

Why = Literal["household", "category", "rule", "correction", "sponsor"]


class Adjustment(Row):
    """By how much a bill changed on a day, and what its price was worked out from; the `ordinal`-th of its
    bill."""

    __tablename__ = "adjustments"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    bill_id: Mapped[UUID]
    household_id: Mapped[UUID]
    ordinal: Mapped[int]
    on_day: Mapped[date]
    reason: Mapped[str]
    born: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    category: Mapped[str | None]
    version: Mapped[date]
    months: Mapped[int]
    total: Mapped[int]
    at: Mapped[datetime]


@dataclass(frozen=True)
class AdjustmentResult:
    """One bill's adjustment, in whole units of either sign: `shares` of the payers add up to `total`, `freed`
    became credit."""

    id: UUID
    bill_id: UUID
    shares: Mapping[str, int]
    total: int
    freed: int

    @property
    def member(self) -> int:
        """By how much the member's own share changed."""
        return self.shares.get(MEMBER, 0)


def apply(
    session: Session, tenant_id: UUID, household_id: UUID, on: date, reason: Why
) -> AdjustmentResult | None:
    """Price the household's dues bills whose period is not over anew, and write what differs; the bill under
    way is returned.

    For whoever has just changed who is in the household, its category or its sponsor, or found a mistake in
    its bill, in the same transaction; each bill stays under the rules it goes by, and covers as many people,
    up to the same ages, as those it was made under. What the member paid beyond a smaller share becomes
    credit and pays what else is owed; rights are computed anew; unless a sponsor is the reason, which has
    words of its own, the household is told when its own part changes. None when no price changes. Refused
    when nobody is left, when the scheme leaves nobody out and the household is too large, or when the
    category must be proven first.
    """
    return next(iter(_adjust(session, (tenant_id, household_id), on, reason, on)), None)


def apply_rules(
    session: Session, tenant_id: UUID, household_id: UUID, on: date, rules_of: date
) -> list[AdjustmentResult]:
    """The same for a change of rules: every bill under way that the rules in force on the day `rules_of` take
    over.

    Only prices and shares change: whom a bill covers stays with the rules it was made under, by which rights
    go, so that nobody pays for people who get none. A difference is booked `on` its day and counts from
    `rules_of` on. That a bill goes by the newer rules is written even where its price stays, so that what
    changes later is priced under them, and no bill is looked at twice. Refused as by `apply`, and when these
    rules do not sell the period.
    """
    return _adjust(session, (tenant_id, household_id), on, "rule", rules_of)


def _adjust(
    session: Session, home: HouseholdKey, on: date, reason: Why, since: date
) -> list[AdjustmentResult]:
    """What `apply` and `apply_rules` promise; a difference counts for the months that are still to come on
    `since`."""
    locks.lock(session, home)
    books = cover_books.load(session, *home)
    persons, claim = insured_people.load(session, *home), households.claim_of(session, *home)
    claimed, standing = (claim.category, claim.standing_on(on)) if claim else (None, None)
    rests = {one.bill_id: rest for one, rest in books.left(on)}
    written = []
    for one, left in _bills_under_way(books, on, since):
        bill = session.get_one(Bill, (home[0], one.bill_id))
        last = _last_adjustment(session, bill)
        told = last or bill
        scheme = schemes.get(bill.scheme)
        made = scheme.version(bill.version)
        before, months = scheme.version(told.version).covering_as(made), made.option(bill.option).months
        version = scheme.in_force(since).covering_as(made) if reason == "rule" else before
        if reason == "rule" and not version.takes_over(before.since, bill.period_from):
            continue
        if version.option(bill.option).months != months:
            raise Refused("option.other-months", code=bill.option)
        category = billed_category(version, claimed, standing, told.category)
        born = member_rights.on_bill(version, persons, on, bill.issued)
        old = price_of(before, before.category(told.category), told.born, bill.option, bill.issued).shares
        new = price_of(version, category, born, bill.option, bill.issued).shares
        shares = difference(old, new, left, months)
        more = shares.get(MEMBER, 0)
        promised = sponsors.share_changes(
            session, *home, bill.id, on, member=one.member_share + more, unpaid=rests[bill.id] + more
        )
        if shares or promised or reason == "rule":
            row = {
                "tenant_id": home[0],
                "id": clock.new_id(),
                "bill_id": bill.id,
                "household_id": home[1],
                "ordinal": last.ordinal + 1 if last else 1,
                "on_day": on,
                "reason": reason,
                "born": born,
                "category": category.code,
                "version": version.since,
                "months": left,
                "total": sum(shares.values()),
                "at": clock.now(),
            }
            parts = _with_promises(shares, promised)
            _write(session, row, parts, promised, f"{bill.scheme}/{version.since}/{category.code}")
            written.append((row, parts))
    found = [_settle(session, home, row, shares, on) for row, shares in written]
    if found and not allocation.use_credit(session, home, on):
        cover_books.recompute(session, *home)
    if reason != "sponsor":
        _notify(session, home, found)
    return found


def _notify(session: Session, home: HouseholdKey, found: Sequence[AdjustmentResult]) -> None:
    """One SMS, by daylight, where the member's own part is another than before: by how much, what is left,
    what is credit."""
    more = sum(one.member for one in found)
    if more:
        kind = "adjusted-more" if more > 0 else "adjusted-less"
        household_sms.queue_once_with_state(
            session, home, kind, {"amount": abs(more)}, key=f"adjusted:{found[0].id}"
        )


def _bills_under_way(books: HouseholdBooks, on: date, since: date) -> list[tuple[BillState, int]]:
    """The dues bills whose period is not over on the day `on`, and for how many of their months a difference
    counts that begins on the day `since`."""
    dues = books.bills
    cover_bought = cover_periods.periods_bought(
        books.version_of, dues, cover_periods.left_after_reversals(books.paid, on)
    )
    found = []
    for one in books.bills:
        version = books.version_of(one.version)
        if one.kind != "dues" or version.forgives(one.issued, one.period_until, one.option, on):
            continue
        months = version.option(one.option).months
        mine = [grant for grant in cover_bought if grant.bill.bill_id == one.bill_id]
        if _months_to_come(one, months, mine, on):
            whole = version.adjustment.prorata == "whole"
            found.append((one, months if whole else _months_to_come(one, months, mine, since)))
    return found


def _months_to_come(one: BillState, months: int, mine: Sequence[CoverPeriod], day: date) -> int:
    """How many of a bill's months are to come on a day: of a fixed year, else those not yet bought, and those
    bought that are not over."""
    if one.period_until is not None:
        return min(months, _months_to(day, one.period_until))
    reached = max((grant.stage.months for grant in mine), default=0)
    return (
        months
        - reached
        + min(reached, _months_to(day, max((grant.until for grant in mine), default=date.min)))
    )


def _months_to(day: date, until: date) -> int:
    """How many months that begin on `day` it takes to reach `until`; 0 when it is over."""
    months = 0
    while day <= until and last_day(day, months + 1) <= until:
        months += 1
    return months + (day <= until and (months == 0 or last_day(day, months) < until))


def _last_adjustment(session: Session, bill: Bill) -> Adjustment | None:
    mine = (Adjustment.tenant_id == bill.tenant_id, Adjustment.bill_id == bill.id)
    return session.scalar(select(Adjustment).where(*mine).order_by(Adjustment.ordinal.desc()).limit(1))


def difference(old: Mapping[str, int], new: Mapping[str, int], left: int, months: int) -> dict[str, int]:
    """By how much each payer's part changes, for `left` of the period's `months`; payers that stay as they
    are left out."""
    payers = dict.fromkeys([*old, *new])
    parts = {
        payer: new.get(payer, 0) * left // months - old.get(payer, 0) * left // months for payer in payers
    }
    return {payer: units for payer, units in parts.items() if units}


def _with_promises(shares: Mapping[str, int], promised: Mapping[UUID, int]) -> dict[str, int]:
    """The payers' parts when sponsors take theirs off the member's."""
    units = sum(promised.values())
    parts = {**shares, MEMBER: shares.get(MEMBER, 0) - units, money_rules.SPONSOR: units}
    return {payer: part for payer, part in parts.items() if part}


def _write(
    session: Session,
    row: Mapping[str, Any],
    shares: Mapping[str, int],
    promised: Mapping[UUID, int],
    rule: str,
) -> None:
    inserts.add(session, Adjustment, row)
    shared = {"tenant_id": row["tenant_id"], "bill_id": row["bill_id"], "adjustment_id": row["id"]}
    told: list[tuple[str, str, int, UUID | None]] = [
        (payer, payer, units, None) for payer, units in shares.items() if payer != money_rules.SPONSOR
    ]
    for sponsor_id, units in promised.items():
        code = sponsors.get(session, row["tenant_id"], sponsor_id).code
        told.append((money_rules.SPONSOR, f"{money_rules.SPONSOR}/{code}", units, sponsor_id))
    lines = (
        {
            **shared,
            "id": clock.new_id(),
            "payer": payer,
            "amount": units,
            "rule": f"{rule}/{why}",
            "sponsor_id": sponsor_id,
        }
        for payer, why, units, sponsor_id in told
    )
    inserts.add(session, BillLine, *lines)
    facts = {"bill": str(row["bill_id"]), "reason": row["reason"], "on": row["on_day"].isoformat(), **shares}
    subject = f"household:{row['household_id']}"
    audit.record(session, row["tenant_id"], "rules", "adjusted", subject, adjustment=str(row["id"]), **facts)


def _settle(
    session: Session, home: HouseholdKey, row: Mapping[str, Any], shares: Mapping[str, int], on: date
) -> AdjustmentResult:
    """Turn what the member paid beyond the new share into credit, the newest receipt first."""
    books = cover_books.load(session, *home)
    over = max(0, -next(rest for one, rest in books.left(on) if one.bill_id == row["bill_id"]))
    paid = (
        session.execute(_PAID_ON_BILL, {"tenant": home[0], "home": home[1], "bill": row["bill_id"]}).all()
        if over
        else []
    )
    held = receipts.lock_all(session, [part.receipt_id for part in paid])
    freed = 0
    for part in paid:
        units, receipt = min(over - freed, int(part.units)), held.get(part.receipt_id)
        if not units or receipt is None:  # a federation's receipt is not this mutuelle's to move
            continue
        parts = [
            ReceiptPart(PartKind.BILL, -units, home, part.bill_line_id, row["id"]),
            ReceiptPart(PartKind.CREDIT, units, home, None, row["id"]),
        ]
        receipts.place(session, receipt, parts, on=on, reason=Reason.BILL_REDUCED)
        back = Move(ledger.fund_of(home[0]), ledger.household_of(home[1]), Money(units, receipt.currency))
        reference = f"adjustment:{row['id']}:{receipt.id}:{part.bill_line_id}"
        ledger.post(session, receipt.tenant_id, reference, row["at"], [back])
        freed += units
    if freed < over:
        reason = f"{over - freed} units were paid beyond the new share, on receipts of the federation"
        audit.open_case(session, home[0], "adjustment", f"bill:{row['bill_id']}", reason)
    return AdjustmentResult(row["id"], row["bill_id"], dict(shares), row["total"], freed)


_PAID_ON_BILL = text("""
SELECT a.tenant_id, a.receipt_id, a.bill_line_id, sum(a.amount) AS units FROM allocations a
JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id AND l.payer = 'member'
WHERE a.household_tenant_id = :tenant AND a.household_id = :home AND a.kind = 'bill' AND l.bill_id = :bill
GROUP BY 1, 2, 3 HAVING sum(a.amount) > 0 ORDER BY max(a.at) DESC, a.receipt_id, a.bill_line_id
""")
