"""What the State may be asked for, day by day. Source: "What State, commune and sponsors are asked for" in
`docs/schemes.md`, decision 0014, the promises at the head of `mutuelle/subsidies/claim_amounts.py`.

Each franc of the State's lines of a bill is some member's. A line is split among the members it is for: an
increase for a new member is that member's, a decrease for a member who left is taken from that member first,
any other line is for all who are on the bill; odd units are the head's. A decrease takes first from
what it undoes: of a refused proof, what was asked for by the refused category; what is left of that is asked
for by the new category from that day on. A day counts for a member if the bill covered the member on it.
The sums up to each day are rounded down; a day gets what they grow by.

Assumption, from `mutuelle/subsidies/claim_day_lines.py`: the months left when a rolling bill changes are its
months less those that it has really covered so far, a part of a month by its days; in a fixed year, those of
the year that are not over.

What is claimed here is answered at once, line by line: a line that waits while the next claim is drafted is
not covered, nor is a rejected line below 0.
"""

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from math import floor

from tests.mutuelle.histories.oracle import Household
from tests.mutuelle.histories.oracle_books import Bill, Line
from tests.mutuelle.histories.oracle_cover import CoveredDay
from tests.mutuelle.histories.oracle_rules import DAY, month_later

Key = tuple[int, int, str]  # bill, line and member by name


@dataclass
class Part:
    """A member's part of a line: `units` from `since` on, over `months`; less what decreases take."""

    key: Key
    line: Line
    units: int
    since: date
    months: Fraction
    takes: list[tuple[int, date, Fraction]] = field(default_factory=list)
    corrected: list[Line] = field(default_factory=list)  # decreases that corrected its category

    def line_on(self, day: date) -> Line:
        """The line by whose category it is asked for on a day."""
        return [line for line in (self.line, *self.corrected) if line.day <= day or line is self.line][-1]

    @property
    def left(self) -> int:
        return self.units - sum(units for units, _, _ in self.takes)

    def take(self, units: int, since: date, months: Fraction) -> int:
        """Takes up to so many units off it. Returns how many."""
        possible = max(0, min(units, self.left))
        self.takes += [(possible, since, months)] if possible else []
        return possible

    def correct(self, line: Line) -> None:
        """A decrease that corrects the category: what is left is asked for by the new one from its day on."""
        if line.why == "category" and self.line_on(line.day).basis.category != line.basis.category:
            self.corrected.append(line)

    def worth(self, weights: dict[date, Fraction]) -> dict[date, int]:
        """What each covered day is worth in whole units, when a day weighs so much of a month."""
        worth, before = {}, 0
        so_far = Fraction(0)
        reduced = [Fraction(0)] * len(self.takes)
        for day in sorted(weights):
            if day < self.since:
                continue
            so_far += weights[day]
            # Nothing is left to ask for in a bill of which every month was covered.
            total = self.units * min(Fraction(1), so_far / self.months) if self.months > 0 else Fraction(0)
            for number, (units, since, months) in enumerate(self.takes):
                if day >= since and months > 0:
                    reduced[number] += weights[day]
                    total -= units * min(Fraction(1), reduced[number] / months)
            now = max(0, min(floor(total), self.left))
            worth[day], before = max(0, now - before), now
        return worth


@dataclass
class StateClaims:
    """The claims on the State for one household, one after the other."""

    household: Household
    standing: dict[Key, int] = field(default_factory=dict)  # units that stand
    days: dict[Key, set[date]] = field(default_factory=dict)  # for these days
    rejected: dict[Key, set[date]] = field(default_factory=dict)
    drafted: dict[Key, set[date]] = field(default_factory=dict)  # days of the last draft

    def draft(self, until: date, again: bool) -> dict[Key, int]:
        """By how much the State is asked more (or less) for each part, up to the day `until`."""
        home = self.household
        self.drafted = {}
        covered = home.covered(home.first, until)
        more = {}
        for number, bill in enumerate(home.bills):
            if bill.kind != "dues":
                continue
            for part in self._parts(number, bill, until, covered):
                weights = self._weights(bill, part.key[2], covered)
                worth = part.worth(weights)
                lines = {day: part.line_on(day) for day in worth}
                asked_by = (part.line, *part.corrected)
                proven = [line for line in asked_by if self._eligible(part, line, covered, bill)]
                if worth and not any(line in proven for line in lines.values()):
                    continue
                skipped = set() if again else self.rejected.get(part.key, set())
                standing_days = self.days.get(part.key, set())
                skipped = skipped | {
                    day for day in worth if lines[day] not in proven and day not in standing_days
                }
                self.drafted[part.key] = set(worth) - skipped
                units = sum(units for day, units in worth.items() if day not in skipped)
                if units != self.standing.get(part.key, 0):
                    more[part.key] = units - self.standing.get(part.key, 0)
        return more

    def answered(self, more: dict[Key, int], rejects: str | None) -> None:
        """The State accepts everything, but what is asked more for one member."""
        for key, days in self.drafted.items():
            if key in more and more[key] > 0 and key[2] == rejects:
                self.rejected[key] = days - self.days.get(key, set())
                continue
            self.standing[key] = self.standing.get(key, 0) + more.get(key, 0)
            self.days[key] = self.days.get(key, set()) | days
            self.rejected[key] = self.rejected.get(key, set()) - days

    def _weights(self, bill: Bill, name: str, covered: dict[date, CoveredDay]) -> dict[date, Fraction]:
        """What part of a month each day is on which the bill covered the member."""
        weights = {}
        for day, state in covered.items():
            by, days = state.members.get(name, (None, 1))
            if by is bill:
                weights[day] = Fraction(1, days)
        return weights

    def _parts(self, number: int, bill: Bill, until: date, covered: dict[date, CoveredDay]) -> list[Part]:
        lines = [(place, line) for place, line in enumerate(bill.lines)
                 if line.payer == "state" and line.day <= until and line.units]  # fmt: skip
        parts: list[Part] = []
        for place, line in sorted(lines, key=lambda row: claim_order(row[1])):
            months = self._months_left(bill, line, covered)
            names = self._members(bill, line)
            each, odd = divmod(abs(line.units), len(names))
            split = {name: each + (odd if n == 0 else 0) for n, name in enumerate(names)}
            if line.units > 0:
                since = date.min if line.day <= bill.issued else line.day
                parts += [Part((number, place, name), line, units, since, months)
                          for name, units in split.items() if units]  # fmt: skip
                continue
            self._take(parts, line, split, months)
            for part in parts:
                part.correct(line)
        return parts

    def _take(self, parts: list[Part], line: Line, split: dict[str, int], months: Fraction) -> None:
        """Takes a decrease off the parts: each member's own first, then what these cannot give off all."""
        rest, order = 0, undone_first(parts, line)
        for name, due in split.items():
            person = next(person for person in self.household.people if person.name == name)
            since = line.day + DAY if person.until == line.day else line.day
            for part in order:
                if part.key[2] == name:
                    due -= part.take(due, since, months)
            rest += due
        for part in order:
            rest -= part.take(rest, line.day, months)

    def _members(self, bill: Bill, line: Line) -> list[str]:
        """Returns the members that a line is for, the head first."""
        people = self.household.people
        present = [p.name for p in people if p.until is None or p.until > line.day]
        on_bill = [name for name in present if name in line.basis.people]
        if line.why != "household":
            return on_bill
        if line.day != bill.issued:
            who = [p.name for p in people if line.day == (p.since if line.units > 0 else p.until)]
            return who or on_bill
        # On the day of the bill who came is who was not on it before; who left never had a part of it.
        place = next(place for place, basis in enumerate(bill.bases) if basis is line.basis)
        came = [name for name in on_bill if name not in bill.bases[place - 1].people]
        return came if came and line.units > 0 else on_bill

    def _months_left(self, bill: Bill, line: Line, covered: dict[date, CoveredDay]) -> Fraction:
        whole = Fraction(bill.rules.months)
        if line.day <= bill.issued:
            return whole
        if bill.year is not None:
            return whole - months_before(bill, line.day)
        days = [state.household for day, state in covered.items() if day < line.day]
        return whole - sum((Fraction(1, by[1]) for by in days if by and by[0] is bill), Fraction(0))

    def _eligible(self, part: Part, line: Line, covered: dict[date, CoveredDay], bill: Bill) -> bool:
        """Whether a category that must be proven was proven on the first day that it is asked for."""
        category = line.basis.category
        if line.basis.rules.billed_as[category] == category:
            return True
        days = [day for day, state in covered.items() if state.household and state.household[0] is bill]
        first = max(min(days, default=date.min), part.line.day, line.day)
        return any(proof.code == category and proof.since <= first
                   and (proof.until is None or first <= proof.until)
                   for proof in self.household.proofs)  # fmt: skip


def claim_order(line: Line) -> tuple[date, bool, bool, int]:
    """By day, increases first; of the decreases of a day, corrections of the category first."""
    return line.day, line.units < 0, line.units < 0 and line.why != "category", -line.units


def undone_first(parts: list[Part], line: Line) -> list[Part]:
    """The parts as a decrease takes from them: the refused category first, then what this day added."""

    def rank(place: int) -> tuple[bool, bool, int]:
        now = parts[place].line_on(line.day).basis.category
        other = line.why == "category" and now != line.basis.category
        added = parts[place].line.why != "issued" and parts[place].line.day == line.day
        return not other, not added, -place if other or added else place

    return [parts[place] for place in sorted(range(len(parts)), key=rank)]


def months_before(bill: Bill, day: date) -> Fraction:
    """How many months of the bill's fixed year are over when a day begins."""
    assert bill.year is not None
    over, first = Fraction(0), bill.year[0]
    for number in range(bill.rules.months):
        begins, ends = month_later(first, number), month_later(first, number + 1)
        over += Fraction(min(max((day - begins).days, 0), (ends - begins).days), (ends - begins).days)
    return over
