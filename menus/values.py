"""Renders amounts, dates and scheme labels, and declares the longest text of each. Pure."""

from collections.abc import Callable, Iterable
from datetime import date
from functools import cache

from menus.screens import ScreenView, Value, value
from mutuelle.schemes import schemes
from mutuelle.schemes.version_rules import Version

MONEY_MAX = "9 999 999 FCFA"
PRICE_MAX = "999 999 FCFA"
DAY_MAX = "31/12/2026"
NUMBER_MAX = "1234567890"


def rules(view: ScreenView) -> Version:
    """Returns the rules in force for a household that joins or pays today."""
    return schemes.get(view.facts.scheme).on(date.fromisoformat(view.facts.on))


def day(iso: str | date | None) -> str:
    """Returns `31/12/2026`, the same in every language; "" for None."""
    if not iso:
        return ""
    return (iso if isinstance(iso, date) else date.fromisoformat(iso)).strftime("%d/%m/%Y")


def money_value(read: Callable[[ScreenView], int]) -> Value:
    """An amount, such as `5 000 FCFA`."""
    return value(lambda view: view.money(read(view)), MONEY_MAX)


def price_value(read: Callable[[ScreenView], int]) -> Value:
    """The amount of one period, shorter than `money_value`, which may hold the debts of several years."""
    return value(lambda view: view.money(read(view)), PRICE_MAX)


def date_value(read: Callable[[ScreenView], str | date | None]) -> Value:
    """A local date."""
    return value(lambda view: day(read(view)), DAY_MAX)


def count_value(read: Callable[[ScreenView], int], most: int = 99) -> Value:
    """A small whole number."""
    return value(lambda view: str(read(view)), str(most))


def refusal_value(longest: str) -> Value:
    """A placeholder that only a refusal fills, with a value of its own."""
    return value(lambda view: "", longest)


def label(words: dict[str, str], language: str) -> str:
    """Returns a label of a scheme in `language`, or in its first language."""
    return words.get(language) or next(iter(words.values()))


@cache
def versions() -> tuple[Version, ...]:
    return tuple(version for scheme in schemes.known().values() for version in scheme.versions)


def longest(labels: Callable[[Version], Iterable[dict[str, str]]]) -> Callable[[str], str]:
    """Returns a function from a language to the longest of `labels` over all versions of all schemes."""

    def longest_in(language: str) -> str:
        return max(
            (label(words, language) for version in versions() for words in labels(version)),
            key=len,
            default="",
        )

    return longest_in
