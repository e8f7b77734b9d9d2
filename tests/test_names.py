"""The dictionary of names: a class is a noun and stands in one module, a variable says what it holds.

The tests read the syntax trees of the product. `EXCEPTIONS` holds offenders that are not renamed yet; it may
only shrink.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = ("config", "gateway", "menus", "mutuelle", "workers")
FILES = [
    path
    for folder in PRODUCT
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]
TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text))


IRREGULAR = words(
    """
    asked been begun bought done due found given gone had heard held kept known left made meant met
    owed paid put read said seen sent shown sold spoken taken thought told understood won written
    """
)
ADVERBS = words(
    """
    again ahead already before early elsewhere here meanwhile never once over soon there together
    """
)
NOUNS_IN_ING = {"AfricasTalking", "Mapping", "Opening", "Posting", "Reading", "Talking"}
BANNED = words(
    """
    told said one found mine asked here heard kept known given taken wanted spoken seen whom whose
    somebody noted listed reached written agreed
    """
)
SHORT = 5  # lines: in a function that small a reader sees at once what a name holds
EXCEPTIONS: dict[str, set[str]] = {}


def is_no_noun(name: str) -> bool:
    """Whether the last word of a class name is a participle or an adverb."""
    word = re.findall(r"[A-Z][a-z0-9]*", name)[-1]
    participle = word.endswith("ed") or (word.endswith("ing") and word not in NOUNS_IN_ING)
    return participle or word.lower() in IRREGULAR | ADVERBS


def is_exception(node: ast.ClassDef) -> bool:
    """Errors may be adjectives, such as Refused or Malformed: they are read after `except`."""
    bases = {ast.unparse(base) for base in node.bases}
    return any(base.endswith(("Error", "Exception", "Unavailable", "Refused", "Conflict")) for base in bases)


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                yield path, node


def test_a_class_is_a_noun():
    offenders = {
        f"{path}: {node.name}" for path, node in classes() if not is_exception(node) and is_no_noun(node.name)
    }
    assert offenders == set()


def test_a_class_name_stands_in_one_module():
    places = defaultdict(set)
    for path, node in classes():
        places[node.name].add(path)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def bound_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Parameters and variables of a function."""
    names = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    names |= {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    names |= {
        node.name
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler | ast.MatchAs) and node.name
    }
    return names


@pytest.mark.parametrize("path", TREES)
def test_a_variable_says_what_it_holds(path: str):
    offenders = set()
    for node in ast.walk(TREES[path]):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.end_lineno - node.lineno + 1 > SHORT
        ):
            offenders |= bound_names(node) & BANNED
        if isinstance(node, ast.ClassDef):
            fields = {field.target.id for field in node.body if isinstance(field, ast.AnnAssign)}
            offenders |= (
                (fields & BANNED) if "Row" not in {ast.unparse(base) for base in node.bases} else set()
            )
    assert offenders <= EXCEPTIONS.get(path, set())


def test_the_list_of_exceptions_only_shrinks():
    assert EXCEPTIONS == {}
