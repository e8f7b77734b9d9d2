"""Adjusts bills in mid-period after a change of household, category, rule or sponsor, by new bill lines."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle.billing import adjustment_writer, change_sms, day_basis
from mutuelle.billing.adjustment_writer import AdjustmentResult
from mutuelle.billing.bills_under_way import bills_under_way
from mutuelle.billing.day_basis import DayBasis, DayTariff, PriceOf
from mutuelle.contributions.bill_change import CORRECTIONS, AdjustmentReason, PriceBasis
from mutuelle.contributions.bills import Bill
from mutuelle.contributions.quotes import billed_category, price_of
from mutuelle.cover import cover_books, insured_people, member_rights
from mutuelle.errors import Refused
from mutuelle.households import households, locks
from mutuelle.households.households import CategoryClaim
from mutuelle.households.locks import HouseholdKey
from mutuelle.organisation import sponsors
from mutuelle.payments import allocation
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import MEMBER, CategoryState
from mutuelle.schemes.version_rules import Version


def apply(
    session: Session, tenant_id: UUID, household_id: UUID, on: date, reason: AdjustmentReason
) -> AdjustmentResult | None:
    """Prices the household's dues bills under way anew, and writes the differences.

    Call it in the transaction that changed the household's members, its category or its sponsor, or that
    corrects its bill. A bill of which every month is to come is priced whole, because money that was taken
    back and paid again buys all its months anew. Each bill keeps its rules, and covers as many people, up to
    the same ages, as the rules it was written under. Money beyond a smaller member share becomes credit,
    which pays other open bills. Rights are recomputed. The household gets an SMS if its own share changed,
    unless the reason is a sponsor: the caller queues that SMS. Returns the adjustment of the first bill, or
    None if no price changes. Refused if no member is left, if the scheme covers only whole households and
    this one is too large, or if the category must be proven first.
    """
    return next(iter(_adjust(session, (tenant_id, household_id), on, reason, on)), None)


def apply_rules(
    session: Session, tenant_id: UUID, household_id: UUID, on: date, rules_of: date
) -> list[AdjustmentResult]:
    """Reprices every running bill that the rules in force on the day `rules_of` take over.

    Only prices and shares change: the rules a bill was made under still say which members it covers, as they
    do for rights, so that the household pays for nobody who has no rights. A difference is booked on the day
    `on` and counts from `rules_of` on. An adjustment is written even where the price stays, so that later
    changes are priced under the newer rules and a second run skips the bill. Refused as by `apply`, and if
    these rules do not sell the period.
    """
    return _adjust(session, (tenant_id, household_id), on, AdjustmentReason.RULE, rules_of)


def apply_todays_rules(session: Session, tenant_id: UUID, household_id: UUID, on: date) -> None:
    """Prices the bills under way that have opened nothing by the rules in force on the day `on`.

    Whoever joins on that day would pay the same. Bills that have opened cover stay as they are. No SMS is
    queued: the next screen or reminder says what is owed. Refused as by `apply`.
    """
    _adjust(session, (tenant_id, household_id), on, AdjustmentReason.UNOPENED, on)


def _adjust(
    session: Session, household: HouseholdKey, on: date, reason: AdjustmentReason, since: date
) -> list[AdjustmentResult]:
    """Does the work of `apply` and `apply_rules`. A difference counts for the months to come on `since`."""
    locks.lock(session, household)
    books = cover_books.load(session, *household)
    persons, claim = insured_people.load(session, *household), households.claim_of(session, *household)
    unpaid = {bill.bill_id: units for bill, units in books.left(on)}
    bills_now = {bill.bill_id: bill for bill in books.bills}
    books_before = books.before(on)
    months_today = {bill.bill_id: months for bill, months, _ in bills_under_way(books_before, on, on)}
    adjusted = []
    for bill_before, months_left, covered_from in bills_under_way(books_before, on, since):
        bill = session.get_one(Bill, (household[0], bill_before.bill_id))
        day = day_basis.load(session, bill, on)
        todays = _todays_version(bill, day.last.version, on) if covered_from is None and since <= on else None
        version = todays or _version(bill, day.last.version, reason, since)
        if version is None:
            continue
        claimed, standing = _claim_on(claim, on, covered_from)
        category = billed_category(version, claimed, standing, day.start.category)
        end = PriceBasis(
            version.since, category.code, tuple(member_rights.on_bill(version, persons, on, bill.issued))
        )
        tariff = _tariff(day, version, end, months_left) if reason == AdjustmentReason.RULE else day.tariff
        months = version.option(bill.option).months
        shares = day_basis.net_shares(day, end, _price(bill), months_today[bill.id], months, tariff)
        if covered_from is None or months_today[bill.id] == months:
            months_left, shares = months, day_basis.whole_shares(day, end, _price(bill))
        more, bill_now = shares.get(MEMBER, 0), bills_now[bill.id]
        promises = sponsors.share_changes(
            session,
            *household,
            bill.id,
            on,
            at_start=day.promised,
            member=bill_now.member_share + more,
            unpaid=unpaid[bill.id] + more,
        )
        if shares or promises or version.since > day.last.version:
            row = adjustment_writer.row_of(bill, day.ordinal + 1, on, reason, end) | {
                "months": months_left,
                "total": sum(shares.values()),
            }
            corrections: Mapping[str, int] = shares
            if reason in CORRECTIONS and bill.issued < on:
                begin = _begin(day, version)
                corrections = day_basis.correction_shares(
                    day, shares, begin, end, _price(bill), months_left, months
                )
            adjustment_writer.write_apart(
                session, row, shares, corrections, promises, f"{bill.scheme}/{version.since}/{category.code}"
            )
            adjusted.append((row, adjustment_writer.with_promises(shares, promises)))
    results = [adjustment_writer.settle(session, household, row, shares, on) for row, shares in adjusted]
    if results:
        _pay_from_credit(session, household, results, on)
    if reason not in (AdjustmentReason.SPONSOR, AdjustmentReason.UNOPENED):
        change_sms.notify(session, household, results)
    return results


def _claim_on(
    claim: CategoryClaim | None, on: date, covered_from: date | None
) -> tuple[str | None, str | None]:
    """Returns the claimed category and its state for a bill that covers from the day `covered_from` on.

    A category that is proven on that day holds for the whole bill, though the proof runs out later.
    """
    if claim is None:
        return None, None
    was_proven = covered_from is not None and claim.was_proven_on(covered_from)
    return claim.category, CategoryState.CHECKED if was_proven else claim.standing_on(on)


def _todays_version(bill: Bill, basis: date, on: date) -> Version:
    """Returns the version to price a bill by that has opened nothing: what is in force for its period.

    The version from the day `basis` stays if the newer one does not sell the bill's period.
    """
    scheme = schemes.get(bill.scheme)
    original, version = scheme.version(bill.version), scheme.version(basis)
    newer = scheme.in_force(max(on, bill.period_from or on))
    months = [option.months for option in newer.options if option.code == bill.option]
    if newer.since > basis and months == [original.option(bill.option).months]:
        version = newer
    return version.covering_as(original)


def _version(bill: Bill, basis: date, reason: AdjustmentReason, since: date) -> Version | None:
    """Returns the version to price the bill by now, when its price followed the rules from the day `basis`.

    It is another one only for the reason `rule`; None then, if the rules of `since` do not take the bill
    over. None as well for the reason `unopened`.
    Refused if the version does not sell the bill's period.
    """
    scheme = schemes.get(bill.scheme)
    original = scheme.version(bill.version)
    version = scheme.version(basis)
    if reason == AdjustmentReason.UNOPENED:
        return None
    if reason == AdjustmentReason.RULE:
        version = scheme.in_force(since)
        if not version.takes_over(basis, bill.period_from):
            return None
    if version.option(bill.option).months != original.option(bill.option).months:
        raise Refused("option.other-months", code=bill.option)
    return version.covering_as(original)


def _tariff(day: DayBasis, version: Version, end: PriceBasis, months: int) -> DayTariff:
    """Returns the tariff that takes over a bill now, for `months` months.

    It is not for what the day has changed before: that counts for the months to come as on any other day.
    """
    return DayTariff(_begin(day, version) if day.moved else end, months)


def _begin(day: DayBasis, version: Version) -> PriceBasis:
    """Returns the basis of the start of the day by the tariff of this version."""
    code = billed_category(version, None, None, day.start.category).code
    return PriceBasis(version.since, code, day.start.born)


def _price(bill: Bill) -> PriceOf:
    """Returns the shares of the bill's period by basis, with the limits of the rules it was made under."""
    scheme = schemes.get(bill.scheme)
    original = scheme.version(bill.version)

    def shares(basis: PriceBasis) -> Mapping[str, int]:
        version = scheme.version(basis.version).covering_as(original)
        return price_of(
            version, version.category(basis.category), basis.born, bill.option, bill.issued
        ).shares

    return shares


def _pay_from_credit(
    session: Session, household: HouseholdKey, results: Sequence[AdjustmentResult], on: date
) -> None:
    """Pays open bills from credit, first those for which the day's changes ask again; recomputes rights."""
    for result in results:
        allocation.return_used_credit(session, household, result.bill_id, result.member, on)
    if not allocation.use_credit(session, household, on):
        cover_books.recompute(session, *household)
