"""Keeps which days and units earlier claims asked of a bill line for one member. Pure: no session."""

from dataclasses import dataclass, field
from uuid import UUID

from mutuelle.cover import day_spans
from mutuelle.cover.day_spans import DaySpan
from mutuelle.subsidies.claim_lines import EarlierLine, LineAnswer


@dataclass
class HeldLine:
    """A line above 0 that its payer has not rejected: the days and units that no later line took back."""

    earlier: EarlierLine
    days: list[DaySpan]
    units: int
    back_waits: bool = False
    back_rejected: bool = False


@dataclass
class EarlierLines:
    """What earlier claims asked of one bill line for one member.

    `freed` are days whose line below 0 waits for its answer.
    """

    held: dict[UUID, HeldLine] = field(default_factory=dict)
    rejected: list[EarlierLine] = field(default_factory=list)
    freed: list[DaySpan] = field(default_factory=list)

    def add(self, earlier: EarlierLine) -> None:
        """Adds a line; the oldest must come first."""
        line = earlier.line
        days, is_rejected = (line.days_from, line.days_until), earlier.answer == LineAnswer.REJECTED
        if line.amount > 0:
            if is_rejected:
                self.rejected.append(earlier)
            else:
                self.held[earlier.id] = HeldLine(earlier, [days], line.amount)
                self.rejected = [other for other in self.rejected if other.id != line.corrects]
            return
        held = self.held.get(line.corrects) if line.corrects else None
        if held is None:
            return
        if is_rejected:
            held.back_rejected = True
            return
        held.days = day_spans.subtract(held.days, [days])
        held.units += line.amount
        if earlier.answer is None:
            held.back_waits = True
            self.freed.append(days)

    @property
    def units(self) -> int:
        """The units that are asked for, less what was given back."""
        return sum(held.units for held in self.held.values())

    @property
    def days(self) -> list[DaySpan]:
        """The days that are asked for."""
        return day_spans.merge(days for held in self.held.values() for days in held.days)
