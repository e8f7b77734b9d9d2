"""Which days the money of a household opens, day by day. Sources: `docs/schemes.md`, decisions 0006 and 0009,
the promises at the head of `mutuelle/cover/household_rights.py` and `member_rights.py`.

The oracle lives the household's life from the first bill on, a day at a time. In the evening of a day it asks
of each bill whether the money on it comes to what is asked. It does so once for each day on which money was
taken back, because from that day on this money counts as never paid, while the days before keep what clinics
were told.

Assumptions, where the documents are silent: months of a rolling cover are those of the first day of an
unbroken cover (a cover from 31 January has months that end on 27 February, 30 March ...).
"""

from dataclasses import dataclass, field
from datetime import date

from tests.mutuelle.histories.oracle_books import Bill, Person
from tests.mutuelle.histories.oracle_rules import DAY, month_later


@dataclass
class Purchase:
    """Months that a bill's money opened on the day `known_on`, from `since` to `until`."""

    bill: Bill
    months: int  # of the bill that are open with this purchase
    known_on: date
    since: date
    until: date
    spans: list[tuple[date, date]]  # its months
    paused: bool = False
    void: bool = False  # paused before it opened a day
    included: set[str] = field(default_factory=set)

    def days_of_month(self, day: date) -> int:
        """How many days the month has that a covered day is in."""
        return next((last - first).days + 1 for first, last in self.spans if first <= day <= last)


@dataclass
class CoveredDay:
    """Which bill covers the household on a day, and each member by name.

    The number is that of the days of the bill's month which the day is in.
    """

    household: tuple[Bill, int] | None
    waiting: bool
    members: dict[str, tuple[Bill, int]]


class Life:
    """The household's life with the money that counts on the day `by`, up to any day from then on."""

    def __init__(self, bills: list[Bill], people: list[Person], by: date) -> None:
        self.dues = [bill for bill in bills if bill.kind == "dues"]
        self.people = people
        self.money = {id(bill): bill.money_that_counts(by) for bill in self.dues}
        self.purchases: list[Purchase] = []
        self.run: date | None = None
        self.run_months = 0
        self.day = min((bill.issued for bill in self.dues), default=by)
        # On any other day nothing happens, and the day before is repeated.
        self.busy = {day for bill in self.dues for line in bill.lines for day in (line.day, line.day + DAY)}
        self.busy |= {paid_on for money in self.money.values() for paid_on, _ in money}
        self.busy |= {person.since for person in people}

    def live_until(self, last: date) -> "Life":
        """Lives every day up to the evening of `last`."""
        while self.day <= last:
            for bill in self.dues:
                if bill.issued <= self.day and self.day in self.busy:
                    self._evening(bill, self.day)
            self.day += DAY
        return self

    def _paid(self, bill: Bill, day: date) -> int:
        return sum(units for paid_on, units in self.money[id(bill)] if paid_on <= day)

    def _evening(self, bill: Bill, day: date) -> None:
        paid, share = self._paid(bill, day), bill.share_counted(day)
        months = bill.rules.months_open(share, paid)
        own = [purchase for purchase in self.purchases if purchase.bill is bill]
        before = max((purchase.months for purchase in own), default=0)
        for purchase in own:
            self._resume(purchase, day, months, paid)
        for threshold, opens in bill.rules.stages(share):
            if paid >= threshold and opens > before:
                self._buy(bill, day, before, opens)
                before = opens
        for purchase in (purchase for purchase in self.purchases if purchase.bill is bill):
            self._include(purchase, day, months, paid)

    def _resume(self, purchase: Purchase, day: date, months: int, paid: int) -> None:
        """What a correction yesterday asks more must be paid for cover to go on."""
        bill, more = purchase.bill, purchase.bill.asked_anew(day - DAY)
        share = bill.share_at_dawn(day - DAY) + more + min(0, bill.member_change(day))
        if (
            purchase.known_on < day
            and more > 0
            and (purchase.paused or bill.rules.months_open(share, paid) < purchase.months)
        ):
            purchase.void = purchase.void or (not purchase.paused and purchase.since >= day)
            purchase.paused = True
        if purchase.paused and months >= purchase.months:
            if purchase.void:
                purchase.known_on, purchase.since = day, max(day, purchase.since)
            purchase.paused = purchase.void = False

    def _buy(self, bill: Bill, day: date, before: int, months: int) -> None:
        if bill.year is not None:
            first, last = bill.year
            until = month_later(first, months) - DAY
            spans = [
                (month_later(first, n), month_later(first, n + 1) - DAY) for n in range(bill.rules.months)
            ]
            if max(day, first) <= min(until, last):
                self.purchases.append(Purchase(bill, months, day, max(day, first), min(until, last), spans))
            else:
                self.purchases.append(Purchase(bill, months, day, date.max, date.min, spans))
            return
        covered_until = max((purchase.until for purchase in self.purchases), default=None)
        if covered_until is None:
            since = day + bill.rules.waiting_days * DAY
        else:
            since = max(day, covered_until + DAY)
        if self.run is None or covered_until is None or day > covered_until:
            self.run, self.run_months = since, 0
        self.run_months += months - before
        until = month_later(self.run, self.run_months) - DAY
        bought = months - before
        spans = [
            (month_later(since, n), (month_later(since, n + 1) - DAY) if n + 1 < bought else until)
            for n in range(bought)
        ]
        self.purchases.append(Purchase(bill, months, day, since, until, spans))

    def _include(self, purchase: Purchase, day: date, months: int, paid: int) -> None:
        """A member is covered once the share that includes the member is paid, or is the same without."""
        bill = purchase.bill
        for person in self.people:
            if person.since > day or person.name in purchase.included:
                continue
            opened = months
            if person.since == day > bill.issued:  # today's increase counts for who comes with it
                opened = bill.rules.months_open(bill.share_at_dawn(day) + bill.member_change(day), paid)
            if person.since <= bill.issued or self._free(bill, person) or opened >= purchase.months:
                purchase.included.add(person.name)

    def _free(self, bill: Bill, person: Person) -> bool:
        """Whether the member's share of the bill, on the evening the person came, is the same without."""
        basis = [basis for basis in bill.bases if basis.day <= person.since][-1]
        people = len(basis.people)
        return (
            basis.day != person.since
            or person.name not in basis.people
            or basis.rules.price(basis.category, people)["member"]
            == basis.rules.price(basis.category, people - 1)["member"]
        )

    def open_purchases(self, day: date) -> list[Purchase]:
        """What covers the household on a day, which must be the last one lived."""
        return [p for p in self.purchases if p.since <= day <= p.until and not p.paused]

    def covered(self, day: date) -> CoveredDay:
        """Returns which bill covers each on the last day lived; where two do, the older one."""
        purchases = sorted(self.open_purchases(day), key=lambda p: p.bill.issued)
        members: dict[str, tuple[Bill, int]] = {}
        for person in self.people:
            if person.since <= day and (person.until is None or day <= person.until):
                for purchase in purchases:
                    if person.name in purchase.included:
                        members.setdefault(person.name, (purchase.bill, purchase.days_of_month(day)))
        later = any(p.since > day for p in self.purchases if p.since <= p.until and not p.paused)
        household = (purchases[0].bill, purchases[0].days_of_month(day)) if purchases else None
        return CoveredDay(household, later and not purchases, members)
