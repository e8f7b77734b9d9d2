"""Prove that every screen fits: worst case in GSM-7 septets, `CON ` counted, in every language.

The worst case of a screen has its longest error line, the longest words of each part, all options visible and
every placeholder at its longest. The footer is not counted: it gives way by itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from menus.graph import OWN, Flow
from menus.render import PREFIX
from menus.screens import Ask, Confirm, End, Menu, Screen, Value, parts
from menus.texts import placeholders
from mutuelle.messaging import gsm7


@dataclass(frozen=True)
class FitProblem:
    """A screen that would not fit, or cannot be sent. `septets` is 0 when a letter is not in GSM-7."""

    screen: str
    language: str
    septets: int
    why: str

    def __str__(self) -> str:
        return f"{self.screen} ({self.language}): {self.why}"


def check(flow: Flow, limit: int | None = None) -> list[FitProblem]:
    """Everything that does not fit in `limit` septets (the flow's own by default), or has a letter outside
    GSM-7."""
    return list(_problems(flow, flow.limit if limit is None else limit))


def worst(flow: Flow, language: str, screen: Screen) -> str:
    """The longest text `screen` can ever be in `language`, without `CON`."""
    lines = [_longest(flow, language, _errors(screen))]
    lines += [_longest(flow, language, some) for some in parts(screen.prompt)]
    match screen:
        case Menu():
            for digit, option in enumerate(screen.options, 1):
                label = option.label
                told = label.longest(language) if isinstance(label, Value) else words(flow, language, label)
                lines += [f"{digit}. {told}"] if told else []
        case Confirm():
            lines += [
                f"{digit}. {words(flow, language, said)}" for digit, said in enumerate(screen.labels, 1)
            ]
        case Ask() | End():
            pass
    return "\n".join(line for line in lines if line)


def words(flow: Flow, language: str, said: str) -> str:
    """One id with every placeholder at its longest."""
    told = flow.catalogues[language][said]
    return told.format_map({name: flow.values[name].longest(language) for name in placeholders(told)})


def _errors(screen: Screen) -> tuple[str, ...]:
    match screen:
        case Ask():
            return ("error.invalid", *screen.errors)
        case Menu() | Confirm():
            return ("error.invalid",)
        case End():
            return ()


def _longest(flow: Flow, language: str, some: Iterable[str]) -> str:
    return max((words(flow, language, said) for said in some if said), key=_size, default="")


def _size(told: str) -> int:
    return gsm7.septets(gsm7.fold(told, unknown="?"))


def _problems(flow: Flow, limit: int) -> Iterator[FitProblem]:
    for language in flow.catalogues:
        for said in sorted(flow.ids()):
            wrong = sorted({letter for letter in flow.catalogues[language][said] if not gsm7.is_gsm7(letter)})
            if wrong:
                yield FitProblem(said, language, 0, f"not in GSM-7: {' '.join(wrong)}")
        for name, screen in flow.screens.items():
            septets = PREFIX + _size(worst(flow, language, screen))
            if septets > limit:
                yield FitProblem(name, language, septets, f"{septets} septets, {limit} fit")
        for said in OWN:
            septets = PREFIX + _size(words(flow, language, said))
            if septets > limit:
                yield FitProblem(said, language, septets, f"{septets} septets, {limit} fit")
