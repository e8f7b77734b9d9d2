"""Explains line by line how the rights of a day follow from bills and money, for a treasurer to check.

Pure. Every figure is computed on its line, stands on an earlier line, or is the rule book's, whose source is
named. Only what was known on the day is shown. Words come from the caller's catalogue (`rights`).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import age
from mutuelle.cover import cover_periods, household_rights, member_rights
from mutuelle.cover.cover_periods import BillPayment, CoverPeriod, VersionOf
from mutuelle.cover.explain_bill import FigureWords, Words, bill_lines
from mutuelle.cover.explain_facts import ExplainFacts
from mutuelle.cover.household_rights import Interval
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.schemes.money_rules import BillKind
from mutuelle.schemes.version_rules import Stage, Version, months_after


def explain(facts: ExplainFacts, on: date, words: Words, person: InsuredPerson | None = None) -> list[str]:
    """The derivation of what the household, or one `person` of it, may claim on the local date `on`."""
    say = FigureWords(words, facts.currency)
    bills = [bill.known_on(on) for bill in facts.books.bills if bill.issued <= on]
    paid = [payment for payment in facts.books.paid if payment.on <= on]
    version_of = facts.books.version_of
    periods = cover_periods.periods_bought(version_of, bills, cover_periods.left_after_reversals(paid, on))
    lines = [say("title", number=facts.number, day=on)]
    for bill in bills:
        lines += bill_lines(say, bill, facts.bases[bill.bill_id], on)
        lines += _payments(say, bill, [payment for payment in paid if payment.bill_id == bill.bill_id], facts)
        if bill.kind == BillKind.DUES:
            lines += _stages(say, version_of(bill.version), bill, paid, on)
    lines += _cover(say, version_of, periods)
    if person is None:
        timeline = household_rights.intervals(version_of, bills, paid)
    else:
        members = member_rights.in_rank_order([member for member in facts.people if member.in_household(on)])
        rank = members.index(person) + 1 if person in members else 0
        lines.append(say("member", born=person.born, age=age(person.born, on), since=person.since, rank=rank))
        for bill in bills:
            if bill.kind == BillKind.DUES:
                lines += _share_of_newcomer(say, version_of, bill, facts.people, person, paid, on)
        lines += _exceptions(say, version_of, periods, facts.people, person, paid)
        timeline = member_rights.timeline(version_of, bills, paid, facts.people, person)
    return [*lines, *_conclusion(say, household_rights.on(timeline, on), on)]


def _share_of_newcomer(
    say: FigureWords,
    version_of: VersionOf,
    bill: BillState,
    people: Sequence[InsuredPerson],
    person: InsuredPerson,
    paid: Sequence[BillPayment],
    on: date,
) -> Iterator[str]:
    """What of a bill had to be paid for a person who joined after it was issued."""
    since = member_rights.first_membership(people, person).since
    if not bill.issued < since <= on:
        return
    if member_rights.costs_nothing(version_of, bill, people, person, since):
        yield say("member-free", issued=bill.issued, since=since)
        return
    share, units = bill.share_on(since), cover_periods.amount_paid(paid, bill, on)
    yield say("member-share", issued=bill.issued, share=say.money(share), paid=say.money(units))


def _exceptions(
    say: FigureWords,
    version_of: VersionOf,
    periods: Sequence[CoverPeriod],
    people: Sequence[InsuredPerson],
    person: InsuredPerson,
    paid: Sequence[BillPayment],
) -> Iterator[str]:
    """The waiting or age limits waived for this person, without the source, which may name an illness."""
    for period in periods:
        version, issued = version_of(period.bill.version), period.bill.issued
        over_age = member_rights.over_age(version, person, issued)
        for own in member_rights.own_periods(version_of, period, paid, people, person):
            if over_age:
                yield say("member-held", issued=issued, since=own.since)
            covered_by_another = any(
                other is not period and other.since <= own.since <= other.grace_until for other in periods
            )
            if own.since < max(period.since, own.known_since) and not covered_by_another:
                yield say("member-spared", since=own.since, waits=period.since)


def _payments(
    say: FigureWords, bill: BillState, paid: Sequence[BillPayment], facts: ExplainFacts
) -> Iterator[str]:
    """Each payment with the sum so far."""
    total = 0
    for payment in sorted(paid, key=lambda payment: payment.on):
        before = say.money(total)
        total += payment.amount
        yield say(
            "freed" if payment.freed else "taken-back" if payment.amount < 0 else "paid",
            day=max(payment.on, bill.issued),
            transaction=facts.transactions.get(payment.receipt, "?") if payment.receipt else "?",
            amount=say.money(abs(payment.amount)),
            worked=f"{before} {say.signed_money(payment.amount)} = {say.money(total)}",
        )
    if not paid:
        yield say("nothing-paid")


def _stages(
    say: FigureWords, version: Version, bill: BillState, paid: Sequence[BillPayment], on: date
) -> Iterator[str]:
    """What each sum opens and the day it was reached; of the stages not reached, the next one."""
    member, price = bill.counted_on(on)
    money = cover_periods.left_after_reversals(paid, on)
    stage_days = {
        stage.months: (stage, day) for stage, _, day in cover_periods.stages_reached(version, bill, money)
    }
    for stage in version.stages(member, bill.option, price):
        then, day = stage_days.get(stage.months, (stage, None))
        share, total = bill.counted_on(day) if day else (member, price)
        text = _stage(say, version, bill, then, share, total)
        yield text + (say("reached", day=day) if day else say("not-reached"))
        if day is None:
            return


def _stage(say: FigureWords, version: Version, bill: BillState, stage: Stage, share: int, total: int) -> str:
    """What the stage needs of the member's `share` or of the `total`, and how many months it opens."""
    whole = version.option(bill.option).months
    part = next((early.paid for early in version.opening.early if early.months == stage.months), Fraction(1))
    part = Fraction(stage.months, whole) if version.opening.monthly else part
    of = total if version.opening.of == "price" and part < 1 else share
    worked = (
        f"{part} x {say.money(of)} = {say.money(int(part * of))}" if part < 1 else say.money(stage.threshold)
    )
    if part * of != stage.threshold:
        worked += say("stepped", step=say.money(version.step), sum=say.money(stage.threshold))
    return say("stage", worked=worked, months=stage.months, source=version.opening.source)


def _cover(say: FigureWords, version_of: VersionOf, periods: Sequence[CoverPeriod]) -> Iterator[str]:
    """From when to when each stage covers, and why from then."""
    first_at = 0
    for at, (period, following) in enumerate(pairwise([*periods, None])):
        assert period is not None
        if following is not None and (following.bill, following.known_since) == (
            period.bill,
            period.known_since,
        ):
            continue  # one payment reached several stages: the last of them tells the whole span
        version, first = version_of(period.bill.version), periods[first_at]
        before = max((earlier.until for earlier in periods[:first_at]), default=None)
        yield _beginning_words(say, version, first, before)
        yield say("covers", since=first.since, until=period.until)
        if period.grace_until != period.until:
            grace = version.lapse
            yield say("grace", days=grace.grace_days, until=period.grace_until, source=grace.source)
        first_at = at + 1


def _beginning_words(
    say: FigureWords, version: Version, period: CoverPeriod, covered_until: date | None
) -> str:
    """Why cover begins when it does, after cover up to `covered_until`, if any."""
    known_since, since = period.known_since, period.since
    if period.bill.period_from is not None:
        return say("begins-year", known=known_since, period=period.bill.period_from, since=since)
    if covered_until is None or version.lapse.joins_again(covered_until, known_since):
        rule = version.waiting
        return say(
            "begins-waiting",
            known=known_since,
            months=rule.months,
            days=rule.days,
            after=months_after(known_since, rule.months),
            since=since,
            source=rule.source,
        )
    if since == covered_until + cover_periods.DAY:
        return say("begins-after", known=known_since, covered=covered_until, since=since)
    return say(
        "begins-lapsed",
        known=known_since,
        covered=covered_until,
        gone=version.lapse.days_without_cover(covered_until, known_since),
        after=version.lapse.after_days,
        days=(since - known_since).days,
        since=since,
        source=version.lapse.source,
    )


def _conclusion(say: FigureWords, interval: Interval, on: date) -> Iterator[str]:
    """State, reason and next step of the day."""
    since, until = interval.since, interval.until
    span = say("until", since=since, until=until) if until else say("onward", since=since)
    yield say("state", day=on, state=say.words[f"rights.state.{interval.state}"], span=span)
    yield say("why", words=say.words[interval.reason])
    yield say("next", words=say.words[interval.next_step])
