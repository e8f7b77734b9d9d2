"""The values that the engine works with: the position of a session, a turn, and the effect of a Confirm."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mutuelle.errors import Refused

Outcomes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ScreenText:
    """The text for the phone. `open`: the session goes on and an answer is expected."""

    text: str
    open: bool


@dataclass(frozen=True)
class Effect:
    """The act of a Confirm that was answered with yes.

    The caller runs it once under the key (`screen`, `ordinal`) and records the outcome. `at` is the number of
    tokens up to and with that yes; `record` adds it, because `replay` needs it.
    """

    screen: str
    ordinal: int
    at: int

    @property
    def key(self) -> str:
        return f"{self.screen}#{self.ordinal}"

    def record(self, outcome: Mapping[str, Any]) -> dict[str, Any]:
        return {**outcome, "at": self.at}

    def refusal(self, refused: Refused) -> dict[str, Any]:
        """Returns the record of an act that the rules refused."""
        values = {name: str(value) for name, value in refused.values.items()}
        return self.record({"refused": refused.key, "values": values})


@dataclass(frozen=True)
class DialoguePosition:
    """The position of a session in the dialogue, as plain values that survive JSON.

    The field names are JSON keys of stored sessions. `text` is the transcript answered so far, of `count`
    tokens. `path` holds the screens to go back to, each with the answers of that moment. `shown` is the text
    of the present screen. `acts` counts the acts of each Confirm. `outcomes` holds the recorded outcomes by
    `screen#ordinal`. `version` grows with every input, for compare-and-set.
    """

    screen: str
    text: str = ""
    count: int = 0
    answers: dict[str, Any] = field(default_factory=dict)
    path: tuple[tuple[str, dict[str, Any]], ...] = ()
    shown: str = ""
    open: bool = True
    acts: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, Any] = field(default_factory=dict)
    version: int = 0

    def as_json(self) -> dict[str, Any]:
        # The values are plain already. `asdict` would copy them one by one, which took a third of a turn.
        return dict(vars(self))

    @classmethod
    def from_json(cls, payload: dict[str, Any]) -> "DialoguePosition":
        return cls(**{**payload, "path": tuple((name, answers) for name, answers in payload["path"])})

    @property
    def screen_text(self) -> ScreenText:
        return ScreenText(self.shown, self.open)


@dataclass(frozen=True)
class Turn:
    """The result of one turn: the position to keep and the text to show.

    With an `effect` the position is still at its Confirm: run the effect, then call `apply_outcome`.
    `skipped_yes`: a `1` at a Confirm was skipped because the position holds no effect for it. Read the
    effects table before answering.
    """

    position: DialoguePosition
    screen_text: ScreenText
    effect: Effect | None = None
    skipped_yes: bool = False
