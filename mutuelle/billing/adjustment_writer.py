"""Writes an adjustment: its bill lines, its audit entry, and the money that it frees as credit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, inserts
from mutuelle.audit import FlagKind, Subject
from mutuelle.contributions.bill_change import AdjustmentReason, PriceBasis
from mutuelle.contributions.bills import Bill, BillLine
from mutuelle.cover import cover_books
from mutuelle.db import Row
from mutuelle.households import locks
from mutuelle.households.locks import HouseholdKey
from mutuelle.money import Money
from mutuelle.organisation import sponsors
from mutuelle.payments import ledger, receipts
from mutuelle.payments.ledger import Move
from mutuelle.payments.receipts import PartKind, Reason, ReceiptPart
from mutuelle.schemes import money_rules
from mutuelle.schemes.money_rules import MEMBER


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


def row_of(bill: Bill, ordinal: int, on: date, reason: AdjustmentReason, end: PriceBasis) -> dict[str, Any]:
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


def with_promises(shares: Mapping[str, int], promises: Mapping[UUID, int]) -> dict[str, int]:
    """Returns the payers' shares when sponsors take what they promise off the member's share."""
    units = sum(promises.values())
    parts = {**shares, MEMBER: shares.get(MEMBER, 0) - units, money_rules.SPONSOR: units}
    return {payer: part for payer, part in parts.items() if part}


def write_apart(
    session: Session,
    row: Mapping[str, Any],
    shares: Mapping[str, int],
    corrections: Mapping[str, int],
    promises: Mapping[UUID, int],
    rule: str,
) -> None:
    """Writes a change of a bill by `shares`, before any sponsor, of which `corrections` is for its reason.

    The rest is for who came or left on the same day: it gets an adjustment of its own with that reason, so
    that it is not taken for a correction. The `promises` of sponsors are split like the member's share,
    rounded towards the correction.
    """
    others = {
        payer: units
        for payer in dict.fromkeys([*shares, *corrections])
        if (units := shares.get(payer, 0) - corrections.get(payer, 0))
    }
    if not others:
        write(session, row, with_promises(shares, promises), promises, rule)
        return
    member, of_others = shares.get(MEMBER, 0), others.get(MEMBER, 0)
    ratio = Fraction(of_others, member) if 0 <= of_others * member <= member * member and member else 0
    promises_apart = {sponsor_id: int(units * ratio) for sponsor_id, units in promises.items()}
    own_promises = {key: units - promises_apart[key] for key, units in promises.items()}
    last = {**row, "reason": AdjustmentReason.HOUSEHOLD, "total": sum(others.values())}
    if any(corrections.values()) or any(own_promises.values()):
        own = {**row, "total": sum(corrections.values())}
        write(session, own, with_promises(corrections, own_promises), own_promises, rule)
        last |= {"id": clock.new_id(), "ordinal": row["ordinal"] + 1}
    write(session, last, with_promises(others, promises_apart), promises_apart, rule)


def write(
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
        if not units:
            continue
        code = sponsors.get(session, row["tenant_id"], sponsor_id).code
        line_rule = f"{rule}/{money_rules.SPONSOR}/{code}"
        lines.append(
            {"payer": money_rules.SPONSOR, "amount": units, "rule": line_rule, "sponsor_id": sponsor_id}
        )
    inserts.add(session, BillLine, *({**shared, "id": clock.new_id(), **line} for line in lines))
    facts = {"bill": str(row["bill_id"]), "reason": row["reason"], "on": row["on_day"].isoformat(), **shares}
    subject = audit.about(Subject.HOUSEHOLD, row["household_id"])
    audit.record(session, row["tenant_id"], "rules", "adjusted", subject, adjustment=str(row["id"]), **facts)


def settle(
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
