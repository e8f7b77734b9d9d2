"""A Flow is a whole dialogue whose graph was checked when it was made: what is wrong with it cannot be
loaded."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from menus import texts
from menus.facts import Facts
from menus.screens import MAX_OPTIONS, Confirm, Dialogue, End, Menu, Screen, Value, ids, targets, ways

REVISION = 1  # raise it when the meaning of an answer changes without the graph changing

# What the engine itself says.
OWN = (
    "nav.both",
    "nav.home",
    "error.invalid",
    "session.diverged",
    "session.changed",
    "session.checking",
    "session.failed",
    "session.no-code",
)
REFUSED = "refused"  # the screen that says why a Confirm could not act


class BrokenFlow(ValueError):
    """The dialogue is not one: the message lists everything that is wrong."""


@dataclass(frozen=True)
class Flow:
    """Screens by name, and what they need to be spoken. `version` changes whenever the graph does."""

    start: str
    screens: Mapping[str, Screen]
    values: Mapping[str, Value]
    drafted: frozenset[str]
    catalogues: Mapping[str, texts.Catalogue]
    resumes: Callable[[Facts], bool]
    limit: int
    version: str

    def ids(self) -> set[str]:
        """Every id the dialogue may say."""
        return {one for screen in self.screens.values() for one in ids(screen)} | set(OWN)


def flow(
    start: str,
    dialogues: Iterable[Dialogue],
    *,
    resume: str = "",
    resumes: Callable[[Facts], bool] = lambda facts: False,
    catalogues: Mapping[str, texts.Catalogue] = texts.CATALOGUES,
    limit: int = 160,
) -> Flow:
    """Join dialogues into one checked Flow. `resume` is a second entry, shown when `resumes(facts)`. May
    raise Broken."""
    listed = tuple(dialogues)
    screens = [screen for dialogue in listed for screen in dialogue.screens]
    values = {name: value for dialogue in listed for name, value in dialogue.values.items()}
    drafted = frozenset(name for dialogue in listed for name in dialogue.drafted)
    wrong = [
        *_graph(start, resume, screens),
        *(f"{name}: drafted, but no such screen" for name in _unknown(drafted, screens)),
    ]
    made = Flow(
        start, {s.name: s for s in screens}, values, drafted, catalogues, resumes, limit, _version(screens)
    )
    wrong += _words(made)
    if wrong:
        raise BrokenFlow("; ".join(sorted(wrong)))
    return made


def _unknown(names: Iterable[str], screens: list[Screen]) -> set[str]:
    return set(names) - {screen.name for screen in screens}


def _graph(start: str, resume: str, screens: list[Screen]) -> list[str]:
    """Duplicates, missing or dead ends, orphans, menus that are too long."""
    known = {screen.name: screen for screen in screens}
    wrong = [f"{name}: defined twice" for name in known if sum(s.name == name for s in screens) > 1]
    for screen in screens:
        exits = [target for _, way in ways(screen) for target in targets(way)]
        wrong += [
            f"{screen.name}: leads to {target}, which does not exist"
            for target in exits
            if target not in known
        ]
        if not isinstance(screen, End) and not set(exits) - {screen.name}:
            wrong.append(f"{screen.name}: no way out")
        if isinstance(screen, Menu) and len(screen.options) > MAX_OPTIONS:
            wrong.append(f"{screen.name}: more than {MAX_OPTIONS} options")
    acting = any(isinstance(screen, Confirm) for screen in screens)
    entries = [start, *([resume] if resume else []), *([REFUSED] if acting else [])]
    wrong += [f"{name}: an entry that does not exist" for name in entries if name not in known]
    seen, ahead = set(entries), [name for name in entries if name in known]
    while ahead:
        found = {
            target for _, way in ways(known[ahead.pop()]) for target in targets(way)
        } & known.keys() - seen
        seen |= found
        ahead += found
    return wrong + [f"{name}: nothing leads there" for name in known.keys() - seen]


def _words(made: Flow) -> list[str]:
    """Ids without words, and words with placeholders nobody fills, in any language."""
    wrong = []
    for language, catalogue in made.catalogues.items():
        for said in made.ids():
            if said not in catalogue:
                wrong.append(f"{language}: no words for {said}")
            else:
                unknown = set(texts.placeholders(catalogue[said])) - made.values.keys()
                wrong += [f"{language}: {said} has {{{name}}}, which nothing fills" for name in unknown]
    return wrong


def _version(screens: list[Screen]) -> str:
    shape = [(type(s).__name__, s.name, [(typed, targets(way)) for typed, way in ways(s)]) for s in screens]
    return f"{REVISION}-{hashlib.sha256(repr(sorted(shape)).encode()).hexdigest()[:10]}"


def draw(made: Flow) -> str:
    """The dialogue as a Mermaid flowchart: menus and asks square, Confirms in diamonds, Ends round."""
    lines = ["flowchart TD"]
    for name, screen in made.screens.items():
        shape = {Confirm: '{{"%s"}}', End: '(["%s"])'}.get(type(screen), '["%s"]')
        lines.append(f"  {_node(name)}{shape % name}")
    for name, screen in made.screens.items():
        for typed, way in ways(screen):
            lines += [f"  {_node(name)} -->|{typed}| {_node(target)}" for target in targets(way)]
    return "\n".join(lines) + "\n"


def _node(name: str) -> str:
    return "s_" + name.replace(".", "_").replace("-", "_")
