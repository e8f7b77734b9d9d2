"""The conversations in tests/transcripts, word for word.

A file begins with its story (`#`), then `name: value` lines of who dials (`scheme`, `language`, `who`,
`operators`, `shortcut`, `draft`, `outcome`: what the Confirm brings back), then what is heard (`<`) and typed
(`>`).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from menus import engine
from menus.flow import FLOW
from tests.menus.world import facts

FILES = sorted((Path(__file__).parents[1] / "transcripts").glob("*.txt"))


def header(lines: list[str]) -> dict[str, Any]:
    told = dict(line.split(": ", 1) for line in lines if ": " in line and line[0] not in "#<>")
    for name in ("draft", "outcome"):
        if name in told:
            told[name] = json.loads(told[name])
    if "draft" in told:
        told["draft"] = {"flow": FLOW.version, "path": [], **told["draft"]}
    if "operators" in told:
        told["operators"] = tuple(told["operators"].split())
    return told


def spoken(said: engine.ScreenText) -> list[str]:
    return [f"< {line}".rstrip() for line in f"{'CON' if said.open else 'END'} {said.text}".split("\n")]


def replayed(lines: list[str]) -> list[str]:
    """The whole file as it would be written now."""
    told = header(lines)
    outcome = told.pop("outcome", {})
    opening = facts(**told)
    turn = engine.turn(FLOW, None, opening, "")
    written = [line for line in lines if not line.startswith(("<", ">"))] + spoken(turn.said)
    text = ""
    for typed in (line[1:].strip() for line in lines if line.startswith(">")):
        text = f"{text}*{typed}" if text else typed
        turn = engine.turn(FLOW, turn.heard, opening, text)
        if turn.effect:
            heard = engine.settle(FLOW, turn.heard, opening, turn.effect, turn.effect.record(outcome))
            turn = engine.Turn(heard, heard.said)
        written += [f"> {typed}".rstrip(), *spoken(turn.said)]
    return written


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_conversation_goes_as_written(file: Path):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert replayed(lines) == lines


def test_there_are_conversations_in_both_languages_for_all_schemes():
    told = [header(file.read_text(encoding="utf-8").splitlines()) for file in FILES]
    both = {(one["scheme"], one["language"]) for one in told}
    assert both == {
        (scheme, language) for scheme in ("SN-CMU", "RW-CBHI", "ML-5050") for language in ("fr", "en")
    }
