"""Field types of a rule book (parts of a whole, amounts, labels, days), and the base class of its rules.

Amounts are whole smallest units of the scheme's currency, parts are exact fractions.
"""

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Annotated, Self

import gsm0338  # noqa: F401  # registers the codec that measures a label
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

LABEL_MAX = 22  # septets: five menu lines and a question in one screen
PHRASE_MAX = 50  # septets: on a last screen, with a label


def _part(value: object) -> Fraction:
    try:
        part = Fraction(value) if isinstance(value, str) else None
    except (ValueError, ZeroDivisionError):
        part = None
    if part is None or not 0 < part <= 1:
        raise ValueError('must be a part in quotes, above 0 and at most 1, such as "0.75"')
    return part


def _part_or_none(value: object) -> Fraction:
    return Fraction(0) if value == "0" else _part(value)


def _short(text: str, most: int = LABEL_MAX) -> str:
    try:
        septets = len(text.encode("gsm03.38"))
    except UnicodeError:
        raise ValueError("has a letter that a plain SMS cannot carry (ç, ê, â, ô, î, œ ...)") from None
    if not 0 < septets <= most:
        raise ValueError(f"must have 1 to {most} characters, it has {septets}")
    return text


def _phrase(text: str) -> str:
    return _short(text, PHRASE_MAX)


def _month_day(text: str) -> str:
    try:
        date.fromisoformat(f"2001-{text}")  # a year without 29 February: a cycle begins every year
    except ValueError:
        raise ValueError('must be a month and a day, such as "07-01"') from None
    return text


Units = Annotated[int, Field(strict=True, ge=0)]
Count = Annotated[int, Field(strict=True, ge=1)]
Part = Annotated[Fraction, BeforeValidator(_part)]
PartOrNone = Annotated[Fraction, BeforeValidator(_part_or_none)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
MonthDay = Annotated[str, AfterValidator(_month_day)]
Ussd = Annotated[str, Field(pattern=r"^\*[0-9*]+#$")]
Words = dict[Annotated[str, Field(pattern="^[a-z]{2}$")], Annotated[str, AfterValidator(_short)]]
Phrase = dict[Annotated[str, Field(pattern="^[a-z]{2}$")], Annotated[str, AfterValidator(_phrase)]]


class FrozenModel(BaseModel):
    """A part of a rule book: frozen once it is read, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(FrozenModel):
    """A rule of a rule book. `source` says where its figures come from, `assumed` why a figure is ours."""

    source: Annotated[str, Field(min_length=1)]
    assumed: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _no_source_needs_assumed(self) -> Self:
        if self.source.startswith("not found") and not self.assumed:
            raise ValueError("no source was found, so `assumed` must say why the rule is as it is")
        return self


def values_under(part: BaseModel, path: str) -> Iterator[tuple[str, str, object]]:
    """Every value under `part`, as (path of its owner, key, value).

    An entry of a list is named by its code, payer, subject or first day.
    """
    for key in type(part).model_fields:
        value = getattr(part, key)
        yield path, key, value
        for entry in value if isinstance(value, tuple) else (value,):
            if isinstance(entry, BaseModel):
                names = [getattr(entry, n) for n in ("code", "payer", "about", "since") if hasattr(entry, n)]
                name = f"[{names[0]}]" if names else ""
                yield from values_under(entry, f"{path}.{key}{name}".strip("."))


def assumptions(part: BaseModel) -> tuple[str, ...]:
    """What `part` assumes, as `key: why`; an assumption of a version itself has the key `from`."""
    return tuple(
        f"{where or 'from'}: {why}" for where, key, why in values_under(part, "") if key == "assumed" and why
    )
