"""What must hold between the rules of one version; each function tells what is wrong, in an officer's words.
Pure."""

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

BANDS = {
    "person": (0, 0),
    "household": (0, 0),
    "adult-child": (1, 1),
    "age": (1, 9),
}  # how many `ages` a basis takes


def about_prices(
    categories: Sequence[Category], options: Sequence[PeriodOption], pricing: PricingRule
) -> Iterator[str]:
    """Every option has one price for each age the basis names, and the other payers leave no less than
    nothing."""
    codes = {option.code for option in options}
    if pricing.free_below and pricing.basis == "household":
        yield "pricing: a price for the household leaves nobody free, so leave out free_below"
    for category in categories:
        told = [category.price, *(share.amount for share in category.others if share.amount is not None)]
        told += [band.price for band in category.ages]
        below = [band.below for band in category.ages]
        least, most = BANDS[pricing.basis]
        if category.unpriced:
            if category.price or category.others or category.ages:
                yield f"category {category.code}: is unpriced, so leave out its price and the other payers"
        elif any(set(prices) != codes for prices in told):
            yield f"category {category.code}: needs a price and amounts for exactly the options {', '.join(sorted(codes))}"
        elif not least <= len(below) <= most:
            yield f"category {category.code}: a price by {pricing.basis} takes {f'{least} to {most}' if most else 'no'} `ages`"
        elif below != sorted(set(below)) or (below and below[0] <= pricing.free_below):
            yield f"category {category.code}: `ages` must grow, and begin above the age that is free"
        elif any(part < 0 for code in codes for part in category.member_parts(code)):
            yield f"category {category.code}: the other payers pay more than the price"


def about_claims(
    categories: Sequence[Category],
    elsewhere: Sequence[OtherScheme],
    options: Sequence[PeriodOption],
    usual: str,
) -> Iterator[str]:
    """A claim that lowers the member's price is billed higher until proven, others hold at once."""
    known = {category.code: category for category in categories}
    standard = known.get(usual)
    if len({*known, *(other.code for other in elsewhere)}) < len(categories) + len(elsewhere):
        yield "categories: two have the same code"
    if len(categories) + len(elsewhere) > 5:
        yield "categories: with those covered elsewhere there are more than the 5 a menu has room for"
    if standard is None or standard.billed_as != standard.code or standard.unpriced:
        yield f"standard: {usual} must be a category that is billed as itself"
        return
    for category in categories:
        billed = known.get(category.billed_as)
        if category.unpriced or category.proof_first:
            if billed is not category:
                yield f"category {category.code}: is never billed before it is proven, so leave out billed_as"
        elif billed is None or billed.billed_as != billed.code:
            yield f"category {category.code}: billed_as must name a category that is billed as itself"
        elif any(
            _lower(category, standard, o.code) and not _dearer(billed, category, o.code) for o in options
        ):
            yield f"category {category.code}: lowers the member's price, so billed_as must name a dearer one until checked"
        elif billed is not category and any(not _dearer(billed, category, o.code) for o in options):
            yield f"category {category.code}: does not lower the member's price, so it holds at once: leave out billed_as"


def _lower(category: Category, other: Category, option: str) -> bool:
    """Whether somebody of some age pays less; a price that does not name the option is reported elsewhere."""
    try:
        parts, others = category.member_parts(option), other.member_parts(option)
    except KeyError:
        return category is not other
    return len(parts) == len(others) and any(
        mine < theirs for mine, theirs in zip(parts, others, strict=True)
    )


def _dearer(category: Category, other: Category, option: str) -> bool:
    """Whether somebody pays more, and nobody less."""
    return _lower(other, category, option) and (category is not other and not _lower(category, other, option))


def about_periods(
    since: date, options: Sequence[PeriodOption], cycle: Cycle, opening: OpeningRule, waiting: WaitingRule
) -> Iterator[str]:
    """Periods, parts of them, first days and waiting fit together."""
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


def about_copay(copay: Copay, categories: Sequence[Category]) -> Iterator[str]:
    """A part of the copay is for categories that exist."""
    known = {category.code for category in categories}
    for code in sorted({code for part in copay.parts for code in part.categories} - known):
        yield f"copay: {code} is not a category"


def about_subsidy(subsidy: Subsidy | None, payers: Sequence[str]) -> Iterator[str]:
    """Where others than the member pay, the book says when that may be claimed from them."""
    if subsidy is None and len(payers) > 1:
        yield "subsidy: another payer pays too, so say when that may be claimed"
