"""How the money of a household moves between its bills and its credit, receipt by receipt.

Money pays the oldest bill of dues first and the joining fee last (decision 0004); what leaves, leaves the
credit first, then what was paid last. Credit pays what is owed, the oldest receipt first; a smaller bill
frees the newest receipt's money first.
"""

from datetime import date

from tests.mutuelle.histories.oracle_books import Bill, Placed, Receipt


class Purse:
    """The bills of a household and its receipts."""

    bills: list[Bill]
    receipts: list[Receipt]

    def owed(self) -> int:
        return sum(bill.owed() for bill in self.bills)

    def credit(self) -> int:
        return sum(receipt.credit for receipt in self.receipts)

    def dues(self) -> list[Bill]:
        return [bill for bill in self.bills if bill.kind == "dues"]

    def taken_days(self) -> list[date]:
        return sorted({p.day for bill in self.bills for p in bill.placed if p.kind == "taken"})

    def in_order(self) -> list[Bill]:
        """The order in which bills are paid: dues, the oldest first, then the joining fee."""
        return sorted(self.bills, key=lambda bill: (bill.kind != "dues", bill.issued))

    def _lose(self, day: date, number: int, units: int) -> None:
        receipt = self.receipts[number]
        receipt.left -= units
        from_credit = min(units, receipt.credit)
        receipt.credit -= from_credit
        units -= from_credit
        for bill in reversed(self.in_order()):
            part = min(units, bill.money_on(number))
            if part:
                bill.placed.append(Placed(day, number, -part, "taken"))
                units -= part
        self._use_credit(day)

    def _free(self, bill: Bill, day: date) -> None:
        """What is paid beyond a smaller share becomes credit, of the newest receipt first."""
        over = -bill.owed()
        for number in reversed(range(len(self.receipts))):
            part = min(over, bill.money_on(number))
            if part > 0:
                bill.placed.append(Placed(day, number, -part, "freed"))
                self.receipts[number].credit += part
                over -= part

    def _return_used(self, bill: Bill, units: int, day: date) -> None:
        """Where a bill asks again for what it freed today, what that paid on other bills comes back first."""
        for number, receipt in enumerate(self.receipts):
            freed = -sum(p.units for p in bill.placed if (p.day, p.receipt, p.kind) == (day, number, "freed"))
            for other in reversed(self.in_order()):
                todays = [p for p in other.placed if (p.day, p.receipt) == (day, number)]
                used = sum(p.units for p in todays if p.kind in ("used", "returned"))
                part = min(units, freed, used, other.money_on(number))
                if other is bill or part <= 0:
                    continue
                other.placed.append(Placed(day, number, -part, "returned"))
                receipt.credit += part
                units, freed = units - part, freed - part

    def _use_credit(self, day: date, of: list[int] | None = None) -> None:
        """Credit pays what is owed, the oldest receipt first."""
        for number in range(len(self.receipts)) if of is None else of:
            receipt = self.receipts[number]
            for bill in self.in_order():
                part = min(receipt.credit, max(0, bill.owed()))
                if part:
                    bill.placed.append(Placed(day, number, part, "paid" if of else "used"))
                    receipt.credit -= part
