"""Answers one USSD turn as a pure function: (opening facts, position, input) -> (position, text, effect).

The engine never acts. The rules of the transcript:

* The same transcript gives the same screen. An older transcript (a late repeat) gives that older screen and
  leaves the position as it was.
* New input is what follows the transcript already answered. Any other transcript ends the session with a last
  screen.
* **A yes counts only when it is typed alone.** Several tokens in one turn (`1*2`) pass menus and asks, but a
  yes among them is skipped. A replay sees only tokens, so it skips every yes that has no effect recorded *at
  that token*. A live session and its replay therefore always stand at the same screen, however many tokens
  came in one turn.
* The dialled shortcut, or the text of the first turn, is read up to the first Confirm or the first error. The
  rest of it is never read.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from menus import render
from menus.facts import Facts
from menus.graph_checks import REFUSED, Flow
from menus.position import DialoguePosition, Effect, Outcomes, ScreenText, Turn
from menus.screens import Ask, Confirm, End, Menu, Resume, ScreenView, Way
from mutuelle.errors import Refused

BACK, HOME, YES, NO = "0", "00", "1", "2"
LASTING_ANSWERS = ("language",)  # the answers that remain when the caller goes home
LONGEST_PATH = 20  # screens that `0` can go back over


def turn(
    flow: Flow, position: DialoguePosition | None, facts: Facts, text: str, outcomes: Outcomes | None = None
) -> Turn:
    """Answers the transcript `text` of a cumulative gateway. Without a position it replays and never acts."""
    text = text.removeprefix("*")
    if position is None:
        position = replay(flow, facts, text, outcomes or {})
        return Turn(position, position.screen_text)
    if text == position.text:
        return Turn(position, position.screen_text)
    if position.count == 0 or text.startswith(f"{position.text}*"):
        new_input = text if position.count == 0 else text[len(position.text) + 1 :]
        return advance(flow, position, facts, new_input)
    if text == "" or position.text.startswith(f"{text}*"):
        older = replay(flow, facts, text, position.outcomes)
        return Turn(position, older.screen_text)
    return Turn(position, _diverged_screen(flow, facts, position.answers))


def advance(flow: Flow, position: DialoguePosition, facts: Facts, typed: str) -> Turn:
    """Answers the new input of one turn.

    On an incremental gateway the caller saves `turn.position` only if the version it read is still stored.
    """
    if not position.open:
        return Turn(position, position.screen_text)
    tokens = typed.split("*")
    if len(tokens) == 1:
        effect = _effect_of(flow, position, typed)
        if effect:
            return Turn(_append_token(position, typed), position.screen_text, effect)
    position, skipped_yes, _ = _apply_tokens(flow, position, facts, tokens)
    return Turn(position, position.screen_text, None, skipped_yes)


def apply_outcome(
    flow: Flow, position: DialoguePosition, facts: Facts, effect: Effect, record: Mapping[str, Any]
) -> DialoguePosition:
    """Goes on from the Confirm of `effect` with the record under its key: an outcome or a refusal."""
    outcome = dict(record)
    position = replace(
        position,
        acts={**position.acts, effect.screen: effect.ordinal + 1},
        outcomes={**position.outcomes, effect.key: outcome},
        answers={**position.answers, "outcome": outcome},
        path=(),
    )
    if "refused" in outcome:
        return _render(flow, replace(position, screen=REFUSED), facts)
    screen = flow.screens[effect.screen]
    if not isinstance(screen, Confirm):
        raise ValueError(f"{effect.screen} does not act")
    return _render(flow, _follow(flow, position, facts, screen.yes, remember=False), facts)


def replay(flow: Flow, facts: Facts, text: str, outcomes: Outcomes) -> DialoguePosition:
    """Returns the position that the transcript `text` (in the form of `DialoguePosition.text`) leads to.

    Starts from the opening facts. Never acts: it only looks recorded outcomes up.
    """
    outcomes = {key: dict(outcome) for key, outcome in outcomes.items()}
    position = replace(_first_position(flow, facts), outcomes=outcomes)
    first = facts.first_text.removeprefix("*")
    if first and (text == first or text.startswith(f"{first}*")):
        position = _apply_shortcut(flow, position, facts, first)
        position = replace(position, text=first, count=first.count("*") + 1)
        later = text.split("*")[position.count :]
    else:
        later = text.split("*") if text else []
    return _apply_tokens(flow, position, facts, later)[0] if later else position


def _first_position(flow: Flow, facts: Facts) -> DialoguePosition:
    """Returns the position of the first screen: home, the offer to resume, or the end of the shortcut."""
    dialled_on = bool(facts.shortcut or facts.first_text)
    resuming = not dialled_on and flow.can_resume(facts) and facts.flow == flow.version
    # The offer to resume is in the language of the draft.
    answers = _lasting_answers((facts.draft or {}).get("answers", {})) if resuming else {}
    position = _render(flow, DialoguePosition("resume" if resuming else flow.start, answers=answers), facts)
    return _apply_shortcut(flow, position, facts, facts.shortcut) if facts.shortcut else position


def _apply_shortcut(flow: Flow, position: DialoguePosition, facts: Facts, shortcut: str) -> DialoguePosition:
    """Answers the tokens of `shortcut` up to the first Confirm, error or End."""
    for token in shortcut.strip("*#").split("*"):
        if isinstance(flow.screens[position.screen], Confirm) or not position.open:
            break
        after, _, failed = _apply_tokens(flow, replace(position, text="", count=0), facts, [token])
        position = replace(after, text=position.text, count=position.count)
        if failed:
            break
    return position


def draft_of(flow: Flow, position: DialoguePosition) -> dict[str, Any] | None:
    """Returns the draft that a later session may resume: an unfinished join or payment, or None.

    A session that acted leaves no draft.
    """
    if not position.open or position.screen not in flow.draft_screens:
        return None
    if not set(position.answers) - {*LASTING_ANSWERS, "outcome"}:
        return None
    answers = {name: answer for name, answer in position.answers.items() if name != "outcome"}
    path = [[name, answers] for name, answers in position.path if name in flow.draft_screens]
    return {"flow": flow.version, "screen": position.screen, "answers": answers, "path": path}


def _diverged_screen(flow: Flow, facts: Facts, answers: Mapping[str, Any]) -> ScreenText:
    """Returns the last screen of a session whose transcript does not continue the one answered so far."""
    return ScreenText(render.say(flow, view_of(flow, facts, answers), "session.diverged"), False)


def view_of(flow: Flow, facts: Facts, answers: Mapping[str, Any]) -> ScreenView:
    """Returns what a screen is rendered from. A language without a catalogue falls back to the first one."""
    language = answers.get("language", facts.language)
    language = language if language in flow.catalogues else next(iter(flow.catalogues))
    return ScreenView(facts, answers, language, flow.catalogues[language])


def _append_token(position: DialoguePosition, token: str) -> DialoguePosition:
    text = f"{position.text}*{token}" if position.count else token
    return replace(position, text=text, count=position.count + 1, version=position.version + 1)


def _effect_of(flow: Flow, position: DialoguePosition, typed: str) -> Effect | None:
    if typed != YES or not isinstance(flow.screens[position.screen], Confirm):
        return None
    return Effect(position.screen, position.acts.get(position.screen, 0), position.count + 1)


def _apply_tokens(
    flow: Flow, position: DialoguePosition, facts: Facts, tokens: list[str]
) -> tuple[DialoguePosition, bool, bool]:
    """Answers `tokens` one by one.

    Returns the position, whether a yes was skipped, and whether the last token was an error.
    """
    skipped_yes, error = False, ""
    for token in tokens:
        position = _append_token(position, token)
        if not position.open:
            continue
        error = ""
        effect = _effect_of(flow, replace(position, count=position.count - 1), token)
        record = position.outcomes.get(effect.key) if effect else None
        if effect and record and record["at"] == effect.at:
            position = apply_outcome(flow, position, facts, effect, record)
        elif effect:
            skipped_yes = True
        else:
            position, error = _answer_token(flow, position, facts, token)
            position = replace(position, open=not isinstance(flow.screens[position.screen], End))
    return _render(flow, position, facts, error), skipped_yes, bool(error)


def _answer_token(
    flow: Flow, position: DialoguePosition, facts: Facts, token: str
) -> tuple[DialoguePosition, str]:
    """Returns the position after one token that does not act, and the error line when it is no answer."""
    screen, view = flow.screens[position.screen], view_of(flow, facts, position.answers)
    if token == HOME:
        return _go_home(flow, position), ""
    if token == BACK and not (isinstance(screen, Ask) and screen.zero):
        return _go_back(flow, position), ""
    match screen:
        case Menu():
            option = render.visible_options(view, screen).get(token)
            if option:
                return _follow(flow, position, facts, option.goto, option.store(view)), ""
        case Ask():
            try:
                answer = screen.parse(token, view)
            except Refused as refused:
                text_id = refused.key if refused.key in screen.errors else "error.invalid"
                return position, render.say(flow, view, text_id, refused.values)
            return _follow(flow, position, facts, screen.goto, {screen.store: answer}), ""
        case Confirm():
            if token == NO:
                return _follow(flow, position, facts, screen.no), ""
        case End():
            return position, ""
    return position, render.say(flow, view, "error.invalid")


def _follow(
    flow: Flow,
    position: DialoguePosition,
    facts: Facts,
    way: Way,
    stored: Mapping[str, Any] | None = None,
    remember: bool = True,
) -> DialoguePosition:
    """Follows `way`: adds the answers in `stored` and, with `remember`, the present screen to the path."""
    if isinstance(way, Resume):
        draft = facts.draft or {}
        path = tuple((name, dict(answers)) for name, answers in draft["path"])
        return replace(position, screen=draft["screen"], answers=dict(draft["answers"]), path=path)
    answers = {**position.answers, **(stored or {})}
    target = way if isinstance(way, str) else way.choose(view_of(flow, facts, answers))
    if target == flow.start:
        return _go_home(flow, replace(position, answers=answers))
    path = position.path
    if remember:
        path = (*path, (position.screen, position.answers))[-LONGEST_PATH:]
    return replace(position, screen=target, answers=answers, path=path)


def _go_home(flow: Flow, position: DialoguePosition) -> DialoguePosition:
    return replace(position, screen=flow.start, answers=_lasting_answers(position.answers), path=())


def _lasting_answers(answers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: answer for name, answer in answers.items() if name in LASTING_ANSWERS}


def _go_back(flow: Flow, position: DialoguePosition) -> DialoguePosition:
    if not position.path:
        return _go_home(flow, position)
    *behind, (screen, answers) = position.path
    return replace(position, screen=screen, answers=dict(answers), path=tuple(behind))


def _render(flow: Flow, position: DialoguePosition, facts: Facts, error: str = "") -> DialoguePosition:
    screen = flow.screens[position.screen]
    shown = render.body(flow, view_of(flow, facts, position.answers), screen, error)
    return replace(position, shown=shown, open=not isinstance(screen, End))
