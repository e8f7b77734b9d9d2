"""The grounds of a claim line: whom a payer's line of a bill covers, on which days, by what evidence.
Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from mutuelle.cover import rights
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import Category
from mutuelle.schemes.versions import Version, last_day
from mutuelle.subsidies.claim_lines import ClaimHousehold, ClaimMember, PayableLine, Period, Why

# How a payer reads the kinds of evidence; anything else is told in the words it was noted with.
PROOFS = {
    "registry-number": "numéro au registre social",
    "list": "liste du registre social",
    "document": "document vu",
    "agent-visit": "visite d'un agent",
}


class NotClaimable(Exception):
    """It may not be claimed; the first reason why."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Eligibility:
    """Why a bill line may be claimed: who it covers, on which days, by what evidence."""

    people: tuple[ClaimMember, ...]
    days: tuple[date, date]
    evidence: str


def grounds_of(home: ClaimHousehold, payable: PayableLine, period: Period) -> Eligibility:
    """Why it may be claimed; No when it may not."""
    version = schemes.get(payable.scheme).version(payable.version)
    days = _days(home.books, payable, period, version)
    people = moved(home.members, payable) or covered(home.members, payable, version)
    if not people:
        raise NotClaimable("nobody")
    if any(person.name is None for person in people):
        raise NotClaimable("provisional")
    return Eligibility(people, days, _evidence(home, version.category(payable.category), days[0]))


def _days(books: HouseholdBooks, payable: PayableLine, period: Period, version: Version) -> tuple[date, date]:
    """The days of the bill's period that the line is for."""
    opened = _opened(books, payable, period)
    months = version.option(payable.option).months
    if opened is None and version.subsidy and version.subsidy.claimable == "when-billed":
        return payable.period or (payable.on_day, last_day(payable.on_day, months))
    if opened is None:
        without_reversals = replace(books, paid=tuple(money for money in books.paid if money.amount > 0))
        raise NotClaimable(
            "not-open" if _opened(without_reversals, payable, period) is None else "taken-back"
        )
    until = payable.period[1] if payable.period else last_day(opened, months)
    return min(max(opened, payable.on_day), until), until


def _opened(books: HouseholdBooks, payable: PayableLine, period: Period) -> date | None:
    """The first day that the bill has covered by the end of the period."""
    days = rights.days_covered(books.version_of, books.bills, books.paid, period.until)
    since = days[payable.bill_id][0] if payable.bill_id in days else None
    return since if since is not None and since <= period.until else None


def moved(members: Sequence[ClaimMember], payable: PayableLine) -> tuple[ClaimMember, ...]:
    """Whose coming or leaving on that day changed a bill under way; nobody where something else did."""
    promised = payable.payer == "sponsor" and payable.amount > 0  # for the household, not for somebody
    if payable.reason != "household" or promised or payable.on_day == payable.issued:
        return ()
    return tuple(m for m in members if payable.on_day == (m.since if payable.amount > 0 else m.until))


def covered(
    members: Sequence[ClaimMember], payable: PayableLine, version: Version
) -> tuple[ClaimMember, ...]:
    """Whom the bill covers, the head first: those there on its day whose years it was made for, none beyond
    the limit."""
    there = [
        m for m in members if m.since <= payable.on_day and (m.until is None or m.until > payable.on_day)
    ]
    there.sort(key=lambda m: (not m.head, m.born, str(m.id)))
    years = Counter(payable.born[: version.household.people_max])
    chosen: list[ClaimMember] = []
    others: list[ClaimMember] = []
    for member in there:
        (chosen if years[member.born] > 0 else others).append(member)
        years[member.born] -= 1
    most = min(len(payable.born), version.household.people_max)
    chosen += others[: max(0, most - len(chosen))]  # a year of birth was corrected since
    return tuple(member for member in there if member in chosen)


def _evidence(home: ClaimHousehold, category: Category, day: date) -> str:
    """What proves the category on `day`, in the words of the claim, which its payer reads in French."""
    if category.evidence is None and category.billed_as == category.code:
        if home.consent is None:
            raise NotClaimable("no-consent")
        return f"adhésion {home.number}, consentement du {home.consent}"
    checked = [
        proof
        for proof in home.proofs
        if proof.category == category.code and proof.checked and proof.since <= day
    ]
    in_force = [proof for proof in checked if proof.until is None or proof.until >= day]
    if not in_force:
        raise NotClaimable("evidence-expired" if checked else "evidence-missing")
    proof = max(in_force, key=lambda proof: proof.since)
    kind = PROOFS.get(proof.evidence or "", " ".join((proof.evidence or "").split()))
    return f"{kind}, depuis le {proof.since}, dossier {str(proof.id)[:8]}"
