"""Adjusts bills in mid-period after a change of household, category, rule or sponsor, by new bill lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, inserts
from mutuelle.audit import FlagKind, Subject
from mutuelle.billing import day_basis
from mutuelle.billing.bills_under_way import bills_under_way
from mutuelle.billing.day_basis import DayBasis, DayTariff, PriceOf
from mutuelle.contributions.bill_change import AdjustmentReason, PriceBasis
from mutuelle.contributions.bills import Bill, BillLine
from mutuelle.contributions.quotes import billed_category, price_of
from mutuelle.cover import cover_books, insured_people, member_rights
from mutuelle.db import Row
from mutuelle.errors import Refused
from mutuelle.households import household_sms, households, locks
from mutuelle.households.locks import HouseholdKey
from mutuelle.messaging.messages import MessageKind
from mutuelle.money import Money
from mutuelle.organisation import sponsors
from mutuelle.payments import allocation, ledger, receipts
from mutuelle.payments.ledger import Move
from mutuelle.payments.receipts import PartKind, Reason, ReceiptPart
from mutuelle.schemes import money_rules, schemes
from mutuelle.schemes.money_rules import MEMBER
from mutuelle.schemes.versions import Version


class Adjustment(Row):
    """By how much a bill changed on a day, and what its price was computed from.

    `ordinal` numbers the adjustments of a bill from 1. `born` are the birth years of the people billed.
    """

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
    """One bill's adjustment, in whole units of either sign.

    The `shares` of the payers add up to `total`; `freed` is the paid part that became credit.
    """

    id: UUID
    bill_id: UUID
    shares: Mapping[str, int]
    total: int
    freed: int

    @property
    def member(self) -> int:
        """Returns by how much the member's own share changed."""
        return self.shares.get(MEMBER, 0)


def apply(
    session: Session, tenant_id: UUID, household_id: UUID, on: date, reason: AdjustmentReason
) -> AdjustmentResult | None:
    """Prices the household's dues bills under way anew, and writes the differences.

    Call it in the transaction that changed the household's members, its category or its sponsor, or that
    corrects its bill. Each bill keeps its rules, and covers as many people, up to the same ages, as the rules
    it was written under. Money beyond a smaller member share becomes credit, which pays other open bills.
    Rights are recomputed. The household gets an SMS if its own share changed, unless the reason is a sponsor:
    the caller queues that SMS. Returns the adjustment of the first bill, or None if no price changes. Refused
    if no member is left, if the scheme covers only whole households and this one is too large, or if the
    category must be proven first.
    """
    return next(iter(_adjust(session, (tenant_id, household_id), on, reason, on)), None)


def apply_rules(
    session: Session, tenant_id: UUID, household_id: UUID, on: date, rules_of: date
) -> list[AdjustmentResult]:
    """Reprices every running bill that the rules in force on the day `rules_of` take over.

    Only prices and shares change: the rules a bill was made under still say which members it covers, as they
    do for rights, so that the household pays for nobody who has no rights. A difference is booked on the day
    `on` and counts from `rules_of` on. An adjustment is written even where the price stays, so that later
    changes are priced under the newer rules and a second run skips the bill. Refused as by `apply`, and if
    these rules do not sell the period.
    """
    return _adjust(session, (tenant_id, household_id), on, AdjustmentReason.RULE, rules_of)


def _adjust(
    session: Session, household: HouseholdKey, on: date, reason: AdjustmentReason, since: date
) -> list[AdjustmentResult]:
    """Does the work of `apply` and `apply_rules`. A difference counts for the months to come on `since`."""
    locks.lock(session, household)
    books = cover_books.load(session, *household)
    persons, claim = insured_people.load(session, *household), households.claim_of(session, *household)
    claimed, standing = (claim.category, claim.standing_on(on)) if claim else (None, None)
    unpaid = {bill.bill_id: units for bill, units in books.left(on)}
    bills_now = {bill.bill_id: bill for bill in books.bills}
    books_before = books.before(on)
    months_today = {bill.bill_id: months for bill, months, _ in bills_under_way(books_before, on, on)}
    adjusted = []
    for bill_before, months_left, opened in bills_under_way(books_before, on, since):
        bill = session.get_one(Bill, (household[0], bill_before.bill_id))
        day = day_basis.load(session, bill, on)
        version = _version(bill, day.last.version, reason, since)
        if version is None:
            continue
        category = billed_category(version, claimed, standing, day.start.category)
        end = PriceBasis(
            version.since, category.code, tuple(member_rights.on_bill(version, persons, on, bill.issued))
        )
        tariff = _tariff(day, version, end, months_left) if reason == AdjustmentReason.RULE else day.tariff
        months = version.option(bill.option).months
        shares = day_basis.net_shares(day, end, _price(bill), months_today[bill.id], months, tariff)
        if not opened:
            months_left, shares = months, day_basis.whole_shares(day, end, _price(bill))
        more, bill_now = shares.get(MEMBER, 0), bills_now[bill.id]
        promises = sponsors.share_changes(
            session,
            *household,
            bill.id,
            on,
            at_start=day.promised,
            member=bill_now.member_share + more,
            unpaid=unpaid[bill.id] + more,
        )
        if shares or promises or reason == AdjustmentReason.RULE:
            row = _row(bill, day.ordinal + 1, on, reason, end) | {
                "months": months_left,
                "total": sum(shares.values()),
            }
            parts = _with_promises(shares, promises)
            _write(session, row, parts, promises, f"{bill.scheme}/{version.since}/{category.code}")
            adjusted.append((row, parts))
    results = [_settle(session, household, row, shares, on) for row, shares in adjusted]
    if results:
        _pay_from_credit(session, household, results, on)
    if reason != AdjustmentReason.SPONSOR:
        _notify(session, household, results)
    return results


def _row(bill: Bill, ordinal: int, on: date, reason: AdjustmentReason, end: PriceBasis) -> dict[str, Any]:
    """Returns the columns of an adjustment but `months` and `total`."""
    return {
        "tenant_id": bill.tenant_id,
        "id": clock.new_id(),
        "bill_id": bill.id,
        "household_id": bill.household_id,
        "ordinal": ordinal,
        "on_day": on,
        "reason": reason,
        "version": end.version,
        "category": end.category,
        "born": list(end.born),
        "at": clock.now(),
    }


def _version(bill: Bill, basis: date, reason: AdjustmentReason, since: date) -> Version | None:
    """Returns the version to price the bill by now, when its price followed the rules from the day `basis`.

    It is another one only for the reason `rule`; None then, if the rules of `since` do not take the bill
    over.
    Refused if the version does not sell the bill's period.
    """
    scheme = schemes.get(bill.scheme)
    original = scheme.version(bill.version)
    version = scheme.version(basis)
    if reason == AdjustmentReason.RULE:
        version = scheme.in_force(since)
        if not version.takes_over(basis, bill.period_from):
            return None
    if version.option(bill.option).months != original.option(bill.option).months:
        raise Refused("option.other-months", code=bill.option)
    return version.covering_as(original)


def _tariff(day: DayBasis, version: Version, end: PriceBasis, months: int) -> DayTariff:
    """Returns the tariff that takes over a bill now, for `months` months.

    It is not for what the day has changed before: that counts for the months to come as on any other day.
    """
    if not day.moved:
        return DayTariff(end, months)
    code = billed_category(version, None, None, day.start.category).code
    return DayTariff(PriceBasis(version.since, code, day.start.born), months)


def _price(bill: Bill) -> PriceOf:
    """Returns the shares of the bill's period by basis, with the limits of the rules it was made under."""
    scheme = schemes.get(bill.scheme)
    original = scheme.version(bill.version)

    def shares(basis: PriceBasis) -> Mapping[str, int]:
        version = scheme.version(basis.version).covering_as(original)
        return price_of(
            version, version.category(basis.category), basis.born, bill.option, bill.issued
        ).shares

    return shares


def _pay_from_credit(
    session: Session, household: HouseholdKey, results: Sequence[AdjustmentResult], on: date
) -> None:
    """Pays open bills from credit, first those for which the day's changes ask again; recomputes rights."""
    for result in results:
        allocation.return_used_credit(session, household, result.bill_id, result.member, on)
    if not allocation.use_credit(session, household, on):
        cover_books.recompute(session, *household)


def _notify(session: Session, household: HouseholdKey, results: Sequence[AdjustmentResult]) -> None:
    """Queues one SMS, sent by daylight, if the member's own share changed."""
    more = sum(result.member for result in results)
    if more:
        kind = MessageKind.ADJUSTED_MORE if more > 0 else MessageKind.ADJUSTED_LESS
        key = f"adjusted:{results[0].id}"
        household_sms.queue_once_with_state(session, household, kind, {"amount": abs(more)}, key=key)


def _with_promises(shares: Mapping[str, int], promises: Mapping[UUID, int]) -> dict[str, int]:
    """Returns the payers' shares when sponsors take what they promise off the member's share."""
    units = sum(promises.values())
    parts = {**shares, MEMBER: shares.get(MEMBER, 0) - units, money_rules.SPONSOR: units}
    return {payer: part for payer, part in parts.items() if part}


def _write(
    session: Session,
    row: Mapping[str, Any],
    shares: Mapping[str, int],
    promises: Mapping[UUID, int],
    rule: str,
) -> None:
    """Writes one adjustment with its bill lines, one per payer and per sponsor, and the audit entry."""
    inserts.add(session, Adjustment, row)
    shared = {"tenant_id": row["tenant_id"], "bill_id": row["bill_id"], "adjustment_id": row["id"]}
    lines: list[dict[str, Any]] = [
        {"payer": payer, "amount": units, "rule": f"{rule}/{payer}", "sponsor_id": None}
        for payer, units in shares.items()
        if payer != money_rules.SPONSOR
    ]
    for sponsor_id, units in promises.items():
        code = sponsors.get(session, row["tenant_id"], sponsor_id).code
        line_rule = f"{rule}/{money_rules.SPONSOR}/{code}"
        lines.append(
            {"payer": money_rules.SPONSOR, "amount": units, "rule": line_rule, "sponsor_id": sponsor_id}
        )
    inserts.add(session, BillLine, *({**shared, "id": clock.new_id(), **line} for line in lines))
    facts = {"bill": str(row["bill_id"]), "reason": row["reason"], "on": row["on_day"].isoformat(), **shares}
    subject = audit.about(Subject.HOUSEHOLD, row["household_id"])
    audit.record(session, row["tenant_id"], "rules", "adjusted", subject, adjustment=str(row["id"]), **facts)


def _settle(
    session: Session, household: HouseholdKey, row: Mapping[str, Any], shares: Mapping[str, int], on: date
) -> AdjustmentResult:
    """Turns what the member paid beyond the new share into credit, the newest receipt first."""
    books = cover_books.load(session, *household)
    over = max(0, -next(units for bill, units in books.left(on) if bill.bill_id == row["bill_id"]))
    values = locks.parameters(household) | {"bill": row["bill_id"]}
    paid = session.execute(_PAID_ON_BILL, values).all() if over else []
    locked = receipts.lock_all(session, [part.receipt_id for part in paid])
    freed = 0
    for part in paid:
        units, receipt = min(over - freed, int(part.units)), locked.get(part.receipt_id)
        if not units or receipt is None:  # a mutuelle must not move a federation's receipt
            continue
        parts = [
            ReceiptPart(PartKind.BILL, -units, household, part.bill_line_id, row["id"]),
            ReceiptPart(PartKind.CREDIT, units, household, None, row["id"]),
        ]
        receipts.place(session, receipt, parts, on=on, reason=Reason.BILL_REDUCED)
        fund, account = ledger.fund_of(household[0]), ledger.household_of(household[1])
        reference = f"adjustment:{row['id']}:{receipt.id}:{part.bill_line_id}"
        move = Move(fund, account, Money(units, receipt.currency))
        ledger.post(session, receipt.tenant_id, reference, row["at"], [move])
        freed += units
    if freed < over:
        reason = f"{over - freed} units were paid beyond the new share, on receipts of the federation"
        audit.open_case(
            session, household[0], FlagKind.ADJUSTMENT, audit.about(Subject.BILL, row["bill_id"]), reason
        )
    return AdjustmentResult(row["id"], row["bill_id"], dict(shares), row["total"], freed)


_PAID_ON_BILL = text("""
SELECT a.tenant_id, a.receipt_id, a.bill_line_id, sum(a.amount) AS units FROM allocations a
JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id AND l.payer = 'member'
WHERE a.household_tenant_id = :tenant AND a.household_id = :home AND a.kind = 'bill' AND l.bill_id = :bill
GROUP BY 1, 2, 3 HAVING sum(a.amount) > 0
ORDER BY max(a.at) DESC, a.receipt_id, a.bill_line_id
""")
