"""A row that is locked is read anew: the session may hold it as it was before the lock was given."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("gateway", "menus", "mutuelle", "workers")


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yields every function of the product under its file and name."""
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    yield f"{path.relative_to(ROOT)}:{node.name}", node


def calls(function: ast.FunctionDef, name: str) -> list[ast.Call]:
    """Returns the calls of `name` or `something.name` in a function."""
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and name == (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""))
    ]


def with_keyword(function: ast.FunctionDef, name: str) -> list[ast.Call]:
    """Returns the calls that pass the keyword `name`, but for `session.refresh`, which always reads anew."""
    refreshing = calls(function, "refresh")
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and node not in refreshing
        and any(keyword.arg == name for keyword in node.keywords)
    ]


def locks_of(function: ast.FunctionDef) -> int:
    return len(calls(function, "with_for_update")) + len(with_keyword(function, "with_for_update"))


def selects_columns_only(function: ast.FunctionDef) -> bool:
    """Whether no query of a function loads an object, which the session might hold already."""
    arguments = [argument for call in calls(function, "select") for argument in call.args]
    return bool(arguments) and all(isinstance(argument, ast.Attribute) for argument in arguments)


def test_a_row_that_is_locked_is_read_anew() -> None:
    locking = {name: function for name, function in functions() if locks_of(function)}
    stale = [
        name
        for name, function in locking.items()
        if locks_of(function) > len(with_keyword(function, "populate_existing"))
        and not selects_columns_only(function)
    ]
    assert stale == []
    assert len(locking) > 10, "the search finds the locks"
