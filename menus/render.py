"""Renders a screen and a view into the text on the phone, within the flow's limit. Pure.

The footer ("0 back, 00 home") is dropped when there is no room; `menus.fit` proves that the rest always fits.
"""

from collections.abc import Mapping

from menus.graph_checks import Flow
from menus.screens import Ask, Confirm, End, Menu, MenuOption, Prompt, Screen, ScreenView, Value
from menus.texts import placeholders
from mutuelle.messaging import gsm7

PREFIX = 4  # septets of the `CON ` or `END ` that an adapter puts before the text


def say(flow: Flow, view: ScreenView, text_id: str, values: Mapping[str, object] | None = None) -> str:
    """Returns the words of one id. `values` (those of a refusal) win over the flow's own."""
    words, values = view.catalogue[text_id], values or {}
    filled = {
        name: str(values[name]) if name in values else flow.values[name].render(view)
        for name in placeholders(words)
    }
    return words.format_map(filled)


def prompt_lines(flow: Flow, view: ScreenView, prompt: Prompt) -> list[str]:
    """Returns the lines of a prompt; a part that chooses the empty id has no line."""
    parts = prompt if isinstance(prompt, tuple) else (prompt,)
    ids = [part if isinstance(part, str) else part.choose(view) for part in parts]
    values = view.outcome.get("values") or {}
    return [say(flow, view, text_id, values) for text_id in ids if text_id]


def label(flow: Flow, view: ScreenView, option: MenuOption) -> str:
    return option.label.render(view) if isinstance(option.label, Value) else say(flow, view, option.label)


def visible_options(view: ScreenView, menu: Menu) -> dict[str, MenuOption]:
    """Returns the options that can be chosen now, by digit. Digits never move."""
    return {str(digit): option for digit, option in enumerate(menu.options, 1) if option.show(view)}


def body(flow: Flow, view: ScreenView, screen: Screen, error: str = "") -> str:
    """Returns the text on the phone, without `CON` or `END`."""
    lines = [error] if error else []
    lines += prompt_lines(flow, view, screen.prompt)
    match screen:
        case Menu():
            options = visible_options(view, screen)
            lines += [f"{digit}. {label(flow, view, option)}" for digit, option in options.items()]
        case Confirm():
            lines += [
                f"{digit}. {say(flow, view, text_id)}" for digit, text_id in enumerate(screen.labels, 1)
            ]
        case Ask() | End():
            pass
    shown = gsm7.fold("\n".join(lines), unknown="?")
    for footer in _footers(flow, screen):
        longer = f"{shown}\n{say(flow, view, footer)}"
        if PREFIX + gsm7.septets(longer) <= flow.limit:
            return longer
    return cut_to_limit(shown, flow.limit)


def _footers(flow: Flow, screen: Screen) -> tuple[str, ...]:
    if isinstance(screen, End) or screen.name == flow.start:
        return ()
    return ("nav.home",) if isinstance(screen, Ask) and screen.zero else ("nav.both",)


def cut_to_limit(shown: str, limit: int) -> str:
    """Cuts a text whose values are longer than declared: a gateway refuses a screen that is too long."""
    while PREFIX + gsm7.septets(shown) > limit:
        shown = shown[:-1]
    return shown
