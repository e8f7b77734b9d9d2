"""Checks the rules of one version against each other; each function yields problems in plain words. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date

from mutuelle.schemes.money_rules import (
    Category,
    Cycle,
    OpeningRule,
    OtherScheme,
    PeriodOption,
    PricingRule,
    Subsidy,
    WaitingRule,
)
from mutuelle.schemes.service_rules import Copay

# How many `ages` a price of each basis takes, least and most.
BANDS = {"person": (0, 0), "household": (0, 0), "adult-child": (1, 1), "age": (1, 9)}


def price_problems(
    categories: Sequence[Category], options: Sequence[PeriodOption], pricing: PricingRule
) -> Iterator[str]:
    """Each option must have one price for each age of the basis, and other payers may not exceed it."""
    codes = {option.code for option in options}
    if pricing.free_below and pricing.basis == "household":
        yield "pricing: a price for the household leaves nobody free, so leave out free_below"
    for category in categories:
        if category.unpriced:
            if category.price or category.others or category.ages:
                yield f"category {category.code}: is unpriced, so leave out its price and the other payers"
        elif not _prices_every_option(category, codes):
            names = ", ".join(sorted(codes))
            yield f"category {category.code}: needs a price and amounts for exactly the options {names}"
        elif problem := _ages_problem(category, pricing):
            yield f"category {category.code}: {problem}"
        elif any(part < 0 for code in codes for part in category.member_parts(code)):
            yield f"category {category.code}: the other payers pay more than the price"


def _prices_every_option(category: Category, codes: set[str]) -> bool:
    """Whether each price, and each amount of another payer, is set for exactly the options `codes`."""
    by_option = [category.price, *(band.price for band in category.ages)]
    by_option += [share.amount for share in category.others if share.amount is not None]
    return all(set(prices) == codes for prices in by_option)


def _ages_problem(category: Category, pricing: PricingRule) -> str | None:
    """What is wrong with the bounds of the category's `ages`; None if nothing is."""
    below = [band.below for band in category.ages]
    least, most = BANDS[pricing.basis]
    if not least <= len(below) <= most:
        bands = f"{least} to {most}" if most else "no"
        return f"a price by {pricing.basis} takes {bands} `ages`"
    if below != sorted(set(below)) or (below and below[0] <= pricing.free_below):
        return "`ages` must grow, and begin above the age that is free"
    return None


def category_problems(
    categories: Sequence[Category],
    elsewhere: Sequence[OtherScheme],
    options: Sequence[PeriodOption],
    standard_code: str,
) -> Iterator[str]:
    """A claim that lowers the member's price must be billed higher until proven; others hold at once."""
    by_code = {category.code: category for category in categories}
    standard = by_code.get(standard_code)
    if len({*by_code, *(other.code for other in elsewhere)}) < len(categories) + len(elsewhere):
        yield "categories: two have the same code"
    if len(categories) + len(elsewhere) > 5:
        yield "categories: with those covered elsewhere there are more than the 5 a menu has room for"
    if standard is None or standard.billed_as != standard.code or standard.unpriced:
        yield f"standard: {standard_code} must be a category that is billed as itself"
        return
    for category in categories:
        billed = by_code.get(category.billed_as)
        name = f"category {category.code}"
        if category.unpriced or category.proof_first:
            if billed is not category:
                yield f"{name}: is never billed before it is proven, so leave out billed_as"
        elif billed is None or billed.billed_as != billed.code:
            yield f"{name}: billed_as must name a category that is billed as itself"
        elif any(
            _is_cheaper(category, standard, option.code) and not _is_dearer(billed, category, option.code)
            for option in options
        ):
            yield f"{name}: lowers the member's price, so billed_as must name a dearer one until checked"
        elif billed is not category and any(not _is_dearer(billed, category, o.code) for o in options):
            yield f"{name}: does not lower the member's price, so it holds at once: leave out billed_as"


def _is_cheaper(category: Category, other: Category, option: str) -> bool:
    """Whether a member of some age pays less. `price_problems` reports a price that lacks the option."""
    try:
        parts, others = category.member_parts(option), other.member_parts(option)
    except KeyError:
        return category is not other
    return len(parts) == len(others) and any(
        part < other_part for part, other_part in zip(parts, others, strict=True)
    )


def _is_dearer(category: Category, other: Category, option: str) -> bool:
    """Whether a member of some age pays more, and no member pays less."""
    return (
        category is not other
        and _is_cheaper(other, category, option)
        and not _is_cheaper(category, other, option)
    )


def period_problems(
    since: date, options: Sequence[PeriodOption], cycle: Cycle, opening: OpeningRule, waiting: WaitingRule
) -> Iterator[str]:
    """Options, early openings, first days and waiting must agree with each other."""
    if len({option.code for option in options}) < len(options):
        yield "options: two have the same code"
    for option in options:
        if any(early.months >= option.months for early in opening.early):
            yield f"opening: `early` must open fewer months than the option {option.code}"
    if cycle.starts is not None:
        if since.strftime("%m-%d") != cycle.starts:
            yield f"from: a fixed year begins on {cycle.starts}, so must the version"
        if waiting.days or waiting.months or waiting.after_lapse:
            yield "waiting: days in a fixed year are not supported yet"


def copay_problems(copay: Copay, categories: Sequence[Category]) -> Iterator[str]:
    """The copay must name only categories that exist."""
    codes = {category.code for category in categories}
    for code in sorted({code for part in copay.parts for code in part.categories} - codes):
        yield f"copay: {code} is not a category"


def subsidy_problems(subsidy: Subsidy | None, payers: Sequence[str]) -> Iterator[str]:
    """With other payers, the book must say when their part may be claimed from them."""
    if subsidy is None and len(payers) > 1:
        yield "subsidy: another payer pays too, so say when that may be claimed"
