"""Loads the rule books `config/schemes/*.toml`: read once, checked as a whole, never changed by code.

A scheme has versions with effective dates. Every rule names its `source`. `assumed` says why a figure has no
source and is our assumption.
"""

import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

import config
from mutuelle.errors import Refused
from mutuelle.money import EXPONENT
from mutuelle.schemes.fields import Code, FrozenModel, Rule, Ussd, Words, assumptions, values_under
from mutuelle.schemes.money_rules import MEMBER_STATUSES
from mutuelle.schemes.service_rules import RuleNote
from mutuelle.schemes.version_rules import Stage, Version, last_day, months_after

__all__ = [
    "FOLDER",
    "Scheme",
    "SchemeError",
    "Stage",
    "Version",
    "check",
    "get",
    "last_day",
    "load",
    "months_after",
]

FOLDER = Path(config.__file__).parent / "schemes"


class SchemeError(Exception):
    """The rule books cannot be used; each of `problems` names the file, the key and what is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Scheme(FrozenModel):
    """One rule book. `operators` are in order of preference; dates are local dates of `zone`.

    `codes` are the USSD codes that the country's own scheme uses. A `draft` can be read and quoted, but no
    mutuelle is set up with it and no bill is written by it outside a sandbox (`in_use`).
    """

    status: Literal["draft", "ready"]
    code: Annotated[str, Field(pattern="^[A-Z]{2}-[A-Z0-9-]+$")]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    currency: str
    zone: str
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    operators: tuple[Code, ...]
    codes: tuple[Ussd, ...] = ()
    name: Words
    notes: tuple[RuleNote, ...] = ()
    versions: Annotated[tuple[Version, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _complete_versions(cls, book: Any) -> Any:
        """A version that is `like` an earlier one has all its rules except those it sets itself."""
        if isinstance(book, dict) and isinstance(book.get("versions"), list):
            return {**book, "versions": _with_copied_rules(book["versions"])}
        return book

    @model_validator(mode="after")
    def _check_place_and_words(self) -> Self:
        problems = []
        if self.currency not in EXPONENT:
            problems.append(f"currency: {self.currency} is not one of {', '.join(EXPONENT)}")
        if self.zone not in _time_zones():
            problems.append(f"zone: {self.zone} is not a time zone")
        if len({v.since for v in self.versions}) < len(self.versions):
            problems.append("versions: two begin on the same day")
        if self.status == "ready":
            unpriced = [c.code for v in self.versions for c in v.categories if c.unpriced]
            problems += [f"category {code}: has no price yet, so the scheme is a draft" for code in unpriced]
        for where, words in _labels(self, ""):
            problems += [
                f"{where}: is missing in `{language}`" for language in self.languages if language not in words
            ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def on(self, day: date) -> Version:
        """The version that a bill issued on `day` follows. Raises Refused if the scheme had not begun.

        In the last days before a fixed year, new bills already follow the rules of the year to come.
        """
        sold = [v for v in self.versions if v.since - timedelta(v.cycle.ahead_days) <= day]
        if not sold:
            raise Refused("scheme.not-in-force", scheme=self.code, on=day.isoformat())
        return max(sold, key=lambda v: v.since)

    def in_force(self, day: date) -> Version:
        """Returns the version whose rules hold on `day`, even if the next one is sold already.

        Raises Refused if the scheme had not begun.
        """
        begun = [v for v in self.versions if v.since <= day]
        if not begun:
            raise Refused("scheme.not-in-force", scheme=self.code, on=day.isoformat())
        return max(begun, key=lambda v: v.since)

    def version(self, since: date) -> Version:
        """The version from the day `since` on, which a bill records. Raises KeyError if there is none."""
        return {v.since: v for v in self.versions}[since]

    def assumptions(self) -> tuple[str, ...]:
        """Every figure or rule that is ours rather than a source's, as `key: why`, in the whole book."""
        return assumptions(self)

    def counts(self) -> tuple[int, int]:
        """How many rules rest on sources alone, and how many hold an assumption of ours.

        A rule that several versions share counts once.
        """
        rules = {
            repr(rule): rule
            for _, _, value in values_under(self, "")
            for rule in (value if isinstance(value, tuple) else (value,))
        }
        assumed = [rule.assumed is not None for rule in rules.values() if isinstance(rule, Rule)]
        return assumed.count(False), assumed.count(True)


def _with_copied_rules(versions: list[Any]) -> list[Any]:
    """The versions with the rules copied that each has from the one it is `like`.

    A version that is like no earlier one keeps the key `like`, which is then reported as a problem.
    """
    by_day: dict[str, dict[str, Any]] = {}
    complete = []
    for version in versions:
        like = by_day.get(str(version["like"])) if isinstance(version, dict) and "like" in version else None
        own = {key: rule for key, rule in version.items() if key != "like"} if like else version
        complete.append({**like, **own} if like else own)
        if isinstance(version, dict):
            by_day[str(version.get("from"))] = complete[-1]
    return complete


def load(folder: Path | None = None) -> dict[str, Scheme]:
    """Every scheme in `folder`, by code. Raises SchemeError with every problem in every file."""
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
def _time_zones() -> set[str]:
    return available_timezones()


@cache
def known() -> dict[str, Scheme]:
    """Every scheme of our own folder, by code, read once."""
    return load()


def get(code: str) -> Scheme:
    """The scheme `code` of our own folder, which is read once. Raises Refused if there is none."""
    if code not in known():
        raise Refused("scheme.unknown", code=code, known=", ".join(known()))
    return known()[code]


_drafts_allowed = False


def allow_drafts(allowed: bool) -> None:
    """Sets once, at start, whether drafts may be used: only where every provider is on loopback."""
    global _drafts_allowed  # set at start, like the clock and the keys
    _drafts_allowed = allowed


def in_use(code: str) -> Scheme:
    """The scheme `code`, to set up a mutuelle or bill a household. Raises Refused if a draft, or unknown."""
    scheme = get(code)
    if scheme.status == "draft" and not _drafts_allowed:
        raise Refused("scheme.draft", code=code)
    return scheme


def check(folder: Path | None = None) -> list[str]:
    """The lines that `mutuelle schemes check` prints.

    `problem ...` must be mended; without one, `assumed ...` is our assumption, and `not applied ...` a rule
    that no stored fact can fulfil.
    """
    try:
        schemes = load(folder)
    except SchemeError as error:
        return [f"problem {problem}" for problem in error.problems]
    lines = []
    for code, scheme in schemes.items():
        if scheme.status == "draft":
            lines.append(
                f"assumed {code} status: the whole book is a draft, no mutuelle can be set up with it"
            )
        lines += [f"assumed {code} {line}" for line in scheme.assumptions()]
        lines += [
            f"not applied {code} versions[{version.since}].waiting: "
            f"nobody can be noted as {unknown}, so all of them wait"
            for version in scheme.versions
            for unknown in sorted(set(version.waiting.waived) - set(MEMBER_STATUSES))
        ]
    return lines


PLAIN = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of a rule book",
    "int_type": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must look like `{pattern}`",
    "too_long": "has too many entries, at most {max_length}",
    "too_short": "needs at least {min_length}",
    "value_error": "{error}",
}


def _plain(detail: ErrorDetails) -> str:
    """An error in an officer's words, such as `versions, 1, pricing, basis: is missing`."""
    where = ", ".join(f"{key + 1}" if isinstance(key, int) else key for key in detail["loc"])
    problem = PLAIN.get(detail["type"], detail["msg"]).format(**detail.get("ctx", {}))
    value = detail["input"]
    shown = isinstance(value, str | int | float) and detail["type"] != "missing"
    return f"{where or 'the whole file'}: {problem}" + (f" (found {value!r:.40})" if shown else "")


def _labels(part: BaseModel, path: str) -> Iterator[tuple[str, dict[str, str]]]:
    return (
        (f"{where}.{key}".strip("."), words)
        for where, key, words in values_under(part, path)
        if key in ("label", "name", "covered_by", "paper") and isinstance(words, dict)
    )
