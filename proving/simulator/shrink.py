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
    known: dict[tuple[str, ...], bool] = field(default_factory=dict)

    def smallest(self, events: Sequence[str]) -> list[str]:
        """Returns the fewest events found that still fail, in their order. All of `events` must fail."""
        kept, parts = list(events), 2
        while len(kept) > 1 and self.tries:
            size = -(-len(kept) // parts)
            chunks = [kept[start : start + size] for start in range(0, len(kept), size)]
            rests = ([event for event in kept if event not in chunk] for chunk in map(frozenset, chunks))
            smaller = next((rest for rest in rests if self._still_fails(rest)), None)
            if smaller is not None:
                kept, parts = smaller, max(2, min(parts - 1, len(smaller)))
            elif size == 1:
                break
            else:
                parts = min(len(kept), parts * 2)
        return kept

    def _still_fails(self, events: list[str]) -> bool:
        key = tuple(events)
        if key not in self.known:
            if not self.tries:
                return False
            self.tries -= 1
            self.known[key] = self.fails(events)
        return self.known[key]
