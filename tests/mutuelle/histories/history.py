"""A history: dated acts on one household, played to the product and to the oracle, and compared."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from mutuelle.cover import household_rights
from mutuelle.cover.household_rights import Interval
from tests.mutuelle.histories.oracle import Household
from tests.mutuelle.histories.oracle_claims import StateClaims
from tests.mutuelle.histories.oracle_rules import Rules
from tests.mutuelle.histories.world import AskedLine, Office, RealHousehold

DAY = timedelta(1)
Days = list[tuple[Any, list[tuple[Any, ...]]]]  # days to pass (or until which day of the cover), acts
AHEAD = 420  # days after the last act on which rights are compared

PAYMENTS = ["dues", "dues", "all", "more", "half", "third", "step", "plenty"]
ACTS = st.one_of(
    st.tuples(st.just("pays"), st.sampled_from(PAYMENTS), st.integers(1, 9)),
    st.tuples(st.just("pays"), st.sampled_from(PAYMENTS), st.integers(1, 9)),
    st.tuples(st.just("joins"), st.sampled_from([1950, 1970, 1990, 2016])),
    st.tuples(st.just("leaves"), st.integers(0, 5)),
    st.tuples(st.just("claims"), st.integers(0, 9)),
    st.tuples(st.just("proven"), st.integers(0, 9), st.sampled_from([None, None, 3, 40, 200])),
    st.tuples(st.just("refused")),
    st.tuples(st.just("taken back"), st.integers(0, 5), st.sampled_from(["all", "half", "step"])),
    st.tuples(st.just("refunded"), st.integers(0, 5), st.sampled_from(["all", "half", "step"])),
    st.tuples(st.just("sponsored"), st.sampled_from([30, 50, 100]), st.sampled_from([2_000, 1_000_000])),
    st.tuples(st.just("sponsor ends")),
    st.tuples(st.just("asks the State"), st.sampled_from(["accepts", "accepts", "rejects", "cancel"]),
              st.integers(0, 5), st.booleans()),
)  # fmt: skip
GAPS = st.one_of(
    st.integers(0, 3),
    st.integers(0, 200),
    st.tuples(st.just("end"), st.sampled_from([-32, -31, -30, -1, 0, 1, 2, 40])),
)
TARIFF = st.tuples(st.just("new tariff"))
DAYS_OF_TARIFFS = st.lists(
    st.tuples(GAPS, st.lists(st.one_of(ACTS, ACTS, ACTS, TARIFF), min_size=1, max_size=4)),
    min_size=4,
    max_size=8,
)
DAYS = st.lists(st.tuples(GAPS, st.lists(ACTS, min_size=1, max_size=4)), min_size=4, max_size=8)


@dataclass
class History:
    """One household in both worlds. `log` says what happened, for a failing example."""

    office: Office
    versions: list[Rules]
    categories: list[str]
    day: date
    born: list[int]
    category: str
    log: list[str] = field(default_factory=list)
    real: RealHousehold = field(init=False)
    oracle: Household = field(init=False)
    claims: StateClaims = field(init=False)
    acts: int = 0

    def __post_init__(self) -> None:
        self.office.on(self.day)
        self.real = RealHousehold(self.office, self.born, self.category)
        self.oracle = Household(self.versions, self.day, self.born, self.category)
        self.claims = StateClaims(self.oracle)
        self.note(f"enrols {self.born} {self.category}")
        self.agree()

    def note(self, words: str) -> None:
        self.log.append(f"{self.day} {words}")

    def play(self, days: Days) -> None:
        for gap, acts in days:
            self.pass_days(gap)
            self.do(("night",))
            for act in acts:
                self.do(act)
            self.agree_on_all_days()

    def pass_days(self, gap: int | tuple[str, int]) -> None:
        if isinstance(gap, tuple):
            covered = self.oracle.covered(self.day, self.day + AHEAD * DAY)
            last = max((day for day, state in covered.items() if state.household), default=self.day)
            self.day = max(self.day, last + gap[1] * DAY)
        else:
            self.day += gap * DAY
        self.office.on(self.day)

    def do(self, act: tuple[Any, ...]) -> None:
        doing: Callable[..., None] = getattr(self, f"_{act[0].replace(' ', '_')}")
        doing(*act[1:])
        self.acts += 1
        self.agree()

    def _night(self) -> None:
        self.note("night")
        self.office.night()
        self.oracle.night(self.day)

    def _pays(self, how: str, number: int) -> None:
        oracle, step = self.oracle, self.versions[-1].step
        dues = sum(bill.owed() for bill in oracle.dues())
        units = {"dues": dues, "all": oracle.owed(), "more": oracle.owed() + 1_700, "half": dues // 2,
                 "third": -(-dues // 3), "step": step * number, "plenty": 40_000}[how]  # fmt: skip
        if units > 0:
            self.note(f"pays {units}")
            self.real.pays(units)
            oracle.pays(self.day, units)

    def _joins(self, born: int) -> None:
        if len(self.oracle.people) < 12:
            born += len(self.oracle.people) % 9  # no two of one year: a claim tells members by it
            self.note(f"joins {born}")
            self.real.joins(born)
            self.oracle.joins(self.day, born)

    def _leaves(self, number: int) -> None:
        others = self.oracle.present(self.day)[1:]
        if others:
            name = others[number % len(others)].name
            self.note(f"leaves {name}")
            self.real.leaves(name)
            self.oracle.leaves(self.day, name)

    def _claims(self, number: int) -> None:
        category = self.categories[number % len(self.categories)]
        if self.oracle.claims(self.day, category):
            self.note(f"claims {category}")
            self.real.claims(category)

    def _proven(self, number: int, days: int | None) -> None:
        category = self.categories[number % len(self.categories)]
        until = None if days is None else self.day + days * DAY
        self.note(f"proven {category} until {until}")
        self.real.proven(category, until)
        self.oracle.proven(self.day, category, until)

    def _refused(self) -> None:
        self.note("refused")
        self.real.refused()
        self.oracle.refused(self.day)

    def _taken_back(self, number: int, part: str) -> None:
        self._lose(self.real.taken_back, self.oracle.taken_back, "taken back", number, part)

    def _refunded(self, number: int, part: str) -> None:
        self._lose(self.real.refunded, self.oracle.refunded, "refunded", number, part)

    def _lose(
        self,
        real: Callable[[int, int], None],
        expected: Callable[[date, int, int], None],
        words: str,
        number: int,
        part: str,
    ) -> None:
        receipts = self.oracle.receipts
        if not receipts:
            return
        number %= len(receipts)
        left = receipts[number].left
        units = {"all": left, "half": left // 2, "step": min(left, self.versions[-1].step * 5)}[part]
        if units > 0:
            self.note(f"{words} {units} of payment {number}")
            real(number, units)
            expected(self.day, number, units)

    def _sponsored(self, percent: int, cap: int) -> None:
        if self.oracle.sponsored(self.day, percent, cap, None):
            self.note(f"sponsored {percent} % up to {cap}")
            self.real.sponsored(percent, cap, None, self.day)

    def _sponsor_ends(self) -> None:
        if any(not sponsor.ended for sponsor in self.oracle.sponsors):
            self.note("sponsor ends")
            self.real.sponsor_ends(self.day)
            self.oracle.sponsor_ends(self.day)

    def _asks_the_State(self, answer: str, number: int, again: bool) -> None:
        """A claim up to yesterday is drafted, compared, and answered at once or cancelled."""
        until = self.day - DAY
        if until < self.oracle.first:
            return
        name = self.oracle.people[number % len(self.oracle.people)].name if answer == "rejects" else None
        if any(self._claimed_name(bill.issued, "") for bill in self.oracle.dues()):
            name = None  # no member's part can be told apart
        self.note(f"asks the State up to {until}, which {answer} {name or 'all'}{', again' if again else ''}")
        expected = self.claims.draft(until, again)
        lines = self.real.asks_state(self.oracle.first, until, again)
        by_member = Counter[tuple[date, str]]()
        for (bill, _, member), units in expected.items():
            issued = self.oracle.bills[bill].issued
            by_member[issued, self._claimed_name(issued, member)] += units
        claimed = Counter[tuple[date, str]]()
        for line in lines:
            claimed[line.issued, self._claimed_name(line.issued, line.name)] += line.units
        assert {k: v for k, v in claimed.items() if v} == {k: v for k, v in by_member.items() if v}, (
            self.story(f"what the State is asked: {dict(claimed)} and {dict(by_member)}")
        )
        self._lines_name_covered_days(lines, until)
        if answer == "cancel":
            self.real.cancels_claim()
        else:
            self.real.answers_claim(name)
            self.claims.answered(expected, name)

    def _claimed_name(self, issued: date, name: str) -> str:
        """The member, or all where a member came or left on the day of the bill.

        The product splits a change of that day among all members, although it is for one of them
        (`test_who_comes_on_the_day_of_the_bill_is_claimed_for_alone`); the sums of the bill are compared.
        """
        days = [day for bill in self.oracle.dues() if bill.issued == issued
                for day in {line.day for line in bill.lines if line.why == "household"}]  # fmt: skip
        return "all" if issued in days else name

    def _lines_name_covered_days(self, lines: list[AskedLine], until: date) -> None:
        covered = self.oracle.covered(self.oracle.first, until)
        for line in lines:
            day = line.since
            while line.units > 0 and day <= line.until:
                bill, _ = covered[day].members.get(line.name, (None, 0))
                issued = bill.issued if bill else None
                assert issued == line.issued, self.story(f"{day} is asked for {line.name}, and the bills")
                day += DAY

    def _new_tariff(self) -> None:
        """The mutuelle applies the rules of today (`mutuelle schemes apply`)."""
        self.note("new tariff applied")
        self.real.new_tariff(self.day)
        self.oracle.new_tariff(self.day)

    # What must agree

    def agree(self) -> None:
        """What is owed by each payer of each bill, the credit, and the rights of today."""
        parts = Counter[tuple[str, date, str]]()
        owed = {}
        for bill in self.oracle.bills:
            kind = {"dues": "dues", "fee": "joining"}[bill.kind]
            owed[kind, bill.issued] = bill.owed()
            for payer, units in bill.parts().items():
                parts[kind, bill.issued, "sponsor" if payer.startswith("sponsor") else payer] += units
        expected = {key: units for key, units in parts.items() if units}
        assert self.real.parts() == expected, self.story("the payers' parts")
        real = self.real.owed(self.day)
        assert real == (owed, self.oracle.credit()), self.story(
            f"owed and credit: {real} and {owed, self.oracle.credit()}"
        )
        self._agree_from(self.day, self.day)

    def agree_on_all_days(self) -> None:
        """The rights of the household and of each member, on every day from the first one on."""
        self._agree_from(self.oracle.first, self.day + AHEAD * DAY)

    def _agree_from(self, first: date, last: date) -> None:
        household, members = self.real.timelines()
        covered = self.oracle.covered(first, last)
        expected = {day for day, state in covered.items() if state.household}
        assert _open_days(household, first, last) == expected, self.story(
            _difference(_open_days(household, first, last), expected, "household")
        )
        for name, timeline in members.items():
            expected = {day for day, state in covered.items() if name in state.members}
            real = _open_days(timeline, first, last)
            assert real == expected, self.story(_difference(real, expected, name))

    def story(self, what: str) -> str:
        return "\n".join([f"{what} differ", *self.log])


def _open_days(timeline: tuple[Interval, ...], first: date, last: date) -> set[date]:
    days = set()
    for part in timeline:
        if part.state == household_rights.RightsState.OPEN:
            day = max(first, part.since)
            while day <= min(last, part.until or last):
                days.add(day)
                day += DAY
    return days


def _difference(real: set[date], expected: set[date], who: str) -> str:
    more, fewer = sorted(real - expected), sorted(expected - real)
    words = [f"{kind} {days[0]}..{days[-1]} ({len(days)})" for kind, days in
             (("product only", more), ("oracle only", fewer)) if days]  # fmt: skip
    return f"open days of {who}: {', '.join(words)}:"
