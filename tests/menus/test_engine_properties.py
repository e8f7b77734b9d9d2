"""Whatever is typed, repeated, lost or dropped: a session and its replay stand at the same place, and nothing
acts twice."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from menus import engine
from menus.engine import DialoguePosition, Turn
from menus.flow import FLOW
from menus.resume import DRAFTED
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
    """One phone that dials again and again, against a gateway, a cache and records that we play here."""

    @initialize(
        scheme=st.sampled_from(["SN-CMU", "RW-CBHI", "ML-5050"]),
        language=st.sampled_from(["fr", "en", "xx"]),
        who=st.sampled_from([*sorted(HOUSEHOLDS), *["stranger"] * 6]),
        operators=st.sampled_from([("wave",), ("mtn", "orange", "moov"), ("unheard-of",), ()]),
    )
    def meet(self, scheme: str, language: str, who: str, operators: tuple[str, ...]) -> None:
        self.person = facts(scheme, language, who, operators=operators)
        self.dial("", "", None)

    def dial(self, shortcut: str, spoken: str, draft: dict[str, Any] | None) -> None:
        self.opening = replace(self.person, shortcut=shortcut, spoken=spoken, draft=draft)
        self.text, self.records, self.done, self.shown = spoken, {}, [], {}
        self.take(engine.turn(FLOW, None, self.opening, spoken))

    def take(self, turn: Turn) -> None:
        assert turn.effect is None
        self.heard: DialoguePosition = turn.heard
        self.shown[self.text] = turn.said

    @rule(shortcut=st.lists(TOKENS, max_size=9).map("*".join), told_apart=st.booleans())
    def dials_with_a_shortcut(self, shortcut: str, told_apart: bool) -> None:
        self.dial(shortcut if told_apart else "", "" if told_apart else shortcut, None)

    @precondition(lambda self: not self.heard.open)
    @rule()
    def dials_again(self) -> None:
        self.dial("", "", None)

    @precondition(lambda self: self.heard.open)
    @rule(token=TOKENS, outcome=OUTCOMES)
    def types(self, token: str, outcome: dict[str, Any]) -> None:
        self.hop(token, outcome)

    @precondition(lambda self: self.heard.open)
    @rule(outcome=OUTCOMES, choice=st.integers(1, 3))
    def types_what_is_asked(self, outcome: dict[str, Any], choice: int) -> None:
        """Something the present screen is likely to accept, so that the deep screens are reached too."""
        adults, children = self.heard.answers.get("adults", 1), self.heard.answers.get("children", 0)
        asked = {"join.born": "85" * adults + "15" * children, "pay.amount": str(6000 - 1000 * choice)}
        token = asked.get(self.heard.screen, str(choice))
        self.hop(token, outcome)

    @precondition(lambda self: self.heard.screen == "home")
    @rule(
        way=st.sampled_from(
            ["2*1", "2*2*5000", "4*4", "4*1*2", "3*1*1*1*0*85", "3*1*1*0*85", "3*1*2*1*1*85*15*1"]
        )
    )
    def walks_towards_a_confirm(self, way: str) -> None:
        for token in way.split("*"):
            if self.heard.open and not isinstance(FLOW.screens[self.heard.screen], Confirm):
                self.hop(token, {})

    @precondition(lambda self: isinstance(FLOW.screens[self.heard.screen], Confirm))
    @rule(tokens=st.lists(st.sampled_from(["1", "1", "2", "0", "7"]), min_size=2, max_size=4))
    def answers_a_confirm_with_many(self, tokens: list[str]) -> None:
        before = len(self.done)
        self.hop("*".join(tokens), {})
        assert len(self.done) == before

    @precondition(lambda self: isinstance(FLOW.screens[self.heard.screen], Confirm))
    @rule(outcome=OUTCOMES)
    def says_yes(self, outcome: dict[str, Any]) -> None:
        before = len(self.done)
        self.hop("1", outcome)
        assert len(self.done) == before + 1

    @precondition(lambda self: self.heard.open)
    @rule(tokens=st.lists(TOKENS, min_size=2, max_size=6))
    def types_many_at_once(self, tokens: list[str]) -> None:
        before = len(self.done)
        self.hop("*".join(tokens), {})
        assert len(self.done) == before

    def hop(self, typed: str, outcome: dict[str, Any]) -> None:
        """One hop; with an effect, what the caller does: look it up, act once, record, settle."""
        empty_first = self.heard.count == 0 and typed in ("", "*")
        if empty_first:  # a cumulative gateway cannot say this: it is the first turn again
            return
        text = typed if self.heard.count == 0 else f"{self.text}*{typed}"
        if text.startswith("*") and self.heard.count == 0:
            text = "*" + text  # one leading star is tolerated, so this one must be doubled to be heard
        turn = engine.turn(FLOW, self.heard, self.opening, text)
        assert engine.turn(FLOW, self.heard, self.opening, text) == turn
        self.text = text
        if turn.effect is None:
            self.take(turn)
            return
        assert typed == "1"
        assert isinstance(FLOW.screens[self.heard.screen], Confirm)
        assert turn.effect.key not in self.records
        self.done.append(turn.effect.key)
        self.records[turn.effect.key] = turn.effect.record(outcome)
        heard = engine.settle(FLOW, turn.heard, self.opening, turn.effect, self.records[turn.effect.key])
        self.take(Turn(heard, heard.said))

    @precondition(lambda self: self.heard.open)
    @rule()
    def goes_home(self) -> None:
        self.hop("00", {})
        assert self.heard.screen == "home"

    @precondition(lambda self: self.heard.open)
    @rule()
    def goes_back(self) -> None:
        behind, screen = self.heard.path, FLOW.screens[self.heard.screen]
        self.hop("0", {})
        if not (isinstance(screen, Ask) and screen.zero):
            assert (
                (self.heard.screen, self.heard.answers) == behind[-1]
                if behind
                else self.heard.screen == "home"
            )

    @rule(other=TOKENS)
    def an_unrelated_transcript_comes(self, other: str) -> None:
        turn = engine.turn(FLOW, self.heard, self.opening, f"{self.text}7")
        if self.heard.count:
            assert (turn.heard, turn.effect, turn.said.open) == (self.heard, None, False)

    @rule()
    def an_older_hop_comes_late(self) -> None:
        for text, said in self.shown.items():
            turn = engine.turn(FLOW, self.heard, self.opening, text)
            assert (turn.heard, turn.said, turn.effect) == (self.heard, said, None)

    @precondition(lambda self: self.heard.open)
    @rule()
    def the_line_drops(self) -> None:
        """The next session offers to go on, and stands where this one stood; after a Confirm that acted it
        offers nothing."""
        left, draft = self.heard, engine.draft_of(FLOW, self.heard)
        assert draft is None or (draft["screen"] in DRAFTED and "outcome" not in draft["answers"])
        self.dial("", "", json.loads(json.dumps(draft)))
        if self.heard.screen == "resume":
            self.hop("1", {})
            assert self.heard.screen == left.screen
            assert self.heard.answers == {
                name: told for name, told in left.answers.items() if name != "outcome"
            }

    @invariant()
    def the_cache_may_be_lost_at_any_time(self) -> None:
        if hasattr(self, "heard"):
            again = engine.turn(FLOW, None, self.opening, self.text, self.records)
            assert again.effect is None
            assert again.heard == replace(self.heard, outcomes=self.records)

    @invariant()
    def every_reply_fits_and_survives_json(self) -> None:
        if hasattr(self, "heard"):
            assert 4 + gsm7.septets(self.heard.shown) <= 160
            assert self.heard.shown
            assert DialoguePosition.from_json(json.loads(json.dumps(self.heard.as_json()))) == self.heard

    @invariant()
    def the_same_turn_again_changes_nothing(self) -> None:
        if hasattr(self, "heard"):
            turn = engine.turn(FLOW, self.heard, self.opening, self.text)
            assert (turn.heard, turn.said, turn.effect) == (self.heard, self.heard.said, None)


Sessions.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
TestSessions = Sessions.TestCase
