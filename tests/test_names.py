"""The dictionary of names, and the length of files.

A class is a noun and stands in one module, a variable says what it holds.

The tests read the syntax trees of the product. Names of functions and variables are held in `tests/` too.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = ("config", "gateway", "menus", "mutuelle", "workers")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def trees(*folders: str) -> dict[str, ast.Module]:
    """Returns the syntax tree of each module, by its path. Migrations are left out."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
        if "migrations" not in path.parts
    }


TREES = trees(*PRODUCT)
WITH_TESTS = TREES | trees("tests")


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
# words that hide who does what in the name of a function
RIDDLES = words(
    """
    told tells said heard hears lived whoever whatever somebody nobody everybody anybody
    """
)
FILE_LINES = 350  # a file may rather grow a little than fill its lines
SHORT = 5  # lines: in a function that small a reader sees at once what a name holds


def test_no_file_is_too_long_to_read():
    every_path = (
        path for folder in (*PRODUCT, "proving", "sandbox", "tests") for path in (ROOT / folder).rglob("*.py")
    )
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in every_path}
    assert len(lengths) > len(TREES)
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


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


def test_the_product_is_read():
    assert len(TREES) > 200
    assert len(WITH_TESTS) > len(TREES) + 150


def test_a_class_is_a_noun():
    offenders = {
        f"{path}: {node.name}" for path, node in classes() if not is_exception(node) and is_no_noun(node.name)
    }
    assert offenders == set()


def test_a_class_name_stands_in_one_place():
    places = defaultdict(list)
    for path, node in classes():
        places[node.name].append(f"{path}:{node.lineno}")
    assert {name: lines for name, lines in places.items() if len(lines) > 1} == {}


def bound_names(node: ast.AST) -> set[str]:
    """Returns parameters, variables and assigned attributes."""
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.arg):
            names.add(part.arg)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
            names.add(part.attr)
        elif isinstance(part, ast.ExceptHandler | ast.MatchAs) and part.name:
            names.add(part.name)
    return names


def names_to_judge(tree: ast.Module) -> set[str]:
    """Returns the names bound in long functions, lambdas, classes and the module.

    The fields of a table row are left out: they are its columns.
    """
    names = set()
    for statement in tree.body:
        if not isinstance(statement, Function | ast.ClassDef):
            names |= bound_names(statement)
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.end_lineno - node.lineno + 1 > SHORT:
            names |= bound_names(node)
        elif isinstance(node, ast.Lambda):
            names |= bound_names(node.args)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.ClassDef) and "Row" not in {ast.unparse(base) for base in node.bases}:
            fields = [field for field in node.body if isinstance(field, ast.AnnAssign | ast.Assign)]
            names = names.union(*(bound_names(field) for field in fields))
    return names


@pytest.mark.parametrize("path", WITH_TESTS)
def test_a_variable_says_what_it_holds(path: str):
    assert names_to_judge(WITH_TESTS[path]) & BANNED == set()


@pytest.mark.parametrize("path", WITH_TESTS)
def test_a_function_has_no_riddle_for_a_name(path: str):
    functions = {node.name for node in ast.walk(WITH_TESTS[path]) if isinstance(node, Function)}
    assert {name for name in functions if set(name.split("_")) & RIDDLES} == set()
