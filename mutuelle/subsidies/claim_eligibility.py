"""Says which members a payer's bill line covers, on which days, and by what evidence. Pure: no session."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.cover import household_rights
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.relationships import not_admitted
from mutuelle.schemes import money_rules, schemes
from mutuelle.schemes.money_rules import Category
from mutuelle.schemes.version_rules import Version, last_day
from mutuelle.subsidies.claim_lines import ClaimHousehold, ClaimMember, LeftOutReason, PayableLine, Period

# The French names of the kinds of evidence, for the payer. Other evidence keeps the text it was noted with.
EVIDENCE_WORDS = {
    "registry-number": "numéro au registre social",
    "list": "liste du registre social",
    "document": "document vu",
    "agent-visit": "visite d'un agent",
}


class NotClaimable(Exception):
    """A bill line may not be claimed; `reason` is the first reason why."""

    def __init__(self, reason: LeftOutReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Eligibility:
    """Why a bill line may be claimed: the members it covers, first and last day, the evidence in words.

    `registry_number` is the number of the evidence in a social registry, if that is what it is.
    """

    members: tuple[ClaimMember, ...]
    days: tuple[date, date]
    evidence: str
    registry_number: str | None = None


def eligibility_of(
    household: ClaimHousehold, payable: PayableLine, period: Period, covered_from: date | None = None
) -> Eligibility:
    """Returns why a bill line may be claimed. Raises NotClaimable when it may not.

    Where it is claimed by covered days, `covered_from` is the first of them.
    """
    version = schemes.get(payable.scheme).version(payable.version)
    days = (covered_from, covered_from) if covered_from else _days(household.books, payable, period, version)
    members = members_who_changed(household.members, payable, version)
    members = members or members_covered(household.members, payable, version)
    if not members:
        raise NotClaimable(LeftOutReason.NOBODY)
    if any(member.name is None for member in members):
        raise NotClaimable(LeftOutReason.PROVISIONAL)
    evidence, number = _evidence(household, version.category(payable.category), days[0])
    return Eligibility(members, days, evidence, number)


def _days(books: HouseholdBooks, payable: PayableLine, period: Period, version: Version) -> tuple[date, date]:
    """Returns the first and last day of the bill's period that the line is for."""
    opened = _opening_day(books, payable, period)
    months = version.option(payable.option).months
    if opened is None and version.subsidy and version.subsidy.claimable == "when-billed":
        return payable.period or (payable.on_day, last_day(payable.on_day, months))
    if opened is None:
        without_reversals = replace(books, paid=tuple(money for money in books.paid if money.amount > 0))
        never_opened = _opening_day(without_reversals, payable, period) is None
        raise NotClaimable(LeftOutReason.NOT_OPEN if never_opened else LeftOutReason.TAKEN_BACK)
    until = payable.period[1] if payable.period else last_day(opened, months)
    return min(max(opened, payable.on_day), until), until


def _opening_day(books: HouseholdBooks, payable: PayableLine, period: Period) -> date | None:
    """Returns the first day that the bill has covered by the end of the period."""
    days = household_rights.days_covered(books.version_of, books.bills, books.paid, period.until)
    since = days[payable.bill_id][0] if payable.bill_id in days else None
    return since if since is not None and since <= period.until else None


def members_who_changed(
    members: Sequence[ClaimMember], payable: PayableLine, version: Version
) -> tuple[ClaimMember, ...]:
    """Returns the members whose arrival or departure wrote this line; none where something else did.

    Members who joined on the day of the bill are told apart by their years of birth: the bill was not for
    these years before this line. A member who left on that day has no part of the bill, so all others share
    the line.
    """
    # What a sponsor promises more is promised to the household, not to one member.
    is_promise = payable.payer == money_rules.SPONSOR and payable.amount > 0
    if payable.reason != AdjustmentReason.HOUSEHOLD or is_promise:
        return ()
    if payable.on_day == payable.issued:
        if payable.amount < 0 or payable.born_before is None:
            return ()
        before = members_covered(members, replace(payable, born=payable.born_before), version)
        return tuple(m for m in members_covered(members, payable, version) if m not in before)
    return tuple(m for m in members if payable.on_day == (m.since if payable.amount > 0 else m.until))


def members_covered(
    members: Sequence[ClaimMember], payable: PayableLine, version: Version
) -> tuple[ClaimMember, ...]:
    """Returns the members the bill covers, head first: those present on its day whose birth years it names.

    At most as many as the rule book covers and the bill names.
    """
    present = [
        member
        for member in members
        if member.since <= payable.on_day
        and (member.until is None or member.until > payable.on_day)
        and not not_admitted(version, member, payable.issued)
    ]
    present.sort(key=lambda member: (not member.head, member.born, str(member.id)))
    birth_years = Counter(payable.born[: version.household.people_max])
    chosen: list[ClaimMember] = []
    others: list[ClaimMember] = []
    for member in present:
        (chosen if birth_years[member.born] > 0 else others).append(member)
        birth_years[member.born] -= 1
    limit = min(len(payable.born), version.household.people_max)
    chosen += others[: max(0, limit - len(chosen))]  # a year of birth was corrected since
    return tuple(member for member in present if member in chosen)


def _evidence(household: ClaimHousehold, category: Category, day: date) -> tuple[str, str | None]:
    """Returns what proves the category on `day`, in French, as the claim says it to its payer.

    The second value is its number in a social registry, or None.
    """
    if category.evidence is None and category.billed_as == category.code:
        if household.consent is None:
            raise NotClaimable(LeftOutReason.NO_CONSENT)
        return f"adhésion {household.number}, consentement du {household.consent}", None
    checked = [
        proof
        for proof in household.proofs
        if proof.category == category.code and proof.checked and proof.since <= day
    ]
    in_force = [proof for proof in checked if proof.until is None or proof.until >= day]
    if not in_force:
        raise NotClaimable(LeftOutReason.EVIDENCE_EXPIRED if checked else LeftOutReason.EVIDENCE_MISSING)
    proof = max(in_force, key=lambda proof: proof.since)
    kind = EVIDENCE_WORDS.get(proof.evidence or "", " ".join((proof.evidence or "").split()))
    return f"{kind}, depuis le {proof.since}, dossier {str(proof.id)[:8]}", proof.number
