"""Explain: how the rights of a day follow from bills and money, line by line, so that a treasurer can check
with a pencil.

Pure. Every figure of a line is worked out on that line or stands on an earlier one, or is the rule book's and
its source is told. Only what was known on the day is told. Words come from the caller's catalogue (`rights`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import age, price_of
from mutuelle.cover import cover_periods, member_rights, rights
from mutuelle.cover.cover_periods import BillPayment, CoverPeriod
from mutuelle.cover.explain_facts import BillBasis, ChangeBasis, ExplainFacts
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.cover.rights import Interval
from mutuelle.money import Money
from mutuelle.schemes import money_rules, schemes
from mutuelle.schemes.money_rules import MEMBER, Category
from mutuelle.schemes.versions import Stage, Version, months_after

Words = Mapping[str, str]


@dataclass(frozen=True)
class _FigureWords:
    """How one household's figures are said."""

    words: Words
    currency: str

    def __call__(self, what: str, **values: object) -> str:
        return self.words[f"explain.{what}"].format(
            **{name: self.one(value) for name, value in values.items()}
        )

    def one(self, value: object) -> str:
        return value.strftime("%d/%m/%Y") if isinstance(value, date) else str(value)

    def money(self, units: int) -> str:
        return str(Money(units, self.currency))

    def payer(self, payer: str) -> str:
        return self.words[f"explain.payer.{payer}"]


def explain(case: ExplainFacts, on: date, words: Words, person: InsuredPerson | None = None) -> list[str]:
    """The derivation of what the household, or one `person` of it, may claim on the local date `on`."""
    say = _FigureWords(words, case.currency)
    bills = [bill.known_on(on) for bill in case.books.bills if bill.issued <= on]
    paid = [money for money in case.books.paid if money.on <= on]
    version_of = case.books.version_of
    bought = cover_periods.periods_bought(version_of, bills, cover_periods.left_after_reversals(paid, on))
    lines = [say("title", number=case.number, day=on)]
    for bill in bills:
        lines += _bill(say, bill, case.written[bill.bill_id], on)
        lines += _money(say, bill, [money for money in paid if money.bill_id == bill.bill_id], case)
        if bill.kind == "dues":
            lines += _stages(say, version_of(bill.version), bill, paid, on)
    lines += _cover(say, version_of, bought)
    if person is None:
        found = rights.on(rights.intervals(version_of, bills, paid), on)
    else:
        place = member_rights.in_rank_order([one for one in case.people if one.there(on)])
        rank = place.index(person) + 1 if person in place else 0
        lines.append(say("member", born=person.born, age=age(person.born, on), since=person.since, rank=rank))
        lines += [line for bill in bills if bill.kind == "dues" for line in _own(say, bill, person, paid, on)]
        lines += _exceptions(say, version_of, bought, person, paid)
        found = rights.on(member_rights.timeline(version_of, bills, paid, case.people, person), on)
    return [*lines, *_conclusion(say, found, on)]


def _own(
    say: _FigureWords, bill: BillState, person: InsuredPerson, paid: Sequence[BillPayment], on: date
) -> Iterator[str]:
    """What of a bill had to be paid for somebody who came later than it."""
    if not bill.issued < person.since <= on:
        return
    later = [change for change in bill.changes if change.on >= person.since]
    if not later:
        yield say("member-free", issued=bill.issued, since=person.since)
        return
    share, sum_paid = bill.share_on(later[0].on), cover_periods.amount_paid(paid, bill, on)
    yield say("member-share", issued=bill.issued, share=say.money(share), paid=say.money(sum_paid))


def _exceptions(
    say: _FigureWords,
    version_of: cover_periods.VersionOf,
    bought: Sequence[CoverPeriod],
    person: InsuredPerson,
    paid: Sequence[BillPayment],
) -> Iterator[str]:
    """What the rules spare this person, in words that tell of no illness: without the source, which may name
    one."""
    for grant, mine in (
        (one, mine) for one in bought for mine in member_rights.own_periods(version_of, one, paid, person)
    ):
        version = version_of(grant.bill.version)
        if member_rights.over_age(version, person, grant.bill.issued):
            yield say("member-held", issued=grant.bill.issued, since=mine.since)
        others = [
            other for other in bought if other is not grant and other.since <= mine.since <= other.lasts
        ]
        if mine.since < max(grant.since, mine.known) and not others:
            yield say("member-spared", since=mine.since, waits=grant.since)


def _bill(say: _FigureWords, one: BillState, written: BillBasis, on: date) -> Iterator[str]:
    version = schemes.get(one.scheme).version(one.version)
    if one.kind == "joining":
        yield say("joining", issued=one.issued, amount=say.money(one.total), source=version.joining.source)
        return
    option = version.option(one.option)
    yield say(
        "bill",
        issued=one.issued,
        scheme=one.scheme,
        version=one.version,
        category=written.category,
        months=option.months,
    )
    if one.period_from:
        yield say("period", since=one.period_from, until=one.period_until, source=version.cycle.source)
    yield from _price(say, version, version.category(written.category), written.born, one.option, one.issued)
    before, told = (
        (version, written.category, written.born),
        [change for change in written.changes if change.on <= on],
    )
    share = written.shares.get(MEMBER, 0)
    for change in told:
        yield from _change(say, one, change, before)
        share += change.shares.get(MEMBER, 0)
        before = (
            schemes.get(one.scheme).version(change.version).covering_as(version),
            change.category,
            change.born,
        )
        yield say("new-share", before=say.money(share - change.shares.get(MEMBER, 0)),
                  more=_signed(say, change.shares.get(MEMBER, 0)), share=say.money(share))  # fmt: skip


def _price(
    say: _FigureWords, version: Version, category: Category, born: Sequence[int], option: str, issued: date
) -> Iterator[str]:
    """The price of a whole period, and each payer's part of it."""
    covered = [min(year, issued.year) for year in born][: version.household.people_max]
    prices = Counter(version.pricing.charged(category, [age(year, issued) for year in covered], option))
    price = price_of(version, category, [min(year, issued.year) for year in born], option, issued)
    if len(born) > len(covered):
        yield say("left-out", people=len(born), most=len(covered), source=version.household.source)
    free = len(covered) - sum(prices.values()) if version.pricing.basis != "household" else 0
    if free:
        yield say("free", people=free, below=version.pricing.free_below, source=version.pricing.source)
    worked = " + ".join(f"{times} x {say.money(units)}" for units, times in prices.items()) or "0"
    yield say("price", worked=worked, total=say.money(price.total), source=category.source)
    for share in category.others:
        exact = sum((share.of(units, option) * times for units, times in prices.items()), Fraction(0))
        given = price.shares[share.payer]
        part = (
            say.words["explain.part"].format(part=share.part, of=say.money(price.total))
            if share.part
            else " + ".join(
                f"{times} x {say.money((share.amount or {})[option])}" for times in prices.values()
            )
        )
        rounded = (
            say("rounded", exact=say.money(int(exact)), odd=say.money(given - int(exact)))
            if given != exact
            else ""
        )
        yield (
            say(
                "payer-part",
                payer=say.payer(share.payer),
                worked=part,
                amount=say.money(given),
                source=share.source,
            )
            + rounded
        )
    others = "".join(f" - {say.money(units)}" for payer, units in price.shares.items() if payer != MEMBER)
    yield say(
        "member-part", worked=f"{say.money(price.total)}{others}", amount=say.money(price.shares[MEMBER])
    )


def _change(
    say: _FigureWords, one: BillState, change: ChangeBasis, before: tuple[Version, str | None, Sequence[int]]
) -> Iterator[str]:
    own = schemes.get(one.scheme).version(one.version)
    version = schemes.get(one.scheme).version(change.version).covering_as(own)
    months = own.option(one.option).months
    yield say(
        "change",
        day=change.on,
        reason=say.words[f"explain.reason.{change.reason}"],
        category=change.category,
        people=len(change.born),
    )
    yield from _price(say, version, version.category(change.category), change.born, one.option, one.issued)
    was, category, born = before
    old, new = (
        price_of(v, v.category(c), [min(year, one.issued.year) for year in b], one.option, one.issued).shares
        for v, c, b in ((was, category, born), (version, change.category, change.born))
    )
    promised = change.shares.get(money_rules.SPONSOR, 0)
    moved = {payer: units + (promised if payer == MEMBER else 0) for payer, units in change.shares.items()}
    if promised:
        yield say("promised", amount=_signed(say, moved.pop(money_rules.SPONSOR)))
    for payer, units in moved.items():
        if not units:  # a sponsor took over what the member's part changed by
            continue
        parts = [say.money(shares.get(payer, 0)) for shares in (new, old)]
        counted = [say.money(shares.get(payer, 0) * change.months // months) for shares in (new, old)]
        yield say(
            "difference",
            payer=say.payer(payer),
            new=parts[0],
            old=parts[1],
            months=change.months,
            of=months,
            new_counted=counted[0],
            old_counted=counted[1],
            amount=_signed(say, units),
            source=own.adjustment.assumed or own.adjustment.source,
        )


def _signed(say: _FigureWords, units: int) -> str:
    return f"{'-' if units < 0 else '+'} {say.money(abs(units))}"


def _money(
    say: _FigureWords, bill: BillState, paid: Sequence[BillPayment], case: ExplainFacts
) -> Iterator[str]:
    """Each payment with what it makes in all."""
    total = 0
    for money in sorted(paid, key=lambda money: money.on):
        total += money.amount
        kind = "freed" if money.freed else "taken-back" if money.amount < 0 else "paid"
        which = case.transactions.get(money.receipt, "?") if money.receipt else "?"
        worked = f"{say.money(total - money.amount)} {_signed(say, money.amount)} = {say.money(total)}"
        yield say(
            kind,
            day=max(money.on, bill.issued),
            transaction=which,
            amount=say.money(abs(money.amount)),
            worked=worked,
        )
    if not paid:
        yield say("nothing-paid")


def _stages(
    say: _FigureWords, version: Version, bill: BillState, paid: Sequence[BillPayment], on: date
) -> Iterator[str]:
    """What each sum opens and the day it was reached; of those not reached, the next one."""
    member, price = bill.counted_on(on)
    reached = {
        stage.months: (stage, day)
        for stage, _, day in cover_periods.stages_reached(
            version, bill, cover_periods.left_after_reversals(paid, on)
        )
    }
    for stage in version.stages(member, bill.option, price):
        then, day = reached.get(stage.months, (stage, None))
        yield _stage(say, version, bill, then, member, price, day)
        if day is None:
            return


def _stage(
    say: _FigureWords,
    version: Version,
    bill: BillState,
    stage: Stage,
    member: int,
    price: int,
    day: date | None,
) -> str:
    whole = version.option(bill.option).months
    part = next((early.paid for early in version.opening.early if early.months == stage.months), Fraction(1))
    part = Fraction(stage.months, whole) if version.opening.monthly else part
    share, total = bill.counted_on(day) if day else (member, price)
    of = total if version.opening.of == "price" and part < 1 else share
    worked = (
        f"{part} x {say.money(of)} = {say.money(int(part * of))}" if part < 1 else say.money(stage.threshold)
    )
    if part * of != stage.threshold:
        worked += say("stepped", step=say.money(version.step), sum=say.money(stage.threshold))
    asked = say("stage", worked=worked, months=stage.months, source=version.opening.source)
    return asked + (say("reached", day=day) if day else say("not-reached"))


def _cover(
    say: _FigureWords, version_of: cover_periods.VersionOf, bought: Sequence[CoverPeriod]
) -> Iterator[str]:
    """From when to when each stage covers, and why from then."""
    runs: list[CoverPeriod] = []
    for one, following in pairwise([*bought, None]):
        assert one is not None
        runs = [*runs, one]
        if following is not None and (following.bill, following.known) == (one.bill, one.known):
            continue  # one payment reached several stages: the last of them says it all
        version, first = version_of(one.bill.version), runs[0]
        before = [grant for grant in bought if bought.index(grant) < bought.index(first)]
        yield _beginning(say, version, first, max((grant.until for grant in before), default=None))
        runs = []
        yield say("covers", since=first.since, until=one.until)
        if one.lasts != one.until:
            yield say("grace", days=version.lapse.grace_days, until=one.lasts, source=version.lapse.source)


def _beginning(say: _FigureWords, version: Version, grant: CoverPeriod, covered_until: date | None) -> str:
    """Why cover begins when it does."""
    known, since = grant.known, grant.since
    if grant.bill.period_from is not None:
        return say("begins-year", known=known, period=grant.bill.period_from, since=since)
    if covered_until is None or version.lapse.joins_again(covered_until, known):
        rule = version.waiting
        after = months_after(known, rule.months)
        return say(
            "begins-waiting",
            known=known,
            months=rule.months,
            days=rule.days,
            after=after,
            since=since,
            source=rule.source,
        )
    if since == covered_until + cover_periods.DAY:
        return say("begins-after", known=known, covered=covered_until, since=since)
    gone = version.lapse.gone(covered_until, known)
    return say("begins-lapsed", known=known, covered=covered_until, gone=gone, after=version.lapse.after_days,
               days=(since - known).days, since=since, source=version.lapse.source)  # fmt: skip


def _conclusion(say: _FigureWords, found: Interval, on: date) -> Iterator[str]:
    span = (
        say("until", since=found.since, until=found.until)
        if found.until
        else say("onward", since=found.since)
    )
    yield say("state", day=on, state=say.words[f"rights.state.{found.state}"], span=span)
    yield say("why", words=say.words[found.reason])
    yield say("next", words=say.words[found.next_step])
