"""Questions about the database itself: it refuses and hides what the migrations made it refuse and hide.

`schema.json` holds what a freshly migrated database says. `make schema` writes it after a new migration.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from mutuelle.verification import schema_state
from mutuelle.verification.question import Find, Question

EXPECTED = Path(__file__).parent / "schema.json"


@cache
def expected() -> dict[str, Any]:
    """Returns what the migrations make: `version`, and the sections of `schema_state`."""
    content: dict[str, Any] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return content


def capture(session: Session) -> str:
    """Returns the text of `schema.json` for the database of this transaction, freshly migrated."""
    state: dict[str, Any] = {"version": schema_state.version(session)}
    for section in schema_state.SECTIONS:
        state[section] = schema_state.read_section(session, section, [])
    return json.dumps(state, indent=1, ensure_ascii=False) + "\n"


def differences(made: Mapping[str, str], stored: Mapping[str, str]) -> Iterator[str]:
    """Yields each object in which `stored` is not what the migrations `made`. Pure."""
    for name in sorted({*made, *stored}):
        if name not in stored:
            yield f"{name}: is gone"
        elif name not in made:
            yield f"{name}: no migration made it"
        elif made[name] != stored[name]:
            yield f"{name}: is not as the migrations made it"


def _version(session: Session) -> Iterator[str]:
    current, newest = schema_state.version(session), expected()["version"]
    if current != newest:
        at = current or "an earlier version"
        yield f"the database is at {at}, the code expects {newest}: run `mutuelle release`"


def _section(section: str) -> Find:
    def find(session: Session) -> Iterator[str]:
        tables = sorted(expected()["row security"])
        return differences(expected()[section], schema_state.read_section(session, section, tables))

    return find


QUESTIONS: tuple[Question, ...] = (
    Question("schema-version", "I8", "The database is at the version of this code.", _version, decisive=True),
    Question(
        "schema-columns",
        "I8",
        "Every table has the columns that the migrations made, and no other.",
        _section("columns"),
        decisive=True,
    ),
    Question(
        "schema-constraints",
        "I8",
        "Every primary, unique, foreign and check constraint is as the migrations made it.",
        _section("constraints"),
    ),
    Question("schema-indexes", "I2", "Every unique index is as the migrations made it.", _section("indexes")),
    Question(
        "schema-triggers",
        "I8",
        "Every trigger is awake and as the migrations made it, and no other rewrites our rows.",
        _section("triggers"),
    ),
    Question(
        "schema-functions",
        "I8",
        "Every function has the body and the rights that the migrations gave it.",
        _section("functions"),
    ),
    Question("schema-views", "I8", "Every view shows what the migrations made it show.", _section("views")),
    Question("schema-row-security", "I7", "Every table hides its rows.", _section("row security")),
    Question(
        "schema-policies",
        "I7",
        "Every policy shows the rows that the migrations made it show.",
        _section("policies"),
    ),
    Question(
        "schema-grants",
        "I8",
        "No role may do more with a table or function than the migrations granted.",
        _section("grants"),
    ),
    Question(
        "schema-owners", "I8", "Tables and functions have the owner that made them.", _section("owners")
    ),
    Question(
        "schema-roles",
        "I7",
        "Our roles cannot log in, bypass a policy or take another role.",
        _section("roles"),
    ),
    Question(
        "schema-settings",
        "I8",
        "No setting of the database or of a role puts triggers or policies aside.",
        _section("settings"),
    ),
)
