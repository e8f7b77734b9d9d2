"""Says what the covered days of a bill are worth of a payer's part, for one member. Pure: no session.

A bill of n months is worth 1/n of a member's part a month; within a month, by its days. Months are counted
from the first day of the cover that the bill bought, or of its fixed period. k whole months and d of the D
days of the next one are worth floor(part * (k * D + d) / (n * D)). Each day gets what the sum up to it grows
by: the odd units fall where these sums reach the next whole unit, and a bill whose months were all covered is
worth exactly the part. Days that nobody was covered on are worth nothing, and shift nothing.

A change of the bill belongs to the days from its own day on: an increase is worth its units over the months
of the bill that are left then. A decrease takes its units back over the same months. Where it takes more than
these months are worth (a month under way may be given back whole), the days before lose the difference at
once, so that a payer is never asked for more than is left of its part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from math import floor

from mutuelle.cover.cover_periods import DAY
from mutuelle.cover.covered_days import CoveredDays
from mutuelle.cover.day_spans import DaySpan
from mutuelle.subsidies.claim_lines import ClaimMember, PayableLine


@dataclass(frozen=True)
class Decrease:
    """Units that a later line takes off a part, from `since` on, when `months` of the bill are left."""

    units: int
    since: date
    months: Fraction


@dataclass
class LinePart:
    """A member's part of a bill line above 0: its `units` from `since` on, over `months` of the bill.

    `corrections` are later lines that made the part smaller because its category was a mistake, oldest first.
    """

    payable: PayableLine
    member: ClaimMember
    units: int
    since: date
    months: Fraction
    covered: CoveredDays
    decreases: list[Decrease] = field(default_factory=list)
    corrections: list[PayableLine] = field(default_factory=list)

    def payable_on(self, day: date) -> PayableLine:
        """The line as it is asked for on a day: by the category of the last correction up to then."""
        last = next((line for line in reversed(self.corrections) if line.on_day <= day), None)
        return replace(self.payable, rule=last.rule, version=last.version) if last else self.payable

    def correct(self, correction: PayableLine) -> None:
        """Notes that the category was corrected: what is left is asked for by the right one from that day."""
        if self.payable_on(correction.on_day).category != correction.category:
            self.corrections.append(correction)

    def by_category(self, days: DaySpan) -> list[DaySpan]:
        """Splits days before each correction."""
        cuts = [line.on_day for line in self.corrections if days[0] < line.on_day <= days[1]]
        return list(zip([days[0], *cuts], [*(cut - DAY for cut in cuts), days[1]], strict=True))

    @property
    def left(self) -> int:
        """The units that the decreases leave."""
        return self.units - sum(decrease.units for decrease in self.decreases)

    @property
    def days(self) -> list[DaySpan]:
        """The covered days from the line's own day on."""
        return [(max(since, self.since), until) for since, until in self.covered.days if until >= self.since]

    def take(self, units: int, since: date, months: Fraction) -> int:
        """Takes up to `units` off the part from `since` on. Returns how many it took."""
        possible = min(units, self.left)
        if possible > 0:
            self.decreases.append(Decrease(possible, since, months))
        return max(0, possible)

    def worth_until(self, day: date) -> int:
        """What the covered days up to `day` are worth, in whole units."""
        worth = self.units * self._part_of(self.since, day, self.months)
        for decrease in self.decreases:
            since = max(self.since, decrease.since)
            worth -= decrease.units * self._part_of(since, day, decrease.months)
        return max(0, min(floor(worth), self.left))

    def worth(self, days: DaySpan) -> int:
        """What these days are worth, in whole units."""
        return max(0, self.worth_until(days[1]) - self.worth_until(days[0] - DAY))

    def worth_of(self, spans: Sequence[DaySpan]) -> int:
        """What the days of all these spans are worth, in whole units."""
        return sum(self.worth(days) for days in spans)

    def worthless_from(self, days: DaySpan) -> date | None:
        """The first of these days from which none up to the last is worth anything; None if the last is."""
        whole = self.worth_until(days[1])
        if self.worth_until(days[1] - DAY) < whole:
            return None
        first, last = days
        while first < last:
            middle = first + (last - first) // 2
            if self.worth_until(middle - DAY) >= whole:
                last = middle
            else:
                first = middle + DAY
        return first

    def _part_of(self, since: date, until: date, months: Fraction) -> Fraction:
        if months <= 0 or until < since:
            return Fraction(0)
        return min(Fraction(1), self.covered.months(since, until) / months)
