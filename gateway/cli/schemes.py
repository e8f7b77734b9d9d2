"""The rule books at the command line: checks, lists, quotes for a household, and the rules in words."""

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction
from typing import Any

import click

from gateway.cli import rule_changes
from mutuelle import clock
from mutuelle.enrolment import joining_price
from mutuelle.enrolment.joining_price import JoiningHousehold
from mutuelle.money import Money
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import MEMBER_STATUSES, Category
from mutuelle.schemes.schemes import Scheme
from mutuelle.schemes.service_rules import CopayPart, Relationship, ReminderRule
from mutuelle.schemes.version_rules import Version

PRORATA = {"whole": "for the whole period", "months": "for the months still to come"}
TARIFF = {"at-once": "changes the bills under way", "next-period": "counts from the next bill on"}


@click.group("schemes")
def group() -> None:
    """The rule books."""


group.add_command(rule_changes.apply_rules)


@group.command("check")
def check() -> None:
    """Print problems in the rule books, and every figure that we assume. Exit 1 when there is a problem."""
    lines = schemes.check()
    for line in lines:
        click.echo(line)
    if any(line.startswith("problem") for line in lines):
        sys.exit(1)


@group.command("list")
def list_books() -> None:
    """List the rule books: draft or ready, how many rules are sourced and assumed, and their first days."""
    for code, book in schemes.known().items():
        sourced, assumed = book.counts()
        days = " ".join(sorted(version.since.isoformat() for version in book.versions))
        click.echo(f"{code:<12} {book.status:<6} {sourced:>3} sourced {assumed:>3} assumed  {days}")


@group.command("quote")
@click.option("--scheme", required=True)
@click.option("--born", required=True, help="years of birth, separated by commas")
@click.option("--category", help="counts as checked; without one, nothing is proven")
@click.option("--option", help="the period, such as month; the usual one when left out")
@click.option("--students", default="", help="years of birth of those who go to school or learn a trade")
@click.option(
    "--relationships",
    default="",
    help="to the head, in the order of --born: head, spouse, child, parent, other, or nothing where unknown",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="CODE:YEAR",
    help="of a member with a class of its own, such as disabled:1999; may be repeated",
)
@click.option(
    "--sponsor-percent",
    type=click.IntRange(0, 100),
    default=0,
    help="what a sponsor pays of the member's share",
)
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="a local date; today when left out")
@click.option("--json", "as_json", is_flag=True, help="figures as JSON")
def quote_household(
    scheme: str,
    born: str,
    category: str | None,
    option: str | None,
    students: str,
    relationships: str,
    statuses: tuple[str, ...],
    sponsor_percent: int,
    day: Any,
    as_json: bool,
) -> None:
    """Show what a household pays if it joins, who else pays, and what that opens.

    It is the price of the bill that enrolment writes on that day, and what enrolment refuses is refused.
    """
    book = schemes.get(scheme)
    years = _years(born, "--born")
    household = JoiningHousehold(
        birth_years=years,
        category=category,
        proven=category is not None,
        option=option,
        students=frozenset(_places(years, _years(students, "--students") if students else [], "--students")),
        statuses=_statuses(years, statuses),
        relationships=_relationships(relationships, len(years)),
        sponsor_percent=sponsor_percent,
    )
    price = joining_price.price(book, household, _day(book, day)).quote
    if book.status == "draft":
        click.echo(f"{book.code} is a draft: no mutuelle can be set up with it", err=True)
    if as_json:
        click.echo(json.dumps(price.as_json(), ensure_ascii=False))
        return
    shares = {f"share of {payer}": Money(units, price.currency) for payer, units in price.shares.items()}
    _print_lines(
        {
            "price": Money(price.total, price.currency),
            **shares,
            "joining fee": Money(price.joining_fee, price.currency),
            "to open": Money(price.threshold, price.currency),
            "covers": f"{price.opens_from} - {price.opens_until}",
            "not covered": ", ".join(price.not_covered) or "nobody",
        }.items()
    )


@group.command("show")
@click.option("--scheme", required=True)
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="a local date; today when left out")
def show(scheme: str, day: Any) -> None:
    """Show the rules of a day in words, and what is assumed."""
    book = schemes.get(scheme)
    version = book.on(_day(book, day))
    _print_lines(
        [("scheme", f"{book.code} ({book.status}), rules from {version.since}"), *_describe(book, version)]
    )


def _years(text: str, option: str) -> list[int]:
    try:
        return [int(year) for year in text.split(",")]
    except ValueError:
        raise click.ClickException(f"{option} takes years such as 1985,1990,2015") from None


def _places(years: list[int], chosen: list[int], option: str) -> list[int]:
    """Returns the place in `years` of each chosen year; of several people of a year, one after the other.

    A person who is chosen is none of the adults that come first, so the last one of the year is taken.
    """
    places: list[int] = []
    for year in chosen:
        left = [place for place, born in enumerate(years) if born == year and place not in places]
        if not left:
            raise click.ClickException(f"{option} has a year that --born has not: {year}")
        places.append(left[-1])
    return places


def _statuses(years: list[int], texts: tuple[str, ...]) -> dict[int, list[str]]:
    statuses: dict[int, list[str]] = {}
    for text in texts:
        code, _, year = text.partition(":")
        if code not in MEMBER_STATUSES or not year.isdecimal():
            codes = ", ".join(MEMBER_STATUSES)
            raise click.ClickException(f"--status takes one of {codes} and a year, such as disabled:1999")
        (place,) = _places(years, [int(year)], "--status")
        statuses.setdefault(place, []).append(code)
    return statuses


def _relationships(text: str, people: int) -> list[str | None]:
    if not text:
        return []
    words = [word.strip() for word in text.split(",")]
    are_relationships = words[0] in ("", "head") and all(word in ("", *Relationship) for word in words[1:])
    if len(words) != people or not are_relationships:
        raise click.ClickException(
            f"--relationships takes head, then {', '.join(Relationship)} or nothing for each other year"
        )
    return [None, *(word or None for word in words[1:])]


def _day(book: Scheme, day: Any) -> date:
    return day.date() if day else clock.today(book.zone)


def _print_lines(rules: Iterable[tuple[str, object]]) -> None:
    for name, value in rules:
        click.echo(f"{name:<18} {value}")


def _describe(book: Scheme, version: Version) -> Iterator[tuple[str, object]]:
    """Yields each rule of the version as (name, text)."""
    options = ", ".join(f"{option.code} ({option.months} months)" for option in version.options)
    yield "periods", f"{options}; {version.cycle.kind}, from {version.cycle.starts or 'when rights open'}"
    for category in version.categories:
        yield category.code, _category(book, category)
    for other in version.elsewhere:
        yield other.code, f"refused: covered elsewhere, by {other.covered_by['en']}"
    household, free = version.household, version.pricing.free_below
    yield "price for", f"each {version.pricing.basis}" + (f", free below {free} years" if free else "")
    yield (
        "people",
        f"at most {household.people_max}, the next is {household.beyond}"
        + ("; all paid or nobody covered" * household.whole),
    )
    yield "opens", "; ".join(_opening_rule(version))
    yield "waits", _waiting_rule(version)
    lapse = version.lapse
    yield (
        "after cover",
        f"{lapse.grace_days} days of grace, a lapse after {lapse.after_days} days without cover",
    )
    prorata, tariff = PRORATA[version.adjustment.prorata], TARIFF[version.adjustment.tariff]
    yield "a change", f"in mid-period counts {prorata}; a new tariff {tariff}"
    fee = version.joining
    yield "joining fee", f"{Money(fee.amount, book.currency)} per {fee.per}"
    yield "sums", f"in steps of {Money(version.step, book.currency)}, unpaid dues: {version.payment.arrears}"
    if version.subsidy:
        basis = "for the days really covered"
        if version.subsidy.whole_periods:
            basis = f"for whole periods ({version.subsidy.clause})"
        yield "subsidy", f"what others pay of a bill may be claimed {version.subsidy.claimable}, {basis}"
    yield "copay", "; ".join(_copay(book, part) for part in version.copay.parts) or "not known"
    ages = version.dependants
    yield "dependants", ", ".join(ages.relationships) or "whatever their relationship to the head"
    any_age = ", disabled at any age" if ages.disabled_any_age else ""
    yield (
        "children",
        f"below {ages.child_below or '?'} years, students below {ages.student_below or '?'}{any_age}",
    )
    yield "reminders", _days(version.reminders)
    yield "appeals", f"answered within {version.appeals.days} days"
    yield (
        "seasons",
        ", ".join(f"{season.code} {season.starts} - {season.ends}" for season in version.seasons)
        or "none told",
    )
    yield "benefits", ", ".join(benefit.code for benefit in version.benefits)
    yield "codes", " ".join(book.codes) or "none known"
    for line in version.assumptions():
        yield "assumed", line


def _category(book: Scheme, category: Category) -> str:
    if category.unpriced:
        return "no price is known"
    prices = ", ".join(f"{option} {Money(units, book.currency)}" for option, units in category.price.items())
    younger = [
        f"below {band.below} years: {', '.join(str(Money(u, book.currency)) for u in band.price.values())}"
        for band in category.ages
    ]
    others = [f"{share.payer} pays " + (_part(share.part) if share.part else
              ", ".join(str(Money(u, book.currency)) for u in (share.amount or {}).values()))
              for share in category.others]  # fmt: skip
    until = "nobody joins" if category.proof_first else f"billed as {category.billed_as}"
    holds = f", for {category.evidence_months} months" if category.evidence_months else ""
    proof = [f"{until} until proven: {category.evidence}{holds}"] if category.evidence else []
    return "; ".join([prices, *younger, *others, *proof])


def _days(rule: ReminderRule | None) -> str:
    if rule is None:
        return "none"
    return f"{', '.join(map(str, rule.before))} days before, {', '.join(map(str, rule.after))} days after"


def _opening_rule(version: Version) -> Iterator[str]:
    rule = version.opening
    yield from (f"{_part(early.paid)} of the {rule.of} opens {early.months} months" for early in rule.early)
    yield "each month's share opens a month" if rule.monthly else "the whole share opens the period"


def _waiting_rule(version: Version) -> str:
    rule = version.waiting
    spared = [f"those below {rule.waived_below} years"] * (rule.waived_below > 0) + list(rule.waived)
    exempt = f"; not {', '.join(spared)}" if spared else ""
    return (
        f"{rule.months} months and {rule.days} days when new, {rule.after_lapse} days after a lapse{exempt}"
    )


def _copay(book: Scheme, part: CopayPart) -> str:
    kind = f"drugs at {part.drugs}" if part.drugs else f"care at {part.level}"
    most = f" to {_part(part.part_max)}" if part.part_max is not None else ""
    fixed = None if part.amount is None else str(Money(part.amount, book.currency))
    share = fixed or f"{_part(part.part or Fraction(0))}{most}"
    return f"{share} of {kind}" + (f" ({', '.join(part.categories)})" if part.categories else "")


def _part(part: Fraction) -> str:
    return f"{float(part * 100):g} %"
