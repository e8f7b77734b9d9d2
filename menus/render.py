"""Turn a screen and a view into the words on the phone, within the flow's limit. Pure.

The footer ("0 back, 00 home") gives way first when a screen is full; `menus.fit` proves that the rest always
fits.
"""

from collections.abc import Mapping

from menus.graph import Flow
from menus.screens import Ask, Confirm, End, Menu, MenuOption, Prompt, Screen, ScreenView, Value
from menus.texts import placeholders
from mutuelle.messaging import gsm7

PREFIX = 4  # septets of the `CON ` or `END ` an adapter puts before


def say(flow: Flow, view: ScreenView, said: str, given: Mapping[str, object] | None = None) -> str:
    """The words of one id. `given` values win over the flow's own (a refusal brings its own)."""
    words, given = view.catalogue[said], given or {}
    filled = {
        name: str(given[name]) if name in given else flow.values[name].of(view)
        for name in placeholders(words)
    }
    return words.format_map(filled)


def prompt(flow: Flow, view: ScreenView, asked: Prompt) -> list[str]:
    """The lines of a prompt; a part that has nothing to say is left out."""
    parts = asked if isinstance(asked, tuple) else (asked,)
    chosen = [part if isinstance(part, str) else part.of(view) for part in parts]
    given = view.outcome.get("values") or {}
    return [say(flow, view, said, given) for said in chosen if said]


def label(flow: Flow, view: ScreenView, option: MenuOption) -> str:
    return option.label.of(view) if isinstance(option.label, Value) else say(flow, view, option.label)


def visible(view: ScreenView, menu: Menu) -> dict[str, MenuOption]:
    """The options that can be chosen now, by digit. Digits never move."""
    return {str(digit): option for digit, option in enumerate(menu.options, 1) if option.show(view)}


def body(flow: Flow, view: ScreenView, screen: Screen, error: str = "") -> str:
    """What the phone shows, without `CON` or `END`."""
    lines = [error] if error else []
    lines += prompt(flow, view, screen.prompt)
    match screen:
        case Menu():
            lines += [
                f"{digit}. {label(flow, view, option)}" for digit, option in visible(view, screen).items()
            ]
        case Confirm():
            lines += [f"{digit}. {say(flow, view, said)}" for digit, said in enumerate(screen.labels, 1)]
        case Ask() | End():
            pass
    shown = gsm7.fold("\n".join(lines), unknown="?")
    for footer in _footers(flow, screen):
        longer = f"{shown}\n{say(flow, view, footer)}"
        if PREFIX + gsm7.septets(longer) <= flow.limit:
            return longer
    return cut(shown, flow.limit)


def _footers(flow: Flow, screen: Screen) -> tuple[str, ...]:
    if isinstance(screen, End) or screen.name == flow.start:
        return ()
    return ("nav.home",) if isinstance(screen, Ask) and screen.zero else ("nav.both",)


def cut(shown: str, limit: int) -> str:
    """A last resort for values beyond their declared longest: a shorter screen is better than a refused
    one."""
    while PREFIX + gsm7.septets(shown) > limit:
        shown = shown[:-1]
    return shown
