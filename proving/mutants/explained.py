"""Reads `explained.toml`: faults that make no difference, and why."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from proving.mutants.source import Fault

FILE = Path(__file__).with_name("explained.toml")


@dataclass(frozen=True)
class Explanation:
    """A fault by what does not move with the lines around it, and the reason why it makes no difference."""

    path: str
    scope: str
    before: str
    after: str
    reason: str

    def explains(self, fault: Fault) -> bool:
        """Whether this is the fault."""
        return (self.path, self.scope, self.before, self.after) == (
            fault.path,
            fault.scope,
            fault.before,
            fault.after,
        )


def load(file: Path = FILE) -> list[Explanation]:
    """Returns the explanations of a file."""
    return [Explanation(**entry) for entry in tomllib.loads(file.read_text("utf-8")).get("fault", ())]


def explanation_of(fault: Fault, explanations: Collection[Explanation]) -> Explanation | None:
    """Returns why a fault makes no difference, or None."""
    return next((each for each in explanations if each.explains(fault)), None)
