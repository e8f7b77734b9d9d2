"""What may be claimed of a payer for one household, and what may not and why. Pure: no session, no clock.

A payer's line of a dues bill may be claimed, in six sentences:

1. When the bill has opened rights by the end of the claim's period, or once it is billed where the rule book says so.
2. When everybody it covers has a name, and its category's evidence is checked and in force on the first day it is for; where
   the category needs no evidence, the membership and its consent are the evidence.
3. It falls to the members by their prices, in whole units, the odd units to the head, so that the lines add up; where somebody
   came or left in mid-period, what that and nothing else changed falls to them, but for a sponsor's part.
4. What one claim holds no other one does, unless its payer rejected it and it is asked for again, naming the rejected line.
5. When accepted lines lost their rights since, the next claim takes them back with a negative line.
6. When a bill became smaller, what was accepted of it goes back, once no plus of it waits for an answer; a minus whose plus
   was rejected after both went out together is itself taken back, so that nothing goes back that never came.

What is claimed, what is left out and what was claimed before add up to what the payer owes of the bills of the period, and of
earlier bills not yet claimed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from mutuelle import cover, rights, schemes
from mutuelle.claimlines import Claimed, Covered, Home, LeftOut, Line, Payable, Period, Reason, Why
from mutuelle.cover import Books
from mutuelle.quotes import age
from mutuelle.rules import Category
from mutuelle.versions import Version, last_day

# How a payer reads the kinds of evidence; anything else is told in the words it was noted with.
PROOFS = {"registry-number": "numéro au registre social", "list": "liste du registre social", "document": "document vu",
          "agent-visit": "visite d'un agent"}  # fmt: skip


class _No(Exception):
    """It may not be claimed; the first reason why."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class _Grounds:
    """Why a bill line may be claimed: who it covers, on which days, by what evidence."""

    people: tuple[Covered, ...]
    days: tuple[date, date]
    evidence: str


def judge(homes: Iterable[Home], period: Period, *, again: bool = False) -> tuple[list[Line], list[LeftOut]]:
    """What may be claimed of these households by the end of `period`, and what is left out; `again` asks for rejected lines."""
    lines: list[Line] = []
    left: list[LeftOut] = []
    for home in sorted(homes, key=lambda home: home.number):
        for payable in sorted(home.payables, key=lambda p: (p.on_day, -p.amount, str(p.line_id))):
            claims, rest = _of(home, payable, period, again)
            if payable.amount < 0:
                claims, rest = _less(home, payable, claims, rest, _standing(home, payable, lines))
            lines += claims
            left += [LeftOut(home.id, payable.line_id, units, why) for why, units in rest if units]
    return lines, left


def _of(home: Home, payable: Payable, period: Period, again: bool) -> tuple[list[Line], list[tuple[Reason, int]]]:
    mine, held = _held(home, payable)
    standing, rest = sum(held.values()), payable.amount - sum(held.values())
    out: list[tuple[Reason, int]] = [("claimed", standing if payable.on_day >= period.since else 0)]
    try:
        found = _grounds(home, payable, period)
    except _No as no:
        back = _taken_back(mine, held, payable) if no.why == "taken-back" else []
        return back, [*out, (no.why, rest - sum(line.amount for line in back))]
    waiting = [person for person in found.people if person.id not in held]
    if not waiting:
        return [], [*out, ("changed", rest)]
    version = schemes.get(payable.scheme).version(payable.version)
    lines = []
    for person, units in zip(waiting, shares(rest, _weights(version, payable, waiting)), strict=True):
        refused = [one for one in mine if one.line.member_id == person.id and one.line.amount * payable.amount > 0]
        earlier = refused[-1].id if refused and refused[-1].answer == "rejected" else None
        if any(one.answer is None for one in mine if one.line.member_id == person.id):  # its payer may say no to a minus, too
            out.append(("taken-back", units))
        elif earlier and not again:
            out.append(("rejected", units))
        elif units:
            lines.append(_line(home, payable, found, person, units, earlier))
    return lines, out


def _held(home: Home, payable: Payable) -> tuple[list[Claimed], Counter[UUID]]:
    """The earlier lines of a bill line, and the units of each member that stand."""
    mine = [one for one in home.claimed if one.line.bill_line_id == payable.line_id]
    held: Counter[UUID] = Counter()
    for one in mine:
        held[one.line.member_id] += one.line.amount if one.answer != "rejected" else 0
    return mine, Counter({member: units for member, units in held.items() if units})


def _less(
    home: Home, payable: Payable, claims: list[Line], rest: list[tuple[Reason, int]], standing: int
) -> tuple[list[Line], list[tuple[Reason, int]]]:
    """A bill that became smaller: no more goes back than `standing` says came or will; what went beyond comes again."""
    units, waits = sum(line.amount for line in claims), _waits(home, payable)
    if units < 0 and (waits or standing + units < 0):
        return [], [*rest, ("waiting" if waits else "nothing-back", units)]
    if not claims and not waits and standing < 0:  # the plus it was claimed with was rejected, the minus was not
        mine, held = _held(home, payable)
        return _taken_back(mine, held, payable), rest
    return claims, rest


def _waits(home: Home, payable: Payable) -> bool:
    """Whether a plus of the same bill has no answer: rejected, it would go back without ever having come."""
    return any(one.bill_id == payable.bill_id and one.line.amount > 0 and one.answer is None for one in home.claimed)


def _standing(home: Home, payable: Payable, lines: Sequence[Line]) -> int:
    """What is claimed of the bill of a line that makes it smaller, by earlier claims and by this one.

    Of earlier lines with a plus, those accepted; of those with a minus also the ones nobody answered yet.
    """
    before = [one for one in home.claimed if one.bill_id == payable.bill_id]
    counts = [one for one in before if one.answer == "accepted" or (one.answer is None and one.line.amount < 0)]
    bill = {one.line_id for one in home.payables if one.bill_id == payable.bill_id}
    return sum(one.line.amount for one in counts) + sum(line.amount for line in lines if line.bill_line_id in bill)


def _line(home: Home, payable: Payable, found: _Grounds, person: Covered, units: int, earlier: UUID | None) -> Line:
    return Line(
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


def _taken_back(mine: Sequence[Claimed], held: Counter[UUID], payable: Payable) -> list[Line]:
    """Each accepted line that still stands, with a minus. What nobody answered yet waits: it may be rejected."""
    last = {one.line.member_id: one for one in mine if one.line.amount * payable.amount > 0 and one.answer != "rejected"}
    accepted = [one for member, one in last.items() if held[member] and one.answer == "accepted"]
    return [replace(one.line, amount=-held[one.line.member_id], corrects=one.id) for one in accepted]


def _grounds(home: Home, payable: Payable, period: Period) -> _Grounds:
    """Why it may be claimed; _No when it may not."""
    version = schemes.get(payable.scheme).version(payable.version)
    days = _days(home.books, payable, period, version)
    people = _moved(home.members, payable) or covered(home.members, payable, version)
    if not people:
        raise _No("nobody")
    if any(person.name is None for person in people):
        raise _No("provisional")
    return _Grounds(people, days, _evidence(home, version.category(payable.category), days[0]))


def _days(books: Books, payable: Payable, period: Period, version: Version) -> tuple[date, date]:
    """The days of the bill's period that the line is for."""
    opened = _opened(books, payable, period)
    months = version.option(payable.option).months
    if opened is None and version.subsidy and version.subsidy.claimable == "when-billed":
        return payable.period or (payable.on_day, last_day(payable.on_day, months))
    if opened is None:
        without_reversals = replace(books, paid=tuple(money for money in books.paid if money.amount > 0))
        raise _No("not-open" if _opened(without_reversals, payable, period) is None else "taken-back")
    until = payable.period[1] if payable.period else last_day(opened, months)
    return min(max(opened, payable.on_day), until), until


def _opened(books: Books, payable: Payable, period: Period) -> date | None:
    """The first day that the bill has covered by the end of the period."""
    days = rights.covered(books.version_of, [cover.due_of(one) for one in books.owed], books.paid, period.until)
    since = days[payable.bill_id][0] if payable.bill_id in days else None
    return since if since is not None and since <= period.until else None


def _moved(members: Sequence[Covered], payable: Payable) -> tuple[Covered, ...]:
    """Whose coming or leaving on that day changed a bill under way; nobody where something else did."""
    if payable.reason != "household" or payable.payer == "sponsor" or payable.on_day == payable.issued:
        return ()
    return tuple(m for m in members if payable.on_day == (m.since if payable.amount > 0 else m.until))


def covered(members: Sequence[Covered], payable: Payable, version: Version) -> tuple[Covered, ...]:
    """Whom the bill covers, the head first: those there on its day whose years it was made for, none beyond the limit."""
    there = [m for m in members if m.since <= payable.on_day and (m.until is None or m.until > payable.on_day)]
    there.sort(key=lambda m: (not m.head, m.born, str(m.id)))
    years = Counter(payable.born[: version.household.people_max])
    chosen: list[Covered] = []
    others: list[Covered] = []
    for member in there:
        (chosen if years[member.born] > 0 else others).append(member)
        years[member.born] -= 1
    most = min(len(payable.born), version.household.people_max)
    chosen += others[: max(0, most - len(chosen))]  # a year of birth was corrected since
    return tuple(member for member in there if member in chosen)


def _weights(version: Version, payable: Payable, people: Sequence[Covered]) -> list[int]:
    """By which the units fall to the people: their prices, or evenly where the price is the household's."""
    pricing, category = version.pricing, version.category(payable.category)
    if pricing.basis == "household":
        return [1] * len(people)
    ages = [age(person.born, payable.on_day) for person in people]
    return [category.price_at(years, payable.option) if years >= pricing.free_below else 0 for years in ages]


def shares(units: int, weights: Sequence[int]) -> list[int]:
    """Split `units` by `weights` into whole units that add up; the first carries the odd units, a minus stays a minus.

    >>> shares(10, [1, 1, 1]), shares(-10, [1, 1, 1]), shares(9, [2, 0, 1])
    ([4, 3, 3], [-4, -3, -3], [6, 0, 3])
    """
    weights = weights if any(weights) else [1] * len(weights)
    sign, whole = (1 if units >= 0 else -1), sum(weights)
    parts = [abs(units) * weight // whole for weight in weights]
    parts[0] += abs(units) - sum(parts)
    return [sign * part for part in parts]


def _evidence(home: Home, category: Category, day: date) -> str:
    """What proves the category on `day`, in the words of the claim, which its payer reads in French."""
    if category.evidence is None and category.billed_as == category.code:
        if home.consent is None:
            raise _No("no-consent")
        return f"adhésion {home.number}, consentement du {home.consent}"
    checked = [proof for proof in home.proofs if proof.category == category.code and proof.checked and proof.since <= day]
    in_force = [proof for proof in checked if proof.until is None or proof.until >= day]
    if not in_force:
        raise _No("evidence-expired" if checked else "evidence-missing")
    proof = max(in_force, key=lambda proof: proof.since)
    kind = PROOFS.get(proof.evidence or "", " ".join((proof.evidence or "").split()))
    return f"{kind}, depuis le {proof.since}, dossier {str(proof.id)[:8]}"
