"""Claims of one bill the part of a payer that belongs to the days really covered. Pure: no session.

Each member's part of a bill line above 0 is asked day by day, see `claim_worth`. A decrease of the bill has
no line of its own: it makes the parts of the members it names smaller, first those that it undoes, and what
these lose beyond their own part falls on the others, the head first. Where it corrects the category, what is
left of a part is asked for by the right category from that day on. Then, for each part:

1. Covered days that no line of this or another bill asks for are asked, one line for each span of days.
2. Days of a line that the payer rejected are asked only with `again`; the new line names the rejected one.
3. Days for which a likely duplicate of the member is claimed, or waits for a decision, are left out.
4. What an accepted line asks for days that are not covered any more, or are worth less since, is taken back
   by a line below 0 that names it. While the line waits for its answer, or an earlier line below 0 does,
   nothing goes back. A line below 0 that was rejected is asked again only with `again`.

What is asked, what was asked before and what is left out add up to the bill lines.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from uuid import UUID

from mutuelle.cover import day_spans
from mutuelle.cover.cover_periods import DAY, BoughtMonths
from mutuelle.cover.covered_days import CoveredDays, HouseholdCover
from mutuelle.cover.day_spans import DaySpan
from mutuelle.schemes import schemes
from mutuelle.subsidies import claim_decreases
from mutuelle.subsidies.claim_eligibility import (
    Eligibility,
    NotClaimable,
    eligibility_of,
    members_covered,
    members_who_changed,
)
from mutuelle.subsidies.claim_held_days import EarlierLines, HeldLine
from mutuelle.subsidies.claim_line_facts import LineWriter
from mutuelle.subsidies.claim_lines import (
    ClaimHousehold,
    ClaimMember,
    DraftLine,
    EarlierLine,
    LeftOutReason,
    PayableLine,
    Period,
)
from mutuelle.subsidies.claim_shares import member_shares, shares
from mutuelle.subsidies.claim_worth import LinePart

LeftOutUnits = dict[UUID, Counter[LeftOutReason]]


class DayClaims:
    """The claim of one household's bills by their covered days.

    `days_asked` are the days that lines of each member ask for, by member and bill.
    """

    def __init__(self, household: ClaimHousehold, cover: HouseholdCover, period: Period, again: bool) -> None:
        self.household = household
        self._cover = cover
        self._period = period
        self._again = again
        self._writer = LineWriter(household, period.until)
        self._earlier = defaultdict[tuple[UUID, UUID], EarlierLines](EarlierLines)
        self.days_asked = defaultdict[tuple[UUID, UUID], list[DaySpan]](list)
        for earlier in household.claimed:
            line = earlier.line
            self._earlier[line.bill_line_id, line.member_id].add(earlier)
        bill_of = {earlier.line.bill_line_id: earlier.bill_id for earlier in household.claimed}
        for (line_id, member_id), lines in self._earlier.items():
            self.days_asked[member_id, bill_of[line_id]] += lines.days

    def book(self, bill_id: UUID, lines: Sequence[DraftLine]) -> None:
        """Books lines of this claim, so that no other bill is claimed for their days."""
        for line in lines:
            if line.amount > 0:
                self.days_asked[line.member_id, bill_id].append((line.days_from, line.days_until))

    def claim(self, payables: Sequence[PayableLine]) -> tuple[list[DraftLine], LeftOutUnits]:
        """Returns the lines of one bill, whose lines are in the order of their days, and what is left out."""
        left_out: LeftOutUnits = {payable.line_id: Counter() for payable in payables}
        parts = self._parts(payables, left_out)
        lines: list[DraftLine] = []
        first_days = [days[0] for days in self._cover.household(payables[0].bill_id).days]
        for payable in payables:
            of_line = [part for part in parts if part.payable is payable]
            if not of_line:
                continue
            for part in of_line:
                lines += self._ask(part, first_days, left_out, payables)
        self.book(payables[0].bill_id, lines)
        for payable in payables:
            if payable.on_day >= self._period.since:
                units = sum(self._earlier[payable.line_id, m.id].units for m in self.household.members)
                left_out[payable.line_id][LeftOutReason.CLAIMED] += units
        return lines, left_out

    def _eligible(
        self, part: LinePart, day: date, first_days: Sequence[date]
    ) -> tuple[PayableLine, Eligibility | LeftOutReason]:
        """Returns the line by which a part is asked for on `day`, and why it may be claimed, or why not."""
        payable = part.payable_on(day)
        since = max(line.on_day for line in (part.payable, *part.corrections) if line.on_day <= day)
        first = max(first_days[0], since) if first_days else since
        try:
            return payable, eligibility_of(self.household, payable, self._period, first)
        except NotClaimable as refusal:
            return payable, refusal.reason

    def _parts(self, payables: Sequence[PayableLine], left_out: LeftOutUnits) -> list[LinePart]:
        """Returns the parts of the members of each line above 0, less what the decreases take."""
        parts: list[LinePart] = []
        for payable in payables:
            version = schemes.get(payable.scheme).version(payable.version)
            members = members_who_changed(self.household.members, payable, version)
            members = members or members_covered(self.household.members, payable, version)
            months = self._months_left(payable)
            if not members:
                reason = LeftOutReason.NOBODY if payable.amount > 0 else LeftOutReason.NOTHING_BACK
                left_out[payable.line_id][reason] += payable.amount
                continue
            split = member_shares(version, payable, members, payable.amount)
            if payable.amount > 0:
                parts += [self._part(payable, member, units, months) for member, units in split if units]
            else:
                rest = claim_decreases.take(parts, split, payable, months)
                left_out[payable.line_id][LeftOutReason.NOTHING_BACK] -= rest
        return parts

    def _part(self, payable: PayableLine, member: ClaimMember, units: int, months: Fraction) -> LinePart:
        others = [
            days
            for (member_id, bill_id), spans in self.days_asked.items()
            if member_id == member.id and bill_id != payable.bill_id
            for days in spans
        ]
        covered = self._cover.member(member.id, payable.bill_id).without(others)
        if member.id in self.household.duplicates.returned:
            covered = CoveredDays()  # what was accepted goes back
        since = date.min if payable.on_day <= payable.issued else payable.on_day
        return LinePart(payable, member, units, since, months, covered)

    def _months_left(self, payable: PayableLine) -> Fraction:
        """Returns how many months of the bill are left from the day of the line on; all of its own lines."""
        version = schemes.get(payable.scheme).version(payable.made_under or payable.version)
        whole = Fraction(version.option(payable.option).months)
        if payable.on_day <= payable.issued:
            return whole
        if payable.period:
            bought = BoughtMonths(*payable.period, int(whole))
            return whole - bought.months_before(payable.on_day)
        covered = self._cover.household(payable.bill_id)
        return whole - covered.months(date.min, payable.on_day - DAY)

    def _ask(
        self,
        part: LinePart,
        first_days: Sequence[date],
        left_out: LeftOutUnits,
        payables: Sequence[PayableLine],
    ) -> list[DraftLine]:
        """Returns the lines of one part, and counts the rest of its units as left out, by reason."""
        reasons = left_out[part.payable.line_id]
        earlier = self._earlier[part.payable.line_id, part.member.id]
        rest = part.left - earlier.units
        lines: list[DraftLine] = []
        surplus = 0  # what is held too much, and has no day of its own to be taken back for
        for held in earlier.held.values():
            back, reason, excess = self._take_back(part, held)
            surplus += excess
            units = sum(line.amount for line in back)
            if reason:
                smaller = next((p.line_id for p in payables if p.amount < 0), part.payable.line_id)
                left_out[smaller][reason] += units
                rest -= units
            else:
                lines += back
        forbidden = day_spans.merge(self.household.duplicates.forbidden_days(part.member.id))
        to_ask = self._days_to_ask(part, earlier)
        for days, _ in to_ask:
            units = part.worth_of(day_spans.intersect([days], forbidden))
            reasons[LeftOutReason.DUPLICATE] += units
            rest -= units
        allowed = [(span, line) for days, line in to_ask for span in _claimable(part, days, forbidden)]
        for days, rejected in allowed:
            units = max(0, part.worth(days) - surplus)
            surplus = max(0, surplus - part.worth(days))
            if not units:
                continue
            reason = None
            payable, eligible = self._eligible(part, days[0], first_days)
            if rejected is not None and not self._again:
                reason = LeftOutReason.REJECTED
            elif not isinstance(eligible, Eligibility):
                reason = eligible
            if reason:
                reasons[reason] += units
                rest -= units
            elif isinstance(eligible, Eligibility):
                corrects = rejected.id if rejected else None
                lines.append(self._writer.line(payable, eligible, part.member, units, corrects, days))
        rest -= sum(line.amount for line in lines)
        if part.member.id in self.household.duplicates.returned:
            reasons[LeftOutReason.DUPLICATE] += rest
        else:
            reasons[LeftOutReason.NOT_COVERED if first_days else LeftOutReason.NOT_OPEN] += rest
        return lines

    def _days_to_ask(self, part: LinePart, earlier: EarlierLines) -> list[tuple[DaySpan, EarlierLine | None]]:
        """Returns the spans of covered days that no line asks for, each with the rejected line it is of."""
        days = day_spans.subtract(part.days, [*earlier.days, *earlier.freed])
        spans: list[tuple[DaySpan, EarlierLine | None]] = []
        for rejected in reversed(earlier.rejected):
            own = [(rejected.line.days_from, rejected.line.days_until)]
            spans += [(span, rejected) for span in day_spans.intersect(days, own)]
            days = day_spans.subtract(days, own)
        spans += [(span, None) for span in days]
        return sorted(spans, key=lambda row: row[0])

    def _take_back(self, part: LinePart, held: HeldLine) -> tuple[list[DraftLine], LeftOutReason | None, int]:
        """Returns the lines that take back what a line asks too much, why they must wait, and the surplus.

        The surplus are units that no day was lost for: its days are worth less, because others began earlier.
        """
        too_much = held.units - part.worth_of(held.days)
        reaches_beyond = bool(held.days) and held.days[-1][1] > self._period.until
        if too_much <= 0 or reaches_beyond:  # a later claim asked for it: the next one judges it
            return [], None, 0
        lost = day_spans.subtract(held.days, part.days)
        if not lost:
            tails = ((part.worthless_from(days), days[1]) for days in held.days)
            lost = [(first, last) for first, last in tails if first is not None]
        if not lost:
            return [], None, too_much
        lines = [
            replace(
                held.earlier.line,
                days_from=days[0],
                days_until=days[1],
                days=day_spans.days_in([days]),
                amount=-units,
                corrects=held.earlier.id,
            )
            for days, units in zip(lost, _by_days(too_much, lost), strict=True)
            if units
        ]
        reason = None
        if held.earlier.answer is None or held.back_waits:
            reason = LeftOutReason.WAITING
        elif held.back_rejected and not self._again:
            reason = LeftOutReason.REJECTED
        return lines, reason, 0


def _claimable(part: LinePart, days: DaySpan, forbidden: Sequence[DaySpan]) -> list[DaySpan]:
    """Returns the days that are not forbidden, in spans of one category each."""
    return [span for allowed in day_spans.subtract([days], forbidden) for span in part.by_category(allowed)]


def _by_days(units: int, spans: Sequence[DaySpan]) -> list[int]:
    """Splits units among spans by their days."""
    return shares(units, [day_spans.days_in([days]) for days in spans])
