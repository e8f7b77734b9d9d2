"""The rules of a turn, on a small dialogue that goes on after its Confirm and so can act more than once."""

import pytest

from menus import engine, graph_checks, texts
from menus.flow import FLOW
from menus.graph_checks import BrokenFlow, Flow
from menus.position import DialoguePosition, Effect, Turn
from menus.screens import (
    Ask,
    Confirm,
    Dialogue,
    EffectRequest,
    End,
    Goto,
    Menu,
    MenuOption,
    Screen,
    ScreenView,
)
from mutuelle.errors import Refused
from tests.menus.world import facts

TEXT_IDS = ("home", "sure", "more", "gone", "refused", "item", "a", "b", "c")


def never(session: object, request: EffectRequest) -> dict[str, object]:
    raise AssertionError("the engine acted")


def small(typed: str, view: ScreenView) -> int:
    if typed != "7":
        raise Refused("error.invalid")
    return 7


SCREENS: tuple[Screen, ...] = (
    Menu(
        "home",
        "home",
        (MenuOption("a", "sure"), MenuOption("b", "item", show=lambda view: False), MenuOption("c", "item")),
    ),
    Ask("item", "item", small, "item", "sure", errors=("error.invalid",)),
    Confirm("sure", "sure", never, yes="more", no="gone"),
    Menu("more", "more", (MenuOption("a", "sure"), MenuOption("c", "home"))),
    End("gone", "gone"),
    End("refused", "refused"),
)
CATALOGUE = {
    **{text_id: text_id for text_id in TEXT_IDS},
    **{text_id: texts.CATALOGUES["en"][text_id] for text_id in (*graph_checks.ENGINE_TEXTS, "yes", "no")},
}


def shop(*screens: Screen) -> Flow:
    return graph_checks.flow("home", (Dialogue(screens or SCREENS),), catalogues={"en": CATALOGUE})


SHOP = shop()
OPENING = facts("SN-CMU", "en")


class Phone:
    """A phone at a cumulative gateway, with the cache and the effects table."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, object]] = {}
        self.text = ""
        self.turn = engine.turn(SHOP, None, OPENING, "")

    def types(self, typed: str) -> DialoguePosition:
        self.text = f"{self.text}*{typed}" if self.text else typed
        self.turn = engine.turn(SHOP, self.turn.position, OPENING, self.text)
        effect = self.turn.effect
        if effect:
            assert effect.key not in self.records
            self.records[effect.key] = effect.record({"bought": len(self.records)})
            record = self.records[effect.key]
            position = engine.apply_outcome(SHOP, self.turn.position, OPENING, effect, record)
            self.turn = Turn(position, position.screen_text)
        assert self.replay == self.turn.position
        return self.turn.position

    @property
    def replay(self) -> DialoguePosition:
        return engine.turn(SHOP, None, OPENING, self.text, self.records).position


def test_the_same_confirm_may_act_again_under_its_next_ordinal():
    phone = Phone()
    for typed in "1111":
        phone.types(typed)
    assert list(phone.records) == ["sure#0", "sure#1"]
    assert phone.turn.position.screen == "more"


def test_a_yes_among_others_is_passed_over_and_replay_knows_which_yes_counted():
    phone = Phone()
    assert phone.types("1*1").screen == "sure"
    assert (phone.records, phone.turn.skipped_yes) == ({}, True)
    assert phone.types("1").screen == "more"
    assert phone.records["sure#0"]["at"] == 3
    assert phone.types("1").screen == "sure"


def test_going_back_never_crosses_a_confirm_that_acted():
    phone = Phone()
    for typed in ("3", "7", "1"):
        phone.types(typed)
    assert phone.turn.position.path == ()
    assert phone.types("0").screen == "home"


def test_a_hidden_option_keeps_its_digit_free():
    assert Phone().types("2").shown.splitlines() == ["Invalid answer.", "home", "1. a", "3. c"]


def test_input_after_the_end_of_a_session_is_ignored():
    phone = Phone()
    phone.types("1")
    closed = phone.types("2")
    assert (closed.screen, closed.open) == ("gone", False)
    turn = engine.turn(SHOP, closed, OPENING, "1*2*1")
    assert (turn.position, turn.screen_text) == (closed, closed.screen_text)


@pytest.mark.parametrize("other", ["12", "2", "1*21", "3*1"])
def test_a_diverging_transcript_ends_politely_and_changes_nothing(other):
    phone = Phone()
    phone.types("1")
    phone.types("0")
    turn = engine.turn(SHOP, phone.turn.position, OPENING, other)
    assert (turn.position, turn.screen_text.open, turn.effect) == (phone.turn.position, False, None)
    assert turn.screen_text.text.startswith("Sorry")


def test_one_leading_star_is_tolerated():
    phone = Phone()
    assert engine.turn(SHOP, phone.turn.position, OPENING, "*1") == engine.turn(
        SHOP, phone.turn.position, OPENING, "1"
    )


def test_an_incremental_gateway_advances_one_version_per_input():
    position = engine.turn(SHOP, None, OPENING, "").position
    versions = [position.version]
    for typed in ("3", "8", "7"):
        position = engine.advance(SHOP, position, OPENING, typed).position
        versions.append(position.version)
    assert versions == [0, 1, 2, 3]
    assert position.screen == "sure"
    effect = engine.advance(SHOP, position, OPENING, "1").effect
    assert effect == Effect("sure", 0, 4)


def test_a_draft_of_another_version_or_senseless_is_not_offered():
    draft = {"flow": FLOW.version, "screen": "join.adults", "answers": {"category": "general"}, "path": []}
    assert engine.turn(FLOW, None, facts(draft=draft), "").position.screen == "resume"
    assert engine.turn(FLOW, None, facts(draft={**draft, "flow": "older"}), "").position.screen == "home"
    assert (
        engine.turn(FLOW, None, facts(draft={**draft, "answers": {"category": "gone"}}), "").position.screen
        == "home"
    )
    assert engine.turn(FLOW, None, facts(who="new", draft=draft), "").position.screen == "home"
    assert engine.turn(FLOW, None, facts(draft=draft, shortcut="2"), "").position.screen == "pay.none"


@pytest.mark.parametrize(
    ("screen", "problem"),
    [
        (Menu("home", "home", (MenuOption("a", "nowhere"),)), "leads to nowhere"),
        (Menu("home", "home", (MenuOption("a", "home"),)), "home: no way out"),
        (Menu("home", "home", tuple(MenuOption("a", "gone") for _ in range(6))), "more than 5 options"),
        (Menu("home", "unsaid", (MenuOption("a", "gone"),)), "no words for unsaid"),
        (
            Menu("home", "home", (MenuOption("a", Goto(("gone", "lost"), lambda view: "gone")),)),
            "leads to lost",
        ),
    ],
)
def test_a_dialogue_that_is_broken_cannot_be_loaded(screen, problem):
    with pytest.raises(BrokenFlow, match=problem):
        shop(screen, End("gone", "gone"))


def test_orphans_and_double_names_cannot_be_loaded():
    with pytest.raises(BrokenFlow, match="gone: defined twice"):
        shop(*SCREENS, End("gone", "gone"))
    with pytest.raises(BrokenFlow, match="alone: nothing leads there"):
        shop(*SCREENS, End("alone", "gone"))


def test_the_version_follows_the_graph():
    longer = (Menu("home", "home", (MenuOption("a", "sure"), MenuOption("c", "item"))), *SCREENS[1:])
    assert shop().version == SHOP.version != shop(*longer).version
