"""Lists the small faults of a Python file from its syntax tree."""

import ast
from collections.abc import Collection, Iterator

from proving.mutants import sql_faults
from proving.mutants.python_edits import (
    Defaults,
    called_name,
    expression_edits,
    keyword_edits,
    statement_edits,
)
from proving.mutants.source import Edit, Fault, SourceText

Function = ast.FunctionDef | ast.AsyncFunctionDef

_KNOWN_DEFAULTS: Defaults = {
    "sorted": {"key", "reverse"},
    "min": {"key", "default"},
    "max": {"key", "default"},
    "with_for_update": {"skip_locked", "nowait", "of"},
}
# Kinds of faults that move or delete text, after which a rare file is no Python any more.
_MAY_BREAK = {
    "argument-dropped", "method-dropped", "minus-dropped", "not-dropped", "order-reversed", "values-swapped",
}  # fmt: skip
_NO_FAULTS_IN = {"__repr__", "__str__"}
_DECLARATIONS = {"mapped_column", "ForeignKey", "TypeVar", "NewType", "getLogger", "relationship"}


def defaults_of(trees: Collection[ast.Module]) -> Defaults:
    """Returns which keyword arguments the functions of these modules can do without."""
    optional: dict[str, set[str]] = {name: set(words) for name, words in _KNOWN_DEFAULTS.items()}
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, Function)):
        positional = [*node.args.posonlyargs, *node.args.args]
        with_default = positional[len(positional) - len(node.args.defaults) :]
        with_default += [
            name for name, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value
        ]
        optional.setdefault(node.name, set()).update(name.arg for name in with_default)
    return optional


def faults(source: SourceText, tree: ast.Module, defaults: Defaults) -> list[Fault]:
    """Returns every small fault of a file, in the order of the text, without those that do not compile."""
    unique: dict[tuple[int, int, str], Fault] = {}
    for fault in _Walk(source, defaults).body(tree.body, "", None):
        edit = fault.edit
        key = (edit.start, edit.end, edit.replacement)
        changes = source.text[edit.start : edit.end] != edit.replacement
        if (
            changes
            and key not in unique
            and (fault.family not in _MAY_BREAK or _compiles(source.edited(edit)))
        ):
            unique[key] = fault
    return sorted(unique.values(), key=lambda fault: (fault.edit.start, fault.edit.kind))


def _compiles(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


class _Walk:
    """Walks a tree with the name of what holds a node and the first line of its statement.

    It leaves out docstrings, messages, annotations, decorators, declarations and words for the log.
    """

    def __init__(self, source: SourceText, defaults: Defaults) -> None:
        self.source = source
        self.defaults = defaults

    def body(self, statements: list[ast.stmt], scope: str, function: str | None) -> Iterator[Fault]:
        for statement in statements:
            yield from self.statement(statement, scope, function)

    def statement(self, node: ast.stmt, scope: str, function: str | None) -> Iterator[Fault]:
        """Yields the faults of a statement; `function` is None outside of functions."""
        if isinstance(node, Function | ast.ClassDef):
            yield from self._definition(node, scope, function)
            return
        if not function:
            scope = _assigned_name(node) or scope
        at = node.lineno if function else None
        for edit in self._edits_of(node, inside=bool(function)):
            yield self.source.fault(edit, scope, at)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt) and not _never_runs(node):
                yield from self.statement(child, scope, function)
            elif isinstance(child, ast.ExceptHandler | ast.match_case):
                yield from self.body(child.body, scope, function)

    def _definition(self, node: Function | ast.ClassDef, scope: str, function: str | None) -> Iterator[Fault]:
        if node.name in _NO_FAULTS_IN:
            return
        name = f"{scope}.{node.name}" if scope else node.name
        if isinstance(node, ast.ClassDef):
            yield from self.body(node.body, name, function)
            return
        body = node.body[1:] if ast.get_docstring(node) and node.body[1:] else node.body
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            for edit in self._expression(default):
                yield self.source.fault(edit, name, body[0].lineno)
        yield from self.body(node.body, name, name)

    def _edits_of(self, node: ast.stmt, inside: bool) -> Iterator[Edit]:
        """Yields the faults of a statement itself and of its expressions, not of the statements in it."""
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert) or _never_runs(node):
            return
        if isinstance(node, ast.Expr) and (isinstance(node.value, ast.Constant) or _is_log(node.value)):
            return  # a docstring, or words for the log
        if inside:
            yield from statement_edits(self.source, node)
        if isinstance(node, ast.Raise):
            return  # the rest is a message
        annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr) and child is not annotation:
                yield from self._expression(child)
            elif isinstance(child, ast.withitem):
                yield from self._expression(child.context_expr)
            elif isinstance(child, ast.match_case) and child.guard:
                yield from self._expression(child.guard)

    def _expression(self, node: ast.AST) -> Iterator[Edit]:
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            segment = self.source.of(node)
            if sql_faults.is_sql(segment):
                yield from sql_faults.edits(self.source.text, *self.source.span(node))
            return
        if isinstance(node, ast.Call):
            if called_name(node) in _DECLARATIONS:
                return
            yield from keyword_edits(self.source, node, self.defaults)
        yield from expression_edits(self.source, node)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.arguments):
                yield from self._expression(child)


def _assigned_name(node: ast.stmt) -> str | None:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return targets[0].id if isinstance(targets[0], ast.Name) else None


def _is_log(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func).startswith(("log.", "logging."))


def _never_runs(node: ast.stmt) -> bool:
    """Whether a statement's body runs only for a type checker, or only as a program."""
    return isinstance(node, ast.If) and any(
        word in ast.unparse(node.test) for word in ("TYPE_CHECKING", "__name__")
    )
