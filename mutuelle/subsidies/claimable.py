"""What may be claimed of a payer for one household, and what may not and why. Pure: no session, no clock.

A payer's line of a dues bill may be claimed, in six sentences:

1. When the bill has opened rights by the end of the claim's period, or once it is billed where the rule book
   says so.
2. When everybody it covers has a name, and its category's evidence is checked and in force on the first day
   it is for; where the category needs no evidence, the membership and its consent are the evidence.
3. It falls to the members by their prices, in whole units, the odd units to the head, so that the lines add
   up; where somebody came or left in mid-period, what that and nothing else changed falls to them; what a
   sponsor pays more is for all.
4. What one claim holds no other one does, unless its payer rejected it and it is asked for again, naming the
   rejected line.
5. When accepted lines lost their rights since, the next claim takes them back with a negative line.
6. When a bill became smaller, what was accepted of it for a member goes back under that member's name, naming
   the line, once no plus of theirs waits for an answer. What was rejected for them does not go back, for it
   never came, and is asked again for less; a minus whose plus was rejected after both went out together is
   itself taken back.

What is claimed, what is left out and what was claimed before add up to what the payer owes of the bills of
the period, and of earlier bills not yet claimed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from mutuelle.contributions.quotes import age
from mutuelle.schemes import schemes
from mutuelle.schemes.versions import Version
from mutuelle.subsidies.claim_eligibility import Eligibility, NotClaimable, covered, grounds_of, moved
from mutuelle.subsidies.claim_lines import (
    ClaimHousehold,
    ClaimMember,
    DraftLine,
    EarlierLine,
    LeftOutAmount,
    PayableLine,
    Period,
    Reason,
)


def judge(
    homes: Iterable[ClaimHousehold], period: Period, *, again: bool = False
) -> tuple[list[DraftLine], list[LeftOutAmount]]:
    """What may be claimed of these households by the end of `period`, and what is left out; `again` asks for
    rejected lines."""
    lines: list[DraftLine] = []
    left: list[LeftOutAmount] = []
    for home in sorted(homes, key=lambda home: home.number):
        mine: list[DraftLine] = []
        never = Counter[UUID]()
        for payable in home.payables:
            never[payable.bill_id] += _never_asked(home, payable, mine)
        for payable in sorted(home.payables, key=lambda p: (p.on_day, -p.amount, str(p.line_id))):
            before, stood = _never_asked(home, payable, mine), never[payable.bill_id]
            claims, rest = _of(home, payable, period, again, mine, never)
            if payable.amount < 0 and not claims:
                claims, rest = _given_back_in_vain(home, payable, rest, mine)
            mine += claims
            after = _never_asked(home, payable, mine)
            if before or after:
                never[payable.bill_id] = stood + after - before
            told: Counter[Reason] = Counter()
            for why, units in rest:
                told[why] += units
            left += [
                LeftOutAmount(home.id, payable.line_id, units, why) for why, units in told.items() if units
            ]
        lines += mine
    return lines, left


def _of(
    home: ClaimHousehold,
    payable: PayableLine,
    period: Period,
    again: bool,
    now: Sequence[DraftLine],
    never: Counter[UUID],
) -> tuple[list[DraftLine], list[tuple[Reason, int]]]:
    """The lines of one bill line, and its units that are left out.

    `now` is what this claim asks for the household already, `never` what of each bill no line can ask any
    more.
    """
    mine, held = _held(home, payable)
    standing, rest = sum(held.values()), payable.amount - sum(held.values())
    out: list[tuple[Reason, int]] = [("claimed", standing if payable.on_day >= period.since else 0)]
    try:
        found = grounds_of(home, payable, period)
    except NotClaimable as no:
        back = _taken_back(mine, held, payable) if no.why == "taken-back" else []
        return back, [*out, (no.why, rest - sum(line.amount for line in back))]
    waiting = [person for person in found.people if person.id not in held]
    if not waiting:
        return [], [*out, ("nothing-back" if rest < 0 else "changed", rest)]
    version = schemes.get(payable.scheme).version(payable.version)
    parts = list(zip(waiting, shares(rest, _weights(version, payable, waiting)), strict=True))
    if rest < 0:
        others = [person for person in covered(home.members, payable, version) if person.id not in held]
        parts = _within(home, payable, parts, others, now)
    asked: dict[UUID, tuple[ClaimMember, int, UUID | None]] = {}
    for person, units in parts:
        refused = [
            one for one in mine if one.line.member_id == person.id and one.line.amount * payable.amount > 0
        ]
        earlier = refused[-1].id if refused and refused[-1].answer == "rejected" else None
        if any(
            one.answer is None for one in mine if one.line.member_id == person.id
        ):  # its payer may say no to a minus, too
            out.append(("taken-back", units))
        elif earlier and not again:
            out.append(("rejected", units))
        elif units < 0 and _claims_of(home, payable.bill_id, person.id, now).waits:
            out.append(("waiting", units))
        else:
            asked[person.id] = person, units, earlier
    lines = []
    spared = _spared(
        home, payable, {member: (units, earlier) for member, (_, units, earlier) in asked.items()}, never, now
    )
    for person, units, earlier in asked.values():
        bill = _claims_of(home, payable.bill_id, person.id, now)
        due = units - spared[person.id]
        due = due if due > 0 else max(due, min(0, -bill.stands))
        out.append(("nothing-back", units - due))
        corrects = earlier or (bill.plus if due < 0 else None)
        lines += [_line(home, payable, found, person, due, corrects)] if due else []
    return lines, out


def _never_asked(home: ClaimHousehold, payable: PayableLine, now: Sequence[DraftLine]) -> int:
    """The units of a bill line that no line asks, nor will: everybody it is for has one. 0 while somebody has
    none."""
    held = _on(home, payable, now)
    rest = payable.amount - sum(held.values())
    if not held or not rest:
        return 0
    version = schemes.get(payable.scheme).version(payable.version)
    people = moved(home.members, payable) or covered(home.members, payable, version)
    return rest if people and all(held[person.id] for person in people) else 0


def _on(home: ClaimHousehold, payable: PayableLine, now: Sequence[DraftLine]) -> Counter[UUID]:
    """The units of each member that stand on a bill line, with what this claim asks."""
    _, held = _held(home, payable)
    for line in now:
        held[line.member_id] += line.amount if line.bill_line_id == payable.line_id else 0
    return Counter({member: units for member, units in held.items() if units})


def _spared(
    home: ClaimHousehold,
    payable: PayableLine,
    asked: Mapping[UUID, tuple[int, UUID | None]],
    never: Counter[UUID],
    now: Sequence[DraftLine],
) -> Counter[UUID]:
    """By how much the line of each is smaller, for what the other lines of its bill left `never` asked, which
    it uses up.

    A minus that went out in part, because a plus was rejected, leaves a rest: a plus asked again is smaller
    by it, first for whom that minus names. A minus is smaller by what such a plus left.
    """
    of_bill = [one for one in home.payables if one.bill_id == payable.bill_id and one.amount < 0]
    given = {member for one in of_bill if _never_asked(home, one, now) for member in _on(home, one, now)}
    spared: Counter[UUID] = Counter()
    for member, (units, earlier) in sorted(asked.items(), key=lambda one: one[0] not in given):
        left = never[payable.bill_id]
        if left * units < 0 and (units < 0 or earlier or member in given):
            spared[member] = -left if abs(left) < abs(units) else units
            never[payable.bill_id] += spared[member]
    return spared


def _held(home: ClaimHousehold, payable: PayableLine) -> tuple[list[EarlierLine], Counter[UUID]]:
    """The earlier lines of a bill line, and the units of each member that stand."""
    mine = [one for one in home.claimed if one.line.bill_line_id == payable.line_id]
    held: Counter[UUID] = Counter()
    for one in mine:
        held[one.line.member_id] += one.line.amount if one.answer != "rejected" else 0
    return mine, Counter({member: units for member, units in held.items() if units})


@dataclass(frozen=True)
class _Claims:
    """What was claimed of a bill for a member: `asked` and not taken back, what of it `stands`, whether a
    plus `waits`."""

    asked: int
    stands: int
    waits: bool
    plus: UUID | None  # the last accepted line


def _claims_of(home: ClaimHousehold, bill_id: UUID, member_id: UUID, now: Sequence[DraftLine]) -> _Claims:
    """What earlier claims and this one, `now`, hold of a bill for a member.

    Of earlier lines with a plus, those accepted stand; of those with a minus also the ones nobody answered
    yet.
    """
    before = [one for one in home.claimed if one.bill_id == bill_id and one.line.member_id == member_id]
    of_bill = {one.line_id for one in home.payables if one.bill_id == bill_id}
    fresh = [line for line in now if line.member_id == member_id and line.bill_line_id in of_bill]
    asked: Counter[UUID] = Counter()
    for one in before:
        asked[one.line.bill_line_id] += one.line.amount if one.answer != "rejected" else 0
    for line in fresh:
        asked[line.bill_line_id] += line.amount
    first = {one.line.bill_line_id: one.line.amount for one in reversed(before)}
    for (
        one
    ) in before:  # a rejected plus counts unless it was asked again since; what gave a minus back is none
        line = one.line
        if (
            line.amount > 0 < first[line.bill_line_id]
            and one.answer == "rejected"
            and not asked[line.bill_line_id]
        ):
            asked[line.bill_line_id] = line.amount
    less = [one.line.amount for one in before if one.line.amount < 0 and one.answer != "rejected"]
    more = [one for one in before if one.line.amount > 0 and one.answer == "accepted"]
    gone = sum(less) + sum(line.amount for line in fresh if line.amount < 0)
    came = sum(one.line.amount for one in more) + sum(line.amount for line in fresh if line.amount > 0)
    return _Claims(
        asked=sum(asked.values()),
        stands=came + gone,
        waits=any(one.line.amount > 0 and one.answer is None for one in before),
        plus=more[-1].id if more else None,
    )


def _within(
    home: ClaimHousehold,
    payable: PayableLine,
    parts: Sequence[tuple[ClaimMember, int]],
    others: Sequence[ClaimMember],
    now: Sequence[DraftLine],
) -> list[tuple[ClaimMember, int]]:
    """The parts of a bill that became smaller: nobody gives back more than was asked for them, the others
    carry the rest."""
    carried, over = dict.fromkeys([*(person for person, _ in parts), *others], 0), 0
    for person, units in (*parts, *((person, 0) for person in others)):
        room = _claims_of(home, payable.bill_id, person.id, now).asked + carried[person]
        part = max(units + over, -max(0, room))
        carried[person], over = carried[person] + part, over + units - part
    carried[parts[0][0]] += over  # nobody was asked for it: nothing goes back
    return [(person, units) for person, units in carried.items() if units]


def _given_back_in_vain(
    home: ClaimHousehold, payable: PayableLine, rest: list[tuple[Reason, int]], now: Sequence[DraftLine]
) -> tuple[list[DraftLine], list[tuple[Reason, int]]]:
    """A minus that was accepted, of a member whose plus was rejected: it is taken back."""
    mine, held = _held(home, payable)
    of_bill = {member: _claims_of(home, payable.bill_id, member, now) for member in held}
    vain = {member for member, bill in of_bill.items() if bill.stands < 0 and not bill.waits}
    back = [line for line in _taken_back(mine, held, payable) if line.member_id in vain]
    return back, [*rest, ("nothing-back", -sum(line.amount for line in back))]


def _line(
    home: ClaimHousehold,
    payable: PayableLine,
    found: Eligibility,
    person: ClaimMember,
    units: int,
    earlier: UUID | None,
) -> DraftLine:
    return DraftLine(
        household_id=home.id,
        number=home.number,
        member_id=person.id,
        name=person.name or "",
        born=person.born,
        category=payable.category,
        scheme=payable.scheme,
        version=payable.version,
        rule=payable.rule,
        evidence=found.evidence,
        days_from=found.days[0],
        days_until=found.days[1],
        on_day=payable.on_day,
        amount=units,
        bill_line_id=payable.line_id,
        corrects=earlier,
    )


def _taken_back(mine: Sequence[EarlierLine], held: Counter[UUID], payable: PayableLine) -> list[DraftLine]:
    """Each accepted line that still stands, with a minus. What nobody answered yet waits: it may be
    rejected."""
    last = {
        one.line.member_id: one
        for one in mine
        if one.line.amount * payable.amount > 0 and one.answer != "rejected"
    }
    accepted = [one for member, one in last.items() if held[member] and one.answer == "accepted"]
    return [replace(one.line, amount=-held[one.line.member_id], corrects=one.id) for one in accepted]


def _weights(version: Version, payable: PayableLine, people: Sequence[ClaimMember]) -> list[int]:
    """By which the units fall to the people: their prices, or evenly where the price is the household's."""
    pricing, category = version.pricing, version.category(payable.category)
    if pricing.basis == "household":
        return [1] * len(people)
    ages = [age(person.born, payable.issued) for person in people]
    return [category.price_at(years, payable.option) if years >= pricing.free_below else 0 for years in ages]


def shares(units: int, weights: Sequence[int]) -> list[int]:
    """Split `units` by `weights` into whole units that add up; the first carries the odd units, a minus stays
    a minus.

    >>> shares(10, [1, 1, 1]), shares(-10, [1, 1, 1]), shares(9, [2, 0, 1])
    ([4, 3, 3], [-4, -3, -3], [6, 0, 3])
    """
    weights = weights if any(weights) else [1] * len(weights)
    sign, whole = (1 if units >= 0 else -1), sum(weights)
    parts = [abs(units) * weight // whole for weight in weights]
    parts[0] += abs(units) - sum(parts)
    return [sign * part for part in parts]
