"""The four kinds of screen, as values: Menu, Ask, Confirm, End. Only a Confirm acts on the world.

A screen says *what* is asked and where each answer leads; the words are in the catalogues, the numbers, the
back and home digits and the error lines are the engine's. Everything a screen computes is a pure function of
a View.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from menus.facts import Facts
from menus.texts import Catalogue
from mutuelle.money import Money

MAX_OPTIONS = 5


@dataclass(frozen=True)
class ScreenView:
    """What a screen may look at: the opening facts, the answers of this session, the language now spoken.

    After a Confirm acted, `answers["outcome"]` holds what it brought back.
    """

    facts: Facts
    answers: Mapping[str, Any]
    language: str
    catalogue: Catalogue

    def money(self, units: int) -> str:
        return str(Money(units, self.facts.currency))

    @property
    def outcome(self) -> Mapping[str, Any]:
        outcome: Mapping[str, Any] = self.answers.get("outcome") or {}
        return outcome


@dataclass(frozen=True)
class Value:
    """What fills a placeholder, and the longest text it may ever be (`longest(language)`), so that fit can be
    proved."""

    of: Callable[[ScreenView], str]
    longest: Callable[[str], str]


def value(of: Callable[[ScreenView], str], longest: str) -> Value:
    """A Value whose longest text is the same in every language."""
    return Value(of, lambda language: longest)


@dataclass(frozen=True)
class TextChoice:
    """One catalogue id out of `ids`, chosen by the view; an empty id says nothing."""

    ids: tuple[str, ...]
    of: Callable[[ScreenView], str]


Part = str | TextChoice
Prompt = Part | tuple[Part, ...]


@dataclass(frozen=True)
class Goto:
    """The next screen, chosen by the view among declared `targets`, so that the graph can be checked at
    load."""

    targets: tuple[str, ...]
    of: Callable[[ScreenView], str]


@dataclass(frozen=True)
class Resume:
    """Back to where an earlier session of this phone was dropped: screen, answers and path of the draft."""

    targets: tuple[str, ...]


Way = str | Goto | Resume


def always(view: ScreenView) -> bool:
    return True


def nothing(view: ScreenView) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class MenuOption:
    """One line of a menu. A hidden option keeps its digit free; `store` is what choosing it adds to the
    answers."""

    label: str | Value
    goto: Way
    show: Callable[[ScreenView], bool] = always
    store: Callable[[ScreenView], dict[str, Any]] = nothing


@dataclass(frozen=True)
class Menu:
    """A choice among at most five numbered options."""

    name: str
    prompt: Prompt
    options: tuple[MenuOption, ...]


@dataclass(frozen=True)
class Ask:
    """Something to type. `parse` understands it or raises Refused with one of `errors`.

    With `zero`, a lone `0` is an answer here ("how many children?") and not the way back.
    """

    name: str
    prompt: Prompt
    parse: Callable[[str, ScreenView], Any]
    store: str
    goto: Way
    errors: tuple[str, ...]
    zero: bool = False


@dataclass(frozen=True)
class EffectRequest:
    """What a Confirm's `do` is given. `effect_key` is unique to (our session, screen, ordinal)."""

    tenant_id: str
    household_id: str | None
    phone: str
    language: str
    channel: str
    facts: Facts
    answers: Mapping[str, Any]
    effect_key: str


Do = Callable[[Session, EffectRequest], dict[str, Any]]


@dataclass(frozen=True)
class Confirm:
    """The only screen that acts: `1` is yes, `2` is no. `do` runs in the caller's transaction and returns
    plain JSON."""

    name: str
    prompt: Prompt
    do: Do
    yes: Way
    no: Way = "home"
    labels: tuple[str, str] = ("yes", "no")


@dataclass(frozen=True)
class End:
    """The last words of a session."""

    name: str
    prompt: Prompt


Screen = Menu | Ask | Confirm | End


@dataclass(frozen=True)
class Dialogue:
    """What one dialogue file brings to the flow: its screens, its placeholders, the answers worth a draft."""

    screens: tuple[Screen, ...]
    values: Mapping[str, Value] = field(default_factory=dict)
    drafted: tuple[str, ...] = ()


def targets(way: Way) -> tuple[str, ...]:
    """Every screen `way` may lead to."""
    return (way,) if isinstance(way, str) else way.targets


def ways(screen: Screen) -> tuple[tuple[str, Way], ...]:
    """What can be typed on `screen` and where it leads."""
    match screen:
        case Menu():
            return tuple((str(digit), option.goto) for digit, option in enumerate(screen.options, 1))
        case Ask():
            return ((screen.store, screen.goto),)
        case Confirm():
            return (("yes", screen.yes), ("no", screen.no))
        case End():
            return ()


def parts(prompt: Prompt) -> tuple[tuple[str, ...], ...]:
    """For each part of a prompt, the ids it may say."""
    listed = prompt if isinstance(prompt, tuple) else (prompt,)
    return tuple((part,) if isinstance(part, str) else part.ids for part in listed)


def ids(screen: Screen) -> set[str]:
    """Every catalogue id `screen` may say, error lines included."""
    said = {one for some in parts(screen.prompt) for one in some}
    match screen:
        case Menu():
            said |= {option.label for option in screen.options if isinstance(option.label, str)}
        case Ask():
            said |= set(screen.errors)
        case Confirm():
            said |= set(screen.labels)
        case End():
            pass
    return said - {""}
