"""Lists every small fault of the rooms, and draws a sample of them by a seed."""

import ast
import random
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from proving.mutants import python_faults, sql_faults
from proving.mutants.source import Fault, SourceText

# The files of each room, as patterns below the root of the project.
ROOMS: dict[str, tuple[str, ...]] = {
    **{
        room: (f"mutuelle/{room}/*.py", f"mutuelle/{room}/*.sql")
        for room in (
            "payments", "billing", "contributions", "cover", "subsidies", "enrolment", "households",
            "organisation", "schemes", "messaging", "verification", "reports",
        )
    },
    "hall": ("mutuelle/*.py",),
    "workers": ("workers/*.py",),
    "momo": ("gateway/momo/*.py",),
}  # fmt: skip


def files(root: Path, room: str) -> list[Path]:
    """Returns the files of a room."""
    return sorted(path for pattern in ROOMS[room] for path in root.glob(pattern))


def list_faults(root: Path, paths: Iterable[Path]) -> list[Fault]:
    """Returns every small fault of these files of the project at `root`."""
    sources = {path: SourceText(str(path.relative_to(root)), path.read_text("utf-8")) for path in paths}
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sources if path.suffix == ".py"}
    defaults = python_faults.defaults_of(trees.values())
    listed: list[Fault] = []
    for path, source in sources.items():
        if path in trees:
            listed += python_faults.faults(source, trees[path], defaults)
        else:
            listed += _statement_faults(source)
    return _with_unique_ids(listed)


def _with_unique_ids(faults: Iterable[Fault]) -> list[Fault]:
    """Numbers the faults of one kind that begin at one position: `a and b` begins where `a` does."""
    seen: Counter[str] = Counter()
    numbered = []
    for fault in faults:
        seen[fault.id] += 1
        kind = f"{fault.edit.kind}.{seen[fault.id]}"
        numbered.append(replace(fault, edit=replace(fault.edit, kind=kind)) if seen[fault.id] > 1 else fault)
    return numbered


def _statement_faults(source: SourceText) -> list[Fault]:
    """Returns the faults of a `.sql` file; the scope is the name of the statement (`-- name: X`)."""
    edits = sorted(sql_faults.edits(source.text, 0, len(source.text)), key=lambda edit: edit.start)
    names = list(re.finditer(r"^-- name: (\w+)", source.text, re.M))
    return [
        source.fault(edit, max((n for n in names if n.end() <= edit.start), key=re.Match.end)[1], None)
        for edit in edits
        if names and names[0].end() <= edit.start
    ]


def sample(faults_by_room: dict[str, Sequence[Fault]], seed: int, count: int) -> list[Fault]:
    """Draws `count` faults, as evenly as possible from the rooms, and in each room from the kinds of faults.

    The same seed draws the same faults from the same sources; a larger count begins with the smaller one.
    """
    queues = {room: _in_turn(room, faults, seed) for room, faults in faults_by_room.items()}
    drawn: list[Fault] = []
    while len(drawn) < count and any(queues.values()):
        drawn += [queue.pop() for queue in queues.values() if queue]
    return drawn[:count]


def _in_turn(room: str, faults: Collection[Fault], seed: int) -> list[Fault]:
    """Returns the faults of a room in the order of drawing, the first one last: one of each kind in turn."""
    families: dict[str, list[Fault]] = defaultdict(list)
    for fault in sorted(faults, key=lambda fault: fault.id):
        families[fault.family].append(fault)
    chance = random.Random(f"{seed}:{room}")  # noqa: S311  # a draw that repeats, not a secret
    order = sorted(families)
    chance.shuffle(order)
    for family in order:
        chance.shuffle(families[family])
    turns: list[Fault] = []
    while any(families.values()):
        turns += [families[family].pop() for family in order if families[family]]
    return turns[::-1]
