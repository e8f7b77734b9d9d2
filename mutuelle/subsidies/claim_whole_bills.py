"""Claims a payer's bill lines for whole periods, and says what is left out and why. Pure: no session.

The rule book must name the clause that allows it; bills of which a claim asked the whole period before
covered days were counted end so, too. A payer's line of a dues bill may be claimed, in six sentences:

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

What is claimed, what is left out and what was claimed before add up to what the payer owes of the bills of
the period, and of earlier bills not yet claimed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from mutuelle.schemes import schemes
from mutuelle.subsidies.claim_balances import ClaimBalances
from mutuelle.subsidies.claim_eligibility import Eligibility, NotClaimable, eligibility_of, members_covered
from mutuelle.subsidies.claim_line_facts import LineWriter
from mutuelle.subsidies.claim_lines import ClaimMember, DraftLine, LeftOutReason, PayableLine, Period
from mutuelle.subsidies.claim_shares import member_shares

MemberUnits = tuple[ClaimMember, int]
UnitsLeftOut = Counter[LeftOutReason]


@dataclass(frozen=True)
class LineRequest:
    """Units of a bill line to ask for a member; `rejected` is the earlier line, if its payer rejected one."""

    member: ClaimMember
    units: int
    rejected: UUID | None


def claim_line(
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
    lines = _lines(ledger, payable, eligibility, requests, period)
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
    parts = member_shares(version, payable, members, rest)
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
        if member.id in ledger.household.duplicates.held:  # its part was not asked: no other gives it back
            refundable = max(refundable, -units)
        share = max(units + remainder, -max(0, refundable))
        shares_of[member] += share
        remainder += units - share
    shares_of[parts[0][0]] += remainder
    return [(member, units) for member, units in shares_of.items() if units]


def _lines(
    ledger: ClaimBalances,
    payable: PayableLine,
    eligibility: Eligibility,
    requests: Sequence[LineRequest],
    period: Period,
) -> list[DraftLine]:
    """Returns a line for each request, smaller by the reductions; no more goes back than was accepted."""
    reductions = _reductions(ledger, payable, requests)
    writer, lines = LineWriter(ledger.household, period.until), []
    for request in requests:
        claims = ledger.claims_of(payable.bill_id, request.member.id)
        units = request.units - reductions[request.member.id]
        corrects = request.rejected
        if units < 0:
            units = max(units, min(0, -claims.balance))
            corrects = corrects or claims.last_accepted
        if units:
            lines.append(writer.line(payable, eligibility, request.member, units, corrects))
    return lines


def _reductions(
    ledger: ClaimBalances, payable: PayableLine, requests: Sequence[LineRequest]
) -> Counter[UUID]:
    """Returns by how much each member's line is smaller, and reduces the bill's unclaimable units by it.

    A decrease that was claimed in part, because a positive line was rejected, leaves a rest. A positive line
    that is asked again, because it was rejected or taken back, is smaller by that rest, first for the members
    that the decrease names. A negative
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
        is_again = request.rejected or ledger.claims_of(payable.bill_id, member_id).given_back
        if unclaimable * units < 0 and (units < 0 or is_again or member_id in named):
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


def _total(lines: Iterable[DraftLine]) -> int:
    return sum(line.amount for line in lines)
