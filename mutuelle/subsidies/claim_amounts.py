"""Computes what may be claimed of a payer for a household, and what is left out and why. Pure: no session.

A payer's line of a dues bill may be claimed, in seven sentences:

1. When the bill has opened rights by the end of the claim's period, or once it is billed where the rule book
   says so.
2. When every member it covers has a name, and the evidence of its category is checked and in force on the
   first day it is for; where the category needs no evidence, the membership and its consent are the evidence.
3. Its units are split among the members by their prices, in whole units, the odd units to the head, so that
   the lines add up; a change of the bill because a member came or left falls to that member alone; what a
   sponsor pays more is split among all.
4. What one claim asks for no other claim asks for, unless the payer rejected the line and it is asked for
   again; the new line then names the rejected one.
5. When accepted lines have lost their rights since, the next claim takes them back with a negative line.
6. When a bill became smaller, the next claim gives back what was accepted of it for a member: a negative line
   with the member's name that names the accepted line, once no positive line of the member waits for an
   answer. What was rejected was never paid: it is not given back, and is asked again for less. An accepted
   negative line is cancelled when the positive line in the same claim was rejected.
7. What a likely duplicate would ask for is left out, while the same person may be claimed as a member of
   another household. Where a person decided so, the next claim takes back what was accepted.

What is claimed, what is left out and what was claimed before add up to what the payer owes of the bills of
the period, and of earlier bills not yet claimed.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from mutuelle.contributions.quotes import age
from mutuelle.schemes import schemes
from mutuelle.schemes.version_rules import Version
from mutuelle.subsidies.claim_balances import ClaimBalances
from mutuelle.subsidies.claim_eligibility import Eligibility, NotClaimable, eligibility_of, members_covered
from mutuelle.subsidies.claim_lines import (
    ClaimHousehold,
    ClaimMember,
    DraftLine,
    LeftOutAmount,
    LeftOutReason,
    PayableLine,
    Period,
    UnreadableHousehold,
)

log = logging.getLogger("mutuelle.claim_amounts")
MemberUnits = tuple[ClaimMember, int]
UnitsLeftOut = Counter[LeftOutReason]


@dataclass(frozen=True)
class LineRequest:
    """Units of a bill line to ask for a member; `rejected` is the earlier line, if its payer rejected one."""

    member: ClaimMember
    units: int
    rejected: UUID | None


def judge(
    households: Iterable[ClaimHousehold | UnreadableHousehold], period: Period, *, again: bool = False
) -> tuple[list[DraftLine], list[LeftOutAmount]]:
    """Returns what may be claimed of these households by the end of `period`, and what is left out.

    `again` asks for rejected lines, too. A household on which this fails is left out as unreadable.
    """
    lines: list[DraftLine] = []
    left_out: list[LeftOutAmount] = []
    for household in sorted(households, key=lambda household: household.number):
        unread = household if isinstance(household, UnreadableHousehold) else None
        if not isinstance(household, UnreadableHousehold):
            try:
                claimed, reasons = _claim_household(household, period, again)
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
    household: ClaimHousehold, period: Period, again: bool
) -> tuple[list[DraftLine], list[LeftOutAmount]]:
    """Returns the lines of one household, and its units that are left out."""
    lines: list[DraftLine] = []
    left_out: list[LeftOutAmount] = []
    ledger = ClaimBalances(household)
    for payable in sorted(household.payables, key=lambda p: (p.on_day, -p.amount, str(p.line_id))):
        claimed, reasons = _claim_line(ledger, payable, period, again)
        lines += claimed
        left_out += [
            LeftOutAmount(household.id, payable.line_id, units, reason)
            for reason, units in reasons.items()
            if units
        ]
    return lines, left_out


def _claim_line(
    ledger: ClaimBalances, payable: PayableLine, period: Period, again: bool
) -> tuple[list[DraftLine], UnitsLeftOut]:
    """Claims one bill line and books it. Returns its lines, and its units that are left out."""
    rest_before = ledger.unclaimable_rest(payable)
    of_bill = ledger.unclaimable[payable.bill_id]
    lines, left_out = _ask(ledger, payable, period, again)
    if payable.amount < 0 and not lines:
        lines = _cancel_decrease(ledger, payable)
        left_out[LeftOutReason.NOTHING_BACK] -= _total(lines)
    duplicates = _take_back_duplicates(ledger, payable, lines)
    left_out[LeftOutReason.DUPLICATE] -= _total(duplicates)
    lines += duplicates
    ledger.book(payable.bill_id, lines)
    rest_after = ledger.unclaimable_rest(payable)
    if rest_before or rest_after:
        ledger.unclaimable[payable.bill_id] = of_bill + rest_after - rest_before
    return lines, left_out


def _ask(
    ledger: ClaimBalances, payable: PayableLine, period: Period, again: bool
) -> tuple[list[DraftLine], UnitsLeftOut]:
    """Returns the lines that ask for a bill line or take it back, and its units that are left out."""
    standing = ledger.standing_units(payable)
    claimed = sum(standing.values())
    rest = payable.amount - claimed
    left_out: UnitsLeftOut = Counter()
    left_out[LeftOutReason.CLAIMED] = claimed if payable.on_day >= period.since else 0
    try:
        eligibility = eligibility_of(ledger.household, payable, period)
    except NotClaimable as refusal:
        lines = ledger.reversals(payable) if refusal.reason == LeftOutReason.TAKEN_BACK else []
        left_out[refusal.reason] += rest - _total(lines)
        return lines, left_out
    members = [member for member in eligibility.members if member.id not in standing]
    if not members:
        left_out[LeftOutReason.NOTHING_BACK if rest < 0 else LeftOutReason.CHANGED] += rest
        return [], left_out
    requests: list[LineRequest] = []
    for member, units in _split(ledger, payable, members, rest):
        rejected = ledger.rejected_line(payable, member.id)
        if units > 0 and ledger.household.duplicates.forbid(member.id, eligibility.days):
            left_out[LeftOutReason.DUPLICATE] += units
        elif reason := _reason_to_wait(ledger, payable, member, units, again or not rejected):
            left_out[reason] += units
        else:
            requests.append(LineRequest(member, units, rejected))
    lines = _lines(ledger, payable, eligibility, requests)
    left_out[LeftOutReason.NOTHING_BACK] += sum(request.units for request in requests) - _total(lines)
    return lines, left_out


def _reason_to_wait(
    ledger: ClaimBalances, payable: PayableLine, member: ClaimMember, units: int, may_ask: bool
) -> LeftOutReason | None:
    """Returns why a member's units cannot be asked yet; `may_ask` is false for a rejected line."""
    if ledger.unanswered(payable, member.id):  # its payer may reject a negative line, too
        return LeftOutReason.TAKEN_BACK
    if not may_ask:
        return LeftOutReason.REJECTED
    if units < 0 and ledger.claims_of(payable.bill_id, member.id).waiting:
        return LeftOutReason.WAITING
    return None


def _split(
    ledger: ClaimBalances, payable: PayableLine, members: Sequence[ClaimMember], rest: int
) -> list[MemberUnits]:
    """Splits the rest of a bill line among its members; a decrease also among others of the bill."""
    version = schemes.get(payable.scheme).version(payable.version)
    parts = list(zip(members, shares(rest, _weights(version, payable, members)), strict=True))
    if rest >= 0:
        return parts
    standing = ledger.standing_units(payable)
    covered = members_covered(ledger.household.members, payable, version)
    others = [member for member in covered if member.id not in standing]
    return split_decrease(ledger, payable.bill_id, parts, others)


def split_decrease(
    ledger: ClaimBalances, bill_id: UUID, parts: Sequence[MemberUnits], others: Sequence[ClaimMember]
) -> list[MemberUnits]:
    """Splits a decrease among members: at most what was claimed for each; the remainder goes to the others.

    Units that were claimed for none of them stay with the first member. They give nothing back.
    """
    shares_of = dict.fromkeys([*(member for member, _ in parts), *others], 0)
    remainder = 0
    for member, units in (*parts, *((member, 0) for member in others)):
        refundable = ledger.claims_of(bill_id, member.id).refundable + shares_of[member]
        if (
            member.id in ledger.household.duplicates.held
        ):  # its part was not asked for: no other gives it back
            refundable = max(refundable, -units)
        share = max(units + remainder, -max(0, refundable))
        shares_of[member] += share
        remainder += units - share
    shares_of[parts[0][0]] += remainder
    return [(member, units) for member, units in shares_of.items() if units]


def _lines(
    ledger: ClaimBalances, payable: PayableLine, eligibility: Eligibility, requests: Sequence[LineRequest]
) -> list[DraftLine]:
    """Returns a line for each request, smaller by the reductions; no more goes back than was accepted."""
    reductions = _reductions(ledger, payable, requests)
    lines = []
    for request in requests:
        claims = ledger.claims_of(payable.bill_id, request.member.id)
        units = request.units - reductions[request.member.id]
        corrects = request.rejected
        if units < 0:
            units = max(units, min(0, -claims.balance))
            corrects = corrects or claims.last_accepted
        if units:
            lines.append(_line(ledger.household, payable, eligibility, request.member, units, corrects))
    return lines


def _reductions(
    ledger: ClaimBalances, payable: PayableLine, requests: Sequence[LineRequest]
) -> Counter[UUID]:
    """Returns by how much each member's line is smaller, and reduces the bill's unclaimable units by it.

    A decrease that was claimed in part, because a positive line was rejected, leaves a rest. A positive line
    that is asked again is smaller by that rest, first for the members that the decrease names. A negative
    line is smaller by what such a positive line left.
    """
    decreases = [
        other for other in ledger.household.payables if other.bill_id == payable.bill_id and other.amount < 0
    ]
    named = {
        member_id
        for decrease in decreases
        if ledger.unclaimable_rest(decrease)
        for member_id in ledger.standing_units(decrease)
    }
    reductions: Counter[UUID] = Counter()
    for request in sorted(requests, key=lambda request: request.member.id not in named):
        member_id, units = request.member.id, request.units
        unclaimable = ledger.unclaimable[payable.bill_id]
        if unclaimable * units < 0 and (units < 0 or request.rejected or member_id in named):
            reductions[member_id] = -unclaimable if abs(unclaimable) < abs(units) else units
            ledger.unclaimable[payable.bill_id] += reductions[member_id]
    return reductions


def _take_back_duplicates(
    ledger: ClaimBalances, payable: PayableLine, lines: Sequence[DraftLine]
) -> list[DraftLine]:
    """Takes back what was accepted for members that are claimed in another household by a decision."""
    corrected = {line.member_id for line in lines}
    returned = ledger.household.duplicates.returned - corrected
    return [line for line in ledger.reversals(payable) if line.member_id in returned]


def _cancel_decrease(ledger: ClaimBalances, payable: PayableLine) -> list[DraftLine]:
    """Cancels an accepted negative line when the positive line it corrected was rejected."""
    lines = []
    for line in ledger.reversals(payable):
        claims = ledger.claims_of(payable.bill_id, line.member_id)
        if claims.balance < 0 and not claims.waiting:
            lines.append(line)
    return lines


def _line(
    household: ClaimHousehold,
    payable: PayableLine,
    eligibility: Eligibility,
    member: ClaimMember,
    units: int,
    corrects: UUID | None,
) -> DraftLine:
    return DraftLine(
        household_id=household.id,
        number=household.number,
        member_id=member.id,
        name=member.name or "",
        born=member.born,
        category=payable.category,
        scheme=payable.scheme,
        version=payable.version,
        rule=payable.rule,
        evidence=eligibility.evidence,
        days_from=eligibility.days[0],
        days_until=eligibility.days[1],
        on_day=payable.on_day,
        amount=units,
        bill_line_id=payable.line_id,
        corrects=corrects,
    )


def _total(lines: Iterable[DraftLine]) -> int:
    return sum(line.amount for line in lines)


def _weights(version: Version, payable: PayableLine, members: Sequence[ClaimMember]) -> list[int]:
    """Returns the members' prices, or equal weights where the price is the household's."""
    pricing, category = version.pricing, version.category(payable.category)
    if pricing.basis == "household":
        return [1] * len(members)
    ages = [age(member.born, payable.issued) for member in members]
    return [category.price_at(years, payable.option) if years >= pricing.free_below else 0 for years in ages]


def shares(units: int, weights: Sequence[int]) -> list[int]:
    """Splits `units` by `weights` into whole units that add up; the first part gets the odd units.

    >>> shares(10, [1, 1, 1]), shares(-10, [1, 1, 1]), shares(9, [2, 0, 1])
    ([4, 3, 3], [-4, -3, -3], [6, 0, 3])
    """
    weights = weights if any(weights) else [1] * len(weights)
    sign, whole = (1 if units >= 0 else -1), sum(weights)
    parts = [abs(units) * weight // whole for weight in weights]
    parts[0] += abs(units) - sum(parts)
    return [sign * part for part in parts]
