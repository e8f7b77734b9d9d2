"""Whatever a payer answers while a household changes: once all is answered and asked again, it has accepted
what it owes."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from mutuelle.subsidies.claim_lines import ClaimHousehold, ClaimMember, EarlierLine, Period
from mutuelle.subsidies.claimable import judge
from tests.mutuelle.subsidies.test_rule_books import home

MONTHS = [date(2026 + (7 + n) // 12, (7 + n) % 12 + 1, 15) for n in range(1, 12)]  # of the household's year
YEAR_AFTER = date(2027, 9, 30)  # whatever was paid last has opened by then
EVENTS = ("none", "joins", "leaves", "dearer", "cheaper", "reversed", "paid")
ANSWERS = st.lists(st.sampled_from(["accepted", "rejected", None]), min_size=4, max_size=4)
STEPS = st.lists(
    st.tuples(st.sampled_from(EVENTS), st.integers(0, 9), st.booleans(), ANSWERS), min_size=1, max_size=9
)


@dataclass
class Story:
    """A household of SN-CMU of three, for each of whom the State owes 3 500, and what was claimed of it."""

    home: ClaimHousehold
    price: int = 3_500

    @property
    def owed(self) -> int:
        return sum(one.amount for one in self.home.payables) if self.open else 0

    @property
    def open(self) -> bool:
        return sum(money.amount for money in self.home.books.paid) > 0

    @property
    def there(self) -> list[ClaimMember]:
        return [one for one in self.home.members if one.until is None]

    def changes(self, day: date, units: int, reason: str) -> None:
        first = self.home.payables[0]
        born = tuple(one.born for one in self.there)
        line = replace(first, line_id=uuid4(), on_day=day, amount=units, reason=reason, born=born)
        self.home = replace(self.home, payables=(*self.home.payables, line))

    def happens(self, event: str, pick: int, day: date, left: int) -> None:
        """On this day, with so many months of the year to come."""
        if event == "joins" and len(self.there) < 5:
            child = ClaimMember(UUID(int=len(self.home.members) + 1), False, "Child", 2026, day, None)
            self.home = replace(self.home, members=(*self.home.members, child))
            self.changes(day, self.price * left // 12, "household")
        elif event == "leaves" and len(self.there) > 1:
            gone = self.there[1 + pick % (len(self.there) - 1)]
            members = tuple(replace(one, until=day) if one is gone else one for one in self.home.members)
            self.home = replace(self.home, members=members)
            self.changes(day, -(self.price * left // 12), "household")
        elif (event, self.price) in (("dearer", 3_500), ("cheaper", 7_000)):
            each = 3_500 if event == "dearer" else -3_500
            self.changes(day, each * len(self.there) * left // 12, "category")
            self.price += each
        elif (event, self.open) in (("reversed", True), ("paid", False)):
            money = replace(self.home.books.paid[0], on=day, amount=-self.home.books.paid[-1].amount)
            books = replace(self.home.books, paid=(*self.home.books.paid, money))
            self.home = replace(self.home, books=books)

    def drafted(self, day: date, answers: list[str | None], *, again: bool) -> bool:
        """A claim until this day, with its answers; whether there was anything to claim."""
        lines, _ = judge([self.home], Period(day.replace(day=1), day), again=again)
        of = {one.line_id: one.bill_id for one in self.home.payables}
        claimed = (
            EarlierLine(uuid4(), of[line.bill_line_id], line, answers[n % len(answers)])
            for n, line in enumerate(lines)
        )
        self.home = replace(self.home, claimed=(*self.home.claimed, *claimed))
        self.claimed_once()
        return bool(lines)

    def answered(self, answer: str) -> None:
        """What waits is answered."""
        claimed = tuple(replace(one, answer=one.answer or answer) for one in self.home.claimed)
        self.home = replace(self.home, claimed=claimed)

    @property
    def accepted(self) -> int:
        return sum(one.line.amount for one in self.home.claimed if one.answer != "rejected")

    def claimed_once(self) -> None:
        """What the database asks of the live lines of a bill line."""
        for payable in self.home.payables:
            mine = [
                one.line
                for one in self.home.claimed
                if one.answer != "rejected" and one.line.bill_line_id == payable.line_id
            ]
            sign = 1 if payable.amount > 0 else -1
            for member in {line.member_id for line in mine}:
                lines = [line.amount * sign for line in mine if line.member_id == member]
                assert sum(1 if units > 0 else -1 for units in lines) in (0, 1)
                assert sum(lines) >= 0
            assert sum(line.amount for line in mine) * sign <= abs(payable.amount)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_once_all_is_answered_and_asked_again_the_payer_accepted_what_it_owes(
    steps: list[tuple[str, int, bool, list[str | None]]],
) -> None:
    story = Story(home("SN-CMU", [1985, 1990, 2015], "general", "state"))
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
