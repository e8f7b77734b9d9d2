"""Plays the conversations in tests/transcripts, word for word.

A file begins with its story (`#`), then `name: value` lines about the caller (`scheme`, `language`, `who`,
`operators`, `shortcut`, `draft`, `outcome`: what the Confirm records), then the screens (`<`) and the input
(`>`).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from menus import engine
from menus.flow import FLOW
from menus.position import ScreenText, Turn
from tests.menus.world import facts

FILES = sorted((Path(__file__).parents[1] / "transcripts").glob("*.txt"))


def header(lines: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = dict(
        line.split(": ", 1) for line in lines if ": " in line and line[0] not in "#<>"
    )
    for name in ("draft", "outcome"):
        if name in values:
            values[name] = json.loads(values[name])
    if "draft" in values:
        values["draft"] = {"flow": FLOW.version, "path": [], **values["draft"]}
    if "operators" in values:
        values["operators"] = tuple(values["operators"].split())
    return values


def screen_lines(screen: ScreenText) -> list[str]:
    return [f"< {line}".rstrip() for line in f"{'CON' if screen.open else 'END'} {screen.text}".split("\n")]


def replay(lines: list[str]) -> list[str]:
    """Returns the whole file as the product would write it now."""
    values = header(lines)
    outcome = values.pop("outcome", {})
    opening = facts(**values)
    turn = engine.turn(FLOW, None, opening, "")
    output = [line for line in lines if not line.startswith(("<", ">"))] + screen_lines(turn.screen_text)
    text = ""
    for typed in (line[1:].strip() for line in lines if line.startswith(">")):
        text = f"{text}*{typed}" if text else typed
        turn = engine.turn(FLOW, turn.position, opening, text)
        if turn.effect:
            record = turn.effect.record(outcome)
            position = engine.apply_outcome(FLOW, turn.position, opening, turn.effect, record)
            turn = Turn(position, position.screen_text)
        output += [f"> {typed}".rstrip(), *screen_lines(turn.screen_text)]
    return output


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_conversation_goes_as_written(file: Path):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert replay(lines) == lines


def test_there_are_conversations_in_both_languages_for_all_schemes():
    headers = [header(file.read_text(encoding="utf-8").splitlines()) for file in FILES]
    pairs = {(header["scheme"], header["language"]) for header in headers}
    assert pairs == {
        (scheme, language) for scheme in ("SN-CMU", "RW-CBHI", "ML-5050") for language in ("fr", "en")
    }
