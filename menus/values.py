"""How amounts, dates and scheme words are said, and the longest each can be. Pure."""

from collections.abc import Callable, Iterable
from datetime import date
from functools import cache

from menus.screens import ScreenView, Value, value
from mutuelle.schemes import schemes
from mutuelle.schemes.versions import Version

MONEY_MAX = "9 999 999 FCFA"
PRICE_MAX = "999 999 FCFA"
DAY_MAX = "31/12/2026"
NUMBER_MAX = "1234567890"


def rules(view: ScreenView) -> Version:
    """The rules a household joining or paying today follows."""
    return schemes.get(view.facts.scheme).on(date.fromisoformat(view.facts.on))


def day(iso: str | date | None) -> str:
    """`31/12/2026`, in every language; empty when there is none."""
    if not iso:
        return ""
    return (iso if isinstance(iso, date) else date.fromisoformat(iso)).strftime("%d/%m/%Y")


def money(of: Callable[[ScreenView], int]) -> Value:
    """An amount, such as `5 000 FCFA`."""
    return value(lambda view: view.money(of(view)), MONEY_MAX)


def price(of: Callable[[ScreenView], int]) -> Value:
    """The amount of one period: a household's debts of several years may be larger."""
    return value(lambda view: view.money(of(view)), PRICE_MAX)


def dated(of: Callable[[ScreenView], str | date | None]) -> Value:
    """A local date."""
    return value(lambda view: day(of(view)), DAY_MAX)


def counted(of: Callable[[ScreenView], int], most: int = 99) -> Value:
    """A small whole number."""
    return value(lambda view: str(of(view)), str(most))


def given(longest: str) -> Value:
    """What only a refusal can fill: it brings the value itself."""
    return value(lambda view: "", longest)


def label(words: dict[str, str], language: str) -> str:
    """A label of a scheme in `language`, or in its first language."""
    return words.get(language) or next(iter(words.values()))


@cache
def versions() -> tuple[Version, ...]:
    return tuple(version for scheme in schemes.load().values() for version in scheme.versions)


def longest(labels: Callable[[Version], Iterable[dict[str, str]]]) -> Callable[[str], str]:
    """The longest of some labels over every version of every scheme, by language."""

    def of(language: str) -> str:
        return max(
            (label(words, language) for version in versions() for words in labels(version)),
            key=len,
            default="",
        )

    return of
