"""A draft is offered while it makes sense: the same dialogue, no request under way, no more than owed."""

from dataclasses import replace
from typing import Any

import pytest

from menus.facts import Facts
from menus.flow import FLOW
from menus.resume import can_resume
from tests.menus.world import facts

PAYING = {"screen": "pay.confirm", "answers": {"amount": 5_000}, "path": []}
JOINING = {"screen": "join.born", "answers": {"category": "general"}, "path": []}


def opening(who: str, draft: dict[str, Any] | None, **more: Any) -> Facts:
    """Returns the facts of `who`, with a draft that this version of the dialogue wrote."""
    return replace(facts(who=who), draft=draft and {"flow": FLOW.version, **draft, **more})


@pytest.mark.parametrize(
    ("who", "draft", "offered"),
    [
        ("new", None, False),
        ("new", PAYING, True),
        ("new", {**PAYING, "answers": {"amount": 18_500}}, True),
        ("new", {**PAYING, "answers": {"amount": 18_501}}, False),
        ("new", {**PAYING, "answers": {}}, True),
        ("asked", PAYING, False),  # a request waits for the payer's approval
        ("open", {**PAYING, "answers": {}}, False),  # owes nothing
        ("stranger", PAYING, False),
        ("stranger", JOINING, True),
        ("new", JOINING, False),  # has joined since
        ("stranger", {**JOINING, "answers": {"category": "gone"}}, False),
        ("stranger", {**JOINING, "answers": {"option": "gone"}}, False),
        ("new", {**PAYING, "screen": "home"}, False),
    ],
)
def test_a_draft_is_offered_while_it_still_makes_sense(
    who: str, draft: dict[str, Any] | None, offered: bool
) -> None:
    assert can_resume(opening(who, draft)) is offered


def test_a_draft_of_another_version_of_the_dialogue_is_not_offered() -> None:
    assert not can_resume(opening("new", PAYING, flow="older"))
