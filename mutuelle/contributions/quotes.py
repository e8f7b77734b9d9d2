"""Computes what a household pays under a scheme, who else pays, and what that opens. Pure.

Age is the year of the given day less the year of birth; an adult is 18 or over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from mutuelle.errors import Refused
from mutuelle.money import EXPONENT
from mutuelle.schemes.money_rules import MEMBER, SPONSOR, Category, CategoryState
from mutuelle.schemes.schemes import Scheme
from mutuelle.schemes.version_rules import Stage, Version, last_day

ADULT = 18
AGE_MAX = 120


@dataclass(frozen=True)
class PriceLine:
    """One line of a dues bill: `amount` in whole units from `payer`; a claim names the `rule` of the book."""

    payer: str
    amount: int
    rule: str


@dataclass(frozen=True)
class PeriodQuote:
    """The price of one period for one household. Amounts are whole units of `currency`, dates local dates.

    `version` is the effective date of the rules, `billed_category` the category that counts. `total` does not
    include `joining_fee`; `shares` add up to `total`, name every payer of the version, the member first;
    `lines` are the shares above 0. `period_*` bound a fixed year, and are None where the period begins when
    rights open. `not_covered` names the people left out and why.
    """

    scheme: str
    version: str
    currency: str
    option: str
    billed_category: str
    people: int
    total: int
    joining_fee: int
    shares: dict[str, int]
    lines: tuple[PriceLine, ...]
    period_from: date | None
    period_until: date | None
    not_covered: tuple[str, ...]


@dataclass(frozen=True)
class Quote(PeriodQuote):
    """A price as quoted to a household, with what paying it opens.

    `category` is the one claimed; it counts only once its evidence is checked. Paying `threshold` of the
    member share on the day of the quote covers `opens_from` to `opens_until`.
    """

    category: str
    threshold: int
    opens_from: date
    opens_until: date

    def as_json(self) -> dict[str, Any]:
        """The object that `mutuelle schemes quote --json` prints; amounts are in smallest units."""
        return {
            "scheme": self.scheme,
            "version": self.version,
            "currency": self.currency,
            "exponent": EXPONENT[self.currency],
            "people": self.people,
            "total": self.total,
            "joining_fee": self.joining_fee,
            "shares": self.shares,
            "opens": {
                "threshold": self.threshold,
                "from": self.opens_from.isoformat(),
                "until": self.opens_until.isoformat(),
            },
            "not_covered": list(self.not_covered),
        }


@dataclass(frozen=True)
class Price:
    """What one period costs under a category that counts; `shares` add up to `total`, the member first."""

    total: int
    shares: dict[str, int]
    people: int
    not_covered: tuple[str, ...]


def price_of(version: Version, category: Category, born: Sequence[int], option: str, day: date) -> Price:
    """The price of the people born in the years `born`, of the ages they have on `day`.

    Raises Refused when `born` is empty or holds an impossible year, or when a household that must be covered
    whole is too large.
    """
    covered, not_covered = _covered_people(version, born, day)
    prices = version.pricing.prices_for(category, [age(year, day) for year in covered], option)
    shares = share_prices(version, category, prices, option)
    return Price(sum(prices), shares, len(covered), not_covered)


def quote(
    scheme: Scheme,
    born: Sequence[int],
    *,
    on: date,
    category: str | None = None,
    checked: bool = False,
    option: str | None = None,
    covered_until: date | None = None,
) -> Quote:
    """Quotes a price to a household of people born in the years `born`, on the local date `on`.

    A `category` that lowers the member's price counts only when `checked`. `covered_until` is the last day
    already covered: such a household renews from the day after, owes no joining fee, and waits only as the
    scheme's rules of a lapse say. Raises Refused as `price_of` does, and when the category or option is not
    known, or the category is covered elsewhere, has no price or must be proven first.
    """
    version = scheme.on(max(on, covered_until + timedelta(1)) if covered_until else on)
    claimed, period_option = version.category(category), version.option(option).code
    billed = _category_to_bill(version, claimed, checked)
    price = quote_period(scheme, version, billed, born, period_option, on=on, covered_until=covered_until)
    return Quote(**vars(price), category=claimed.code, **_opening(version, price, on, covered_until))


def with_sponsor(scheme: Scheme, joining: Quote, percent: int, on: date) -> Quote:
    """Returns the quote of a household that joins on the day `on` when a sponsor pays a part of its share.

    The sponsor pays `percent` of the member's share, rounded down: the member carries the odd unit.
    """
    promised = joining.shares[MEMBER] * percent // 100
    shares = {**joining.shares, MEMBER: joining.shares[MEMBER] - promised, SPONSOR: promised}
    sponsored = replace(joining, shares=shares)
    version = scheme.version(date.fromisoformat(joining.version))
    return replace(sponsored, **_opening(version, sponsored, on, None))


def _opening(version: Version, price: PeriodQuote, on: date, covered_until: date | None) -> dict[str, Any]:
    """Returns the least payment that opens rights, and the days it covers if it is paid on the day `on`."""
    renewed = covered_until + timedelta(1) if covered_until else on
    if price.period_from:
        start, earliest = price.period_from, max(on, price.period_from, renewed)
    else:
        start = version.begins(on, covered_until)
        earliest = max(on, start)
    stages = version.stages(price.shares[MEMBER], price.option, price.total)
    stage = _first_that_opens(stages, start, earliest)
    return {
        "threshold": stage.threshold,
        "opens_from": earliest,
        "opens_until": last_day(start, stage.months),
    }


def quote_period(
    scheme: Scheme,
    version: Version,
    category: Category,
    born: Sequence[int],
    option: str,
    *,
    on: date,
    covered_until: date | None,
) -> PeriodQuote:
    """The price of the next period under a category that counts. Raises Refused as `price_of` does."""
    price = price_of(version, category, born, option, on)
    renewed = covered_until + timedelta(1) if covered_until else on
    period = version.period(max(on + timedelta(version.cycle.ahead_days), renewed), option)
    since = version.since.isoformat()
    rule = f"{scheme.code}/{since}/{category.code}"
    return PeriodQuote(
        scheme=scheme.code,
        version=since,
        currency=scheme.currency,
        option=option,
        billed_category=category.code,
        people=price.people,
        total=price.total,
        joining_fee=_joining_fee(version, price.people, on, covered_until),
        shares=price.shares,
        lines=tuple(
            PriceLine(payer, amount, f"{rule}/{payer}") for payer, amount in price.shares.items() if amount
        ),
        period_from=period[0] if period else None,
        period_until=period[1] if period else None,
        not_covered=price.not_covered,
    )


def _first_that_opens(stages: Sequence[Stage], start: date, earliest: date) -> Stage:
    """The cheapest stage whose cover is not over on `earliest`, the first day it can begin."""
    return next((s for s in stages if last_day(start, s.months) >= earliest), stages[-1])


def billed_category(
    version: Version, claimed: str | None, standing: str | None, billed: str | None
) -> Category:
    """The category that counts for a household that has bills: the checked one, or what a claim is billed as.

    Without a claim, or if it must be proven first, the category `billed` so far counts. A category that the
    version does not have, such as one of older rules, becomes the standard one.
    """
    categories = {category.code: category for category in version.categories}
    so_far = categories.get(billed or "") or version.category()
    if claimed is None or claimed not in categories:
        return so_far
    if standing == CategoryState.CHECKED:
        return categories[claimed]
    return so_far if categories[claimed].proof_first else categories[categories[claimed].billed_as]


def _category_to_bill(version: Version, claimed: Category, checked: bool) -> Category:
    """The category a claim is billed under. Raises Refused if it has no price or must be proven first."""
    if claimed.unpriced:
        raise Refused("category.no-price", code=claimed.code)
    if claimed.proof_first and not checked:
        raise Refused("category.prove-first", code=claimed.code)
    return claimed if checked else version.category(claimed.billed_as)


def _covered_people(version: Version, born: Sequence[int], on: date) -> tuple[Sequence[int], tuple[str, ...]]:
    """Which of `born` are covered, in their order, and why the others are not."""
    require_possible_years(born, on)
    most = version.household.people_max
    if len(born) > most and version.household.beyond == "refused":
        raise Refused("quote.too-many-people", people=len(born), most=most)
    return born[:most], tuple(f"over-limit:{year}" for year in born[most:])


def require_possible_years(born: Sequence[int], on: date) -> None:
    """Raises Refused when `born` is empty or holds an impossible year."""
    if not born:
        raise Refused("quote.nobody")
    for year in born:
        if not 0 <= age(year, on) <= AGE_MAX:
            raise Refused("born.impossible", year=year)


def _joining_fee(version: Version, people: int, on: date, covered_until: date | None) -> int:
    """What the member alone pays for joining: 0 for a household covered before, unless too long ago."""
    if covered_until is not None and not version.lapse.joins_again(covered_until, on):
        return 0
    return version.joining.amount * (people if version.joining.per == "person" else 1)


def share_prices(version: Version, category: Category, prices: Sequence[int], option: str) -> dict[str, int]:
    """Each payer's part of all `prices` charged, in whole units that add up to their sum, the member first.

    Each other payer pays its exact share rounded down, so the member carries the odd units; where the member
    pays nothing, the first other payer carries them.
    """
    total = sum(prices)
    exact: dict[str, Fraction | int] = dict.fromkeys(version.payers, 0)
    exact[MEMBER] = total
    for share in category.others:
        part = total * share.part if share.part is not None else share.of(0, option) * len(prices)
        exact[share.payer] += part
        exact[MEMBER] -= part
    parts = {payer: int(part) for payer, part in exact.items()}  # none is negative, so this rounds down
    carries = next((payer for payer, part in exact.items() if part), MEMBER)
    parts[carries] += total - sum(parts.values())
    return parts


def age(born: int, on: date) -> int:
    """In years, by the stated rule: the year of `on` less the year of birth."""
    return on.year - born


def birth_year(two_digits: int, adult: bool, on: date) -> int:
    """The one year with these last two digits in which a person who is 0 to 99 years old on `on` was born.

    Raises Refused when that person is not the adult, or not the child, that `adult` says. For a person of 100
    or more a year of four digits is needed.

    >>> birth_year(84, True, date(2026, 11, 22)), birth_year(19, False, date(2026, 11, 22))
    (1984, 2019)
    """
    if not 0 <= two_digits <= 99:
        raise Refused("born.two-digits")
    year = on.year - (on.year - two_digits) % 100
    if (age(year, on) >= ADULT) != adult:
        raise Refused("born.not-adult" if adult else "born.not-child", year=year)
    return year
