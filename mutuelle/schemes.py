"""The rule books: what `config/schemes/*.toml` says, read once, checked whole, and never changed by code.

A scheme has versions with effective dates; every rule names its `source`, and `assumed` says why a figure is ours.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from math import ceil
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

import config
from mutuelle.errors import Refused
from mutuelle.money import EXPONENT
from mutuelle.rules import (
    MEMBER,
    Benefit,
    Category,
    Code,
    Cycle,
    Frozen,
    Household,
    Joining,
    Note,
    Opening,
    Option,
    Payment,
    Reminders,
    Rule,
    Waiting,
    Words,
    about_claims,
    about_prices,
)

FOLDER = Path(config.__file__).parent / "schemes"


class SchemeError(Exception):
    """The rule books cannot be used; `problems` names every file, key and what is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Stage:
    """Paying `threshold` of the member's share opens the first `months` months of the period."""

    threshold: int
    months: int


class Version(Rule):
    """The rules of a scheme from the day `since` on, until the next version."""

    since: date = Field(alias="from")
    standard: Code
    options: Annotated[tuple[Option, ...], Field(min_length=1)]
    categories: Annotated[tuple[Category, ...], Field(min_length=1, max_length=5)]  # a menu has five items
    household: Household
    cycle: Cycle
    opening: Opening
    waiting: Waiting
    joining: Joining
    payment: Payment
    reminders: Reminders | None = None
    benefits: Annotated[tuple[Benefit, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _rules_agree(self) -> Self:
        problems = [
            *about_prices(self.categories, self.options),
            *about_claims(self.categories, self.options, self.standard),
            *_about_periods(self),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def asks_category(self) -> bool:
        """Whether a household must say which category it belongs to."""
        return len(self.categories) > 1

    @property
    def step(self) -> int:
        """Sums are multiples of this, in whole units."""
        return self.payment.step

    @property
    def payers(self) -> tuple[str, ...]:
        """Everyone who pays under some category, the member first."""
        return tuple(dict.fromkeys([MEMBER, *(share.payer for c in self.categories for share in c.others)]))

    def category(self, code: str | None = None) -> Category:
        """The category `code`, or the standard one. Refused when the version has none of that name."""
        found = next((c for c in self.categories if c.code == (code or self.standard)), None)
        if found is None:
            raise Refused("category.unknown", code=code, known=", ".join(c.code for c in self.categories))
        return found

    def option(self, code: str | None = None) -> Option:
        """The period option `code`, or the usual one. Refused when the version has none of that name."""
        found = next((o for o in self.options if o.code == (code or self.options[0].code)), None)
        if found is None:
            raise Refused("option.unknown", code=code, known=", ".join(o.code for o in self.options))
        return found

    def stages(self, member_share: int, option: str | None = None) -> tuple[Stage, ...]:
        """What each sum of a bill's member share opens: thresholds and months both grow, the last is the whole share.

        A threshold is rounded up to the step, but never above the share; a share of 0 opens the whole period.
        """
        months = self.option(option).months
        parts = [(early.paid, early.months) for early in self.opening.early] + [(Fraction(1), months)]
        if self.opening.monthly:
            parts = [(Fraction(month, months), month) for month in range(1, months + 1)]
        # Two parts that round to one threshold are one stage: paying it opens the longer of both.
        opened = {min(member_share, ceil(member_share * paid / self.step) * self.step): opens for paid, opens in parts}
        return tuple(Stage(threshold, opens) for threshold, opens in opened.items())

    def period(self, day: date, option: str | None = None) -> tuple[date, date] | None:
        """First and last day of the fixed year that `day` falls in; None under a rolling cycle."""
        if self.cycle.starts is None:
            return None
        start = date.fromisoformat(f"{day.year}-{self.cycle.starts}")
        start = start if start <= day else start.replace(year=day.year - 1)
        return start, last_day(start, self.option(option).months)

    def assumptions(self) -> tuple[str, ...]:
        """Every figure or rule that is ours rather than a source's, as `key: why`."""
        return tuple(_assumed(self, ""))


class Scheme(Frozen):
    """One rule book. `operators` are asked in this order; dates are local dates of `zone`."""

    code: Annotated[str, Field(pattern="^[A-Z]{2}-[A-Z0-9-]+$")]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    currency: str
    zone: str
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    operators: Annotated[tuple[Code, ...], Field(min_length=1)]
    name: Words
    notes: tuple[Note, ...] = ()
    versions: Annotated[tuple[Version, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _places_and_words_agree(self) -> Self:
        problems = [] if self.currency in EXPONENT else [f"currency: {self.currency} is not one of {', '.join(EXPONENT)}"]
        if self.zone not in available_timezones():
            problems.append(f"zone: {self.zone} is not a time zone")
        if len({v.since for v in self.versions}) < len(self.versions):
            problems.append("versions: two begin on the same day")
        for where, words in _labels(self, ""):
            problems += [f"{where}: is missing in `{language}`" for language in self.languages if language not in words]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def on(self, day: date) -> Version:
        """The version that a bill issued on `day` follows. Refused when the scheme had not begun.

        In the last days before a fixed year, new bills already follow the rules of the year to come.
        """
        sold = [v for v in self.versions if v.since - timedelta(v.cycle.ahead_days) <= day]
        if not sold:
            raise Refused("scheme.not-in-force", scheme=self.code, on=day.isoformat())
        return max(sold, key=lambda v: v.since)

    def version(self, since: date) -> Version:
        """The version that began on `since`: what a bill that recorded it goes by. KeyError when there is none."""
        return {v.since: v for v in self.versions}[since]

    def assumptions(self) -> tuple[str, ...]:
        """Those of every version, and the notes about the place."""
        return tuple(_assumed(self, ""))


def months_after(day: date, months: int) -> date:
    """The same day `months` later, or the last day of a month that is too short.

    >>> months_after(date(2027, 1, 31), 1)
    datetime.date(2027, 2, 28)
    """
    years, month = divmod(day.month - 1 + months, 12)
    following = date(day.year + years + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(day.year + years, month + 1, 1) + timedelta(day.day - 1), following - timedelta(1))


def last_day(first: date, months: int) -> date:
    """The last of `months` whole months that begin on `first`."""
    return months_after(first, months) - timedelta(1)


def load(folder: Path | None = None) -> dict[str, Scheme]:
    """Every scheme in `folder` by its code. SchemeError lists every problem in every file."""
    schemes: dict[str, Scheme] = {}
    problems: list[str] = []
    files = sorted((folder or FOLDER).glob("*.toml"))
    for file in files:
        try:
            scheme = Scheme.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            problems.append(f"{file.name}: is not a TOML file: {error}")
        except ValidationError as error:
            problems += [f"{file.name}: {_plain(detail)}" for detail in error.errors()]
        else:
            if scheme.code in schemes:
                problems.append(f"{file.name}: code: {scheme.code} is already another file's")
            schemes[scheme.code] = scheme
    if problems or not files:
        raise SchemeError(problems or ["no rule book found: the folder has no .toml file"])
    return schemes


@cache
def _loaded() -> dict[str, Scheme]:
    return load()


def get(code: str) -> Scheme:
    """The scheme `code` of our own folder, which is read once. Refused when there is none."""
    if code not in _loaded():
        raise Refused("scheme.unknown", code=code, known=", ".join(_loaded()))
    return _loaded()[code]


def check(folder: Path | None = None) -> list[str]:
    """What `mutuelle schemes check` prints: `problem ...` for what must be mended, else `assumed ...` for what is ours."""
    try:
        schemes = load(folder)
    except SchemeError as error:
        return [f"problem {problem}" for problem in error.problems]
    return [f"assumed {code} {line}" for code, scheme in schemes.items() for line in scheme.assumptions()]


PLAIN = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of a rule book",
    "int_type": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "too_long": "has too many entries, at most {max_length}",
    "too_short": "needs at least {min_length}",
    "value_error": "{error}",
}


def _plain(detail: ErrorDetails) -> str:
    """An error as a programme officer reads it: `versions 1, categories 2, price, year: must be a whole number`."""
    where = ", ".join(f"{key + 1}" if isinstance(key, int) else key for key in detail["loc"])
    said = PLAIN.get(detail["type"], detail["msg"]).format(**detail.get("ctx", {}))
    found = detail["input"]
    shown = f" (found {found!r:.40})" if isinstance(found, str | int | float) and detail["type"] != "missing" else ""
    return f"{where or 'the whole file'}: {said}{shown}"


def _about_periods(version: Version) -> Iterator[str]:
    for option in version.options:
        if any(early.months >= option.months for early in version.opening.early):
            yield f"opening: `early` must open fewer months than the option {option.code}"
    if version.cycle.starts is not None:
        if version.since.strftime("%m-%d") != version.cycle.starts:
            yield f"from: a fixed year begins on {version.cycle.starts}, so must the version"
        if version.waiting.days:
            yield "waiting: days in a fixed year are not supported yet"


def _parts(part: BaseModel, path: str) -> Iterator[tuple[str, str, object]]:
    """Every value under `part` as (path of its owner, key, value)."""
    for key in type(part).model_fields:
        inner = getattr(part, key)
        yield path, key, inner
        for each in inner if isinstance(inner, tuple) else (inner,):
            if isinstance(each, BaseModel):
                name = next((f"[{getattr(each, n)}]" for n in ("code", "payer", "about", "since") if hasattr(each, n)), "")
                yield from _parts(each, f"{path}.{key}{name}".strip("."))


def _assumed(part: BaseModel, path: str) -> Iterator[str]:
    return (f"{where or 'from'}: {why}" for where, key, why in _parts(part, path) if key == "assumed" and why)


def _labels(part: BaseModel, path: str) -> Iterator[tuple[str, dict[str, str]]]:
    return (
        (f"{where}.{key}".strip("."), words)
        for where, key, words in _parts(part, path)
        if key in ("label", "name") and isinstance(words, dict)
    )
