"""The rule books: what `config/schemes/*.toml` says, read once, checked whole, and never changed by code.

A scheme has versions with effective dates; every rule names its `source`, and `assumed` says why a figure is
ours.
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
from mutuelle.schemes.fields import Code, FrozenModel, Rule, Ussd, Words, assumptions, parts
from mutuelle.schemes.money_rules import CLASSES
from mutuelle.schemes.service_rules import RuleNote
from mutuelle.schemes.versions import Stage, Version, last_day, months_after

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
    """The rule books cannot be used; `problems` names every file, key and what is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Scheme(FrozenModel):
    """One rule book. `operators` are asked in this order; dates are local dates of `zone`.

    `codes` are the USSD codes the country's own scheme is known to use. A `draft` can be read and quoted, but
    no mutuelle is set up with it and nothing is billed by it outside a pretend world (`in_use`).
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
    def _versions_copy(cls, told: Any) -> Any:
        """A version that is `like` an earlier one has all its rules but those it tells itself."""
        if isinstance(told, dict) and isinstance(told.get("versions"), list):
            return {**told, "versions": _unfolded(told["versions"])}
        return told

    @model_validator(mode="after")
    def _places_and_words_agree(self) -> Self:
        problems = (
            []
            if self.currency in EXPONENT
            else [f"currency: {self.currency} is not one of {', '.join(EXPONENT)}"]
        )
        if self.zone not in available_timezones():
            problems.append(f"zone: {self.zone} is not a time zone")
        if len({v.since for v in self.versions}) < len(self.versions):
            problems.append("versions: two begin on the same day")
        if self.status == "ready":
            open_ = [c.code for v in self.versions for c in v.categories if c.unpriced]
            problems += [f"category {code}: has no price yet, so the scheme is a draft" for code in open_]
        for where, words in _labels(self, ""):
            problems += [
                f"{where}: is missing in `{language}`" for language in self.languages if language not in words
            ]
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

    def in_force(self, day: date) -> Version:
        """The version whose days `day` is one of, whatever is sold ahead. Refused when the scheme had not
        begun."""
        begun = [v for v in self.versions if v.since <= day]
        if not begun:
            raise Refused("scheme.not-in-force", scheme=self.code, on=day.isoformat())
        return max(begun, key=lambda v: v.since)

    def version(self, since: date) -> Version:
        """The version that began on `since`: what a bill that recorded it goes by. KeyError when there is
        none."""
        return {v.since: v for v in self.versions}[since]

    def assumptions(self) -> tuple[str, ...]:
        """Every figure or rule that is ours rather than a source's, as `key: why`, of every version and of
        the place."""
        return assumptions(self)

    def counts(self) -> tuple[int, int]:
        """How many of its rules rest on sources alone, and how many hold an assumption of ours; versions
        share rules."""
        rules = {
            repr(each): each
            for _, _, told in parts(self, "")
            for each in (told if isinstance(told, tuple) else (told,))
        }
        assumed = [rule.assumed is not None for rule in rules.values() if isinstance(rule, Rule)]
        return assumed.count(False), assumed.count(True)


def _unfolded(versions: list[Any]) -> list[Any]:
    """The versions with what each is `like` written out; one that is like no earlier one keeps the key, which
    is reported."""
    known: dict[str, dict[str, Any]] = {}
    full = []
    for told in versions:
        like = known.get(str(told["like"])) if isinstance(told, dict) and "like" in told else None
        full.append({**like, **{key: rule for key, rule in told.items() if key != "like"}} if like else told)
        if isinstance(told, dict):
            known[str(told.get("from"))] = full[-1]
    return full


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


_drafts_too = False


def allow_drafts(allowed: bool) -> None:
    """Say once, at start, whether drafts may be used: only where every provider is on loopback."""
    global _drafts_too  # set at start, as the clock and the keys are
    _drafts_too = allowed


def in_use(code: str) -> Scheme:
    """The scheme `code` for setting up a mutuelle or billing a household. Refused when it is a draft, or
    unknown."""
    scheme = get(code)
    if scheme.status == "draft" and not _drafts_too:
        raise Refused("scheme.draft", code=code)
    return scheme


def check(folder: Path | None = None) -> list[str]:
    """What `mutuelle schemes check` prints: `problem ...` for what must be mended, else `assumed ...` for
    what is ours and `not applied ...` for what no fact can reach.
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
            f"not applied {code} versions[{version.since}].waiting: nobody can be noted as {unknown}, so all of them wait"
            for version in scheme.versions
            for unknown in sorted(set(version.waiting.waived) - set(CLASSES))
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
    """An error as a programme officer reads it: `versions 1, categories 2, price, year: must be a whole
    number`."""
    where = ", ".join(f"{key + 1}" if isinstance(key, int) else key for key in detail["loc"])
    said = PLAIN.get(detail["type"], detail["msg"]).format(**detail.get("ctx", {}))
    found = detail["input"]
    shown = (
        f" (found {found!r:.40})"
        if isinstance(found, str | int | float) and detail["type"] != "missing"
        else ""
    )
    return f"{where or 'the whole file'}: {said}{shown}"


def _labels(part: BaseModel, path: str) -> Iterator[tuple[str, dict[str, str]]]:
    return (
        (f"{where}.{key}".strip("."), words)
        for where, key, words in parts(part, path)
        if key in ("label", "name", "covered_by", "paper") and isinstance(words, dict)
    )
