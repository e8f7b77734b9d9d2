"""Shrinks a plan that breaks a promise to the few events that still break it.

Delta debugging (A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28,
2002): parts of the events are left out, larger parts first, while the same promise stays broken. Each try is
a whole simulation, so the number of tries is bounded; the result is then small, and perhaps not the smallest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

TRIES = 150


@dataclass
class Shrinking:
    """One search. `fails` says whether these events still break the promise; `tries` are left."""

    fails: Callable[[Sequence[str]], bool]
    tries: int = TRIES
    outcomes: dict[tuple[str, ...], bool] = field(default_factory=dict)

    def smallest(self, events: Sequence[str]) -> list[str]:
        """Returns the fewest events found that still fail, in their order. All of `events` must fail."""
        needed, parts = list(events), 2
        while len(needed) > 1 and self.tries:
            size = -(-len(needed) // parts)
            chunks = [needed[start : start + size] for start in range(0, len(needed), size)]
            rests = ([event for event in needed if event not in chunk] for chunk in map(frozenset, chunks))
            smaller = next((rest for rest in rests if self._still_fails(rest)), None)
            if smaller is not None:
                needed, parts = smaller, max(2, min(parts - 1, len(smaller)))
            elif size == 1:
                break
            else:
                parts = min(len(needed), parts * 2)
        return needed

    def _still_fails(self, events: list[str]) -> bool:
        key = tuple(events)
        if key not in self.outcomes:
            if not self.tries:
                return False
            self.tries -= 1
            self.outcomes[key] = self.fails(events)
        return self.outcomes[key]
