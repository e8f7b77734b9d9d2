"""The four kinds of screen, as values: Menu, Ask, Confirm, End. Only a Confirm acts on the world.

A screen declares *what* is asked and where each answer leads. The words are in the catalogues. The engine
adds the option numbers, the back and home digits and the error lines. Everything that a screen computes is a
pure function of a ScreenView.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from menus.facts import Facts
from menus.texts import Catalogue
from mutuelle.households.locks import HouseholdKey
from mutuelle.money import Money

MAX_OPTIONS = 5


@dataclass(frozen=True)
class ScreenView:
    """The input of a screen: the opening facts, the answers of this session, the present language.

    After a Confirm acted, `answers["outcome"]` holds its recorded outcome.
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
    """The text for a placeholder, and the longest it can be in a language, which `fit` proves to fit."""

    render: Callable[[ScreenView], str]
    longest: Callable[[str], str]


def value(render: Callable[[ScreenView], str], longest: str) -> Value:
    """Returns a Value whose longest text is the same in every language."""
    return Value(render, lambda language: longest)


@dataclass(frozen=True)
class TextChoice:
    """One catalogue id out of `ids`, chosen by the view; the empty id shows no line."""

    ids: tuple[str, ...]
    choose: Callable[[ScreenView], str]


Part = str | TextChoice
Prompt = Part | tuple[Part, ...]


@dataclass(frozen=True)
class Goto:
    """The next screen, chosen by the view among `targets`, declared so that the graph can be checked."""

    targets: tuple[str, ...]
    choose: Callable[[ScreenView], str]


@dataclass(frozen=True)
class Resume:
    """Goes on where an earlier session of this phone was dropped: screen, answers and path of the draft."""

    targets: tuple[str, ...]


Way = str | Goto | Resume


def always(view: ScreenView) -> bool:
    return True


def no_answers(view: ScreenView) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class MenuOption:
    """One line of a menu. A hidden option keeps its digit free.

    `store` returns what choosing the option adds to the answers.
    """

    label: str | Value
    goto: Way
    show: Callable[[ScreenView], bool] = always
    store: Callable[[ScreenView], dict[str, Any]] = no_answers


@dataclass(frozen=True)
class Menu:
    """A choice among at most five numbered options."""

    name: str
    prompt: Prompt
    options: tuple[MenuOption, ...]


@dataclass(frozen=True)
class Ask:
    """A question with typed input. `parse` returns the answer or raises Refused with one of `errors`.

    With `zero`, a lone `0` is an answer ("how many children?") and does not go back.
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
    """The input of a Confirm's `do`. `effect_key` is unique to (our session, screen, ordinal)."""

    phone: str
    language: str
    facts: Facts
    answers: Mapping[str, Any]
    effect_key: str

    @property
    def household_key(self) -> HouseholdKey:
        """Returns (tenant, household). Raises LookupError when the caller is not enrolled."""
        if self.facts.household is None:
            raise LookupError("this act needs an enrolled household")
        return UUID(self.facts.tenant_id), UUID(self.facts.household.id)


Act = Callable[[Session, EffectRequest], dict[str, Any]]


@dataclass(frozen=True)
class Confirm:
    """The only screen that acts: `1` is yes, `2` is no.

    `do` runs in the caller's transaction and returns plain JSON values, the outcome.
    """

    name: str
    prompt: Prompt
    do: Act
    yes: Way
    no: Way = "home"
    labels: tuple[str, str] = ("yes", "no")


@dataclass(frozen=True)
class End:
    """The last screen of a session."""

    name: str
    prompt: Prompt


Screen = Menu | Ask | Confirm | End


@dataclass(frozen=True)
class Dialogue:
    """The part of the flow in one file: its screens, its placeholders, the screens that leave a draft."""

    screens: tuple[Screen, ...]
    values: Mapping[str, Value] = field(default_factory=dict)
    draft_screens: tuple[str, ...] = ()


def targets(way: Way) -> tuple[str, ...]:
    """Returns every screen that `way` may lead to."""
    return (way,) if isinstance(way, str) else way.targets


def ways(screen: Screen) -> tuple[tuple[str, Way], ...]:
    """Returns the inputs that `screen` accepts, and where each leads."""
    match screen:
        case Menu():
            return tuple((str(digit), option.goto) for digit, option in enumerate(screen.options, 1))
        case Ask():
            return ((screen.store, screen.goto),)
        case Confirm():
            return (("yes", screen.yes), ("no", screen.no))
        case End():
            return ()


def part_ids(prompt: Prompt) -> tuple[tuple[str, ...], ...]:
    """Returns, for each part of a prompt, the ids it may show."""
    parts = prompt if isinstance(prompt, tuple) else (prompt,)
    return tuple((part,) if isinstance(part, str) else part.ids for part in parts)


def text_ids(screen: Screen) -> set[str]:
    """Returns every catalogue id that `screen` may show, error lines included."""
    ids = {text_id for part in part_ids(screen.prompt) for text_id in part}
    match screen:
        case Menu():
            ids |= {option.label for option in screen.options if isinstance(option.label, str)}
        case Ask():
            ids |= set(screen.errors)
        case Confirm():
            ids |= set(screen.labels)
        case End():
            pass
    return ids - {""}
