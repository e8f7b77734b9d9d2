"""One turn of a dialogue, as a pure function: (opening facts, state, input) -> (state, words, effect).
Nothing acts here.

The transcript rules:

* the same transcript is the same screen, and an older one (a late repeat) is that older screen: the state is
  untouched;
* what is new is what follows the transcript already heard; anything else is a polite end;
* **a yes counts only when it is typed alone.** Several tokens in one hop (`1*2`) walk menus and asks, but a
  yes among them is passed over. Replay, which sees only tokens, passes over every yes that is not recorded
  *at that token*; so a live session and its replay always stand at the same place, whatever came in one hop;
* what was dialled beyond the code, or came with the first turn, stops for good at the first Confirm or the
  first error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from menus import render
from menus.facts import Facts
from menus.graph import REFUSED, Flow
from menus.screens import Ask, Confirm, End, Menu, Resume, ScreenView, Way
from mutuelle.errors import Refused

BACK, HOME, YES, NO = "0", "00", "1", "2"
KEPT = ("language",)  # answers that survive going home
LONGEST_PATH = 20

Outcomes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ScreenText:
    """What goes to the phone; `open` when an answer is expected."""

    text: str
    open: bool


@dataclass(frozen=True)
class Effect:
    """A Confirm was answered with yes: the caller must do it once under (`screen`, `ordinal`), and record the
    outcome.

    `at` is the number of tokens heard up to that yes; `record` adds it, because replay needs it.
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
        """What is recorded when the rules said no."""
        return self.record(
            {"refused": refused.key, "values": {name: str(told) for name, told in refused.values.items()}}
        )


@dataclass(frozen=True)
class DialoguePosition:
    """Where a session stands. Plain values only: it survives JSON.

    `text` is the transcript heard, of `count` tokens; `path` the screens behind with the answers they had;
    `outcomes` what Confirms brought back, by `screen#ordinal`; `version` grows with every input (for
    compare-and-set).
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
        return dict(
            vars(self)
        )  # plain values already; `asdict` would copy them one by one, a third of a turn

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "DialoguePosition":
        return cls(**{**told, "path": tuple((name, answers) for name, answers in told["path"])})

    @property
    def said(self) -> ScreenText:
        return ScreenText(self.shown, self.open)


@dataclass(frozen=True)
class Turn:
    """`heard` is the state to keep, `said` the answer. With an `effect` the state still stands at its
    Confirm: do it, then `settle`. `doubt`: a yes was passed over that nothing known to this state explains;
    the records may know more."""

    heard: DialoguePosition
    said: ScreenText
    effect: Effect | None = None
    doubt: bool = False


def turn(
    flow: Flow, heard: DialoguePosition | None, facts: Facts, text: str, outcomes: Outcomes | None = None
) -> Turn:
    """Answer the transcript `text` of a cumulative gateway. Without a state it is replayed and nothing
    acts."""
    text = text.removeprefix("*")
    if heard is None:
        heard = replay(flow, facts, text, outcomes or {})
        return Turn(heard, heard.said)
    if text == heard.text:
        return Turn(heard, heard.said)
    if heard.count == 0 or text.startswith(f"{heard.text}*"):
        fresh = text if heard.count == 0 else text[len(heard.text) + 1 :]
        return advance(flow, heard, facts, fresh)
    if text == "" or heard.text.startswith(f"{text}*"):
        older = replay(flow, facts, text, heard.outcomes)
        return Turn(heard, older.said)
    return Turn(heard, farewell(flow, facts, "session.diverged", heard.answers))


def advance(flow: Flow, heard: DialoguePosition, facts: Facts, typed: str) -> Turn:
    """Answer what was typed in one hop. On an incremental gateway the caller saves `turn.heard` only if the
    version it read is still the stored one."""
    if not heard.open:
        return Turn(heard, heard.said)
    tokens = typed.split("*")
    if len(tokens) == 1:
        effect = _effect(flow, heard, typed)
        if effect:
            return Turn(_heard_one(heard, typed), heard.said, effect)
    heard, doubt, _ = _walk(flow, heard, facts, tokens)
    return Turn(heard, heard.said, None, doubt)


def settle(
    flow: Flow, heard: DialoguePosition, facts: Facts, effect: Effect, record: Mapping[str, Any]
) -> DialoguePosition:
    """Go on from the Confirm of `effect` with what was recorded under its key: an outcome, or a refusal."""
    known = dict(record)
    heard = replace(
        heard,
        acts={**heard.acts, effect.screen: effect.ordinal + 1},
        outcomes={**heard.outcomes, effect.key: known},
        answers={**heard.answers, "outcome": known},
        path=(),
    )
    if "refused" in known:
        return _show(flow, replace(heard, screen=REFUSED), facts)
    screen = flow.screens[effect.screen]
    if not isinstance(screen, Confirm):
        raise ValueError(f"{effect.screen} does not act")
    return _show(flow, _go(flow, heard, facts, screen.yes, remember=False), facts)


def replay(flow: Flow, facts: Facts, text: str, outcomes: Outcomes) -> DialoguePosition:
    """Where the transcript `text` (as `Heard.text` has it) leads from the opening facts. Never acts: it only
    looks recorded outcomes up."""
    heard = replace(_begin(flow, facts), outcomes={key: dict(told) for key, told in outcomes.items()})
    first = facts.spoken.removeprefix("*")
    if first and (text == first or text.startswith(f"{first}*")):
        heard = replace(_dial(flow, heard, facts, first), text=first, count=first.count("*") + 1)
        later = text.split("*")[heard.count :]
    else:
        later = text.split("*") if text else []
    return _walk(flow, heard, facts, later)[0] if later else heard


def _begin(flow: Flow, facts: Facts) -> DialoguePosition:
    """The first screen: home, the offer to resume, or as far as the dialled shortcut leads."""
    resuming = not facts.shortcut and not facts.spoken and flow.resumes(facts) and facts.flow == flow.version
    drafted = (facts.draft or {}).get("answers", {}) if resuming else {}
    answers = {
        name: told for name, told in drafted.items() if name in KEPT
    }  # the offer speaks the draft's language
    heard = _show(flow, DialoguePosition("resume" if resuming else flow.start, answers=answers), facts)
    return _dial(flow, heard, facts, facts.shortcut) if facts.shortcut else heard


def _dial(flow: Flow, heard: DialoguePosition, facts: Facts, dialled: str) -> DialoguePosition:
    """Walk what was dialled, and stop for good at the first Confirm or the first thing that is no answer."""
    for token in dialled.strip("*#").split("*"):
        if isinstance(flow.screens[heard.screen], Confirm) or not heard.open:
            break
        went, _, wrong = _walk(flow, replace(heard, text="", count=0), facts, [token])
        heard = replace(went, text=heard.text, count=heard.count)
        if wrong:
            break
    return heard


def draft_of(flow: Flow, heard: DialoguePosition) -> dict[str, Any] | None:
    """What is worth keeping of a session that was dropped here: an unfinished join or payment, never one that
    acted."""
    if not heard.open or heard.screen not in flow.drafted or not set(heard.answers) - {*KEPT, "outcome"}:
        return None
    kept = {name: told for name, told in heard.answers.items() if name != "outcome"}
    path = [[name, answers] for name, answers in heard.path if name in flow.drafted]
    return {"flow": flow.version, "screen": heard.screen, "answers": kept, "path": path}


def farewell(flow: Flow, facts: Facts, said: str, answers: Mapping[str, Any] | None = None) -> ScreenText:
    """Polite last words for what is not a turn of the dialogue: a diverging transcript, an outcome not known
    yet."""
    return ScreenText(render.say(flow, view_of(flow, facts, answers or {}), said), False)


def view_of(flow: Flow, facts: Facts, answers: Mapping[str, Any]) -> ScreenView:
    language = answers.get("language", facts.language)
    language = language if language in flow.catalogues else next(iter(flow.catalogues))
    return ScreenView(facts, answers, language, flow.catalogues[language])


def _heard_one(heard: DialoguePosition, token: str) -> DialoguePosition:
    text = f"{heard.text}*{token}" if heard.count else token
    return replace(heard, text=text, count=heard.count + 1, version=heard.version + 1)


def _effect(flow: Flow, heard: DialoguePosition, typed: str) -> Effect | None:
    if typed != YES or not isinstance(flow.screens[heard.screen], Confirm):
        return None
    return Effect(heard.screen, heard.acts.get(heard.screen, 0), heard.count + 1)


def _walk(
    flow: Flow, heard: DialoguePosition, facts: Facts, tokens: list[str]
) -> tuple[DialoguePosition, bool, bool]:
    """Hear `tokens` one by one. Also tells whether a yes was passed over, and whether the last token was no
    answer."""
    doubt, error = False, ""
    for token in tokens:
        heard = _heard_one(heard, token)
        if not heard.open:
            continue
        error = ""
        effect = _effect(flow, replace(heard, count=heard.count - 1), token)
        recorded = heard.outcomes.get(effect.key) if effect else None
        if effect and recorded and recorded["at"] == effect.at:
            heard = settle(flow, heard, facts, effect, recorded)
        elif effect:
            doubt = True
        else:
            heard, error = _hear(flow, heard, facts, token)
            heard = replace(heard, open=not isinstance(flow.screens[heard.screen], End))
    return _show(flow, heard, facts, error), doubt, bool(error)


def _hear(flow: Flow, heard: DialoguePosition, facts: Facts, token: str) -> tuple[DialoguePosition, str]:
    """The state after one token that does not act, and the error line when it is no answer."""
    screen, view = flow.screens[heard.screen], view_of(flow, facts, heard.answers)
    if token == HOME:
        return _home(flow, heard), ""
    if token == BACK and not (isinstance(screen, Ask) and screen.zero):
        return _back(flow, heard), ""
    match screen:
        case Menu():
            option = render.visible(view, screen).get(token)
            if option:
                return _go(flow, heard, facts, option.goto, option.store(view)), ""
        case Ask():
            try:
                answer = screen.parse(token, view)
            except Refused as refused:
                known = refused.key if refused.key in screen.errors else "error.invalid"
                return heard, render.say(flow, view, known, refused.values)
            return _go(flow, heard, facts, screen.goto, {screen.store: answer}), ""
        case Confirm():
            if token == NO:
                return _go(flow, heard, facts, screen.no), ""
        case End():
            return heard, ""
    return heard, render.say(flow, view, "error.invalid")


def _go(
    flow: Flow,
    heard: DialoguePosition,
    facts: Facts,
    way: Way,
    stored: Mapping[str, Any] | None = None,
    remember: bool = True,
) -> DialoguePosition:
    """Follow `way`: add what was answered, and remember the way back."""
    if isinstance(way, Resume):
        draft = facts.draft or {}
        path = tuple((name, dict(answers)) for name, answers in draft["path"])
        return replace(heard, screen=draft["screen"], answers=dict(draft["answers"]), path=path)
    answers = {**heard.answers, **(stored or {})}
    target = way if isinstance(way, str) else way.of(view_of(flow, facts, answers))
    if target == flow.start:
        return _home(flow, replace(heard, answers=answers))
    path = (*heard.path, (heard.screen, heard.answers))[-LONGEST_PATH:] if remember else heard.path
    return replace(heard, screen=target, answers=answers, path=path)


def _home(flow: Flow, heard: DialoguePosition) -> DialoguePosition:
    kept = {name: told for name, told in heard.answers.items() if name in KEPT}
    return replace(heard, screen=flow.start, answers=kept, path=())


def _back(flow: Flow, heard: DialoguePosition) -> DialoguePosition:
    if not heard.path:
        return _home(flow, heard)
    *behind, (screen, answers) = heard.path
    return replace(heard, screen=screen, answers=dict(answers), path=tuple(behind))


def _show(flow: Flow, heard: DialoguePosition, facts: Facts, error: str = "") -> DialoguePosition:
    screen = flow.screens[heard.screen]
    shown = render.body(flow, view_of(flow, facts, heard.answers), screen, error)
    return replace(heard, shown=shown, open=not isinstance(screen, End))
