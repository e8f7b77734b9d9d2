"""One household and its claims, month after month, as plain values: no database."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from uuid import UUID, uuid4

from mutuelle.cover import day_spans, member_rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.household_rights import RightsState
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.schemes.version_rules import months_after
from mutuelle.subsidies.claim_amounts import judge
from mutuelle.subsidies.claim_lines import (
    ClaimHousehold,
    DraftLine,
    EarlierLine,
    LeftOutAmount,
    LeftOutReason,
    LineAnswer,
    Period,
)

DAY = timedelta(1)
Row = tuple[str, str, str, int]  # name, first day, last day, units


def month(year: int, number: int) -> Period:
    """Returns a month of the calendar."""
    first = date(year, number, 1)
    return Period(first, months_after(first, 1) - DAY)


def month_after(period: Period) -> Period:
    """Returns the calendar month after this one."""
    following = period.until + DAY
    return month(following.year, following.month)


def rows(lines: list[DraftLine]) -> list[Row]:
    """Returns what a reader of the claim sees."""
    return [(line.name, f"{line.days_from}", f"{line.days_until}", line.amount) for line in lines]


@dataclass
class ClaimedHousehold:
    """A household that is claimed month by month.

    With `days_may_wait`, days that are not open any more may still be asked for until their line is answered.
    """

    household: ClaimHousehold
    left_out: list[LeftOutAmount] = field(default_factory=list)
    days_may_wait: bool = False

    def pays(self, day: date, units: int, bill: int = 0) -> UUID:
        """Pays on one of its bills. Returns the receipt."""
        books, receipt = self.household.books, uuid4()
        paid = BillPayment(books.bills[bill].bill_id, day, units, receipt)
        self.household = replace(self.household, books=replace(books, paid=(*books.paid, paid)))
        return receipt

    def loses(self, day: date, units: int, receipt: UUID) -> None:
        """Its payment is reversed."""
        books = self.household.books
        lost = BillPayment(books.bills[0].bill_id, day, -units, receipt)
        self.household = replace(self.household, books=replace(books, paid=(*books.paid, lost)))

    def claim(
        self, period: Period, answer: LineAnswer | None = LineAnswer.ACCEPTED, *, again: bool = False
    ) -> list[DraftLine]:
        """Claims the household for a period; every line gets this answer."""
        before = self.asked
        lines, self.left_out = judge([self.household], period, again=again)
        rest = sum(part.amount for part in self.left_out if part.reason != LeftOutReason.CLAIMED)
        owed = sum(line.amount for line in self.household.payables if line.on_day <= period.until)
        assert before + sum(line.amount for line in lines) + rest == owed
        bill_of = {payable.line_id: payable.bill_id for payable in self.household.payables}
        claimed = [EarlierLine(uuid4(), bill_of[line.bill_line_id], line, answer) for line in lines]
        self.household = replace(self.household, claimed=(*self.household.claimed, *claimed))
        self.is_true_by(
            max([period.until, *(row.line.days_until for row in self.household.claimed if row.line.days)])
        )
        return lines

    def answers(self, answer: LineAnswer) -> None:
        """Gives every line that waits this answer."""
        claimed = tuple(replace(row, answer=row.answer or answer) for row in self.household.claimed)
        self.household = replace(self.household, claimed=claimed)

    @property
    def asked(self) -> int:
        """The units that are asked for and not rejected, less what was given back."""
        return sum(row.line.amount for row in self.household.claimed if row.answer != LineAnswer.REJECTED)

    def reasons(self) -> dict[str, int]:
        """What the last claim left out, by reason."""
        units: dict[str, int] = {}
        for part in self.left_out:
            units[part.reason] = units.get(part.reason, 0) + part.amount
        return {reason: amount for reason, amount in units.items() if amount}

    def people(self) -> list[InsuredPerson]:
        return [
            InsuredPerson(m.id, m.head, m.born, m.since, m.until, relationships=m.relationships)
            for m in self.household.members
        ]

    def open_days(self, member_id: UUID, by: date) -> list[day_spans.DaySpan]:
        """The days up to `by` on which the member's rights are open."""
        books, people = self.household.books, self.people()
        person = next(person for person in people if person.id == member_id)
        paid = [money for money in books.paid if money.on <= by]
        bills = [bill.known_on(by) for bill in books.bills if bill.issued <= by]
        timeline = member_rights.timeline(books.version_of, bills, paid, people, person)
        is_open = (
            (part.since, min(by, part.until or by)) for part in timeline if part.state == RightsState.OPEN
        )
        return day_spans.merge(is_open)

    def is_true_by(self, by: date) -> None:
        """Asserts that each day asked for is asked once and is open by the member's rights."""
        days_of: dict[tuple[UUID, UUID], list[day_spans.DaySpan]] = {}
        for row in self.household.claimed:
            line = row.line
            if row.answer == LineAnswer.REJECTED or line.days is None:
                continue
            days = days_of.setdefault((line.bill_line_id, line.member_id), [])
            span = (line.days_from, line.days_until)
            assert line.days == day_spans.days_in([span])
            if line.amount > 0:
                assert not day_spans.intersect(days, [span]), "a day is asked for twice"
                days.append(span)
            else:
                assert day_spans.subtract([span], days) == [], "a day goes back that was not asked for"
                days[:] = day_spans.subtract(day_spans.merge(days), [span])
        by_member: dict[UUID, list[tuple[UUID, list[day_spans.DaySpan]]]] = {}
        bill_of = {row.line.bill_line_id: row.bill_id for row in self.household.claimed}
        for (line_id, member_id), days in days_of.items():
            by_member.setdefault(member_id, []).append((bill_of[line_id], day_spans.merge(days)))
        for member_id, parts in by_member.items():
            for number, (bill_id, days) in enumerate(parts):
                untrue = day_spans.subtract(days, self.open_days(member_id, by))
                assert untrue == [] or self.days_may_wait, "a day is asked for that was not open"
                for other_id, others in parts[:number]:
                    assert bill_id == other_id or not day_spans.intersect(days, others)
