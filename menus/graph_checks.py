"""Joins dialogues into one Flow and checks its graph: a broken dialogue cannot be loaded."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from menus import texts
from menus.facts import Facts
from menus.screens import MAX_OPTIONS, Confirm, Dialogue, End, Menu, Screen, Value, targets, text_ids, ways

REVISION = 1  # raise it when the meaning of an answer changes without the graph changing

# The texts that belong to the engine and to no screen.
ENGINE_TEXTS = (
    "nav.both",
    "nav.home",
    "error.invalid",
    "session.diverged",
    "session.changed",
    "session.checking",
    "session.failed",
    "session.unreadable",
    "session.no-code",
)
REFUSED = "refused"  # the screen that shows why the rules refused an act


class BrokenFlow(ValueError):
    """The dialogue is broken: the message lists every problem."""


@dataclass(frozen=True)
class Flow:
    """The screens by name, and what they are rendered with. `version` changes whenever the graph does."""

    start: str
    screens: Mapping[str, Screen]
    values: Mapping[str, Value]
    draft_screens: frozenset[str]
    catalogues: Mapping[str, texts.Catalogue]
    can_resume: Callable[[Facts], bool]
    limit: int
    version: str

    def text_ids(self) -> set[str]:
        """Returns every catalogue id the dialogue may show."""
        return set(ENGINE_TEXTS).union(*(text_ids(screen) for screen in self.screens.values()))


def flow(
    start: str,
    dialogues: Iterable[Dialogue],
    *,
    resume: str = "",
    can_resume: Callable[[Facts], bool] = lambda facts: False,
    catalogues: Mapping[str, texts.Catalogue] = texts.CATALOGUES,
    limit: int = 160,
) -> Flow:
    """Joins dialogues into one checked Flow. May raise BrokenFlow.

    `resume` names a second entry, shown when `can_resume(facts)`. `limit` is in septets.
    """
    dialogues = tuple(dialogues)
    screens = [screen for dialogue in dialogues for screen in dialogue.screens]
    values = {name: value for dialogue in dialogues for name, value in dialogue.values.items()}
    draft_screens = frozenset(name for dialogue in dialogues for name in dialogue.draft_screens)
    joined = Flow(
        start=start,
        screens={screen.name: screen for screen in screens},
        values=values,
        draft_screens=draft_screens,
        catalogues=catalogues,
        can_resume=can_resume,
        limit=limit,
        version=_version_of(screens),
    )
    problems = [
        *_graph_problems(start, resume, screens),
        *(f"{name}: drafted, but no such screen" for name in draft_screens - joined.screens.keys()),
        *_text_problems(joined),
    ]
    if problems:
        raise BrokenFlow("; ".join(sorted(problems)))
    return joined


def _graph_problems(start: str, resume: str, screens: list[Screen]) -> list[str]:
    """Returns duplicates, missing or dead ends, orphans, and menus that are too long."""
    by_name = {screen.name: screen for screen in screens}
    problems = [f"{name}: defined twice" for name in by_name if sum(s.name == name for s in screens) > 1]
    for screen in screens:
        problems += _screen_problems(screen, by_name)
    acting = any(isinstance(screen, Confirm) for screen in screens)
    entries = [start, *([resume] if resume else []), *([REFUSED] if acting else [])]
    problems += [f"{name}: an entry that does not exist" for name in entries if name not in by_name]
    orphans = by_name.keys() - _reachable(entries, by_name)
    return problems + [f"{name}: nothing leads there" for name in orphans]


def _screen_problems(screen: Screen, by_name: Mapping[str, Screen]) -> list[str]:
    """Returns the exits of a screen that do not exist, a dead end, and a menu that is too long."""
    exits = _exits(screen)
    missing = [target for target in exits if target not in by_name]
    problems = [f"{screen.name}: leads to {target}, which does not exist" for target in missing]
    if not isinstance(screen, End) and not set(exits) - {screen.name}:
        problems.append(f"{screen.name}: no way out")
    if isinstance(screen, Menu) and len(screen.options) > MAX_OPTIONS:
        problems.append(f"{screen.name}: more than {MAX_OPTIONS} options")
    return problems


def _reachable(entries: list[str], by_name: Mapping[str, Screen]) -> set[str]:
    """Returns the entries, and the screens that they lead to over any number of steps."""
    reachable = set(entries)
    ahead = [name for name in entries if name in by_name]
    while ahead:
        targets_ahead = set(_exits(by_name[ahead.pop()])) & by_name.keys() - reachable
        reachable |= targets_ahead
        ahead += targets_ahead
    return reachable


def _exits(screen: Screen) -> list[str]:
    return [target for _, way in ways(screen) for target in targets(way)]


def _text_problems(joined: Flow) -> list[str]:
    """Returns the ids without words, and the placeholders that no value fills, in any language."""
    problems = []
    for language, catalogue in joined.catalogues.items():
        for text_id in joined.text_ids():
            if text_id not in catalogue:
                problems.append(f"{language}: no words for {text_id}")
            else:
                unknown = set(texts.placeholders(catalogue[text_id])) - joined.values.keys()
                problems += [f"{language}: {text_id} has {{{name}}}, which nothing fills" for name in unknown]
    return problems


def _version_of(screens: list[Screen]) -> str:
    shape = [(type(s).__name__, s.name, [(typed, targets(way)) for typed, way in ways(s)]) for s in screens]
    return f"{REVISION}-{hashlib.sha256(repr(sorted(shape)).encode()).hexdigest()[:10]}"


def draw(joined: Flow) -> str:
    """Returns the dialogue as a Mermaid flowchart: Menu and Ask square, Confirm a diamond, End round."""
    lines = ["flowchart TD"]
    for name, screen in joined.screens.items():
        shape = {Confirm: '{{"%s"}}', End: '(["%s"])'}.get(type(screen), '["%s"]')
        lines.append(f"  {_node(name)}{shape % name}")
    for name, screen in joined.screens.items():
        for typed, way in ways(screen):
            lines += [f"  {_node(name)} -->|{typed}| {_node(target)}" for target in targets(way)]
    return "\n".join(lines) + "\n"


def _node(name: str) -> str:
    return "s_" + name.replace(".", "_").replace("-", "_")
