"""Computes what may be claimed of a payer for each household, and what is left out and why. Pure: no session.

A bill is claimed by the days really covered (`claim_day_lines.py`), or for its whole period where the rule
book names a clause for that (`claim_whole_bills.py`). For both:

1. Every member a bill line covers has a name, and the evidence of its category is checked and in force on the
   first day it is for; where the category needs no evidence, the membership and its consent are the evidence.
2. Its units are split among the members by their prices, in whole units, the odd units to the head, so that
   the parts add up; a change of the bill because a member came or left falls to that member alone; what a
   sponsor pays more is split among all.
3. What one claim asks for no other claim asks for, unless the payer rejected the line and it is asked for
   again; the new line then names the rejected one.
4. What a likely duplicate would ask for is left out, while the same person may be claimed as a member of
   another household. Where a person decided so, the next claim takes back what was accepted.

What is claimed, what is left out and what was claimed before add up to what the payer owes of the bills of
the period, and of earlier bills not yet claimed.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import date
from uuid import UUID

from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.cover.covered_days import covered_days
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.schemes import schemes
from mutuelle.subsidies import claim_whole_bills
from mutuelle.subsidies.claim_balances import ClaimBalances
from mutuelle.subsidies.claim_day_lines import DayClaims
from mutuelle.subsidies.claim_lines import (
    ClaimHousehold,
    DraftLine,
    LeftOutAmount,
    LeftOutReason,
    PayableLine,
    Period,
    UnreadableHousehold,
)

log = logging.getLogger("mutuelle.claim_amounts")


def judge(
    households: Iterable[ClaimHousehold | UnreadableHousehold],
    period: Period,
    *,
    again: bool = False,
    whole: bool = False,
) -> tuple[list[DraftLine], list[LeftOutAmount]]:
    """Returns what may be claimed of these households by the end of `period`, and what is left out.

    `again` asks for rejected lines, too. `whole` asks for whole periods whatever the rule book says, as every
    claim did before covered days were counted. A household on which this fails is left out as unreadable.
    """
    lines: list[DraftLine] = []
    left_out: list[LeftOutAmount] = []
    for household in sorted(households, key=lambda household: household.number):
        unread = household if isinstance(household, UnreadableHousehold) else None
        if not isinstance(household, UnreadableHousehold):
            try:
                claimed, reasons = _claim_household(household, period, again, whole)
                lines += claimed
                left_out += reasons
            except Exception as error:  # of any kind: the other households are claimed
                log.exception("a household cannot be claimed: %s", type(error).__name__)
                units = tuple((payable.line_id, payable.amount) for payable in household.payables)
                unread = UnreadableHousehold(household.id, household.number, units)
        if unread is not None:
            left_out += [
                LeftOutAmount(unread.id, line_id, units, LeftOutReason.UNREADABLE)
                for line_id, units in unread.units
                if units
            ]
    return lines, left_out


def _claim_household(
    household: ClaimHousehold, period: Period, again: bool, whole: bool
) -> tuple[list[DraftLine], list[LeftOutAmount]]:
    """Returns the lines of one household, and its units that are left out."""
    lines: list[DraftLine] = []
    left_out: list[LeftOutAmount] = []
    by_days, ledger = _bills_by_days(household, whole), ClaimBalances(household)
    bill_of = {payable.line_id: payable.bill_id for payable in household.payables}
    for payable in sorted(household.payables, key=_claim_order):
        if payable.bill_id not in by_days:
            claimed, reasons = claim_whole_bills.claim_line(ledger, payable, period, again)
            lines += claimed
            left_out += _amounts(household, payable.line_id, reasons)
    if not by_days:
        return lines, left_out
    books = household.books
    cover = covered_days(books.version_of, books.bills, books.paid, _people(household), period.until)
    claims = DayClaims(household, cover, period, again)
    for line in lines:
        claims.book(bill_of[line.bill_line_id], [line])
    for payables in by_days.values():
        claimed, reasons_by_line = claims.claim(payables)
        lines += claimed
        for line_id, reasons in reasons_by_line.items():
            left_out += _amounts(household, line_id, reasons)
    return lines, left_out


def _claim_order(payable: PayableLine) -> tuple[date, bool, bool, int, str]:
    """Sort key: by day, increases first; of the decreases of a day, corrections of the category first."""
    is_decrease = payable.amount < 0
    is_other = is_decrease and payable.reason != AdjustmentReason.CATEGORY
    return payable.on_day, is_decrease, is_other, -payable.amount, str(payable.line_id)


def _bills_by_days(household: ClaimHousehold, whole: bool) -> dict[UUID, list[PayableLine]]:
    """Returns the lines of each bill that is claimed by its covered days, in the order of their days.

    A bill of which an earlier claim asked for the whole period is claimed whole to its end.
    """
    if whole:
        return {}
    begun_whole = {earlier.bill_id for earlier in household.claimed if earlier.line.days is None}
    by_days: dict[UUID, list[PayableLine]] = {}
    for payable in sorted(household.payables, key=lambda p: (p.issued, str(p.bill_id), *_claim_order(p))):
        rules = schemes.get(payable.scheme).version(payable.made_under or payable.version).subsidy
        if payable.bill_id not in begun_whole and not (rules and rules.whole_periods):
            by_days.setdefault(payable.bill_id, []).append(payable)
    return by_days


def _people(household: ClaimHousehold) -> tuple[InsuredPerson, ...]:
    """Returns the members as the rules of rights read them; without statuses where none were read."""
    return household.people or tuple(
        InsuredPerson(m.id, m.head, m.born, m.since, m.until, relationships=m.relationships)
        for m in household.members
    )


def _amounts(
    household: ClaimHousehold, line_id: UUID, reasons: Counter[LeftOutReason]
) -> list[LeftOutAmount]:
    return [LeftOutAmount(household.id, line_id, units, reason) for reason, units in reasons.items() if units]
