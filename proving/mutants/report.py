"""Stores the results of trials as JSON lines, and says how many faults the tests found."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from proving.mutants.explained import Explanation, explanation_of
from proving.mutants.source import Fault
from proving.mutants.trial import Result, Trial

OPEN = {Result.SURVIVED, Result.NOT_RUN}


class Results:
    """The trials of one state of the product's files, each with the state of the tests it ran."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._trials: dict[str, tuple[Trial, str]] = {}
        for line in path.read_text("utf-8").splitlines() if path.exists() else ():
            entry = json.loads(line)
            fault_id, tests = entry.pop("id"), entry.pop("tests")
            self._trials[fault_id] = (Trial(**entry | {"result": Result(entry["result"])}), tests)

    def of(self, fault: Fault, tests: str) -> Trial | None:
        """Returns the trial of a fault. One that survived counts only for the same tests."""
        trial, ran = self._trials.get(fault.id, (None, ""))
        return None if trial and trial.result in OPEN and ran != tests else trial

    def add(self, fault: Fault, trial: Trial, tests: str) -> None:
        """Appends a trial to the file."""
        self._trials[fault.id] = (trial, tests)
        with self._path.open("a", encoding="utf-8") as file:
            entry = {"id": fault.id, **asdict(trial), "tests": tests}
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def as_diff(fault: Fault) -> str:
    """Shows a fault as the line that changes."""
    return f"{fault.id} in {fault.scope or 'the module'}\n  - {fault.before}\n  + {fault.after}"


def summary(
    trials: Sequence[tuple[str, Fault, Trial]], explanations: Collection[Explanation]
) -> tuple[str, bool]:
    """Returns a table by room with every fault that stays open, and whether none does.

    Explained faults and SQL that does not parse count neither as found nor in the total.
    """
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    left = []
    for room, fault, trial in trials:
        if trial.result == Result.INVALID:
            rows[room][3] += 1
            continue
        explained = trial.result in OPEN and explanation_of(fault, explanations) is not None
        rows[room][0] += trial.result not in OPEN
        rows[room][1] += not explained
        rows[room][2] += explained
        if trial.result in OPEN and not explained:
            left.append(f"{trial.result}: {as_diff(fault)}")
    lines = [f"{'room':<14} {'found':>5} {'of':>4} {'rate':>6} {'explained':>9} {'invalid':>7}"]
    total = [sum(column) for column in zip(*rows.values(), strict=True)] or [0, 0, 0, 0]
    for room, (found, of, explained, invalid) in [*rows.items(), ("all", total)]:
        rate = f"{found / of:.1%}" if of else "-"
        lines.append(f"{room:<14} {found:>5} {of:>4} {rate:>6} {explained:>9} {invalid:>7}")
    return "\n".join([*lines, *left]), not left
