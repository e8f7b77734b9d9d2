"""Yields the small faults of one statement or one expression of Python."""

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from proving.mutants.source import Edit, SourceText

# Names of keyword arguments that a function can do without, by the name of the function.
Defaults = Mapping[str, Collection[str]]

_COMPARISONS = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: (r"is\s+not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: (r"not\s+in", ("in",)),
}
_ARITHMETIC = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
}
_OTHER_FUNCTION = {"min": "max", "max": "min", "any": "all", "all": "any"}
_OTHER_METHOD = {
    "asc": "desc",
    "desc": "asc",
    "is_": "is_not",
    "is_not": "is_",
    "min": "max",
    "max": "min",
    "startswith": "endswith",
    "endswith": "startswith",
}
_METHODS_TO_DROP = {
    "with_for_update", "order_by", "distinct", "limit", "strip", "lower", "upper", "casefold", "zfill",
    "rjust", "ljust", "removeprefix", "removesuffix",
}  # fmt: skip
_CONTAINERS = (ast.List, ast.ListComp, ast.Tuple, ast.JoinedStr)


def called_name(call: ast.Call) -> str:
    """Returns the last part of the name of what is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def statement_edits(source: SourceText, node: ast.stmt) -> Iterator[Edit]:
    """Yields: a call, a change of an attribute, an early end dropped; a condition turned round or fixed."""
    start, end = source.span(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield Edit("call-dropped", start, end, "pass")
    elif isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    ):
        yield Edit("change-dropped", start, end, "pass")
    elif isinstance(node, ast.Raise | ast.Continue | ast.Break) or (
        isinstance(node, ast.Return) and node.value is None
    ):
        yield Edit("end-dropped", start, end, "pass")
    if isinstance(node, ast.AugAssign) and type(node.op) in (ast.Add, ast.Sub):
        mark, other = _ARITHMETIC[type(node.op)]
        at = source.text.index(f"{mark}=", source.span(node.target)[1])
        yield Edit(f"sign.{other}", at, at + 1, other)
    if isinstance(node, ast.If):
        first, last = source.span(node.test)
        yield Edit("if-inverted", first, last, f"not ({source.of(node.test)})")
        yield Edit("if-never", first, last, "False")
        yield Edit("if-always", first, last, "True")


def expression_edits(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """Yields the faults of an expression, but not those of its parts."""
    if type(node) in _EDITS:
        yield from _EDITS[type(node)](source, node)


def _compare_edits(source: SourceText, node: ast.Compare) -> Iterator[Edit]:
    lefts = [node.left, *node.comparators]
    for operator, left, right in zip(node.ops, lefts, node.comparators, strict=False):
        pattern, others = _COMPARISONS[type(operator)]
        at = _between(source, left, right, pattern)
        for other in others:
            if at:
                yield Edit(f"compare.{other.replace(' ', '-')}", *at, other)


def _arithmetic_edits(source: SourceText, node: ast.BinOp) -> Iterator[Edit]:
    mark, other = _ARITHMETIC.get(type(node.op), ("", ""))
    at = _between(source, node.left, node.right, re.escape(mark))
    if mark and at and not any(_is_text_or_list(side) for side in (node.left, node.right)):
        yield Edit(f"sign.{other}", *at, other)


def _unary_edits(source: SourceText, node: ast.UnaryOp) -> Iterator[Edit]:
    kind = {ast.Not: "not-dropped", ast.USub: "minus-dropped"}.get(type(node.op))
    if kind is None or isinstance(node.operand, ast.Constant):
        return
    (start, end), first = source.span(node), source.span(node.operand)[0]
    opened = "(" if source.text[first - 1] == "(" else ""
    yield Edit(kind, start, end, opened + source.text[first:end])


def _choice_edits(source: SourceText, node: ast.IfExp) -> Iterator[Edit]:
    yield Edit("if-inverted", *source.span(node.test), f"not ({source.of(node.test)})")


def _filter_edits(source: SourceText, node: ast.comprehension) -> Iterator[Edit]:
    for condition in node.ifs:
        yield Edit("filter-dropped", *source.span(condition), "True")


def _constant_edits(source: SourceText, node: ast.Constant) -> Iterator[Edit]:
    if isinstance(node.value, bool):
        yield Edit("truth", *source.span(node), str(not node.value))
    elif isinstance(node.value, int):
        yield Edit("number.+1", *source.span(node), str(node.value + 1))
        if node.value > 0:
            yield Edit("number.-1", *source.span(node), str(node.value - 1))


def _boolean_edits(source: SourceText, node: ast.BoolOp) -> Iterator[Edit]:
    mark, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in zip(node.values, node.values[1:], strict=False):
        at = _between(source, left, right, rf"\b{mark}\b")
        if at:
            yield Edit(f"boolean.{other}", *at, other)
    for value in node.values:
        neutral = "True" if mark == "and" else "None" if value is node.values[-1] else "False"
        yield Edit("condition-dropped", *source.span(value), neutral)


def _subscript_edits(source: SourceText, node: ast.Subscript) -> Iterator[Edit]:
    """Yields the last item for the first, and the first for the last."""
    index = source.of(node.slice)
    if index in ("0", "-1"):
        yield Edit("end-swapped", *source.span(node.slice), "-1" if index == "0" else "0")


def _call_edits(source: SourceText, node: ast.Call) -> Iterator[Edit]:
    name, function = called_name(node), source.span(node.func)
    if isinstance(node.func, ast.Attribute):
        yield from _method_edits(source, node, name)
    elif name in _OTHER_FUNCTION:
        yield Edit(f"function.{_OTHER_FUNCTION[name]}", *function, _OTHER_FUNCTION[name])
    elif name in ("sorted", "reversed") and node.args:
        turned = f"list(reversed({source.of(node)}))" if name == "sorted" else source.of(node.args[0])
        yield Edit("order-reversed", *source.span(node), turned)


def _method_edits(source: SourceText, node: ast.Call, name: str) -> Iterator[Edit]:
    end = source.span(node.func)[1]
    start = end - len(name)
    if name in _OTHER_METHOD:
        yield Edit(f"function.{_OTHER_METHOD[name]}", start, end, _OTHER_METHOD[name])
    if name in _METHODS_TO_DROP:
        yield Edit("method-dropped", source.text.rindex(".", 0, start), source.span(node)[1], "")
    for argument in node.args:
        # Ids are random: as a later term they only make the order the same each time.
        is_last_resort = argument is not node.args[0] and source.of(argument).endswith(".id")
        if name == "order_by" and isinstance(argument, ast.Attribute) and not is_last_resort:
            yield Edit("order-reversed", *source.span(argument), f"{source.of(argument)}.desc()")
        if name in ("where", "filter") and not isinstance(argument, ast.Starred):
            yield Edit("condition-dropped", *source.span(argument), "True")


def keyword_edits(source: SourceText, node: ast.Call, defaults: Defaults) -> Iterator[Edit]:
    """Yields: an argument dropped that has a default; the values of two neighbours swapped."""
    start = source.span(node.func)[1]
    optional = defaults.get(called_name(node), ())
    for keyword in (word for word in node.keywords if word.arg in optional and word.arg):
        first, end = source.span(keyword.value)
        begin = source.text.rindex(keyword.arg or "", start, first)
        before = re.search(r",\s*$", source.text[start:begin])
        after = re.match(r"\s*,", source.text[end:])
        if before:
            begin = start + before.start()
        elif after:
            end += after.end()
        yield Edit("argument-dropped", begin, end, "")
    for keyword, other in zip(node.keywords, node.keywords[1:], strict=False):
        if keyword.arg and other.arg and _are_alike(keyword.value, other.value):
            (first, end), (begin, last) = source.span(keyword.value), source.span(other.value)
            swapped = source.text[begin:last] + source.text[end:begin] + source.text[first:end]
            yield Edit("values-swapped", first, last, swapped)


def _are_alike(value: ast.expr, other: ast.expr) -> bool:
    """Whether both are variables, or attributes of one variable."""
    if isinstance(value, ast.Attribute) and isinstance(other, ast.Attribute):
        return ast.dump(value.value) == ast.dump(other.value)
    return isinstance(value, ast.Name) and isinstance(other, ast.Name)


def _between(source: SourceText, left: ast.expr, right: ast.expr, pattern: str) -> tuple[int, int] | None:
    """Returns where an operator stands between its operands; nothing if a comment stands there, too."""
    start, end = source.span(left)[1], source.span(right)[0]
    gap = source.text[start:end]
    match = re.search(pattern, gap)
    return (start + match.start(), start + match.end()) if match and "#" not in gap else None


def _is_text_or_list(node: ast.expr) -> bool:
    constant = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    return constant or isinstance(node, _CONTAINERS)


_EDITS: dict[type[ast.AST], Callable[[SourceText, Any], Iterator[Edit]]] = {
    ast.Compare: _compare_edits,
    ast.BinOp: _arithmetic_edits,
    ast.UnaryOp: _unary_edits,
    ast.BoolOp: _boolean_edits,
    ast.IfExp: _choice_edits,
    ast.comprehension: _filter_edits,
    ast.Constant: _constant_edits,
    ast.Subscript: _subscript_edits,
    ast.Call: _call_edits,
}
