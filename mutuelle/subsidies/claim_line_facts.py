"""Fills a claim line with what its payer may check: member, evidence, days, own payment. Pure: no session."""

from datetime import date
from uuid import UUID

from mutuelle.cover import cover_periods
from mutuelle.subsidies.claim_eligibility import Eligibility
from mutuelle.subsidies.claim_lines import ClaimHousehold, ClaimMember, DraftLine, PayableLine


class LineWriter:
    """Writes the lines of a claim for one household; `until` is the last day of the claim's period."""

    def __init__(self, household: ClaimHousehold, until: date) -> None:
        self.household = household
        self._until = until
        self._transactions = dict(household.receipts)
        self._money: dict[UUID, tuple[int, str | None]] = {}

    def line(
        self,
        payable: PayableLine,
        eligibility: Eligibility,
        member: ClaimMember,
        units: int,
        corrects: UUID | None = None,
        covered: tuple[date, date] | None = None,
    ) -> DraftLine:
        """Returns the line that asks `units` of a bill line for a member; for the days `covered`, if any."""
        days_from, days_until = covered or eligibility.days
        paid, receipts = self._money_on(payable.bill_id)
        return DraftLine(
            household_id=self.household.id,
            number=self.household.number,
            member_id=member.id,
            name=member.name or "",
            born=member.born,
            category=payable.category,
            scheme=payable.scheme,
            version=payable.version,
            rule=payable.rule,
            evidence=eligibility.evidence,
            days_from=days_from,
            days_until=days_until,
            on_day=payable.on_day,
            amount=units,
            bill_line_id=payable.line_id,
            corrects=corrects,
            days=(days_until - days_from).days + 1 if covered else None,
            registry_number=eligibility.registry_number,
            member_paid=paid,
            receipts=receipts,
            household_size=self._people_on(min(days_until, self._until)),
            place=self.household.place or None,
        )

    def _money_on(self, bill_id: UUID) -> tuple[int, str | None]:
        """Returns the member's money on a bill by the end of the period, and its transactions, if any."""
        if bill_id not in self._money:
            paid = [money for money in self.household.books.paid if money.on <= self._until]
            left = cover_periods.left_after_reversals(paid, self._until)
            money_of_bill = [money for money in left if money.bill_id == bill_id]
            receipts = {
                self._transactions[money.receipt]
                for money in money_of_bill
                if money.amount > 0 and money.receipt in self._transactions
            }
            units = sum(money.amount for money in money_of_bill)
            self._money[bill_id] = units, " ".join(sorted(receipts)) or None
        return self._money[bill_id]

    def _people_on(self, day: date) -> int:
        members = self.household.members
        return sum(m.since <= day and (m.until is None or day <= m.until) for m in members)
