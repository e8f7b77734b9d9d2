"""The bills and the money of one household, as the oracle keeps them: plain lists of dated notes."""

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from tests.mutuelle.histories.oracle_rules import Rules


@dataclass
class Person:
    """A member: the first is the head. `until` is the last day in the household."""

    name: str
    born: int
    since: date
    until: date | None = None


class Basis(NamedTuple):
    """What the price of a bill follows since a day."""

    day: date
    rules: Rules
    category: str
    people: tuple[str, ...]


class Line(NamedTuple):
    """A payer's part of a bill, or by how much it changed on a day. `why` is `issued` for the first ones."""

    day: date
    payer: str  # member, state, commune, or `sponsor 0`
    units: int
    why: str
    basis: Basis


class Placed(NamedTuple):
    """Units of a receipt on a bill from a day on.

    `kind`: paid, used (credit that pays it), returned (credit that leaves it on the same day for the bill
    that had freed it), freed (a smaller bill needs them no more), taken (reversal or refund).
    """

    day: date
    receipt: int
    units: int
    kind: str


@dataclass
class Bill:
    """A bill of dues, or of the joining fee."""

    issued: date
    kind: str
    rules: Rules  # those it was made under
    year: tuple[date, date] | None
    lines: list[Line] = field(default_factory=list)
    bases: list[Basis] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)

    def parts(self) -> dict[str, int]:
        """What each payer owes now."""
        parts: dict[str, int] = {}
        for line in self.lines:
            parts[line.payer] = parts.get(line.payer, 0) + line.units
        return parts

    def parts_at_dawn(self, day: date) -> dict[str, int]:
        """What each payer owed when the day began; a bill of today, what it was issued with."""
        parts: dict[str, int] = {}
        for line in self.lines:
            if line.day < day or line.why == "issued":
                parts[line.payer] = parts.get(line.payer, 0) + line.units
        return parts

    def basis_at_dawn(self, day: date) -> Basis:
        """What its price followed when the day began."""
        return [basis for place, basis in enumerate(self.bases) if place == 0 or basis.day < day][-1]

    def member_change(self, day: date) -> int:
        """By how much the member's part changed on a day, all acts of it together."""
        return sum(
            line.units
            for line in self.lines
            if (line.day, line.payer) == (day, "member") and line.why != "issued"
        )

    def corrections(self, day: date) -> dict[str, int]:
        """By how much a day corrected each payer's part: the household was billed as something else."""
        parts: dict[str, int] = {}
        for line in self.lines:
            if (line.day, line.why) == (day, "category"):
                parts[line.payer] = parts.get(line.payer, 0) + line.units
        return parts

    def asked_anew(self, day: date) -> int:
        """What more must be paid to stay covered: what the day corrected and did not make up for."""
        return max(0, min(self.corrections(day).get("member", 0), self.member_change(day)))

    def share_at_dawn(self, day: date) -> int:
        return self.parts_at_dawn(day).get("member", 0)

    def share_counted(self, day: date) -> int:
        """The member's part that must be paid on a day: a decrease counts at once, an increase tomorrow."""
        return self.share_at_dawn(day) + min(0, self.member_change(day))

    def paid(self) -> int:
        """The member's money on the bill now."""
        return sum(placed.units for placed in self.placed)

    def owed(self) -> int:
        return self.parts().get("member", 0) - self.paid()

    def has_lost_money(self) -> bool:
        """Whether it changed, and money left it."""
        return len(self.bases) > 1 and any(placed.units < 0 for placed in self.placed)

    def money_on(self, receipt: int) -> int:
        """What a receipt has on this bill now."""
        return sum(placed.units for placed in self.placed if placed.receipt == receipt)

    def money_that_counts(self, by: date) -> list[tuple[date, int]]:
        """The payments of this bill as known on the day `by`: what was taken back counts as never paid.

        What is taken back reduces the receipt's own payments of this bill, the oldest first. Units of it that
        a smaller bill had freed before were never paid either.
        """
        counted: list[tuple[date, int]] = []
        for receipt in sorted({placed.receipt for placed in self.placed}):
            own = [placed for placed in self.placed if placed.receipt == receipt]
            losses = [placed for placed in own if placed.kind == "taken" and placed.day <= by]
            last = max((placed.day for placed in losses), default=date.min)
            freed = [placed for placed in own if placed.kind in ("freed", "returned")]
            never = -sum(placed.units for placed in losses)
            never -= sum(placed.units for placed in freed if placed.day <= last)
            for payment in (placed for placed in own if placed.kind in ("paid", "used")):
                gone = min(never, payment.units)
                never -= gone
                counted.append((max(payment.day, self.issued), payment.units - gone))
            counted += [(placed.day, placed.units) for placed in freed if placed.day > last]
        return counted


@dataclass
class Receipt:
    """Money that came; `credit` units of it wait for a bill.

    `left` units are still with the household, `refund` units wait to be paid back.
    """

    day: date
    units: int
    credit: int = 0
    left: int = 0
    refund: int = 0


def before_sponsors(parts: dict[str, int]) -> dict[str, int]:
    """The payers' parts when what sponsors promise is still the member's."""
    merged: dict[str, int] = {}
    for payer, units in parts.items():
        key = "member" if payer.startswith("sponsor") else payer
        merged[key] = merged.get(key, 0) + units
    return merged


def promises(parts: dict[str, int]) -> dict[int, int]:
    return {
        int(payer.split()[1]): units
        for payer, units in parts.items()
        if payer.startswith("sponsor") and units
    }


def apart(
    more: dict[str, int], corrected: dict[str, int], moved: dict[int, int], why: str
) -> list[tuple[dict[str, int], dict[int, int], str]]:
    """What is corrected, and the rest for who came or left; what sponsors promise is split like the member's
    share.
    """
    others = {payer: more.get(payer, 0) - corrected.get(payer, 0) for payer in {*more, *corrected}}
    moved_apart = dict.fromkeys(moved, 0)
    member, of_others = more.get("member", 0), others.get("member", 0)
    if 0 <= of_others * member <= member**2 > 0:
        moved_apart = {number: int(Fraction(units * of_others, member)) for number, units in moved.items()}
    own = {number: units - moved_apart[number] for number, units in moved.items()}
    return [(corrected, own, why), (others, moved_apart, "household")]
