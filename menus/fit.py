"""Proves that every screen fits: its longest text in GSM-7 septets, `CON ` counted, in every language.

The longest text of a screen has the longest error line, the longest words of each part, all options, and the
longest value of every placeholder. The footer is not counted: `render.body` drops it when there is no room.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from menus.graph_checks import ENGINE_TEXTS, Flow
from menus.render import PREFIX
from menus.screens import Ask, Confirm, End, Menu, MenuOption, Screen, Value, part_ids
from menus.texts import placeholders
from mutuelle.messaging import gsm7


@dataclass(frozen=True)
class FitProblem:
    """A screen, or a text id, that does not fit or has a letter outside GSM-7."""

    screen: str
    language: str
    reason: str

    def __str__(self) -> str:
        return f"{self.screen} ({self.language}): {self.reason}"


def check(flow: Flow, limit: int | None = None) -> list[FitProblem]:
    """Returns what does not fit in `limit` septets (default: the flow's own) or is not in GSM-7 letters."""
    return list(_problems(flow, flow.limit if limit is None else limit))


def longest_text(flow: Flow, language: str, screen: Screen) -> str:
    """Returns the longest text that `screen` can have in `language`, without `CON`."""
    lines = [_longest(flow, language, _errors(screen))]
    lines += [_longest(flow, language, ids) for ids in part_ids(screen.prompt)]
    match screen:
        case Menu():
            for digit, option in enumerate(screen.options, 1):
                label = _longest_label(flow, language, option)
                lines += [f"{digit}. {label}"] if label else []
        case Confirm():
            lines += [
                f"{digit}. {longest_words(flow, language, text_id)}"
                for digit, text_id in enumerate(screen.labels, 1)
            ]
        case Ask() | End():
            pass
    return "\n".join(line for line in lines if line)


def longest_words(flow: Flow, language: str, text_id: str) -> str:
    """Returns the words of one id with the longest value of every placeholder."""
    words = flow.catalogues[language][text_id]
    return words.format_map({name: flow.values[name].longest(language) for name in placeholders(words)})


def _longest_label(flow: Flow, language: str, option: MenuOption) -> str:
    if isinstance(option.label, Value):
        return option.label.longest(language)
    return longest_words(flow, language, option.label)


def _errors(screen: Screen) -> tuple[str, ...]:
    match screen:
        case Ask():
            return ("error.invalid", *screen.errors)
        case Menu() | Confirm():
            return ("error.invalid",)
        case End():
            return ()


def _longest(flow: Flow, language: str, ids: Iterable[str]) -> str:
    texts = (longest_words(flow, language, text_id) for text_id in ids if text_id)
    return max(texts, key=_septets, default="")


def _septets(text: str) -> int:
    return gsm7.septets(gsm7.fold(text, unknown="?"))


def _problems(flow: Flow, limit: int) -> Iterator[FitProblem]:
    for language, catalogue in flow.catalogues.items():
        for text_id in sorted(flow.text_ids()):
            foreign = sorted({letter for letter in catalogue[text_id] if not gsm7.is_gsm7(letter)})
            if foreign:
                yield FitProblem(text_id, language, f"not in GSM-7: {' '.join(foreign)}")
        screens = {name: longest_text(flow, language, screen) for name, screen in flow.screens.items()}
        own_texts = {text_id: longest_words(flow, language, text_id) for text_id in ENGINE_TEXTS}
        for name, text in (*screens.items(), *own_texts.items()):
            septets = PREFIX + _septets(text)
            if septets > limit:
                yield FitProblem(name, language, f"{septets} septets, {limit} fit")
