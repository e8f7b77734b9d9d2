"""Takes a decrease of a bill off the parts of its members that are claimed. Pure: no session."""

from collections.abc import Sequence
from fractions import Fraction

from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.cover.cover_periods import DAY
from mutuelle.subsidies.claim_lines import ClaimMember, PayableLine
from mutuelle.subsidies.claim_worth import LinePart


def take(
    parts: Sequence[LinePart],
    shares: Sequence[tuple[ClaimMember, int]],
    payable: PayableLine,
    months: Fraction,
) -> int:
    """Takes a decrease off the parts, first of the members it names. Returns what none could give.

    Where the decrease corrects the category, what is left of the parts is asked for by the right one from its
    day on.
    """
    rest = 0
    parts = _undone_first(parts, payable)
    for member, units in shares:
        due = -units
        # The last day of a member who left is covered, and is asked for at the old price.
        since = payable.on_day + DAY if member.until == payable.on_day else payable.on_day
        for part in parts:
            if part.member.id == member.id:
                due -= part.take(due, since, months)
        rest += due
    for part in parts:
        rest -= part.take(rest, payable.on_day, months)
    if payable.reason == AdjustmentReason.CATEGORY:
        for part in parts:
            part.correct(payable)
    return rest


def _undone_first(parts: Sequence[LinePart], payable: PayableLine) -> list[LinePart]:
    """Returns the parts in the order in which a decrease is taken off them.

    What the decrease undoes comes first, the newest first: where it corrects the category, the parts that are
    asked for by another category, whose evidence is over; then what was added on the same day. All others
    follow in the order of their days.
    """
    is_category = payable.reason == AdjustmentReason.CATEGORY
    others = [
        part for part in parts if is_category and part.payable_on(payable.on_day).category != payable.category
    ]
    added = [
        part
        for part in parts
        if part not in others and part.payable.reason and part.payable.on_day == payable.on_day
    ]
    return [*reversed(others), *reversed(added), *(p for p in parts if p not in others and p not in added)]
