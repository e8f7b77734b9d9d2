"""After any answers of a payer: once every line is answered and asked again, it has accepted what it owes."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutuelle.subsidies.claim_amounts import judge
from mutuelle.subsidies.claim_lines import ClaimHousehold, ClaimMember, EarlierLine, Period
from tests.mutuelle.subsidies.test_rule_books import household

pytestmark = pytest.mark.usefixtures("whole_periods")
MONTHS = [date(2026 + (7 + n) // 12, (7 + n) % 12 + 1, 15) for n in range(1, 12)]  # of the household's year
YEAR_AFTER = date(2027, 9, 30)  # the last payment has opened rights by then
EVENTS = ("none", "joins", "leaves", "dearer", "cheaper", "reversed", "paid")
ANSWERS = st.lists(st.sampled_from(["accepted", "rejected", None]), min_size=4, max_size=4)
STEPS = st.lists(
    st.tuples(st.sampled_from(EVENTS), st.integers(0, 9), st.booleans(), ANSWERS), min_size=1, max_size=9
)


@dataclass
class Story:
    """A household of SN-CMU and its earlier claims; the State owes 3 500 for each of its three members."""

    household: ClaimHousehold
    price: int = 3_500

    @property
    def owed(self) -> int:
        return sum(payable.amount for payable in self.household.payables) if self.open else 0

    @property
    def open(self) -> bool:
        return sum(money.amount for money in self.household.books.paid) > 0

    @property
    def present(self) -> list[ClaimMember]:
        return [member for member in self.household.members if member.until is None]

    def changes(self, day: date, units: int, reason: str) -> None:
        first = self.household.payables[0]
        born = tuple(member.born for member in self.present)
        line = replace(first, line_id=uuid4(), on_day=day, amount=units, reason=reason, born=born)
        self.household = replace(self.household, payables=(*self.household.payables, line))

    def happens(self, event: str, pick: int, day: date, months_left: int) -> None:
        """Applies the event on this day, with `months_left` of the year to come."""
        if event == "joins" and len(self.present) < 5:
            child = ClaimMember(UUID(int=len(self.household.members) + 1), False, "Child", 2026, day, None)
            self.household = replace(self.household, members=(*self.household.members, child))
            self.changes(day, self.price * months_left // 12, "household")
        elif event == "leaves" and len(self.present) > 1:
            gone = self.present[1 + pick % (len(self.present) - 1)]
            members = tuple(
                replace(member, until=day) if member is gone else member for member in self.household.members
            )
            self.household = replace(self.household, members=members)
            self.changes(day, -(self.price * months_left // 12), "household")
        elif (event, self.price) in (("dearer", 3_500), ("cheaper", 7_000)):
            each = 3_500 if event == "dearer" else -3_500
            self.changes(day, each * len(self.present) * months_left // 12, "category")
            self.price += each
        elif (event, self.open) in (("reversed", True), ("paid", False)):
            money = replace(
                self.household.books.paid[0], on=day, amount=-self.household.books.paid[-1].amount
            )
            books = replace(self.household.books, paid=(*self.household.books.paid, money))
            self.household = replace(self.household, books=books)

    def drafted(self, day: date, answers: list[str | None], *, again: bool) -> bool:
        """Drafts a claim until this day and answers it. Returns whether there was anything to claim."""
        lines, _ = judge([self.household], Period(day.replace(day=1), day), again=again)
        bill_of = {payable.line_id: payable.bill_id for payable in self.household.payables}
        claimed = (
            EarlierLine(uuid4(), bill_of[line.bill_line_id], line, answers[n % len(answers)])
            for n, line in enumerate(lines)
        )
        self.household = replace(self.household, claimed=(*self.household.claimed, *claimed))
        self.claimed_once()
        return bool(lines)

    def answered(self, answer: str) -> None:
        """Gives every line that waits this answer."""
        claimed = tuple(
            replace(earlier, answer=earlier.answer or answer) for earlier in self.household.claimed
        )
        self.household = replace(self.household, claimed=claimed)

    @property
    def accepted(self) -> int:
        return sum(earlier.line.amount for earlier in self.household.claimed if earlier.answer != "rejected")

    def claimed_once(self) -> None:
        """Asserts what the database requires of the live lines of a bill line."""
        for payable in self.household.payables:
            standing = [
                earlier.line
                for earlier in self.household.claimed
                if earlier.answer != "rejected" and earlier.line.bill_line_id == payable.line_id
            ]
            sign = 1 if payable.amount > 0 else -1
            for member in {line.member_id for line in standing}:
                lines = [line.amount * sign for line in standing if line.member_id == member]
                assert sum(1 if units > 0 else -1 for units in lines) in (0, 1)
                assert sum(lines) >= 0
            assert sum(line.amount for line in standing) * sign <= abs(payable.amount)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_once_all_is_answered_and_asked_again_the_payer_accepted_what_it_owes(
    steps: list[tuple[str, int, bool, list[str | None]]],
) -> None:
    story = Story(household("SN-CMU", [1985, 1990, 2015], "general", "state"))
    for day, (event, pick, again, answers) in zip(MONTHS, steps, strict=False):
        story.happens(event, pick, day, 12 - MONTHS.index(day))
        story.drafted(day.replace(day=28), answers, again=again)
        if pick % 2:
            story.answered("rejected" if pick % 3 == 0 else "accepted")
    story.answered("accepted")
    for _ in range(9):
        if not story.drafted(YEAR_AFTER, ["accepted"], again=True):
            break
    assert story.accepted == story.owed
