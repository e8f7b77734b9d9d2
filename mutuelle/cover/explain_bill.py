"""Explains one bill line by line: its price, each payer's part, and each adjustment. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import age, price_of
from mutuelle.cover.explain_facts import BillBasis, ChangeBasis
from mutuelle.money import Money
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import MEMBER, SPONSOR, BillKind, Category, Share
from mutuelle.schemes.version_rules import Version

Words = Mapping[str, str]


@dataclass(frozen=True)
class FigureWords:
    """Fills lines of the catalogue `rights` with figures; money is in the household's currency."""

    words: Words
    currency: str

    def __call__(self, line: str, **values: object) -> str:
        """The text `explain.<line>` with `values` filled in."""
        return self.words[f"explain.{line}"].format(
            **{name: self.figure(value) for name, value in values.items()}
        )

    def figure(self, value: object) -> str:
        """A date as dd/mm/yyyy, anything else as its text."""
        return value.strftime("%d/%m/%Y") if isinstance(value, date) else str(value)

    def money(self, units: int) -> str:
        """An amount with its currency."""
        return str(Money(units, self.currency))

    def signed_money(self, units: int) -> str:
        """An amount with a sign before it, such as "+ 500 FCFA"."""
        return f"{'-' if units < 0 else '+'} {self.money(abs(units))}"

    def payer(self, payer: str) -> str:
        """The name of a payer."""
        return self.words[f"explain.payer.{payer}"]


def bill_lines(say: FigureWords, bill: BillState, basis: BillBasis, on: date) -> Iterator[str]:
    """What the bill was issued with, then every change known on the day `on`."""
    version = schemes.get(bill.scheme).version(bill.version)
    if bill.kind == BillKind.JOINING:
        yield say("joining", issued=bill.issued, amount=say.money(bill.total), source=version.joining.source)
        return
    yield say(
        "bill",
        issued=bill.issued,
        scheme=bill.scheme,
        version=bill.version,
        category=basis.category,
        months=version.option(bill.option).months,
    )
    if bill.period_from:
        yield say("period", since=bill.period_from, until=bill.period_until, source=version.cycle.source)
    yield from _price(say, version, version.category(basis.category), basis.born, bill.option, bill.issued)
    before: tuple[Version, str | None, Sequence[int]] = (version, basis.category, basis.born)
    share = basis.shares.get(MEMBER, 0)
    for change in basis.changes:
        if change.on > on:
            continue
        yield from _change(say, bill, change, before)
        rules = schemes.get(bill.scheme).version(change.version).covering_as(version)
        before = (rules, change.category, change.born)
        more = change.shares.get(MEMBER, 0)
        share += more
        yield say(
            "new-share",
            before=say.money(share - more),
            more=say.signed_money(more),
            share=say.money(share),
        )


def _price(
    say: FigureWords, version: Version, category: Category, born: Sequence[int], option: str, issued: date
) -> Iterator[str]:
    """The price of a whole period, and each payer's part of it."""
    years = [min(year, issued.year) for year in born]
    covered = years[: version.household.people_max]
    prices = Counter(version.pricing.prices_for(category, [age(year, issued) for year in covered], option))
    price = price_of(version, category, years, option, issued)
    if len(born) > len(covered):
        yield say("left-out", people=len(born), most=len(covered), source=version.household.source)
    free = len(covered) - sum(prices.values()) if version.pricing.basis != "household" else 0
    if free:
        yield say("free", people=free, below=version.pricing.free_below, source=version.pricing.source)
    worked = " + ".join(f"{times} x {say.money(units)}" for units, times in prices.items()) or "0"
    yield say("price", worked=worked, total=say.money(price.total), source=category.source)
    for share in category.others:
        yield _payer_part(say, share, prices, option, price.total, price.shares[share.payer])
    others = "".join(f" - {say.money(units)}" for payer, units in price.shares.items() if payer != MEMBER)
    worked = f"{say.money(price.total)}{others}"
    yield say("member-part", worked=worked, amount=say.money(price.shares[MEMBER]))


def _payer_part(
    say: FigureWords, share: Share, prices: Counter[int], option: str, total: int, amount: int
) -> str:
    """How another payer's `amount` of the `total` follows from its share, and how it was rounded."""
    exact = sum((share.of(units, option) * times for units, times in prices.items()), Fraction(0))
    if share.part:
        worked = say.words["explain.part"].format(part=share.part, of=say.money(total))
    else:
        each = say.money((share.amount or {})[option])
        worked = " + ".join(f"{times} x {each}" for times in prices.values())
    line = say(
        "payer-part",
        payer=say.payer(share.payer),
        worked=worked,
        amount=say.money(amount),
        source=share.source,
    )
    if amount == exact:
        return line
    return line + say("rounded", exact=say.money(int(exact)), odd=say.money(amount - int(exact)))


def _change(
    say: FigureWords,
    bill: BillState,
    change: ChangeBasis,
    before: tuple[Version, str | None, Sequence[int]],
) -> Iterator[str]:
    """One adjustment: the new price, and by how much each payer's part changed from that of `before`."""
    own = schemes.get(bill.scheme).version(bill.version)
    version = schemes.get(bill.scheme).version(change.version).covering_as(own)
    months = own.option(bill.option).months
    yield say(
        "change",
        day=change.on,
        reason=say.words[f"explain.reason.{change.reason}"],
        category=change.category,
        people=len(change.born),
    )
    yield from _price(say, version, version.category(change.category), change.born, bill.option, bill.issued)
    old, new = (
        price_of(
            rules,
            rules.category(category),
            [min(year, bill.issued.year) for year in born],
            bill.option,
            bill.issued,
        ).shares
        for rules, category, born in (before, (version, change.category, change.born))
    )
    promised = change.shares.get(SPONSOR, 0)
    moved = {payer: units + (promised if payer == MEMBER else 0) for payer, units in change.shares.items()}
    if promised:
        yield say("promised", amount=say.signed_money(moved.pop(SPONSOR)))
    for payer, units in moved.items():
        if not units:  # a sponsor took over what the member's part changed by
            continue
        new_part, old_part = new.get(payer, 0), old.get(payer, 0)
        new_counted, old_counted = (part * change.months // months for part in (new_part, old_part))
        # Changes of one day count together, and a bill that has opened nothing is priced whole.
        alone = units == new_counted - old_counted
        yield say(
            "difference" if alone else "together",
            payer=say.payer(payer),
            new=say.money(new_part),
            old=say.money(old_part),
            months=change.months,
            of=months,
            new_counted=say.money(new_counted),
            old_counted=say.money(old_counted),
            amount=say.signed_money(units),
            source=own.adjustment.assumed or own.adjustment.source,
        )
