"""Random input, repeats, lost caches and drops.

A session and its replay are at the same position, and each act runs once.
"""

import json
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from menus import engine
from menus.flow import FLOW
from menus.position import DialoguePosition, Turn
from menus.resume import DRAFT_SCREENS
from menus.screens import Ask, Confirm
from mutuelle.messaging import gsm7
from tests.menus.world import HOUSEHOLDS, facts

TOKENS = st.sampled_from(
    [
        "0",
        "00",
        "1",
        "1",
        "1",
        "2",
        "3",
        "4",
        "5",
        "9",
        "",
        " 1",
        "abc",
        "-5",
        "8085",
        "85",
        "2012",
        "17500",
        "7 500",
        "#",
        "٣",
    ]
)
OUTCOMES = st.sampled_from(
    [
        {"number": "4829160374"},
        {"refused": "pay.pending", "values": {"amount": "17500"}},
        {"refused": "enrol.already", "values": {"number": "4829160374"}},
        {"refused": "never.heard-of", "values": {}},
    ]
)


class Sessions(RuleBasedStateMachine):
    """One phone that dials again and again; the test plays the gateway, the cache and the effects table."""

    @initialize(
        scheme=st.sampled_from(["SN-CMU", "RW-CBHI", "ML-5050"]),
        language=st.sampled_from(["fr", "en", "xx"]),
        who=st.sampled_from([*sorted(HOUSEHOLDS), *["stranger"] * 6]),
        operators=st.sampled_from([("wave",), ("mtn", "orange", "moov"), ("unheard-of",), ()]),
    )
    def meet(self, scheme: str, language: str, who: str, operators: tuple[str, ...]) -> None:
        self.person = facts(scheme, language, who, operators=operators)
        self.dial("", "", None)

    def dial(self, shortcut: str, first_text: str, draft: dict[str, Any] | None) -> None:
        self.opening = replace(self.person, shortcut=shortcut, first_text=first_text, draft=draft)
        self.text, self.records, self.done, self.shown = first_text, {}, [], {}
        self.accept(engine.turn(FLOW, None, self.opening, first_text))

    def accept(self, turn: Turn) -> None:
        assert turn.effect is None
        self.position: DialoguePosition = turn.position
        self.shown[self.text] = turn.screen_text

    @rule(shortcut=st.lists(TOKENS, max_size=9).map("*".join), told_apart=st.booleans())
    def dials_with_a_shortcut(self, shortcut: str, told_apart: bool) -> None:
        self.dial(shortcut if told_apart else "", "" if told_apart else shortcut, None)

    @precondition(lambda self: not self.position.open)
    @rule()
    def dials_again(self) -> None:
        self.dial("", "", None)

    @precondition(lambda self: self.position.open)
    @rule(token=TOKENS, outcome=OUTCOMES)
    def types(self, token: str, outcome: dict[str, Any]) -> None:
        self.send(token, outcome)

    @precondition(lambda self: self.position.open)
    @rule(outcome=OUTCOMES, choice=st.integers(1, 3))
    def types_what_is_asked(self, outcome: dict[str, Any], choice: int) -> None:
        """Sends input that the present screen is likely to accept, so that deep screens are reached too."""
        adults, children = self.position.answers.get("adults", 1), self.position.answers.get("children", 0)
        answers = {"join.born": "85" * adults + "15" * children, "pay.amount": str(6000 - 1000 * choice)}
        token = answers.get(self.position.screen, str(choice))
        self.send(token, outcome)

    @precondition(lambda self: self.position.screen == "home")
    @rule(
        way=st.sampled_from(
            ["2*1", "2*2*5000", "4*4", "4*1*2", "3*1*1*1*0*85", "3*1*1*0*85", "3*1*2*1*1*85*15*1"]
        )
    )
    def walks_towards_a_confirm(self, way: str) -> None:
        for token in way.split("*"):
            if self.position.open and not isinstance(FLOW.screens[self.position.screen], Confirm):
                self.send(token, {})

    @precondition(lambda self: isinstance(FLOW.screens[self.position.screen], Confirm))
    @rule(tokens=st.lists(st.sampled_from(["1", "1", "2", "0", "7"]), min_size=2, max_size=4))
    def answers_a_confirm_with_many(self, tokens: list[str]) -> None:
        before = len(self.done)
        self.send("*".join(tokens), {})
        assert len(self.done) == before

    @precondition(lambda self: isinstance(FLOW.screens[self.position.screen], Confirm))
    @rule(outcome=OUTCOMES)
    def says_yes(self, outcome: dict[str, Any]) -> None:
        before = len(self.done)
        self.send("1", outcome)
        assert len(self.done) == before + 1

    @precondition(lambda self: self.position.open)
    @rule(tokens=st.lists(TOKENS, min_size=2, max_size=6))
    def types_many_at_once(self, tokens: list[str]) -> None:
        before = len(self.done)
        self.send("*".join(tokens), {})
        assert len(self.done) == before

    def send(self, typed: str, outcome: dict[str, Any]) -> None:
        """Sends one turn. With an effect, does what the caller does: look up, act once, record, apply."""
        empty_first = self.position.count == 0 and typed in ("", "*")
        if empty_first:  # a cumulative gateway cannot send this: it is the first turn again
            return
        text = typed if self.position.count == 0 else f"{self.text}*{typed}"
        if text.startswith("*") and self.position.count == 0:
            text = "*" + text  # one leading star is ignored, so this one must be doubled to count
        turn = engine.turn(FLOW, self.position, self.opening, text)
        assert engine.turn(FLOW, self.position, self.opening, text) == turn
        self.text = text
        if turn.effect is None:
            self.accept(turn)
            return
        assert typed == "1"
        assert isinstance(FLOW.screens[self.position.screen], Confirm)
        assert turn.effect.key not in self.records
        self.done.append(turn.effect.key)
        self.records[turn.effect.key] = turn.effect.record(outcome)
        record = self.records[turn.effect.key]
        position = engine.apply_outcome(FLOW, turn.position, self.opening, turn.effect, record)
        self.accept(Turn(position, position.screen_text))

    @precondition(lambda self: self.position.open)
    @rule()
    def goes_home(self) -> None:
        self.send("00", {})
        assert self.position.screen == "home"

    @precondition(lambda self: self.position.open)
    @rule()
    def goes_back(self) -> None:
        behind, screen = self.position.path, FLOW.screens[self.position.screen]
        self.send("0", {})
        if not (isinstance(screen, Ask) and screen.zero):
            assert (
                (self.position.screen, self.position.answers) == behind[-1]
                if behind
                else self.position.screen == "home"
            )

    @rule(other=TOKENS)
    def an_unrelated_transcript_comes(self, other: str) -> None:
        turn = engine.turn(FLOW, self.position, self.opening, f"{self.text}7")
        if self.position.count:
            assert (turn.position, turn.effect, turn.screen_text.open) == (self.position, None, False)

    @rule()
    def an_older_hop_comes_late(self) -> None:
        for text, screen_text in self.shown.items():
            turn = engine.turn(FLOW, self.position, self.opening, text)
            assert (turn.position, turn.screen_text, turn.effect) == (self.position, screen_text, None)

    @precondition(lambda self: self.position.open)
    @rule()
    def the_line_drops(self) -> None:
        """The next session offers to go on at the same screen; after an act it offers nothing."""
        left, draft = self.position, engine.draft_of(FLOW, self.position)
        assert draft is None or (draft["screen"] in DRAFT_SCREENS and "outcome" not in draft["answers"])
        self.dial("", "", json.loads(json.dumps(draft)))
        if self.position.screen == "resume":
            self.send("1", {})
            assert self.position.screen == left.screen
            answers = {name: answer for name, answer in left.answers.items() if name != "outcome"}
            assert self.position.answers == answers

    @invariant()
    def the_cache_may_be_lost_at_any_time(self) -> None:
        if hasattr(self, "position"):
            again = engine.turn(FLOW, None, self.opening, self.text, self.records)
            assert again.effect is None
            assert again.position == replace(self.position, outcomes=self.records)

    @invariant()
    def every_reply_fits_and_survives_json(self) -> None:
        if hasattr(self, "position"):
            assert 4 + gsm7.septets(self.position.shown) <= 160
            assert self.position.shown
            assert (
                DialoguePosition.from_json(json.loads(json.dumps(self.position.as_json()))) == self.position
            )

    @invariant()
    def the_same_turn_again_changes_nothing(self) -> None:
        if hasattr(self, "position"):
            turn = engine.turn(FLOW, self.position, self.opening, self.text)
            assert (turn.position, turn.screen_text, turn.effect) == (
                self.position,
                self.position.screen_text,
                None,
            )


Sessions.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
TestSessions = Sessions.TestCase
